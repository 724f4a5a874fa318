"""Two sentences on one timeline as the Python client receives them, for the game clients' end-to-end tests to be compared with.

Frames depend on where a sentence is spliced in, and that depends on the time at which the server has made it. So the
player stands still before the end of the first sentence until the server has begun the second: a server never goes more
than 2 s beyond the last playhead, and splices at the end of the first sentence, however slow the machine is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np

from protocol import limits
from protocol.client import Client, ClientConfig, Event, FrameBlock, connect
from protocol.fields import Mode
from protocol.messages import PromptStatus
from protocol.poses import Encoding

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


@dataclass
class Heard:
    """What came of a sentence: its frames, and from where to where (excluded) the server says that they go."""

    frames: Frames = field(default_factory=dict)
    start: int = -1
    end: int = -1

    def take(self, event: Event) -> None:
        """A run of frames, or a status, of this sentence."""
        if isinstance(event, FrameBlock):
            poses = event.poses
            values = np.concatenate([poses.root, poses.rotations.reshape(len(poses), -1)], axis=1).astype("<f4")
            for at, (value, contacts) in enumerate(zip(values, poses.contacts, strict=True)):
                self.frames[event.first + at] = value, int(contacts)
        elif isinstance(event, PromptStatus) and event.frame is not None:
            if event.status == "started":
                self.start = event.frame
            elif event.status == "finished":
                self.end = event.frame
                self.frames = {index: frame for index, frame in self.frames.items() if index < event.frame}


async def two_sentences(url: str, encoding: Encoding = "float32") -> dict[str, Heard]:
    """`FIRST`, then `SECOND` on the same timeline."""
    heard = {FIRST.name: Heard(), SECOND.name: Heard()}
    async with asyncio.timeout(BOUND_SECONDS), connect(ClientConfig(url=url, encoding=encoding)) as client:
        of_prompt = {await _send(client, FIRST): heard[FIRST.name]}
        standstill, newest = FIRST.standstill, -1
        async for event in client:
            if isinstance(event, FrameBlock):
                newest = event.first + len(event.poses) - 1
                if newest >= standstill and len(of_prompt) == 1:
                    of_prompt[await _send(client, SECOND, mode="queue")] = heard[SECOND.name]
            about = getattr(event, "prompt", None) or getattr(event, "id", None)
            if about in of_prompt:
                of_prompt[about].take(event)
            if heard[SECOND.name].end >= 0:
                return heard
            if heard[SECOND.name].start >= 0:
                standstill = heard[SECOND.name].start + SECOND.frames
            if newest >= 0:
                await client.playhead(min(newest, standstill))
    raise AssertionError("the stream ended before the second sentence did")


async def alone(url: str, sentence: Sentence) -> Heard:
    """A sentence at the beginning of a timeline."""
    heard = Heard()
    async with asyncio.timeout(BOUND_SECONDS), connect(ClientConfig(url=url)) as client:
        await _send(client, sentence)
        async for event in client:
            heard.take(event)
            if heard.end >= 0:
                return heard
    raise AssertionError("the stream ended before the sentence did")


def assert_same(received: Frames, heard: Heard, sentence: Sentence, tolerance: float = 0.0) -> str:
    """Every frame that both got is the same, within ``tolerance``, and few are missing; returns the count, for people."""
    length = heard.end - heard.start
    assert abs(length - sentence.frames) <= 1, f"the server made {length} frames of {sentence.name}"
    outside = sorted(index for index in received if not heard.start <= index < heard.end)
    assert not outside, f"{sentence.name} has frames {outside[:3]}, outside of {heard.start}..{heard.end}"
    both = sorted(received.keys() & heard.frames.keys())
    for index in both:
        ours, theirs = received[index], heard.frames[index]
        name = f"{sentence.name}, frame {index}"
        np.testing.assert_allclose(ours[0], theirs[0], rtol=0.0, atol=tolerance, err_msg=name)
        assert ours[1] == theirs[1], f"contacts of {name}"
    assert len(both) > LEAST_SHARE * length, f"only {len(both)} of {length} frames came to both"
    return f"{sentence.name}: {len(both)} of {length} frames equal"


async def _send(client: Client, sentence: Sentence, mode: Mode = "replace") -> str:
    return await client.prompt(sentence.text, seconds=sentence.seconds, seed=sentence.seed, mode=mode, on_end="hold")
