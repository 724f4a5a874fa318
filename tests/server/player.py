"""One character's timeline, with a clock that the test moves and a model that answers when the test says so."""

from __future__ import annotations

import itertools

import numpy as np
from fake_engine import BENT_JOINT, FakeEngine

from protocol.messages import PromptStatus
from server.latency import Latency
from server.motion import rotation as rot
from server.planning import TimelineSettings
from server.prompts import Entry
from server.timeline import CharacterTimeline

RATE = 30.0
SETTINGS = TimelineSettings(
    fps=20.0,
    frame_rate=RATE,
    lead=0.25,
    max_ahead=2.0,
    horizon=3.0,
    half_life=0.1,
    idle_text="idle",
    idle_frames=120,
    context_frames=20,
    max_frames=196,
)


class Player:
    """A client and a model around a timeline; ``frames`` is what a client holds: the newest for each index."""

    def __init__(self, settings: TimelineSettings = SETTINGS) -> None:
        seeds = itertools.count(1000)
        self.timeline = CharacterTimeline("main", settings, Latency(0.1), lambda: next(seeds))
        self.engine = FakeEngine()
        self.now = 50.0
        self.answering = True
        self.failing = False
        self.frames: dict[int, tuple[str | None, np.ndarray, np.ndarray]] = {}
        self.statuses: list[PromptStatus] = []
        self.runs = []

    def prompt(self, prompt_id: str, text: str = "walk", seconds: float = 2.0, on_end="idle", replace=True) -> None:
        entry = Entry(prompt_id, text, 7, round(seconds * 20))
        self.timeline.play([entry], on_end, replace=replace)
        self.step(0.0)

    def step(self, seconds: float) -> None:
        self.now += seconds
        request = self.timeline.plan(self.now)
        if request is not None:
            self.engine.calls.append([request])
        if self.timeline.pending is not None and self.answering:
            if self.failing:
                self.timeline.deliver(RuntimeError("broken"), self.now)
            else:
                self.timeline.deliver(self.engine.make(self.timeline.pending.request), self.now)
        self.statuses += self.timeline.take_statuses()
        for run in self.timeline.due(self.now):
            self.runs.append(run)
            poses = run.blocks.poses()
            for at in range(len(poses)):
                self.frames[run.first + at] = (run.prompt, poses.root[at], poses.rotations[at])
        self.statuses += self.timeline.take_statuses()

    def play(self, seconds: float, step: float = 1 / 30) -> None:
        for _ in range(round(seconds / step)):
            self.step(step)

    def of(self, prompt_id: str | None) -> list[int]:
        return sorted(index for index, (owner, _, _) in self.frames.items() if owner == prompt_id)

    def status(self, prompt_id: str) -> list[str]:
        return [status.status for status in self.statuses if status.id == prompt_id]

    def elbow(self, index: int) -> float:
        return float(rot.angle_between(self.frames[index][2][BENT_JOINT].astype(float), rot.identity()))

    def root(self) -> np.ndarray:
        return np.array([self.frames[index][1] for index in sorted(self.frames)])
