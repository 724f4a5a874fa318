"""Clients that do what no client should, each for some seconds, against a live server.

What the server answers them is their own affair: a refusal, a close or a reset ends one attempt, and the next one follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgpack
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import WebSocketException

from protocol import limits
from protocol.codec import unpack
from protocol.errors import ProtocolError
from tests.benchmarks.fuzz_inputs import Inputs, golden

Attack = Callable[[str, random.Random, float], Awaitable[None]]
PROVOKED: Final = (WebSocketException, ConnectionError, EOFError, TimeoutError)
"""What a bad client must expect."""
CHUNK_BYTES: Final = 64 * 1024
HUNDRED_MB: Final = 100 * 1000 * 1000


def message(kind: str, **fields: Any) -> bytes:
    """A message, unchecked."""
    return msgpack.packb({"type": kind, **fields})


@contextlib.asynccontextmanager
async def opened(
    url: str, *, greeted: bool = True, sock: socket.socket | None = None
) -> AsyncIterator[ClientConnection]:
    """A WebSocket, cut without a close on the way out; by then with a session, if ``greeted``."""
    options: dict[str, Any] = {"sock": sock} if sock is not None else {}
    connection = await websocket_connect(
        url,
        subprotocols=[limits.SUBPROTOCOL],
        compression=None,
        proxy=None,
        max_size=None,
        max_queue=1,
        ping_interval=None,
        close_timeout=0.1,
        **options,
    )
    try:
        if greeted:
            await connection.send(message("hello", version=1, client="bad"))
        yield connection
    finally:
        if not connection.transport.is_closing():
            connection.transport.abort()


async def until_over(seconds: float, attempt: Callable[[], Awaitable[None]]) -> None:
    """Attempts again and again until the time is up; what was provoked ends an attempt and nothing else does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0.0:
        with contextlib.suppress(*PROVOKED):
            async with asyncio.timeout(left):
                await attempt()
        await asyncio.sleep(0.02)


async def slow_loris(url: str, rng: random.Random, seconds: float) -> None:
    """Sends the request of the handshake a byte at a time, over several connections at once."""
    parts = urlsplit(url)
    request = f"GET / HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n".encode()

    async def one() -> None:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            for at in range(len(request)):
                writer.write(request[at : at + 1])
                await writer.drain()
                await asyncio.sleep(rng.uniform(0.01, 0.2))
        finally:
            writer.transport.abort()

    await asyncio.gather(*(until_over(seconds, one) for _ in range(8)))


async def half_open(url: str, rng: random.Random, seconds: float) -> None:
    """Opens sockets, goes as far as a TCP connection, a WebSocket, a `hello` or a prompt, and falls silent."""
    parts = urlsplit(url)

    async def one() -> None:
        if rng.random() < 0.3:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            await asyncio.sleep(rng.uniform(0.1, 1.0))
            writer.transport.abort()
            return
        async with opened(url, greeted=rng.random() < 0.7) as connection:
            if rng.random() < 0.5:
                await connection.send(message("prompt", id="p", text="a person walks", on_end="repeat"))
            connection.transport.pause_reading()
            await asyncio.sleep(rng.uniform(0.1, 2.0))

    await asyncio.gather(*(until_over(seconds, one) for _ in range(4)))


async def never_reads(url: str, rng: random.Random, seconds: float) -> None:
    """Asks for as much as it can and reads nothing of it."""
    parts = urlsplit(url)

    async def one() -> None:
        deaf = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        await asyncio.get_running_loop().sock_connect(deaf, (parts.hostname, parts.port))
        async with opened(url, sock=deaf) as connection:
            connection.transport.pause_reading()
            for at in range(4):
                await connection.send(
                    message("generate", id=f"g{at}", text="a person walks", seconds=9.8, frame_rate=120)
                )
            for at in range(4):
                wish = {"character": f"c{at}", "text": "a person walks", "on_end": "repeat"}
                await connection.send(message("prompt", id=f"p{at}", **wish))
            await asyncio.sleep(rng.uniform(1.0, 5.0))

    await until_over(seconds, one)


async def sends_100_mb(url: str, rng: random.Random, seconds: float) -> None:
    """Sends 100 MB: in one frame, in one message of many frames, or in messages that are just small enough."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(HUNDRED_MB // CHUNK_BYTES):
            yield bytes(CHUNK_BYTES)

    async def one() -> None:
        async with opened(url) as connection:
            match rng.randrange(3):
                case 0:
                    # A frame's head that promises 100 MB, then as much as the server takes: made by hand, so that it costs
                    # this side no memory. The masking key is 0.
                    connection.transport.write(b"\x82\xff" + HUNDRED_MB.to_bytes(8, "big") + bytes(4))
                    async for piece in pieces():
                        connection.transport.write(piece)
                        await asyncio.sleep(0)
                        if connection.transport.is_closing() or connection.transport.get_write_buffer_size() > 2**22:
                            break
                    await connection.wait_closed()
                case 1:
                    await connection.send(pieces())
                case _:
                    for _ in range(100):
                        await connection.send(bytes(1_000_000))
            await connection.wait_closed()

    await until_over(seconds, one)


async def reconnects(url: str, rng: random.Random, seconds: float) -> None:
    """Opens 50 connections a second, greets or not, and drops them."""

    async def one() -> None:
        with contextlib.suppress(*PROVOKED):
            async with asyncio.timeout(seconds), opened(url, greeted=rng.random() < 0.8) as connection:
                if rng.random() < 0.5:
                    await connection.send(message("prompt", id="p", text="a person walks"))
                if rng.random() < 0.3:
                    await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(round(50 * seconds)):
            group.create_task(one())
            await asyncio.sleep(0.02)


async def lies(url: str, rng: random.Random, seconds: float) -> None:
    """Reports playheads of frames that it does not show: never sent, long gone, going back, the same for ever."""

    async def one() -> None:
        async with opened(url) as connection:
            await connection.send(message("prompt", id="p", text="a person walks", on_end="repeat"))
            newest = 0
            while True:
                fields = unpack(await connection.recv())
                if fields["type"] == "frames":
                    newest = fields["first"] + fields["count"] - 1
                frame = rng.choice(
                    (0, newest, newest, newest + 1, newest + 1000, 2**53 - 1, newest // 2, rng.randrange(newest + 1))
                )
                await connection.send(message("playhead", frame=frame, buffered=rng.choice((0, 2**53 - 1))))

    await until_over(seconds, one)


async def slow_liar(url: str, rng: random.Random, seconds: float) -> None:
    """Reads slowly, lies about what it shows and what it has received, drops without a word and comes back."""
    token: str | None = None
    received = 0

    async def one() -> None:
        nonlocal token, received
        async with opened(url, greeted=False) as connection:
            told = rng.choice((received, received, received // 2, received + 1000, 2**53 - 1))
            earlier = {} if token is None else {"resume": token, "received": told}
            await connection.send(message("hello", version=1, client="bad", **earlier))
            welcome = unpack(await connection.recv())
            received = received if welcome.get("resumed") else 0
            token = welcome.get("resume")
            newest = dict.fromkeys((f"c{at}" for at in range(4)), 0)
            for name in newest:
                wish = {"character": name, "text": "a person walks", "on_end": "repeat"}
                await connection.send(message("prompt", id=f"p{rng.getrandbits(60)}", **wish))
            for _ in range(rng.randrange(10, 100)):
                fields = unpack(await connection.recv())
                received += 1
                if fields["type"] == "frames":
                    newest[fields["character"]] = fields["first"] + fields["count"] - 1
                name, last = rng.choice(list(newest.items()))
                frame = rng.choice((0, last, last, last // 2, last + 1, last + 1000, 2**53 - 1))
                await connection.send(message("playhead", character=name, frame=frame))
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.1, 0.5)))

    await until_over(seconds, one)


async def garbage(url: str, rng: random.Random, seconds: float) -> None:
    """Sends messages with bytes and values changed, and reads the refusals."""
    inputs = Inputs(rng, golden("client"))

    async def one() -> None:
        async with opened(url, greeted=rng.random() < 0.9) as connection:
            reader = asyncio.create_task(_drain(connection))
            try:
                while not reader.done():
                    await connection.send(inputs.draw())
                    await asyncio.sleep(rng.choice((0.0, 0.01, 0.1)))
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    await until_over(seconds, one)


async def floods(url: str, rng: random.Random, seconds: float) -> None:
    """Prompts as fast as it can, for more characters than there may be."""

    async def one() -> None:
        async with opened(url) as connection:
            reader = asyncio.create_task(_drain(connection))
            try:
                for at in range(1000):
                    wish = {
                        "character": f"c{rng.randrange(100)}",
                        "text": "walk " * 50,
                        "mode": rng.choice(("replace", "queue")),
                    }
                    await connection.send(message("prompt", id=f"p{at}", **wish))
                    await asyncio.sleep(0.002)
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    await until_over(seconds, one)


async def guesses(url: str, rng: random.Random, seconds: float) -> None:
    """Tries to resume the sessions of others."""

    async def one() -> None:
        async with opened(url, greeted=False) as connection:
            token = rng.choice(("", "x" * 32, "x" * 1024, rng.randbytes(24).hex()))
            await connection.send(message("hello", version=1, resume=token, received=rng.choice((None, 0, 2**53 - 1))))
            try:
                welcome = unpack(await connection.recv())
            except ProtocolError as error:
                raise AssertionError("the server sent what cannot be read") from error
            if welcome.get("resumed") or welcome.get("characters"):
                raise AssertionError("a guessed token gave the session of another client")

    await until_over(seconds, one)


async def _drain(connection: ClientConnection) -> None:
    with contextlib.suppress(*PROVOKED):
        while True:
            await connection.recv()


BAD_CLIENTS: Final[dict[str, Attack]] = {
    "slow loris": slow_loris,
    "half-open sockets": half_open,
    "never reads": never_reads,
    "sends 100 MB": sends_100_mb,
    "reconnects 50 times a second": reconnects,
    "lies about its playhead": lies,
    "reads slowly, lies, drops and returns": slow_liar,
    "sends garbage": garbage,
    "floods with prompts": floods,
    "guesses resume tokens": guesses,
}
