"""Servers in the same process that do what a test tells them, for tests of the client."""

import contextlib

from websockets.asyncio.server import serve

from protocol import codec, limits
from protocol.handshake import ClientConfig
from protocol.messages import Hello, PromptStatus
from protocol.vectors.cases import server_messages

WELCOME = server_messages()["welcome"]
RESUMABLE = WELCOME.model_copy(update={"resume": "t0ken"})
PACKER = codec.FramePacker(30.0, "float32")


@contextlib.asynccontextmanager
async def listening(handler, subprotocols=(limits.SUBPROTOCOL,)):
    """A server that runs ``handler(socket)`` for each connection; yields a config that points to it, without restarts."""
    async with serve(handler, "127.0.0.1", 0, subprotocols=subprotocols, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        yield ClientConfig(url=f"ws://127.0.0.1:{port}", open_timeout=5.0, close_timeout=2.0, restart_seconds=0.0)


@contextlib.asynccontextmanager
async def connections(*scripts):
    """A server that runs one script for each connection, the last one for all that follow; yields ``hello``s too."""
    hellos = []

    async def handler(socket):
        hellos.append(await receive(socket))
        await scripts[min(len(hellos), len(scripts)) - 1](socket)

    async with listening(handler) as config:
        yield config, hellos


@contextlib.asynccontextmanager
async def scripted(script):
    """A server that greets, then runs ``script(socket)``."""

    async def greets(socket):
        await send(socket, WELCOME)
        await script(socket)

    async with connections(greets) as (config, hellos):
        yield config
        assert all(isinstance(hello, Hello) for hello in hellos)


async def receive(socket):
    return codec.decode_client(await socket.recv())


async def send(socket, *messages):
    for message in messages:
        await socket.send(message if isinstance(message, bytes | str) else codec.encode(message))


def accepted(prompt_id, character="main"):
    return PromptStatus(character=character, id=prompt_id, status="accepted")
