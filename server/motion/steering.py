"""Steering: bends the path of planned motion toward a heading or along way-points, frame by frame.

The model's motion stays as it is; what is bent is where it is shown. Each frame of it is turned about +Y by a yaw that
grows and shrinks smoothly, about the foot on the ground, so that the foot stays planted as it does when a person
turns. The result up to a frame depends on nothing after it: motion may be appended, or steered anew from any frame on,
and everything before stays as it was.

Rates are those of real walks: in the 470 clips of people who walk around a corner in the Bandai-Namco mocap
(dataset 2), the direction of travel turns by 44 degrees/s (median), 57 (90th percentile) and 85 (99th), and gets there
with up to 177 degrees/s².
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.signal import lfilter

from protocol.skeleton import Skeleton
from server.motion import kinematics
from server.motion.motion import Motion
from server.motion.rotation import Array

MAX_RATE: Final = math.radians(80.0)
"""Fastest added turn, radians/s."""
MAX_ACCELERATION: Final = math.radians(180.0)
"""Fastest change of the added turn, radians/s²."""
SLOW_SPEED, TRAVEL_SPEED = 0.25, 0.45
"""Metres/s of travel below which nothing is bent, and from which it is bent fully. Mocap waves sway at up to 0.06 m/s."""
CAPTURE_METRES: Final = 0.5
"""A way-point counts as reached from nearer than this."""

_GAIN = MAX_ACCELERATION / MAX_RATE  # 1/s; the highest that the acceleration can brake without overshoot
_VELOCITY_HALF_LIFE = 0.25  # s; about half a step: sway and the pulse of steps cancel
_SPEED_HALF_LIFE = 1.0  # s; a turning circle that pulsed with the steps would never let a walker decide
_SUPPORT_HALF_LIFE = 0.03  # s; the pivot glides from foot to foot, as a jump would jerk the root
_PIVOT_WEIGHTS = np.array([0.1, 1.0, 0.1, 1.0])  # people turn on the ball of the foot; on the heel before it comes down
_CIRCLE_MARGIN = 1.3  # the turning circle is wider than speed / rate while the rate builds up
_REACH = 0.6  # of the capture distance, by which the circle may miss a way-point
_BEHIND = math.radians(170.0)


@dataclass(frozen=True)
class Target:
    """Where to go. ``waypoints``: x and z in metres, in order; then ``heading``, radians about +Y, 0 faces +Z.

    ``speed``, metres/s, is for the pace (see `server.pace`). All absent: straight on.
    """

    heading: float | None = None
    speed: float | None = None
    waypoints: tuple[tuple[float, float], ...] = ()

    @property
    def turns(self) -> bool:
        """Whether it asks for a direction."""
        return self.heading is not None or bool(self.waypoints)


@dataclass(frozen=True)
class Course:
    """Where T frames of motion are shown, and the state of steering after each.

    ``root`` (T, 3) metres, ``yaw`` (T,) radians added to the pelvis and the heading, ``rate`` (T,) its speed in radians/s,
    ``passed`` (T,) way-points reached. Of the motion before bending: ``velocity`` (T, 2) m/s over x and z, smoothed over a
    step, ``speed`` (T, 1) m/s over several, and ``support`` (T, 4) how much each of the skeleton's ``feet`` carries.
    """

    root: Array
    yaw: Array
    rate: Array
    passed: np.ndarray
    velocity: Array
    speed: Array
    support: Array

    def __len__(self) -> int:
        return len(self.yaw)

    def __getitem__(self, frames: slice) -> Course:
        return Course(*(values[frames] for values in _arrays(self)))

    @staticmethod
    def empty() -> Course:
        """No frames."""
        zero = np.zeros(0)
        wide = (np.zeros((0, width)) for width in (2, 1, 4))
        return Course(np.zeros((0, 3)), zero, zero, np.zeros(0, int), *wide)

    def joined(self, other: Course) -> Course:
        """This one and what follows."""
        pairs = zip(_arrays(self), _arrays(other), strict=True)
        return Course(*(np.concatenate(pair) for pair in pairs))


def bend(
    motion: Motion,
    course: Course,
    target: Target,
    *,
    fps: float,
    skeleton: Skeleton,
    travels: bool,
    afresh: bool = False,
) -> Course:
    """The ``course`` of the first frames of ``motion``, made as long as the motion.

    ``travels`` False: the root's x and z stay where they are. ``afresh``: the target is new, its first way-point is next.
    Pure and causal: one call and many calls over parts of the same motion give the same to rounding.
    """
    at = len(course)
    if at >= len(motion):
        return course
    ground = motion.root[max(at - 1, 0) :, [0, 2]]  # (T', 2), one frame earlier than the rest
    steps = np.diff(ground, axis=0, prepend=ground[:1] if at == 0 else np.zeros((0, 2)))  # (T, 2)
    velocity = _smooth(steps * fps, course.velocity[-1:], _VELOCITY_HALF_LIFE * fps)
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
    speed = _smooth(speed, course.speed[-1:] if at else speed[:1], _SPEED_HALF_LIFE * fps)
    support = _smooth(motion.contacts[at:].astype(float), course.support[-1:], _SUPPORT_HALF_LIFE * fps)
    yaw = float(course.yaw[-1]) if at else 0.0
    rate = float(course.rate[-1]) if at else 0.0
    place = course.root[-1, [0, 2]] if at else ground[0]
    root = motion.root[at:].copy()
    count = len(root)
    if not target.turns and rate == 0.0:
        yaws, rates, passed = np.full(count, yaw), np.zeros(count), np.zeros(count, int)
        # Summed up from the place on, so that the sums are the same, bit for bit, in one call and in many.
        walked = np.concatenate([place[None], _turned(steps, yaw) if travels else np.zeros_like(steps)])
        root[:, [0, 2]] = np.cumsum(walked, axis=0)[1:]
    else:
        supports = np.concatenate([course.support[-1:], support])
        levers = _levers(motion[max(at - 1, 0) :], supports, skeleton)
        if not at:
            levers = np.concatenate([levers[:1], levers])
        levers = levers[:count]  # each of the frame before
        first = 0 if afresh or not at else int(course.passed[-1])
        walk = _Walk(target, fps, travels, yaw, rate, first, float(place[0]), float(place[1]))
        rows = [
            walk.step(*values)
            for values in zip(
                steps.tolist(),
                levers.tolist(),
                velocity.tolist(),
                speed[:, 0].tolist(),
                motion.heading[at:].tolist(),
                strict=True,
            )
        ]
        table = np.array(rows)  # (T, 5)
        root[:, [0, 2]], yaws, rates, passed = table[:, :2], table[:, 2], table[:, 3], table[:, 4].astype(int)
    return course.joined(Course(root, yaws, rates, passed, velocity, speed, support))


class _Walk:
    """The state of steering, stepped frame by frame."""

    def __init__(
        self, target: Target, fps: float, travels: bool, yaw: float, rate: float, passed: int, x: float, z: float
    ) -> None:
        self.target, self.fps, self.travels = target, fps, travels
        self.yaw, self.rate, self.passed, self.x, self.z = yaw, rate, passed, x, z

    def step(
        self, step: list[float], lever: list[float], velocity: list[float], speed: float, heading: float
    ) -> tuple[float, float, float, float, int]:
        """One frame: x, z, yaw, rate and way-points passed after it. ``lever``: from the pivot to the root."""
        travelling = min(max((math.hypot(*velocity) - SLOW_SPEED) / (TRAVEL_SPEED - SLOW_SPEED), 0.0), 1.0)
        wanted = _clip(_GAIN * self._error(heading, velocity, speed), MAX_RATE) * travelling
        self.rate += _clip(wanted - self.rate, MAX_ACCELERATION / self.fps)
        sine, cosine = math.sin(self.yaw), math.cos(self.yaw)
        self.yaw += self.rate / self.fps
        if self.travels:
            # The ground turns about the pivot, then the root makes its step over it.
            new_sine, new_cosine = math.sin(self.yaw), math.cos(self.yaw)
            x, z = step[0] + lever[0], step[1] + lever[1]
            self.x += x * new_cosine + z * new_sine - (lever[0] * cosine + lever[1] * sine)
            self.z += z * new_cosine - x * new_sine - (lever[1] * cosine - lever[0] * sine)
        return self.x, self.z, self.yaw, self.rate, self.passed

    def _error(self, heading: float, velocity: list[float], speed: float) -> float:
        """How far to turn, radians."""
        while self.passed < len(self.target.waypoints):
            x, z = self.target.waypoints[self.passed]
            dx, dz = x - self.x, z - self.z
            if math.hypot(dx, dz) >= CAPTURE_METRES:
                radius = _CIRCLE_MARGIN * max(speed, TRAVEL_SPEED) / MAX_RATE
                return self._toward(dx, dz, math.atan2(*velocity) + self.yaw, radius)
            self.passed += 1
        if self.target.heading is None:
            return 0.0
        return self._short_way(self.target.heading - heading - self.yaw)

    def _toward(self, dx: float, dz: float, course: float, radius: float) -> float:
        """The turn toward a point at (dx, dz) from here; none while it lies inside the turning circle of ``radius``.

        A walker who turns toward such a point circles around it for ever; one who walks on first gets it ahead.
        """
        error = self._short_way(math.atan2(dx, dz) - course)
        side = course + math.copysign(math.pi / 2, error)
        distance = math.hypot(dx - radius * math.sin(side), dz - radius * math.cos(side))
        return 0.0 if distance < radius - _REACH * CAPTURE_METRES else error

    def _short_way(self, angle: float) -> float:
        """The angle within ±π; straight behind, the way that the character turns already."""
        angle = math.remainder(angle, 2.0 * math.pi)
        if abs(angle) > _BEHIND and angle * self.rate < 0.0:
            angle -= math.copysign(2.0 * math.pi, angle)
        return angle


def _clip(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


def _arrays(course: Course) -> tuple[np.ndarray, ...]:
    return course.root, course.yaw, course.rate, course.passed, course.velocity, course.speed, course.support


def _turned(steps: Array, yaw: float) -> Array:
    """Vectors (T, 2) over x and z, turned about +Y."""
    sine, cosine = math.sin(yaw), math.cos(yaw)
    return np.stack([steps[:, 0] * cosine + steps[:, 1] * sine, steps[:, 1] * cosine - steps[:, 0] * sine], axis=-1)


def _smooth(values: Array, before: Array, half_life: float) -> Array:
    """Exponential moving average of (T, C) with a half-life in frames, going on from ``before`` (0 or 1, C)."""
    keep = 0.5 ** (1.0 / half_life)
    start = before[-1] if len(before) else np.zeros(values.shape[1])
    return lfilter([1.0 - keep], [1.0, -keep], values, axis=0, zi=keep * start[None])[0]


def _levers(motion: Motion, support: Array, skeleton: Skeleton) -> Array:
    """From the middle of the supporting feet to the root, over x and z (T, 2) metres; none while nothing carries."""
    joints, parents, feet = _legs(skeleton.parents, skeleton.feet)
    offsets = skeleton.offsets[list(joints)]
    local = motion.rotations[:, list(joints)]
    positions = kinematics.forward(local, np.zeros((len(motion), 3)), parents, offsets)[1]
    lever = -positions[:, list(feet)][..., [0, 2]]  # (T, 4, 2)
    support = support * _PIVOT_WEIGHTS
    return (support[..., None] * lever).sum(1) / np.maximum(support.sum(1, keepdims=True), 0.5)


@lru_cache(maxsize=8)
def _legs(parents: tuple[int, ...], feet: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The joints from the root to the feet, parents first, each one's parent among them, and where the feet are."""
    needed = set()
    for joint in feet:
        while joint >= 0:
            needed.add(joint)
            joint = parents[joint]
    joints = tuple(sorted(needed))
    return (
        joints,
        tuple(joints.index(parents[joint]) if parents[joint] >= 0 else -1 for joint in joints),
        tuple(joints.index(foot) for foot in feet),
    )
