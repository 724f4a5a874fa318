"""Two sentences on one timeline as the Python client receives them, for the game clients' end-to-end tests to be compared with.

Frames depend on where a sentence is spliced in, and that depends on the time at which the server has made it. So the
player stands still before the end of the first sentence until the server has begun the second: a server never goes more
than 2 s beyond the last playhead, and splices at the end of the first sentence, however slow the machine is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from protocol import limits
from protocol.client import Client, ClientConfig, FrameBlock, connect
from protocol.messages import PromptStatus
from protocol.poses import Poses

BOUND_SECONDS = 1800.0
"""Only so that a hang ends."""
FRAME_RATE = 30.0
STANDSTILL_SECONDS = limits.MAX_AHEAD_SECONDS + 0.5
"""Before the end of the first sentence: more than a server may go beyond a playhead, and less than the 3 s of motion that it
wants to have planned."""
FRAME_FLOATS = 3 + 4 * limits.JOINT_COUNT
LEAST_SHARE = 0.5
"""Of a sentence's frames that must have arrived: a server that is stalled skips frames, and none on an idle machine."""


@dataclass(frozen=True)
class Sentence:
    """A prompt whose motion is the same every time."""

    name: str
    text: str
    seed: int
    seconds: float

    @property
    def frames(self) -> int:
        """At the stream's frame rate."""
        return round(self.seconds * FRAME_RATE)

    @property
    def standstill(self) -> int:
        """The frame, from its first, at which the player waits for what follows."""
        return self.frames - round(STANDSTILL_SECONDS * FRAME_RATE)


FIRST = Sentence("first", "a person walks forward", 11, 6.0)
SECOND = Sentence("second", "a person waves with the right hand", 12, 3.0)

Frames = dict[int, tuple[np.ndarray, int]]
"""By index: root and rotations (91,) as float 32, and contacts."""


def flattened(poses: Poses, first: int) -> Frames:
    """The frames of a run."""
    values = np.concatenate([poses.root, poses.rotations.reshape(len(poses), -1)], axis=1).astype("<f4")
    return {first + at: (values[at], int(poses.contacts[at])) for at in range(len(poses))}


async def two_sentences(url: str, encoding: str = "float32") -> dict[str, Frames]:
    """`FIRST`, then `SECOND` on the same timeline."""
    async with asyncio.timeout(BOUND_SECONDS), connect(ClientConfig(url=url, encoding=encoding)) as client:
        names = {await _send(client, FIRST): FIRST.name}
        frames: dict[str, Frames] = {FIRST.name: {}, SECOND.name: {}}
        standstill, newest = FIRST.standstill, -1
        async for event in client:
            if isinstance(event, FrameBlock):
                frames.setdefault(names.get(event.prompt or "", "idle"), {}).update(flattened(event.poses, event.first))
                newest = event.first + len(event.poses) - 1
                if newest >= standstill and len(names) == 1:
                    names[await _send(client, SECOND, mode="queue")] = SECOND.name
            elif isinstance(event, PromptStatus) and names[event.id] == SECOND.name:
                if event.status == "started":
                    standstill = newest + FIRST.frames + SECOND.frames
                elif event.status == "finished":
                    return frames
            if newest >= 0:
                await client.playhead(min(newest, standstill))
    raise AssertionError("the stream ended before the second sentence did")


async def alone(url: str, sentence: Sentence) -> Frames:
    """A sentence at the beginning of a timeline."""
    async with asyncio.timeout(BOUND_SECONDS), connect(ClientConfig(url=url)) as client:
        await _send(client, sentence)
        frames: Frames = {}
        async for event in client:
            if isinstance(event, FrameBlock):
                frames.update(flattened(event.poses, event.first))
            elif isinstance(event, PromptStatus) and event.status == "finished":
                assert event.frame is not None
                return {index: frame for index, frame in frames.items() if index < event.frame}
    raise AssertionError("the stream ended before the sentence did")


def assert_same(received: Frames, expected: Frames, sentence: Sentence, tolerance: float = 0.0) -> str:
    """Every frame that both got is the same, within ``tolerance``, and few are missing; returns the count, for people."""
    both = sorted(received.keys() & expected.keys())
    for index in both:
        ours, theirs = received[index], expected[index]
        name = f"{sentence.name}, frame {index}"
        np.testing.assert_allclose(ours[0], theirs[0], rtol=0.0, atol=tolerance, err_msg=name)
        assert ours[1] == theirs[1], f"contacts of {name}"
    first, last = min(expected), max(expected)
    assert abs(last - first + 1 - sentence.frames) <= 1, "the server made it another length"
    outside = sorted(index for index in received if not first <= index <= last)
    assert not outside, f"{sentence.name} has frames {outside[:3]}… that the Python client did not get"
    assert len(both) > LEAST_SHARE * sentence.frames, f"only {len(both)} of {sentence.frames} frames came to both"
    return f"{sentence.name}: {len(both)} of {last - first + 1} frames equal"


async def _send(client: Client, sentence: Sentence, mode: str = "replace") -> str:
    return await client.prompt(sentence.text, seconds=sentence.seconds, seed=sentence.seed, mode=mode, on_end="hold")
