"""The Unity client's core in its own process against a real server, through a proxy that cuts the connection twice.

What it receives must be, bit by bit, what the Python client receives for the same seeds, whether the server resumes the
session or begins another.
"""

import asyncio
import contextlib
import random
from pathlib import Path

import mono
import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from protocol.client import ClientConfig, connect
from protocol.messages import PromptStatus
from server.app import serve
from server.config import ServeConfig
from server.engine import load_engine

pytestmark = pytest.mark.skipif(mono.missing() is not None, reason=str(mono.missing()))

BOUND = 1200.0
"""Seconds; only so that a hang ends."""
PROMPTS = {"first": ("a person walks", 11), "second": ("a person waves", 12), "third": ("a person bows", 13)}
FRAME_FLOATS = 3 + 22 * 4


class Proxy:
    """Passes bytes through to a server until told to drop every connection."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0

    async def start(self) -> int:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self._listener.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """Resets every connection, as a router that reboots does."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        self.drop()
        self._listener.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._server)
        self._writers |= {writer, upstream_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pass(reader, upstream_writer), self._pass(upstream_reader, writer))

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running_server(folder: Path, resume_seconds: float):
    engine, stop = load_engine(write_tiny_bundle(folder), "cpu"), asyncio.Event()
    ready = asyncio.get_running_loop().create_future()
    config = ServeConfig(port=0, close_timeout=0.5, resume_seconds=resume_seconds)
    task = asyncio.create_task(serve(config, engine, ready=ready.set_result, stop=stop, rng=random.Random(3)))
    try:
        yield await ready
    finally:
        stop.set()
        await task


async def python_frames(url: str, names: list[str]) -> dict[str, np.ndarray]:
    """Frames (F, 91) of prompts queued in one session, as the Python client receives them: root, then rotations."""
    async with connect(ClientConfig(url=url)) as client:
        ids = {}
        for name in names:
            text, seed = PROMPTS[name]
            mode = "queue" if ids else "replace"
            ids[await client.prompt(text, seconds=2.0, seed=seed, mode=mode, on_end="hold")] = name
        firsts, frames = {}, {}
        async for event in client:
            if isinstance(event, PromptStatus) and event.status == "started":
                firsts[event.id] = event.frame
            elif isinstance(event, PromptStatus) and event.status == "finished":
                poses = client.buffer().poses(firsts[event.id], event.frame - firsts[event.id])
                frames[ids[event.id]] = np.concatenate([poses.root, poses.rotations.reshape(len(poses), -1)], axis=1)
                if len(frames) == len(ids):
                    return frames
    raise AssertionError("the prompts did not finish")


@pytest.mark.parametrize(
    ("story", "resume_seconds", "sessions"),
    [
        pytest.param("resumed", 600.0, [["first", "second", "third"]], id="resumed"),
        pytest.param("anew", 0.0, [["first"], ["second"], ["third"]], id="anew"),
    ],
)
async def test_poses_are_those_of_the_python_client_over_two_lost_connections(
    story, resume_seconds, sessions, tmp_path, record_property
):
    core = mono.compile_core(tmp_path)
    program = mono.compile_program(tmp_path / "EndToEnd.exe", [Path(__file__).with_name("EndToEnd.cs")], [core])
    async with asyncio.timeout(BOUND), running_server(tmp_path / "bundle", resume_seconds) as url:
        host, _, port = url.removeprefix("ws://").rstrip("/").partition(":")
        proxy = Proxy(host, int(port))
        address = f"ws://127.0.0.1:{await proxy.start()}"
        process = await asyncio.create_subprocess_exec(
            *("mono", str(program), address, str(tmp_path), story),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said = {}
        async for line in process.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            said[word] = rest
            if word == "drop":
                proxy.drop()
        errors = (await process.stderr.read()).decode()
        assert await process.wait() == 0, errors + str(said)
        await proxy.close()
        expected = {}
        for names in sessions:
            expected |= await python_frames(url, names)
    for name, frames in expected.items():
        received = np.fromfile(tmp_path / f"{name}.bin", dtype="<f4").reshape(-1, FRAME_FLOATS)
        assert len(frames) > 50
        np.testing.assert_array_equal(received, frames, err_msg=name)
    assert not np.array_equal(expected["first"], expected["second"])
    assert (proxy.connections, said["sessions"], said["bad"]) == (3, str(len(sessions)), "0")
    record_property("gaps_ms_p50_p99_max", said["gaps_ms"])
    print(f"gaps between messages with frames, ms, p50 p99 max: {said['gaps_ms']}")
