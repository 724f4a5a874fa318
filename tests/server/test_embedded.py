"""The whole thing as a user starts it: `motionbridge serve` with the embedded checkpoint, and the Python client."""

import asyncio
import contextlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from protocol.client import ClientConfig, FrameBlock, connect
from protocol.messages import Error, PromptStatus
from protocol.skeleton import default_skeleton
from server.cache import EMBEDDED
from server.evaluation.actions import RULES
from server.evaluation.measures import measure
from server.motion import kinematics

ROOT = Path(__file__).parents[2]
BOUND = 240.0
RATE = 20
SECONDS = 5.0


@contextlib.asynccontextmanager
async def serving():
    """The URL of a real server process; it must end cleanly when told to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server.cli",
        "serve",
        "--no-preview",
        "--port",
        "0",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        said = ""
        while "listening on" not in said:
            line = await process.stdout.readline()
            assert line, f"the server ended before it listened: {said}"
            said += line.decode()
        yield re.search(r"ws://\S+", said)[0]
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def stream(url: str, texts: list[str]) -> list[np.ndarray]:
    """Joint positions (T, 22, 3) that a client shows for each of some prompts, played one after the other."""
    frames: dict[int, tuple[str | None, np.ndarray, np.ndarray]] = {}
    async with connect(ClientConfig(url=url, frame_rate=RATE)) as client:
        ids = [
            await client.prompt(text, seconds=SECONDS, seed=at, mode="queue" if at else "replace")
            for at, text in enumerate(texts)
        ]
        async for event in client:
            assert not isinstance(event, Error), event
            if isinstance(event, FrameBlock):
                for at in range(len(event.poses)):
                    frames[event.first + at] = (event.prompt, event.poses.root[at], event.poses.rotations[at])
            elif isinstance(event, PromptStatus) and (event.id, event.status) == (ids[-1], "finished"):
                break
    assert sorted(frames) == list(range(len(frames))), "frame indices must have no gap"
    shown = [[frame[1:] for _, frame in sorted(frames.items()) if frame[0] == prompt_id] for prompt_id in ids]
    return [
        kinematics.positions(
            np.array([rotations for _, rotations in part], float),
            np.array([root for root, _ in part], float),
            default_skeleton(),
        )
        for part in shown
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be asked to end by a signal on Windows")
async def test_a_character_walks_then_waves():
    async with asyncio.timeout(BOUND), serving() as url:
        walks, waves = "a person walks forward", "a person waves with the left hand"
        *shown, both = await stream(url, [walks, waves, f"{walks}, then waves with the left hand"])
    walk, wave = (measure(positions, RATE) for positions in shown)
    assert not list(RULES["walk"].failures(walk))
    assert not list(RULES["wave left"].failures(wave))
    assert list(RULES["wave"].failures(walk)), "the rules must tell the two apart"
    assert list(RULES["walk"].failures(wave))
    half = len(both) // 2
    assert RULES["walk"].holds(measure(both[: half - 5], RATE)), "one sentence of the two shows both under one id"
    assert RULES["wave left"].holds(measure(both[half + 5 :], RATE))


def test_the_checkpoint_is_small_and_says_whose_it_is():
    files = [path for path in EMBEDDED.iterdir() if path.is_file()]
    assert max(path.stat().st_size for path in files) <= 16 * 2**20
    assert sum(path.stat().st_size for path in files) <= 48 * 2**20
    card = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    assert "CC BY-NC 4.0" in card
    assert "Bandai Namco Research" in card
