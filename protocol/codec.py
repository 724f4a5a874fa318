"""Bytes <-> messages. One WebSocket binary message is exactly one msgpack map with a string key `type`.

Decoding never raises anything but ProtocolError, and allocates in proportion to the size of the message. The hot
message, `frames`, has its own way in and out (`FramePacker`, `read_frames`), which does not build a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import msgpack
import numpy as np
from pydantic import ValidationError

from protocol import limits
from protocol.errors import (
    InvalidFieldError,
    MessageTooBigError,
    MissingTypeError,
    NotAMapError,
    NotBinaryError,
    NotMsgpackError,
    ProtocolError,
    TooComplexError,
    TrailingBytesError,
    UnknownTypeError,
    shown,
)
from protocol.extensions import Extension, without_timestamps
from protocol.fields import Model
from protocol.messages import CLIENT_MODELS, SERVER_MODELS, ClientMessage, Error, Frames, Message, ServerMessage
from protocol.poses import (
    ROTATION_TYPES,
    Encoding,
    PoseError,
    Poses,
    encode_contacts,
    encode_root,
    encode_rotations,
    unpack_poses,
)

M = TypeVar("M", bound=Model)
SECRET_FIELDS: Final = frozenset({"token", "resume"})
"""Of `hello` and `welcome`: no error quotes them, as errors are logged."""


def build(model: type[M], **fields: object) -> M:
    """A message from values of the program's own; InvalidFieldError, with path, value and limit, when one is wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _invalid_field(model.__name__.lower(), error, None) from error


def encode(message: Message) -> bytes:
    """A message as bytes: fields in the order of the spec, absent ones left out, floats as float64."""
    return cast(bytes, msgpack.packb(message.model_dump(exclude_none=True)))


def unpack(data: bytes | str, max_bytes: int = limits.MAX_MESSAGE_BYTES) -> dict[str, Any]:
    """The map of one message, its `type` known to be a string; arrays come as tuples. ProtocolError otherwise."""
    if isinstance(data, str):
        raise NotBinaryError("a text message; every message must be a binary one that holds a msgpack map")
    if len(data) > max_bytes:
        raise MessageTooBigError(f"message has {len(data)} bytes, the limit is {max_bytes}")
    try:
        value = _unpack_value(data)
    except msgpack.ExtraData as error:
        raise TrailingBytesError(f"{len(error.extra)} bytes after the first msgpack value") from error
    except (ValueError, msgpack.UnpackException, OverflowError, TypeError) as error:
        raise NotMsgpackError(f"not valid msgpack ({type(error).__name__}: {error}), {len(data)} bytes") from error
    if not isinstance(value, dict):
        raise NotAMapError(f"a message must be a map, got {shown(value)}")
    _check_size(value)
    if not isinstance(value.get("type"), str):
        raise MissingTypeError("a message must have a key `type` with a string", request_id=_request_id(value))
    return value


def validate_client(fields: dict[str, Any]) -> ClientMessage:
    """What `unpack` gave -> a message from a client. UnknownTypeError or InvalidFieldError otherwise."""
    return cast(ClientMessage, _validate(fields, CLIENT_MODELS))


def validate_server(fields: dict[str, Any]) -> ServerMessage:
    """What `unpack` gave -> a message from a server. UnknownTypeError or InvalidFieldError otherwise."""
    return cast(ServerMessage, _validate(fields, SERVER_MODELS))


def decode_client(data: bytes | str, max_bytes: int = limits.MAX_MESSAGE_BYTES) -> ClientMessage:
    """Bytes from a client -> message; ProtocolError otherwise."""
    return validate_client(unpack(data, max_bytes))


def decode_server(data: bytes | str, max_bytes: int = limits.MAX_MESSAGE_BYTES) -> ServerMessage:
    """Bytes from a server -> message; ProtocolError otherwise."""
    return validate_server(unpack(data, max_bytes))


def error_message(error: ProtocolError) -> Error:
    """The `error` message that answers a message at fault."""
    text = str(error)[: limits.MAX_ERROR_CHARACTERS]
    field = error.field and error.field[: limits.MAX_ERROR_CHARACTERS]
    return Error(code=error.code.value, message=text, id=error.request_id, field=field)


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """A `frames` message, decoded: frame ``first + i`` of ``character`` is ``poses[i]``."""

    character: str
    first: int
    frame_rate: float
    prompt: str | None
    poses: Poses


def read_frames(fields: dict[str, Any]) -> FrameBlock:
    """What `unpack` gave for a `frames` message -> its poses. Accepts exactly what the model `Frames` accepts."""
    try:
        character, first, count = fields["character"], fields["first"], fields["count"]
        rate, encoding, prompt = fields["frame_rate"], fields["encoding"], fields.get("prompt")
        good = (
            _is_name(character)
            and type(first) is type(count) is int
            and 0 <= first <= limits.MAX_FRAME_INDEX
            and 1 <= count <= limits.MAX_FRAMES
            and type(rate) in (float, int)
            and limits.MIN_FRAME_RATE <= rate <= limits.MAX_FRAME_RATE
            and type(encoding) is str
            and encoding in ROTATION_TYPES
            and (prompt is None or _is_name(prompt))
            and type(fields["root"]) is type(fields["rotations"]) is type(fields["contacts"]) is bytes
        )
        if good:
            poses = unpack_poses(count, encoding, fields["root"], fields["rotations"], fields["contacts"])
            return FrameBlock(character, first, float(rate), prompt, poses)
    except (KeyError, PoseError):
        pass
    frames = cast(Frames, validate_server(fields))  # says which field is at fault
    return FrameBlock(frames.character, frames.first, frames.frame_rate, frames.prompt, frames.poses())


PACKER_BYTES: Final = 4096
"""To start with: room for a usual message. By itself msgpack takes 256 KiB, and every session has a packer."""


class FramePacker:
    """Packs `frames` straight from arrays, byte for byte as `encode(Frames(...))` would. For one thread at a time."""

    def __init__(self, frame_rate: float, encoding: Encoding) -> None:
        self.frame_rate = float(frame_rate)
        self.encoding: Encoding = encoding
        self._packer = msgpack.Packer(buf_size=PACKER_BYTES)

    def pack(self, character: str, first: int, prompt: str | None, poses: Poses) -> bytes:
        """One character's frames ``first``, ``first + 1``, …. PoseError on wrong shapes or values."""
        return self.pack_many(
            [character], [first], [prompt], Poses(poses.root[None], poses.rotations[None], poses.contacts[None])
        )[0]

    def pack_many(
        self, characters: Sequence[str], firsts: Sequence[int], prompts: Sequence[str | None], poses: Poses
    ) -> list[bytes]:
        """One message for each of C characters, n frames each.

        ``poses`` holds root (C, n, 3), rotations (C, n, 22, 4) xyzw and contacts (C, n) as bits. PoseError on wrong
        shapes or values.
        """
        leading = (len(characters), poses.contacts.shape[-1])
        shapes = (poses.root.shape, poses.rotations.shape, poses.contacts.shape)
        wanted = ((*leading, 3), (*leading, limits.JOINT_COUNT, 4), leading)
        if shapes != wanted or not 1 <= leading[1] <= limits.MAX_FRAMES:
            raise PoseError(f"poses have shapes {shapes}, must be {wanted} with 1 to {limits.MAX_FRAMES} frames")
        root, contacts = encode_root(poses.root), encode_contacts(poses.contacts)
        rotations = encode_rotations(poses.rotations, self.encoding)
        rows = zip(characters, firsts, prompts, root, rotations, contacts, strict=True)
        return [self._pack(*row) for row in rows]

    def _pack(
        self,
        character: str,
        first: int,
        prompt: str | None,
        root: np.ndarray,
        rotations: np.ndarray,
        contacts: np.ndarray,
    ) -> bytes:
        fields: dict[str, object] = {"type": "frames", "character": character, "first": first}
        fields["frame_rate"] = self.frame_rate
        if prompt is not None:
            fields["prompt"] = prompt
        fields["count"] = len(contacts)
        fields["encoding"] = self.encoding
        fields["root"] = root.tobytes()
        fields["rotations"] = rotations.tobytes()
        fields["contacts"] = contacts.tobytes()
        return cast(bytes, self._packer.pack(fields))


def _unpack_value(data: bytes) -> Any:
    try:
        return _unpack_map(data)
    except ValueError:
        # The library itself reads extension type -1, and refuses time stamps that do not hold a time.
        plain = without_timestamps(data)
        if plain is None:
            raise
        return _unpack_map(plain)


def _unpack_map(data: bytes) -> Any:
    return msgpack.unpackb(
        data,
        use_list=False,
        strict_map_key=True,
        ext_hook=Extension,
        max_array_len=limits.MAX_VALUES,
        max_map_len=limits.MAX_VALUES,
    )


def _validate(fields: dict[str, Any], models: dict[str, type[Model]]) -> Model:
    request_id = _request_id(fields)
    model = models.get(fields["type"])
    if model is None:
        raise UnknownTypeError(fields["type"], request_id=request_id)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _invalid_field(fields["type"], error, request_id) from error


def _invalid_field(type_name: str, error: ValidationError, request_id: str | None) -> InvalidFieldError:
    first, *others = error.errors(include_url=False, include_context=False)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    message = f"{type_name}.{path}: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] != "missing" and path not in SECRET_FIELDS:
        message += f"; got {shown(first['input'])}"
    if others:
        message += f" (and {len(others)} more problems)"
    return InvalidFieldError(message, field=path, request_id=request_id)


def _request_id(fields: dict[str, Any]) -> str | None:
    value = fields.get("id")
    return value if _is_name(value) else None


def _is_name(value: object) -> bool:
    return type(value) is str and 1 <= len(value) <= limits.MAX_NAME_CHARACTERS


def _check_size(value: dict[Any, Any]) -> None:
    level: list[Any] = [value]
    seen = 0
    for _ in range(limits.MAX_DEPTH):
        children: list[Any] = []
        for container in level:
            inner = container.values() if isinstance(container, dict) else container
            seen += len(inner)
            if seen > limits.MAX_VALUES:
                raise TooComplexError(f"a message holds more than {limits.MAX_VALUES} values")
            children += [item for item in inner if isinstance(item, dict | tuple)]
        if not children:
            return
        level = children
    raise TooComplexError(f"a message is nested deeper than {limits.MAX_DEPTH} levels")
