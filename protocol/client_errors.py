"""What can go wrong for a client, each with what to do about it."""

from __future__ import annotations

from typing import Final

from protocol.errors import CloseCode, ErrorCode
from protocol.limits import DEFAULT_URL

REMEDIES: Final[dict[str, str]] = {
    ErrorCode.UNAUTHORIZED: "pass the token that the server was started with",
    ErrorCode.VERSION_MISMATCH: "use a client and a server of the same protocol version",
    ErrorCode.HELLO_REQUIRED: "send `hello` first, at once",
    ErrorCode.TOO_MANY_ERRORS: "look at the `error` messages before this one",
    ErrorCode.TOO_BIG: "send smaller messages; `welcome.limits.message_bytes` has the limit",
    ErrorCode.RESUMED_ELSEWHERE: "another connection has taken this session over",
    ErrorCode.TOO_SLOW: "read what the server sends without pausing, or ask for a lower frame rate",
    ErrorCode.SERVER_FULL: "try again later, or start another server",
    ErrorCode.TOO_MANY_CONNECTIONS: "close another connection of the same token, or ask for a higher limit",
    ErrorCode.SESSION_EXPIRED: "connect again for a new session",
}
CLOSE_REASONS: Final[dict[int, str]] = {
    1001: "the server is shutting down; connect again when it is back",
    1006: "the connection dropped without a close; see whether the server is still running",
    1012: "the server is shutting down; another one has the session: connect again and resume it",
    1009: REMEDIES[ErrorCode.TOO_BIG],
    CloseCode.INTERNAL: "the server failed; its log says why",
    **{code.value: REMEDIES[ErrorCode[code.name]] for code in CloseCode if code is not CloseCode.INTERNAL},
}


class ClientError(Exception):
    """Any failure of a client; its text says what to do."""


class AddressError(ClientError):
    """Not a WebSocket address."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} is not a WebSocket address; one looks like {DEFAULT_URL}")
        self.url = url


class UnreachableError(ClientError):
    """Nothing listens at the address."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"no MotionBridge server at {url} ({cause}): start it with `motionbridge serve`")
        self.url = url


class CertificateError(ClientError):
    """The server's certificate is not to be trusted, or the file to check it with cannot be used."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(
            f"the certificate of {url} cannot be verified ({cause}): connect by the name it was made for, "
            "and pass the file of the authority that signed it, if that is your own"
        )
        self.url = url


class HandshakeError(ClientError):
    """Something answers at the address, but it is no MotionBridge server."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(
            f"{url} does not answer like a MotionBridge server: {cause}; check the address, the port, and whether it is ws:// or wss://"
        )
        self.url = url


class RefusedError(ClientError):
    """The server answered `hello` with an error. ``code`` is its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"the server refused the connection ({code}): {_with_remedy(message, REMEDIES.get(code))}")
        self.code = code


class ConnectionLostError(ClientError):
    """The connection ended while it was needed. ``code`` is the WebSocket close code, None when there was none."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def of(cls, code: int | None, reason: str | None) -> ConnectionLostError:
        """From a close code and reason."""
        remedy = CLOSE_REASONS.get(code or 1006)
        return cls(f"connection closed with code {code}: {_with_remedy(reason or 'no reason given', remedy)}", code)


class RequestFailedError(ClientError):
    """The server answered a `generate` or `edit` with an error. ``code`` is its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"the server could not do it ({code}): {message}")
        self.code = code


class RequestTimeoutError(ClientError):
    """No answer to a `generate` or `edit` in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s; raise `request_timeout`, or see whether the server is busy")


def _with_remedy(message: str, remedy: str | None) -> str:
    return f"{message}; {remedy}" if remedy else message
