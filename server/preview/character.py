"""One character as the page knows it: what it was told, what it shows, and what it showed."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from protocol.buffer import FrameBuffer
from protocol.messages import PromptStatus
from protocol.poses import Poses
from server.preview.playback import Playback

RATE: Final = 30.0
"""Frames per second that the page asks for, and the most that it draws."""
IDLE: Final = "idle"
MEMORY_SECONDS: Final = 60.0
"""How far back what was shown can be saved."""
PROMPTS_KEPT: Final = 32
REACH_M: Final = 0.5
"""A way-point counts as reached from here on, as in SPEC.md."""
_RATE_WINDOW_S: Final = 1.0


@dataclass
class SentPrompt:
    """A sentence on its way: ``sent`` on the page's clock; ``latency`` seconds from there to its first frame shown."""

    text: str
    sent: float
    status: str = "sent"
    seed: int | None = None
    latency: float | None = None


@dataclass
class Character:
    """``spawn`` (x, z): where on the stage its own origin lies, metres; ``accent`` sRGB. ``path``: way-points (x, z) not yet
    reached, in its own world."""

    name: str
    spawn: tuple[float, float]
    accent: tuple[int, int, int]
    playback: Playback
    prompts: OrderedDict[str, SentPrompt] = field(default_factory=OrderedDict)
    path: list[tuple[float, float]] = field(default_factory=list)
    shown: deque[tuple[Poses, str]] = field(default_factory=lambda: deque(maxlen=round(MEMORY_SECONDS * RATE)))
    _times: deque[float] = field(default_factory=deque)
    _playing: str | None = None

    def sent(self, prompt_id: str, text: str, now: float) -> None:
        """Notes a sentence that was just sent."""
        self.prompts[prompt_id] = SentPrompt(text, now)
        while len(self.prompts) > PROMPTS_KEPT:
            self.prompts.popitem(last=False)

    def take(self, status: PromptStatus) -> None:
        """Notes what became of a sentence."""
        prompt = self.prompts.get(status.id)
        if prompt is not None:
            prompt.status = status.status
            prompt.seed = status.seed if status.seed is not None else prompt.seed

    def refuse(self, prompt_id: str | None) -> None:
        """Notes that the server took no notice of a sentence."""
        if prompt_id is not None and prompt_id in self.prompts:
            self.prompts[prompt_id].status = "refused"

    def show(self, now: float, buffer: FrameBuffer) -> Poses | None:
        """The one frame to draw now, if there is a new one."""
        index = self.playback.advance(now, buffer)
        if index is None:
            return None
        pose = buffer.poses(index, 1)
        self._times.append(now)
        self._playing = buffer.prompt(index)
        prompt = self.playing()
        if prompt is not None and prompt.latency is None:
            prompt.latency = now - prompt.sent
        self.shown.append((pose, prompt.text if prompt is not None else IDLE))
        self._pass_waypoints(pose)
        return pose

    def frames_a_second(self, now: float) -> float:
        """Frames shown within the last second."""
        while self._times and self._times[0] <= now - _RATE_WINDOW_S:
            self._times.popleft()
        return len(self._times) / _RATE_WINDOW_S

    def playing(self) -> SentPrompt | None:
        """The sentence whose frames are shown; None while it stands idle."""
        return self.prompts.get(self._playing) if self._playing is not None else None

    def latency(self) -> float | None:
        """Seconds from sending the latest sentence that has been seen to its first frame."""
        return next((prompt.latency for prompt in reversed(self.prompts.values()) if prompt.latency is not None), None)

    def last(self, seconds: float) -> list[tuple[Poses, str]]:
        """The frames shown in the last ``seconds``, each with its sentence."""
        return list(self.shown)[-max(1, round(seconds * RATE)) :]

    def restart(self) -> None:
        """Back to before its first frame; what was shown stays to be saved."""
        self.playback.reset()
        self.path.clear()
        self._playing = None

    def _pass_waypoints(self, pose: Poses) -> None:
        here = pose.root[0, [0, 2]]
        while self.path and np.hypot(*(here - self.path[0])) <= REACH_M:
            self.path.pop(0)
