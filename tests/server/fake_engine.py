"""An engine for tests: each sentence walks at its own speed with its own, recognisable elbow bend."""

from __future__ import annotations

import threading
import zlib
from dataclasses import replace

import numpy as np

from protocol.skeleton import default_skeleton
from server.motion import rotation as rot
from server.motion.in_turn import first_share
from server.motion.motion import Motion, MotionRequest

FPS = 20.0
BENT_JOINT = 18
DEFAULT_FRAMES = 40


def bend(text: str) -> float:
    """The angle (radians) in which the left elbow is held for a sentence."""
    return 0.2 + zlib.crc32(text.encode()) % 1000 / 1000.0


def walk(text: str, frames: int, start: np.ndarray | None = None, heading: float = 0.0) -> Motion:
    """``frames`` frames of walking at 1 m/s along ``heading`` from just after ``start`` (3,)."""
    origin = np.array([0.0, 0.9, 0.0]) if start is None else start
    steps = np.arange(frames) + (0.0 if start is None else 1.0)
    direction = np.array([np.sin(heading), 0.0, np.cos(heading)])
    root = origin * [1.0, 0.0, 1.0] + [0.0, 0.9, 0.0] + steps[:, None] / FPS * direction
    rotations = rot.identity(frames, 22)
    rotations[:, 0] = rot.about_y(np.full(frames, heading))
    rotations[:, BENT_JOINT] = rot.about_y(np.full(frames, bend(text)))
    contacts = np.zeros((frames, 4), dtype=bool)
    contacts[:, 0] = True
    return Motion(root, rotations, contacts, np.zeros((frames, 3)), np.full(frames, heading))


class FakeEngine:
    """Records its calls. A text with `fail` in it raises; ``gate``, when given, holds every call until it is set."""

    name = "fake"
    fps = FPS
    max_frames = 196
    context_frames = 20
    one_action = False

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.skeleton = default_skeleton()
        self.gate = gate
        self.calls: list[list[MotionRequest]] = []
        self.entered = threading.Event()

    def generate(self, requests: list[MotionRequest]) -> list[Motion]:
        self.calls.append(list(requests))
        self.entered.set()
        if self.gate is not None and not self.gate.wait(10.0):
            raise RuntimeError("the test never opened the gate")
        for request in requests:
            if "fail" in request.text:
                raise RuntimeError("out of memory")
        return [self.make(request) for request in requests]

    def make(self, request: MotionRequest) -> Motion:
        total = request.frames or DEFAULT_FRAMES * (1 + len(request.rest))
        frames = first_share(total, [1.0] * (1 + len(request.rest)), 4, 20)
        start = (request.context.root[-1], float(request.context.heading[-1])) if request.context is not None else ()
        return replace(walk(request.text, frames, *start), left=total - frames)

    def motion_from_pose(self, root: np.ndarray, rotations: np.ndarray) -> Motion:
        frames = len(root)
        return Motion(root, rotations, np.zeros((frames, 4), bool), np.zeros((frames, 3)), np.zeros(frames))

    def edit(self, source: Motion, ranges: list[tuple[int, int]], text: str, seed: int = 0) -> Motion:
        rotations = source.rotations.copy()
        for start, stop in ranges:
            rotations[start:stop, BENT_JOINT] = rot.about_y(np.full(stop - start, bend(text)))
        return Motion(source.root, rotations, source.contacts, source.features, source.heading)
