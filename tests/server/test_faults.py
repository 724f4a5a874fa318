"""Faults of the machine under a running server: what its clients see of each is written down in server/OPERATING.md."""

import ast
import asyncio
import errno
import itertools
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_engine import FakeEngine
from live_server import BOUND, Watcher, running
from test_model_calls import Broken, Small

from protocol.client_errors import ConnectionLostError
from protocol.codec import encode
from protocol.messages import Generate, Hello
from protocol.skeleton import default_skeleton
from server import cli
from server.config import ServeConfig
from server.engine import load_engine
from server.export.npz import to_npz_motion, write_npz
from server.models.checkpoint import CheckpointError
from server.models.text import TextEncoderError
from server.motion import rotation as rot
from server.motion.bvh import write_bvh
from server.motion.motion import MotionRequest
from tests.tiny_bundle import write_tiny_bundle

ROOT = Path(__file__).parents[2]
IDLE = ServeConfig().idle_text


class Mortal(FakeEngine):
    """Ends the thread that calls it when told to `die`."""

    def generate(self, requests):
        if any("die" in request.text for request in requests):
            raise SystemExit("the driver is gone")
        return super().generate(requests)


def unbroken(watcher: Watcher, character: str = "main") -> bool:
    """Whether every frame up to the newest has come."""
    held = {b.first + at for b in watcher.blocks if b.character == character for at in range(len(b.poses))}
    return held == set(range(max(held) + 1))


# The model


async def test_when_the_model_thread_dies_the_stream_holds_then_idles_and_prompts_work_again():
    gate, second = threading.Event(), FakeEngine()

    def load():
        assert gate.wait(BOUND)
        return second

    async with running(Mortal(), load=load) as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("a person walks", seconds=1.0, on_end="hold")
        await watcher.until_frame(10)
        died = await client.prompt("die", seconds=1.0, mode="queue")
        await watcher.until_status(died, "failed")
        (reason,) = [status.reason for status in watcher.statuses if status.id == died and status.status == "failed"]
        assert "the driver is gone" in reason
        assert "started again" in reason
        await watcher.until_frame(120)  # one second was planned: it holds for want of a model
        held = watcher.poses()
        np.testing.assert_allclose(held[110].rotations, held[100].rotations, atol=1e-3)
        assert unbroken(watcher)
        gate.set()
        await watcher.until(lambda: any(request.text == IDLE for call in second.calls for request in call))
        newest = watcher.newest
        await watcher.until_frame(newest + 40)
        after = await client.prompt("a person waves", seconds=1.0)
        await watcher.until_status(after, "finished")
        assert unbroken(watcher)
        assert watcher.errors == []
        assert (await client.generate("a person bows", seconds=1.0)).count == 20


async def test_out_of_memory_fails_no_prompt():
    gate = threading.Event()

    class Held(Small):
        def generate(self, requests):
            assert gate.wait(BOUND)
            return super().generate(requests)

    engine = Held(room=2)
    async with running(engine) as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        names = [f"c{number}" for number in range(12)]
        ids = [await client.prompt("a person walks", character=name, seconds=2.0) for name in names]
        await watcher.until(lambda: all("accepted" in watcher.status(prompt) for prompt in ids))
        gate.set()
        await watcher.until(lambda: all("started" in watcher.status(prompt) for prompt in ids))
        await watcher.until(lambda: all(watcher.newest_of(name) >= 30 for name in names))
        assert max(map(len, engine.calls)) > 2  # there was a batch that was too large
        assert not any(status.status == "failed" for status in watcher.statuses)
        assert all(unbroken(watcher, name) for name in names)


async def test_a_model_broken_for_good_is_loaded_again_while_streams_go_on(caplog):
    attempts = itertools.count(1)

    def load():
        if next(attempts) == 1:
            raise CheckpointError("masked.safetensors is missing")
        return FakeEngine()

    broken = FakeEngine()
    async with running(broken, load=load) as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("a person walks", seconds=9.0, on_end="hold")
        await watcher.until_frame(10)
        broken.make = Broken().make
        ids = [await client.prompt(f"walk {number}", seconds=1.0, mode="queue") for number in range(4)]
        await watcher.until_status(ids[3], "started")
        assert [watcher.status(prompt)[-1] for prompt in ids[:3]] == ["failed"] * 3
        assert unbroken(watcher)
    assert "masked.safetensors is missing" in caplog.text


def test_the_engine_says_when_its_gpu_is_full(tmp_path, monkeypatch):
    engine = load_engine(write_tiny_bundle(tmp_path / "model"), "cpu")
    answer, asked = engine._generate, []

    def little_memory(requests, *rest):
        asked.append(len(requests))
        if len(requests) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return answer(requests, *rest)

    monkeypatch.setattr(engine, "_generate", little_memory)
    with pytest.raises(MemoryError, match=r"2 motions at once.*Tried to allocate"):
        engine.generate([MotionRequest("a person walks", frames=20)] * 2)
    assert len(engine.generate([MotionRequest("a person walks", frames=20)])[0]) == 20
    assert asked == [2, 1]


# The checkpoint


def test_a_running_model_does_not_need_its_files(tmp_path):
    folder = write_tiny_bundle(tmp_path / "model")
    engine, asked = load_engine(folder, "cpu"), [MotionRequest("a person walks", frames=20, seed=1)]
    before = engine.generate(asked)[0]
    for path in folder.iterdir():
        path.write_bytes(b"")
        path.unlink()
    np.testing.assert_array_equal(engine.generate(asked)[0].rotations, before.rotations)


@pytest.mark.parametrize("damage", ["gone", "empty", "half", "noise"])
def test_a_damaged_file_of_a_model_is_named(tmp_path, damage):
    folder = write_tiny_bundle(tmp_path / "model")
    noise = np.random.default_rng(1).bytes(64)
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            bad = {"empty": b"", "half": good[: len(good) // 2], "noise": noise + good[64:]}[damage]
            path.write_bytes(bad)
        with pytest.raises((CheckpointError, TextEncoderError), match=path.name.split(".")[0]):
            load_engine(folder, "cpu")
        path.write_bytes(good)
    load_engine(folder, "cpu")


# The disk


@pytest.fixture
def full_disk():
    """For the length of a `with`, the kernel takes no more than a few bytes of any file."""
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")

    class Full:
        def __enter__(self):
            self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, self.before[1]))

        def __exit__(self, *error):
            resource.setrlimit(resource.RLIMIT_FSIZE, self.before)

    return Full()


def recording(frames: int):
    rotations, root = rot.identity(frames, 22), np.zeros((frames, 3))
    motion = to_npz_motion(root, rotations, np.zeros((frames, 4), bool), default_skeleton(), 30.0, "walk")
    return {
        ".bvh": lambda path: write_bvh(path, rotations, root, default_skeleton(), 30.0),
        ".npz": lambda path: write_npz(path, motion),
    }


@pytest.mark.parametrize("ending", [".bvh", ".npz"])
def test_a_disk_that_is_full_leaves_the_old_recording_and_nothing_else(tmp_path, full_disk, ending):
    path = tmp_path / f"take{ending}"
    recording(10)[ending](path)
    old = path.read_bytes()
    with full_disk, pytest.raises(OSError, match="too large") as failed:
        recording(100)[ending](path)
    assert failed.value.errno == errno.EFBIG
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


async def test_play_says_that_the_disk_is_full_and_keeps_the_old_recording(tmp_path, capsys, monkeypatch):
    path = tmp_path / "take.bvh"
    path.write_text("an older take")
    write = Path.write_text

    def full(self, text, **options):
        write(self, text[: len(text) // 2], **options)
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    async with running() as server:
        ticking = asyncio.create_task(tick(server.clock))
        monkeypatch.setattr(Path, "write_text", full)
        argv = ["play", "a person walks", "--url", server.url, "--seconds", "0.5", "--record", str(path)]
        assert await asyncio.to_thread(cli.main, argv) == 2
        ticking.cancel()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "No space left on device" in err
    assert path.read_text() == "an older take"
    assert list(tmp_path.iterdir()) == [path]


async def tick(clock):
    while True:
        await asyncio.sleep(0.01)
        clock.now += 0.01


# Clocks

WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
STAMPED = {"tracing.py"}
"""Modules whose only use of it is to say when something was: spans of a trace are compared across machines."""


def test_nothing_that_serves_reads_the_wall_clock():
    found = []
    for path in [
        *(ROOT / "protocol").rglob("*.py"),
        *(ROOT / "server").glob("*.py"),
        *(ROOT / "server").glob("mo*/*.py"),
    ]:
        if path.name in STAMPED:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                found += [f"{path.name} line {node.lineno}"] * ((owner, node.attr) in WALL_CLOCKS)
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                found += [f"{path.name} line {node.lineno}"] * any(
                    alias.name.startswith("time") for alias in node.names
                )
    assert found == []


async def test_a_wall_clock_that_jumps_changes_nothing(monkeypatch):
    jumps = itertools.cycle([-86_400.0, 86_400.0, 0.0])
    real = time.time
    async with running() as server, server.client() as client:
        monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
        watcher = Watcher(client, server.clock)
        first = await client.prompt("a person walks", seconds=2.0)
        await watcher.until_status(first, "finished")
        client._socket.transport.abort()
        await watcher.until_frame(watcher.newest + 60)
        assert client.resumed == 1
        assert unbroken(watcher)
        assert watcher.errors == []


# The end


async def test_the_end_comes_in_time_with_1001_whoever_does_not_read_and_whatever_is_under_way():
    gate = threading.Event()
    deaf = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        async with running(FakeEngine(gate), shutdown_timeout=0.3, close_timeout=0.2) as server:
            host, port = server.url.removeprefix("ws://").split(":")
            deaf.connect((host, int(port)))
            deaf.setblocking(False)
            silent = await server.raw(sock=deaf, max_queue=1, ping_interval=None, close_timeout=0.1)
            silent.transport.pause_reading()
            await silent.send(encode(Hello(version=1)))
            await silent.send(encode(Generate(id="g", text="walk", seconds=9.8, frame_rate=120.0)))
            half_open = await asyncio.open_connection(host, int(port))
            async with server.client() as client:
                waiting = asyncio.create_task(client.generate("a person walks"))
                assert await asyncio.to_thread(server.engine.entered.wait, BOUND)
                server.stop.set()
                with pytest.raises(ConnectionLostError, match="connect again when it is back") as lost:
                    await waiting
                assert lost.value.code == 1001
            async with asyncio.timeout(BOUND):
                await server.task
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, int(port))
            silent.transport.abort()
            half_open[1].close()
    finally:
        gate.set()
