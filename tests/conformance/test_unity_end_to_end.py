"""The Unity client's core in its own process against a server with the embedded model, over two connections that are cut.

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
from reference_stream import (
    BOUND_SECONDS,
    FIRST,
    FRAME_FLOATS,
    SECOND,
    Frames,
    Sentence,
    alone,
    assert_same,
    two_sentences,
)

from server.app import serve
from server.cache import EMBEDDED
from server.config import ServeConfig
from server.engine import load_engine

pytestmark = pytest.mark.skipif(mono.missing() is not None, reason=str(mono.missing()))


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
async def running_server(resume_seconds: float):
    """The address of a server with the embedded model."""
    engine, stop = load_engine(EMBEDDED, "cpu"), asyncio.Event()
    ready = asyncio.get_running_loop().create_future()
    config = ServeConfig(port=0, close_timeout=0.5, resume_seconds=resume_seconds)
    task = asyncio.create_task(serve(config, engine, ready=ready.set_result, stop=stop, rng=random.Random(3)))
    try:
        yield await ready
    finally:
        stop.set()
        await task


def read_frames(path: Path) -> Frames:
    """What EndToEnd.cs wrote."""
    table = np.fromfile(path, dtype=[("index", "<i8"), ("contacts", "u1"), ("pose", "<f4", FRAME_FLOATS)])
    return {int(row["index"]): (row["pose"], int(row["contacts"])) for row in table}


def described(sentence: Sentence) -> tuple[str, ...]:
    """As EndToEnd.cs takes it."""
    numbers = (sentence.seed, sentence.seconds, sentence.standstill)
    return sentence.name, sentence.text, *map(str, numbers)


@pytest.mark.parametrize(
    ("story", "resume_seconds", "sessions"),
    [pytest.param("resumed", 600.0, 1, id="resumed"), pytest.param("anew", 0.0, 3, id="anew")],
)
async def test_poses_are_those_of_the_python_client_over_two_lost_connections(
    story, resume_seconds, sessions, tmp_path, record_property
):
    core = mono.compile_core(tmp_path)
    program = mono.compile_program(tmp_path / "EndToEnd.exe", [Path(__file__).with_name("EndToEnd.cs")], [core])
    async with asyncio.timeout(BOUND_SECONDS), running_server(resume_seconds) as url:
        host, _, port = url.removeprefix("ws://").rstrip("/").partition(":")
        proxy = Proxy(host, int(port))
        address = f"ws://127.0.0.1:{await proxy.start()}"
        process = await asyncio.create_subprocess_exec(
            *("mono", str(program), address, str(tmp_path), story, *described(FIRST), *described(SECOND)),
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
        if story == "resumed":
            expected = await two_sentences(url)
        else:
            expected = {sentence.name: await alone(url, sentence) for sentence in (FIRST, SECOND)}
    assert (proxy.connections, said["sessions"], said["bad"]) == (3, str(sessions), "0")
    for sentence in (FIRST, SECOND):
        print(assert_same(read_frames(tmp_path / f"{sentence.name}.bin"), expected[sentence.name], sentence))
    record_property("gaps_ms_p50_p99_max", said["gaps_ms"])
    print(f"gaps between messages with frames, ms, p50 p99 max: {said['gaps_ms']}")
