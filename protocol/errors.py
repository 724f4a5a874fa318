"""Error codes, close codes, and the exceptions that the codec raises."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar

SHOWN_CHARACTERS = 60


class ErrorCode(StrEnum):
    """`error.code` values of SPEC.md."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_FIELD = "invalid_field"
    UNEXPECTED_MESSAGE = "unexpected_message"
    UNKNOWN_CHARACTER = "unknown_character"
    TOO_MANY_CHARACTERS = "too_many_characters"
    TOO_MANY_PROMPTS = "too_many_prompts"
    DUPLICATE_ID = "duplicate_id"
    RATE_LIMITED = "rate_limited"
    PROMPT_RATE_LIMITED = "prompt_rate_limited"
    TEXT_TOO_LONG = "text_too_long"
    BUSY = "busy"
    UNSUPPORTED = "unsupported"
    GENERATION_FAILED = "generation_failed"
    INTERNAL = "internal"
    UNAUTHORIZED = "unauthorized"
    VERSION_MISMATCH = "version_mismatch"
    HELLO_REQUIRED = "hello_required"
    TOO_MANY_ERRORS = "too_many_errors"
    TOO_BIG = "too_big"
    RESUMED_ELSEWHERE = "resumed_elsewhere"
    TOO_SLOW = "too_slow"
    SERVER_FULL = "server_full"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    SESSION_EXPIRED = "session_expired"


class CloseCode(IntEnum):
    """WebSocket close codes of SPEC.md, beside the standard 1000 (normal) and 1001 (server going away)."""

    INTERNAL = 4000
    UNAUTHORIZED = 4001
    VERSION_MISMATCH = 4002
    HELLO_REQUIRED = 4003
    TOO_MANY_ERRORS = 4008
    TOO_BIG = 4009
    RESUMED_ELSEWHERE = 4010
    TOO_SLOW = 4011
    SERVER_FULL = 4013
    TOO_MANY_CONNECTIONS = 4014
    SESSION_EXPIRED = 4015


FATAL: dict[ErrorCode, CloseCode] = {ErrorCode[code.name]: code for code in CloseCode if code.name != "INTERNAL"}
"""The errors after which the server closes, with the close code. Every other error leaves the connection open."""


def shown(value: object) -> str:
    """A value as an error message quotes it: its repr, cut, with its length when it is long."""
    text = repr(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    units = (str, "characters"), (bytes, "bytes"), (tuple, "entries"), (dict, "entries")
    sizes = [f" ({len(value)} {unit})" for kind, unit in units if isinstance(value, kind)]
    return text[:SHOWN_CHARACTERS] + "…" + "".join(sizes)


class ProtocolError(ValueError):
    """A message that breaks the protocol.

    ``code`` is what an `error` message answers with, ``request_id`` the `id` of the message at fault if it could be
    read, ``field`` the path of the field at fault.
    """

    code: ClassVar[ErrorCode] = ErrorCode.MALFORMED

    def __init__(self, message: str, *, field: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.request_id = request_id


class MalformedError(ProtocolError):
    """Bytes that are not exactly one msgpack map with a string `type`."""


class NotBinaryError(MalformedError):
    """A WebSocket text message."""


class NotMsgpackError(MalformedError):
    """Broken or cut-off msgpack."""


class TrailingBytesError(MalformedError):
    """More than one msgpack value in a message."""


class NotAMapError(MalformedError):
    """One msgpack value, but not a map."""


class MissingTypeError(MalformedError):
    """A map without a string `type`."""


class TooComplexError(MalformedError):
    """A value nested deeper, or holding more values, than the limits allow."""


class MessageTooBigError(ProtocolError):
    """More bytes than the limit; the only decoding error that closes the connection."""

    code = ErrorCode.TOO_BIG


class UnknownTypeError(ProtocolError):
    """A well-formed message of a type this side does not know. Readers ignore it; a server also says so."""

    code = ErrorCode.UNKNOWN_TYPE

    def __init__(self, type_name: str, *, request_id: str | None = None) -> None:
        super().__init__(f"unknown message type {shown(type_name)}", field="type", request_id=request_id)
        self.type_name = type_name


class InvalidFieldError(ProtocolError):
    """A field that is missing, of the wrong type, or outside its limits."""

    code = ErrorCode.INVALID_FIELD
