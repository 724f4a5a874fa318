"""The start of a connection: what a `hello` must be, and the `welcome` that answers it."""

from __future__ import annotations

import hmac
import importlib.metadata
from dataclasses import dataclass
from typing import Final

from protocol import limits
from protocol.codec import unpack, validate_client
from protocol.errors import ErrorCode, MessageTooBigError, ProtocolError
from protocol.messages import Hello, Limits, SkeletonTable, Welcome
from protocol.skeleton import Skeleton
from server.config import ServeConfig

SERVER_NAME: Final = "motionbridge"


@dataclass(frozen=True)
class ModelInfo:
    """What a session must know of the engine: rates in frames per second, lengths in its frames."""

    name: str
    fps: float
    skeleton: Skeleton
    max_frames: int
    context_frames: int
    edits: bool


class HelloError(Exception):
    """The connection cannot go on. ``code`` is one of the errors that close it."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_hello(data: bytes | str, config: ServeConfig) -> Hello:
    """The first message of a client, checked for version and token; HelloError otherwise."""
    try:
        fields = unpack(data)
        version = fields.get("version")
        if fields["type"] == "hello" and type(version) is int and version != limits.PROTOCOL_VERSION:
            text = f"protocol version {version} is not spoken here; this server speaks {limits.PROTOCOL_VERSION}"
            raise HelloError(ErrorCode.VERSION_MISMATCH, text)
        hello = validate_client(fields)
    except MessageTooBigError as error:
        raise HelloError(ErrorCode.TOO_BIG, str(error)) from error
    except ProtocolError as error:
        raise HelloError(ErrorCode.HELLO_REQUIRED, f"the first message must be a valid hello: {error}") from error
    if not isinstance(hello, Hello):
        raise HelloError(ErrorCode.HELLO_REQUIRED, f"the first message is `{hello.type}`, it must be `hello`")
    if config.token is not None and not _same_secret(hello.token, config.token):
        problem = "hello has no token" if hello.token is None else "hello has a wrong token"
        raise HelloError(ErrorCode.UNAUTHORIZED, f"{problem}; send the one that the server was started with")
    return hello


def welcome(
    hello: Hello,
    session_id: str,
    config: ServeConfig,
    model: ModelInfo,
    *,
    resume: str | None = None,
    characters: tuple[str, ...] | None = None,
) -> Welcome:
    """The answer to a `hello` that was accepted; ``resume`` is the session's token, ``characters`` of one resumed."""
    supports = ["prompt", "timeline", "steer", "control", "playhead", "generate", *(["edit"] if model.edits else [])]
    return Welcome(
        version=limits.PROTOCOL_VERSION,
        server=SERVER_NAME,
        server_version=_version(),
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
            characters=config.max_characters,
            queued_prompts=config.max_queued_prompts,
            pending_requests=config.max_pending_requests,
        ),
        skeleton=SkeletonTable.of(model.skeleton),
    )


def _version() -> str:
    try:
        return importlib.metadata.version("motionbridge")[: limits.MAX_NAME_CHARACTERS]
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _same_secret(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), wanted.encode())
