"""The Unity client's ClientWebSocket transport against a scripted server: fragments, too big a message, text, close codes."""

import asyncio
from pathlib import Path

import mono
import pytest
from websockets.asyncio.server import serve

from protocol import limits
from protocol.codec import FramePacker, decode_client, encode
from protocol.errors import CloseCode
from protocol.messages import PromptStatus, Welcome
from protocol.vectors.cases import example_poses, server_messages

pytestmark = pytest.mark.skipif(mono.missing() is not None, reason=str(mono.missing()))

COUNT = 400
PIECE = 1000


def pieces(message: bytes) -> list[bytes]:
    return [message[start : start + PIECE] for start in range(0, len(message), PIECE)]


class ScriptedServer:
    """Speaks to the first connection in fragments until it sends too much, and turns the second away."""

    def __init__(self) -> None:
        self.hellos, self.closes = [], []

    async def __call__(self, socket) -> None:
        self.hellos.append(decode_client(await socket.recv()))
        welcome = server_messages()["welcome"]
        assert isinstance(welcome, Welcome)
        await socket.send(pieces(encode(welcome)))
        if len(self.hellos) == 1:
            prompt = decode_client(await socket.recv())
            await socket.send(encode(PromptStatus(character=prompt.character, id=prompt.id, status="accepted")))
            frames = FramePacker(30.0, "float32").pack(prompt.character, 0, prompt.id, example_poses(COUNT))
            assert len(frames) > 100 * PIECE
            await socket.send(pieces(frames))
            await socket.send(pieces(frames + bytes(limits.MAX_MESSAGE_BYTES)))
            await socket.wait_closed()
        else:
            await socket.send("a text message")
            await socket.close(CloseCode.UNAUTHORIZED, "hello has a wrong token")
        self.closes.append(socket.close_code)


async def test_fragments_are_joined_and_a_message_that_is_too_big_ends_the_connection(tmp_path):
    core = mono.compile_core(tmp_path)
    program = mono.compile_program(tmp_path / "Wire.exe", [Path(__file__).with_name("Wire.cs")], [core])
    script = ScriptedServer()
    async with asyncio.timeout(1200), serve(script, "127.0.0.1", 0, subprotocols=[limits.SUBPROTOCOL]) as server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            "mono", str(program), f"ws://127.0.0.1:{port}", stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
    lines = said.decode().splitlines()
    states = [line.split()[1] for line in lines if line.startswith("state")]
    connected = ["Connecting", "Greeting", "Connected"]
    assert states == [*connected, "WaitingToRetry", *connected, "Failed", "Disconnected"], lines
    assert f"newest {COUNT - 1}" in lines
    assert f"over {limits.MAX_MESSAGE_BYTES} bytes" in next(line for line in lines if "WaitingToRetry" in line)
    assert "hello has a wrong token" in next(line for line in lines if "Failed" in line)
    assert "bad 1" in lines
    assert script.closes[1] == CloseCode.UNAUTHORIZED
