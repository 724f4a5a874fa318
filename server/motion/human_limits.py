"""How fast people turn their joints and jerk their bodies at most, and motion kept within it.

A model's motion is faster than that in few frames: where an arm or a leg comes straight and its twist is anybody's guess, in spins that it
got wrong, and where the difference at a splice decays on top of a fast motion. There a joint sets out a little earlier and arrives a
little later. All that is done to planned motion, once, when it is joined on: it may look ahead, and the frames made of it
are no faster at any frame rate. Motion within the limits stays bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from protocol.skeleton import Skeleton
from server.motion import rotation as rot
from server.motion.motion import Motion
from server.motion.rotation import Array

# Degrees/s, the 99.9th percentile of local rotations in the test split of the mocap that the embedded checkpoint is trained on,
# left and right together (tests/benchmarks/mocap_limits.json). Joints that only follow are not listed.
_TOP_SPEEDS: Final = {
    "pelvis": 414.0,
    "hip": 426.0,
    "knee": 678.0,
    "ankle": 593.0,
    "spine1": 104.0,
    "spine2": 92.0,
    "spine3": 134.0,
    "neck": 96.0,
    "collar": 185.0,
    "shoulder": 957.0,
    "elbow": 615.0,
}
# m/s²; the same percentile is 26.7 at 30 frames a second, where the kinks of motion made at 20 are half as sharp again.
TOP_ACCELERATION: Final = 17.8
FURTHEST: Final = math.radians(100.0)
"""A joint stays behind its motion by no more, however fast that is: a person may spin for long."""
_ENOUGH = 1.01  # times the acceleration; being exact would take many rounds
_ROUNDS, _RELAX = 100, 1.8  # over-relaxed, a tenth of the rounds are needed; 25 have been the most


def top_speeds(skeleton: Skeleton) -> Array:
    """How fast people turn each joint at most (J,), radians/s; infinite for joints of which nothing is known."""
    parts = [name.removeprefix("left_").removeprefix("right_") for name in skeleton.names]
    return np.radians([_TOP_SPEEDS.get(part, math.inf) for part in parts])


def within_limits(motion: Motion, fps: float, fastest: Array, fixed: int = 0) -> Motion:
    """``motion`` with no joint faster than ``fastest`` (J,) radians/s, nor its root jerked more than people's.

    Its first ``fixed`` frames stay as they are. Contacts, features and headings remain.
    """
    root = gentle_path(motion.root, TOP_ACCELERATION / fps**2, fixed)
    start = max(fixed - 1, 0)
    rotations = motion.rotations
    steps = fastest / fps
    over = rot.angle_between(rotations[start + 1 :], rotations[start:-1]) > steps  # (T - 1, J)
    joints = np.flatnonzero(over.any(axis=0))
    if len(joints):
        rotations = rot.unroll(rotations)
        for joint in joints.tolist():
            rotations[start:, joint] = slow_turns(rotations[start:, joint], float(steps[joint]))
        rotations = rot.unroll(rotations)
    return replace(motion, root=root, rotations=rotations)


def slow_turns(rotations: Array, most: float, furthest: float = FURTHEST) -> Array:
    """Rotations (T, 4) that turn by no more than ``most`` radians from frame to frame, as near to the given ones as they can.

    The middle between one that follows and one that comes before; the first frame stays.
    """
    steps = np.full(len(rotations) - 1, most)
    late = follow(rotations, steps, furthest)
    early = follow(rotations[::-1], steps, furthest)[::-1]
    same = (late == early).all(axis=-1, keepdims=True)  # also bit for bit, which slerp is not
    middle = np.where(same, late, rot.slerp(late, early, np.full(len(rotations), 0.5)))
    middle[0] = rotations[0]
    return follow(middle, steps, furthest)


def gentle_path(root: Array, most: float, fixed: int = 0) -> Array:
    """Positions (T, 3) whose second differences are at most ``most``, as near to the given ones as they can.

    Each one that is larger is taken back by moving its three frames, in rounds; the first ``fixed`` frames stay.
    """
    path = root
    for _ in range(_ROUNDS):
        bends = np.diff(path, n=2, axis=0)  # (T - 2, 3)
        sizes = np.linalg.norm(bends, axis=-1)
        over = np.flatnonzero(sizes > _ENOUGH * most)
        over = over[over + 2 >= fixed]
        if not len(over):
            break
        if path is root:
            path = root.copy()
        for at in over.tolist():
            bend = path[at] - 2.0 * path[at + 1] + path[at + 2]
            size = float(np.linalg.norm(bend))
            if size > most:
                weights = np.where(np.arange(at, at + 3) >= fixed, [1.0, -2.0, 1.0], 0.0)
                path[at : at + 3] -= np.outer(_RELAX * weights / (weights @ weights), bend * (1.0 - most / size))
    return path


def follow(rotations: Array, most: Array, furthest: float = FURTHEST) -> Array:
    """One that turns after ``rotations`` (T, 4), from frame to frame by at most ``most`` (T - 1,) radians.

    By more where it would stay behind by ``furthest``. It begins where they begin, and where it has caught up it is the same
    bit for bit. Frame by frame in plain numbers, which for one joint is many times faster than arrays.
    """
    angles = rot.angle_between(rotations[1:], rotations[:-1])
    starts = (np.flatnonzero(angles > most) + 1).tolist()
    if not starts:
        return rotations
    result, bounds = rotations.copy(), most.tolist()
    done = 0
    for start in starts:
        at = max(start, done)
        now = result[at - 1].tolist()
        while (
            at < len(rotations)
            and (turned := _toward(now, rotations[at].tolist(), bounds[at - 1], furthest)) is not None
        ):
            result[at] = now = turned
            at += 1
        done = at
    return result


def _toward(a: Sequence[float], b: Sequence[float], most: float, furthest: float) -> list[float] | None:
    """Quaternion ``a`` turned toward ``b``; None where ``b`` is near enough."""
    cosine = sum(x * y for x, y in zip(a, b, strict=True))
    sign = 1.0 if cosine >= 0.0 else -1.0
    half = math.acos(min(abs(cosine), 1.0))
    if 2.0 * half <= most:
        return None
    share = max(most, 2.0 * half - furthest) / (2.0 * half)
    of_a, of_b = math.sin((1.0 - share) * half) / math.sin(half), sign * math.sin(share * half) / math.sin(half)
    return [of_a * x + of_b * y for x, y in zip(a, b, strict=True)]
