"""How a client opens its connection, and opens it again after a drop: the WebSocket, then `hello` and `welcome`."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from protocol import limits
from protocol.buffer import DEFAULT_CAPACITY
from protocol.client_errors import (
    AddressError,
    CertificateError,
    ConnectionLostError,
    HandshakeError,
    RefusedError,
    UnreachableError,
)
from protocol.codec import build, encode, unpack, validate_server
from protocol.errors import CloseCode, ErrorCode, ProtocolError
from protocol.messages import Error, Hello, Welcome
from protocol.poses import Encoding

LOG = logging.getLogger(__name__)
FULL: Final = frozenset({ErrorCode.SERVER_FULL, ErrorCode.TOO_MANY_CONNECTIONS})
DROPS: Final = frozenset({None, 1006, 1011, 1012})
"""Close codes of a connection that dropped, or whose server went, rather than being ended by one of the sides."""
RESTARTS: Final = DROPS | {1001, int(CloseCode.INTERNAL)}
"""Close codes after which a server, or the next one in its place, may take the client as a new one."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 2.0


@dataclass(frozen=True)
class ClientConfig:
    """Where to connect and how; times in seconds."""

    url: str = limits.DEFAULT_URL
    name: str = "motionbridge-python"
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None
    """PEM file of the authority that signed the certificate of a `wss://` server; None: those that the system trusts."""
    frame_rate: float = limits.DEFAULT_FRAME_RATE
    encoding: Encoding = "float32"
    open_timeout: float = 10.0
    send_timeout: float = 10.0
    request_timeout: float = 120.0
    close_timeout: float = 5.0
    buffer_frames: int = DEFAULT_CAPACITY
    resume_seconds: float = limits.RESUME_SECONDS
    """How long to try to get the session back after a drop; 0: not at all."""
    restart_seconds: float = 60.0
    """How long to try to begin a new session when the old one is gone, as after a restart of the server; 0: not at all."""
    event_capacity: int = 1024
    """Events kept for a caller that is not iterating. When full, the oldest frames go first: they are in the buffer."""


async def open_socket(config: ClientConfig) -> ClientConnection:
    """An open WebSocket that speaks our subprotocol; UnreachableError, CertificateError or HandshakeError otherwise."""
    try:
        socket = await websocket_connect(
            config.url,
            subprotocols=[Subprotocol(limits.SUBPROTOCOL)],
            compression=None,
            proxy=None,
            open_timeout=config.open_timeout,
            close_timeout=config.close_timeout,
            ping_interval=limits.PING_SECONDS,
            ping_timeout=limits.PING_SECONDS,
            max_size=limits.MAX_MESSAGE_BYTES,
            ssl=_tls(config),
        )
    except InvalidURI as error:
        raise AddressError(config.url) from error
    except (InvalidHandshake, EOFError) as error:
        raise HandshakeError(config.url, str(error)) from error
    except TimeoutError as error:
        raise UnreachableError(config.url, f"no answer within {config.open_timeout:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(config.url, error.verify_message) from error
    except ssl.SSLError as error:
        raise HandshakeError(config.url, f"it does not speak TLS ({error.reason or error})") from error
    except ConnectionResetError as error:
        raise HandshakeError(config.url, "it cut the connection") from error
    except OSError as error:
        raise UnreachableError(config.url, error.strerror or str(error)) from error
    if socket.subprotocol != limits.SUBPROTOCOL:
        await socket.close()
        raise HandshakeError(config.url, f"it does not speak {limits.SUBPROTOCOL}")
    return socket


def _tls(config: ClientConfig) -> ssl.SSLContext | bool | None:
    """How to check a `wss://` server: by an authority of one's own, or (True) by those of the system."""
    if not config.url.lower().startswith("wss:"):
        return None
    if config.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=config.ca)
    except OSError as error:
        raise CertificateError(config.url, f"{config.ca}: {error.strerror or error}") from error


async def shake_hands(
    socket: ClientConnection, config: ClientConfig, *, resume: str | None = None, received: int | None = None
) -> Welcome:
    """Says `hello` and waits for `welcome`; a ClientError otherwise.

    ``resume`` is the token of an earlier session, of which ``received`` messages arrived.
    """
    wishes = {"token": config.token, "frame_rate": config.frame_rate, "encoding": config.encoding}
    wishes |= {"resume": resume, "received": received}
    hello = build(Hello, version=limits.PROTOCOL_VERSION, client=config.name, **wishes)
    try:
        async with asyncio.timeout(config.open_timeout):
            await socket.send(encode(hello))
            message = validate_server(unpack(await socket.recv()))
    except TimeoutError:
        raise HandshakeError(config.url, f"no `welcome` within {config.open_timeout:g} s") from None
    except ConnectionClosed as closed:
        raise ConnectionLostError.of(socket.close_code, socket.close_reason) from closed
    except ProtocolError as error:
        raise HandshakeError(config.url, f"its first message cannot be read: {error}") from error
    if isinstance(message, Error):
        raise RefusedError(message.code, message.message)
    if not isinstance(message, Welcome):
        raise HandshakeError(config.url, f"its first message is `{message.type}`, not `welcome`")
    return message


async def come_back(config: ClientConfig, token: str | None, received: int) -> tuple[ClientConnection, Welcome]:
    """Connects again, with growing delays between attempts, to resume the session of ``token`` or else to begin a new one.

    ConnectionLostError when the time that ``config`` allows for that is up, when the server refuses, or when it no longer
    has the session and no new one is wanted.
    """
    seconds = max(config.resume_seconds if token is not None else 0.0, config.restart_seconds)
    delay = FIRST_DELAY_SECONDS
    problem = "no attempt succeeded"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await _attempt(config, token, received)
                except (UnreachableError, HandshakeError) as error:
                    problem = str(error)
                except ConnectionLostError as error:
                    if error.code is None or error.code not in RESTARTS:
                        raise
                    problem = str(error)
                except (RefusedError, CertificateError) as error:
                    full = isinstance(error, RefusedError) and error.code in FULL
                    if not full:  # a full server may have the dropped connection still on its list
                        raise ConnectionLostError(f"the connection ended and cannot be made again: {error}") from error
                    problem = str(error)
                LOG.info("not connected again yet: %s", problem)
                await asyncio.sleep(delay)
                delay = min(2.0 * delay, LONGEST_DELAY_SECONDS)
    except TimeoutError:
        text = f"the connection dropped and could not be made again within {seconds:g} s: {problem}"
        raise ConnectionLostError(text) from None


async def _attempt(config: ClientConfig, token: str | None, received: int) -> tuple[ClientConnection, Welcome]:
    socket = await open_socket(config)
    try:
        welcome = await shake_hands(socket, config, resume=token, received=None if token is None else received)
        if not welcome.resumed and config.restart_seconds <= 0.0:
            raise ConnectionLostError("the connection dropped and the server no longer has the session; connect anew")
    except BaseException:
        await socket.close()
        raise
    return socket, welcome
