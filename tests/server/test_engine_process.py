"""The model in a process of its own: the same motions, and an end that is seen, bounded and clean."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine, walk
from live_server import BOUND, Clock, Watcher, running

from server.engine_process import EngineProcess, LoadModel
from server.model_calls import EngineGoneError, GenerationError
from server.models.checkpoint import CheckpointError
from server.motion.motion import Motion, MotionRequest
from server.stopwatch import Stopwatch
from tests.tiny_bundle import write_tiny_bundle

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


class UnsendableError(Exception):
    """Cannot be made again from what it was pickled to."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Scripted(FakeEngine):
    """Does what the text of its first request says."""

    def __init__(self) -> None:
        super().__init__()
        self.stopwatch = Stopwatch()

    def memory(self) -> dict[str, int]:
        return {"allocated": 12}

    def generate(self, requests: list[MotionRequest]) -> list[Motion]:
        match requests[0].text:
            case "exit":
                os._exit(3)
            case "hang":
                threading.Event().wait()
            case "no memory":
                raise MemoryError("1 motion is too much")
            case "unsendable":
                raise UnsendableError(1, 2)
        with self.stopwatch("base"):
            return super().generate(requests)


class Plain(FakeEngine):
    """Cannot edit."""

    edit = motion_from_pose = None


class RealClock(Clock):
    """A process takes real time to start."""

    def __call__(self) -> float:
        return time.monotonic()

    def shown(self, first_frame_at: float, frame: int) -> None:
        pass


def broken() -> FakeEngine:
    raise CheckpointError("masked.safetensors is missing")


def asked(text: str) -> list[MotionRequest]:
    return [MotionRequest(text, frames=20)]


def gone(process: int, within: float = 10.0) -> bool:
    """Whether a process that is not our child ends in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if "\nState:\tZ" in Path(f"/proc/{process}/status").read_text():
            return True
        time.sleep(0.01)
    return False


def test_the_motions_are_those_of_the_model_in_this_process(tmp_path):
    load = LoadModel(write_tiny_bundle(tmp_path / "model"), "cpu")
    here = load()
    requests = [MotionRequest("a person walks", frames=40, seed=3), MotionRequest("a person bows", frames=24, seed=4)]
    with closing(EngineProcess(load)) as engine:
        assert (engine.name, engine.fps, engine.max_frames) == (here.name, here.fps, here.max_frames)
        assert (engine.context_frames, engine.one_action) == (here.context_frames, here.one_action)
        assert engine.skeleton.names == here.skeleton.names
        for ours, theirs in zip(here.generate(requests), engine.generate(requests), strict=True):
            np.testing.assert_allclose(theirs.rotations, ours.rotations, atol=1e-6)
            np.testing.assert_allclose(theirs.root, ours.root, atol=1e-6)
            assert theirs.features.dtype == np.float32
        source = engine.motion_from_pose(ours.root, ours.rotations)
        edited = engine.edit(source, [(8, 16)], "a person waves")
        np.testing.assert_array_equal(edited.rotations[:8], source.rotations[:8])


def test_stages_memory_and_errors_come_through():
    with closing(EngineProcess(Scripted)) as engine:
        told = []
        engine.stopwatch.told = lambda *stage: told.append(stage)
        assert engine.memory() == {}
        assert not engine.ended
        np.testing.assert_array_equal(engine.generate(asked("walk"))[0].root, walk("walk", 20).root)
        assert [name for name, _ in told] == ["base"]
        assert engine.memory() == {"allocated": 12}
        with pytest.raises(MemoryError, match="1 motion is too much"):
            engine.generate(asked("no memory"))
        with pytest.raises(GenerationError, match="UnsendableError: 1 and 2"):
            engine.generate(asked("unsendable"))
        with pytest.raises(RuntimeError, match="out of memory") as failed:
            engine.generate(asked("fail"))
        assert "in generate" in str(failed.value.__cause__)  # where it went wrong
        assert len(engine.generate(asked("walk"))) == 1


def test_an_engine_that_cannot_edit_says_so():
    with closing(EngineProcess(Plain)) as engine:
        assert engine.edit is None
        assert engine.motion_from_pose is None


def test_why_a_model_cannot_be_loaded_is_told():
    with pytest.raises(CheckpointError, match=r"masked.safetensors is missing"):
        EngineProcess(broken)


def test_a_process_that_ends_is_noticed_at_once_and_from_then_on():
    with closing(EngineProcess(Scripted)) as engine:
        with pytest.raises(EngineGoneError, match=r"has ended \(exit code 3\)"):
            engine.generate(asked("exit"))
        assert engine.ended
        with pytest.raises(EngineGoneError, match=r"has ended \(exit code 3\)"):
            engine.generate(asked("walk"))


def test_a_call_that_does_not_end_is_ended():
    with closing(EngineProcess(Scripted, longest_call=0.2)) as engine:
        with pytest.raises(EngineGoneError, match=r"took more than 0.2 s and was ended"):
            engine.generate(asked("hang"))
        with pytest.raises(EngineGoneError):
            engine.generate(asked("walk"))


def test_closing_ends_a_call_at_once_and_may_be_repeated():
    engine = EngineProcess(Scripted)
    problems = []

    def call() -> None:
        try:
            engine.generate(asked("hang"))
        except EngineGoneError as error:
            problems.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not engine._busy:
        time.sleep(0.001)
    engine.close()
    thread.join(BOUND)
    assert len(problems) == 1
    engine.close()


@POSIX
def test_signals_to_the_whole_group_do_not_end_it():
    with closing(EngineProcess(Scripted)) as engine:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(engine.process_id, number)
            assert len(engine.generate(asked("walk"))) == 1


@POSIX
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell a zombie from a process")
@pytest.mark.parametrize("end", ["killed", "ends"])
def test_it_does_not_outlive_its_server(tmp_path, end):
    script = tmp_path / "server_of_a_test.py"
    wait = "signal.pause()" if end == "killed" else "sys.exit(0)"
    script.write_text(
        "import signal, sys\nfrom fake_engine import FakeEngine\nfrom server.engine_process import EngineProcess\n"
        f"if __name__ == '__main__':\n    print(EngineProcess(FakeEngine).process_id, flush=True)\n    {wait}\n"
    )
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    server = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    )
    try:
        child = int(server.stdout.readline())
        if end == "killed":
            server.kill()
        assert server.wait(BOUND) == (0 if end == "ends" else -signal.SIGKILL)
        assert gone(child)
    finally:
        server.kill()
        server.communicate()


@POSIX
async def test_streams_and_prompts_outlive_the_process_of_the_model():
    start = partial(EngineProcess, Scripted)
    engine = await asyncio.to_thread(start)
    async with running(engine, load=start, clock=RealClock()) as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        first = await client.prompt("a person walks", seconds=1.0, on_end="idle")
        await watcher.until_frame(20)
        os.kill(engine.process_id, signal.SIGKILL)
        second = await client.prompt("a person waves", seconds=1.0)
        await watcher.until_status(second, "finished")
        held = {b.first + at for b in watcher.blocks for at in range(len(b.poses))}
        assert held == set(range(max(held) + 1))
        assert "failed" not in watcher.status(first) + watcher.status(second)
        assert watcher.errors == []
