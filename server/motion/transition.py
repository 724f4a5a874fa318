"""Joining two motions without a pop: the difference at the splice is added to what follows and decays.

Inertialization (Bollo, *Inertialization: High-Performance Animation Transitions in Gears of War*, GDC 2018) with a
critically damped spring instead of a quintic.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from server.motion import rotation as rot
from server.motion.human_limits import within_limits
from server.motion.motion import Motion, concatenate
from server.motion.rotation import Array

SHARE_OF_SPEED: Final = 0.5
"""The part of a joint's usual top speed that a decaying offset may take; the motion itself needs the rest."""
LONGEST_HALF_LIFE: Final = 0.3
"""Seconds; an offset that lasts longer hides too much of the new motion."""
_PEAK: Final = 2.0 * math.log(2.0) / math.e  # top speed of a decaying offset of 1 with a half-life of 1


def inertialize(
    before: Motion, after: Motion, fps: float, half_life: float = 0.1, fastest: Array | None = None
) -> Motion:
    """``after``, entered with the pose and the velocity in which ``before`` ends.

    ``after[0]`` is one frame (1 / ``fps`` s) later than ``before[-1]``. Offsets of root position (metres) and local
    rotations decay with ``half_life`` seconds: 8 % is left after three of them. ``fastest`` (J,) radians/s: how fast each
    joint turns at most; a large offset decays more slowly, so that the joint does not turn faster for its sake. Either may
    be empty; with one frame its velocity counts as equal to the other's. Features and contacts are ``after``'s. Pure;
    nothing is modified.
    """
    if not len(before) or not len(after):
        return after
    time = (np.arange(len(after)) + 1.0) / fps  # (T,)
    place, speed = decay(time, half_life)

    root_step = after.root[1] - after.root[0] if len(after) > 1 else _last_root_step(before)  # (3,)
    turn = (
        rot.to_vector(rot.mul(after.rotations[1], rot.inv(after.rotations[0])))
        if len(after) > 1
        else _last_turn(before)
    )
    root_offset = before.root[-1] - (after.root[0] - root_step)
    previous = rot.mul(rot.from_vector(-turn), after.rotations[0])  # (J, 4)
    offset = rot.to_vector(rot.mul(before.rotations[-1], rot.inv(previous)))  # (J, 3)
    root_speed, turn_speed = np.zeros_like(root_offset), np.zeros_like(offset)
    if len(before) > 1:
        root_speed = (_last_root_step(before) - root_step) * fps
        turn_speed = (_last_turn(before) - turn) * fps

    root = after.root + place[:, None] * root_offset + speed[:, None] * root_speed  # (T, 3)
    half_lives = np.full(len(offset), half_life)
    if fastest is not None:
        slower = _PEAK * np.linalg.norm(offset, axis=-1) / (SHARE_OF_SPEED * fastest)
        half_lives = np.clip(slower, half_life, max(half_life, LONGEST_HALF_LIFE))
    place, speed = decay(time[:, None], half_lives)  # (T, J)
    decayed = place[..., None] * offset + speed[..., None] * turn_speed  # (T, J, 3)
    return replace(after, root=root, rotations=rot.normalize(rot.mul(rot.from_vector(decayed), after.rotations)))


def append(before: Motion, after: Motion, fps: float, half_life: float = 0.1, fastest: Array | None = None) -> Motion:
    """Both as one motion, ``after`` entered as :func:`inertialize` does; quaternions stay in one hemisphere over the seam.

    With ``fastest`` it is also kept within what people do (see `human_limits`), from its first frame on.
    """
    seam = before[-2:]
    joined = concatenate([seam, inertialize(seam, after, fps, half_life, fastest)])
    joined = replace(joined, rotations=rot.unroll(joined.rotations))
    if fastest is not None:
        joined = within_limits(joined, fps, fastest, fixed=len(seam))
    return concatenate([before, joined[len(seam) :]])


def decay(time: Array, half_life: float | Array) -> tuple[Array, Array]:
    """What is left after ``time`` s of an offset of 1, and of one that started at 0 with speed 1: critically damped."""
    damping = 2.0 * np.log(2.0) / half_life
    left = np.exp(-damping * time)
    return left * (1.0 + damping * time), left * time


def place_after(before: Motion, motion: Motion) -> Motion:
    """``motion`` moved over the ground and turned about +Y so that it starts where, and facing as, ``before`` ends."""
    turn = float(before.heading[-1] - motion.heading[0])
    rotation = rot.about_y(np.array(turn))
    ground = np.array([1.0, 0.0, 1.0])
    root = rot.mul_vec(rotation, motion.root - motion.root[0] * ground) + before.root[-1] * ground  # (T, 3)
    rotations = motion.rotations.copy()
    rotations[:, 0] = rot.mul(rotation, rotations[:, 0])
    return replace(motion, root=root, rotations=rotations, heading=motion.heading + turn)


def hold(last: Motion, frames: int, fps: float, half_life: float = 0.1) -> Motion:
    """``frames`` frames in which the motion that ends with ``last`` (1 frame or more) comes to rest."""
    still = concatenate([last[len(last) - 1 :]] * frames)
    return inertialize(last, still, fps, half_life)


def _last_root_step(motion: Motion) -> Array:
    return motion.root[-1] - motion.root[-2] if len(motion) > 1 else np.zeros(3)


def _last_turn(motion: Motion) -> Array:
    if len(motion) > 1:
        return rot.to_vector(rot.mul(motion.rotations[-1], rot.inv(motion.rotations[-2])))
    return np.zeros((motion.rotations.shape[1], 3))
