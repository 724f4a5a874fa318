"""A client that does nothing but note when frames come: for loads under which a client library would be the slowest part.

The connection is opened by the usual client, which then hands its socket over: from there on, WebSocket frames are cut out of
what arrives without a task, a queue or a check for each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, cast

import msgpack

from protocol.client import ClientConfig
from protocol.handshake import open_socket, shake_hands

_BINARY, _CLOSE, _PING, _PONG = 0x2, 0x8, 0x9, 0xA
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)  # a client must mask; this key leaves everything as it is


def frame(opcode: int, payload: bytes) -> bytes:
    """A WebSocket frame from a client (RFC 6455, section 5.2), up to 64 KiB."""
    if len(payload) < 126:
        return bytes([_FINAL | opcode, _MASKED | len(payload)]) + _NO_MASK + payload
    return bytes([_FINAL | opcode, _MASKED | 126]) + len(payload).to_bytes(2, "big") + _NO_MASK + payload


def cut(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames from a server in ``data``, opcode and payload of each, and what is left."""
    frames, at = [], 0
    while len(data) - at >= 2:
        size, head = data[at + 1], at + 2
        if size >= 126:
            head += 2 if size == 126 else 8
            size = int.from_bytes(data[at + 2 : head], "big")
        if len(data) < head + size:
            break
        frames.append((data[at] & 0x0F, data[head : head + size]))
        at = head + size
    return frames, data[at:]


class LightClient(asyncio.Protocol):
    """``on_message`` is called with each message, unpacked, and when its bytes came (``time.perf_counter``)."""

    def __init__(self, on_message: Callable[[dict[str, Any], float], None]) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        """Done when the connection is gone; its result says why."""
        self._on_message = on_message
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    async def open(self, config: ClientConfig) -> None:
        """Connects and says `hello`; a ClientError otherwise."""
        socket = await open_socket(config)
        await shake_hands(socket, config)
        # Nothing is on its way now: the server speaks again when it is told something.
        self._transport = cast(asyncio.Transport, socket.transport)
        self._transport.set_protocol(self)

    def send(self, message: bytes) -> None:
        """Sends an encoded message."""
        self._write(frame(_BINARY, message))

    def close(self) -> None:
        """Ends the session."""
        self._write(frame(_CLOSE, (1000).to_bytes(2, "big")))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        frames, self._rest = cut(self._rest + data)
        for opcode, payload in frames:
            if opcode == _BINARY:
                self._on_message(msgpack.unpackb(payload), now)
            elif opcode == _PING:
                self._write(frame(_PONG, payload))
            elif opcode == _CLOSE and self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(exc)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
