"""The start of a connection: what a `hello` must be, and the `welcome` that answers it."""

from __future__ import annotations

import importlib.metadata
from typing import Final, cast

from protocol import limits
from protocol.codec import unpack, validate_client
from protocol.errors import ErrorCode, MessageTooBigError, ProtocolError, shown
from protocol.messages import Hello, Limits, SkeletonTable, Welcome
from server.access import HelloError
from server.config import Quota, ServeConfig
from server.model_info import ModelInfo

SERVER_NAME: Final = "motionbridge"


def read_hello(data: bytes | str) -> Hello:
    """The first message of a client, checked for its version; HelloError otherwise. No error quotes what is secret."""
    try:
        fields = unpack(data)
        if fields["type"] != "hello":
            raise HelloError(
                ErrorCode.HELLO_REQUIRED, f"the first message is {shown(fields['type'])}, it must be `hello`"
            )
        version = fields.get("version")
        if type(version) is int and version != limits.PROTOCOL_VERSION:
            text = f"protocol version {version} is not spoken here; this server speaks {limits.PROTOCOL_VERSION}"
            raise HelloError(ErrorCode.VERSION_MISMATCH, text)
        hello = validate_client(fields)
    except MessageTooBigError as error:
        raise HelloError(ErrorCode.TOO_BIG, str(error)) from error
    except ProtocolError as error:
        raise HelloError(ErrorCode.HELLO_REQUIRED, f"the first message must be a valid hello: {error}") from error
    return cast(Hello, hello)


def welcome(
    hello: Hello,
    session_id: str,
    config: ServeConfig,
    model: ModelInfo,
    *,
    quota: Quota | None = None,
    resume: str | None = None,
    characters: tuple[str, ...] | None = None,
) -> Welcome:
    """The answer to a `hello` that was accepted.

    ``quota`` is what the client's own token allows, ``resume`` the session's token, ``characters`` those of one resumed.
    """
    quota = quota or config.quota
    supports = ["prompt", "timeline", "steer", "control", "playhead", "generate", *(["edit"] if model.edits else [])]
    return Welcome(
        version=limits.PROTOCOL_VERSION,
        server=SERVER_NAME,
        server_version=server_version(),
        model=model.name[: limits.MAX_NAME_CHARACTERS],
        session=session_id,
        resume=resume,
        resumed=characters is not None,
        characters=characters or (),
        supports=tuple(supports),
        frame_rate=hello.frame_rate,
        encoding=hello.encoding,
        model_frame_rate=model.fps,
        lead=config.lead_seconds,
        limits=Limits(
            text_characters=quota.text_characters or limits.MAX_TEXT_CHARACTERS,
            message_bytes=quota.message_bytes or limits.MAX_MESSAGE_BYTES,
            characters=min(config.max_characters, quota.characters or config.max_characters),
            queued_prompts=config.max_queued_prompts,
            pending_requests=config.max_pending_requests,
        ),
        skeleton=SkeletonTable.of(model.skeleton),
    )


def server_version() -> str:
    """The installed version of the distribution."""
    try:
        return importlib.metadata.version("motionbridge")[: limits.MAX_NAME_CHARACTERS]
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
