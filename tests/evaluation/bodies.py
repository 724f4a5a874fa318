"""Actions of a stick body, built by forward kinematics on the default skeleton: joint positions (T, 22, 3) at 20 frames a second.

Every function takes the compass ``heading`` in radians about +Y from +Z that the body starts with.
"""

from __future__ import annotations

import numpy as np

from protocol.skeleton import default_skeleton
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.rotation import Array

FPS = 20.0
SKELETON = default_skeleton()
SIGN = {"left": 1.0, "right": -1.0}


class Body:
    """A figure that stands with its arms down, on legs that reach the floor, for as long as is asked."""

    def __init__(self, seconds: float, heading: float = 0.0) -> None:
        self.time = np.arange(round(seconds * FPS)) / FPS
        self.yaw = np.full(len(self.time), heading)
        self.speed = np.zeros(len(self.time))  # m/s along the facing
        self.rotations = rot.identity(len(self.time), len(SKELETON))
        self.height = np.full(len(self.time), float(SKELETON.rest_positions()[0, 1]))
        for side, sign in SIGN.items():
            self.turn(f"{side}_shoulder", "Z", -1.45 * sign)

    def turn(self, joint: str, axis: str, angle: Array | float) -> None:
        """Turn a joint about its parent's axis by an angle, radians, or one for each frame."""
        index = SKELETON.index(joint)
        extra = rot.from_axis_angle(np.array(rot.AXES[axis]), angle + 0.0 * self.time)
        self.rotations[:, index] = rot.mul(extra, self.rotations[:, index])

    def pulse(self, centre: float, width: float) -> Array:
        """A smooth bump over time, 0 to 1 and back: at 1 at ``centre``, ``width`` long, seconds."""
        phase = np.clip((self.time - centre) / width, -0.5, 0.5)
        return 0.5 + 0.5 * np.cos(2.0 * np.pi * phase)

    def plateau(self, start: float, stop: float, ramp: float = 0.4) -> Array:
        """0, then 1 from ``start`` to ``stop``, with a ramp outside of both, seconds."""
        rising = np.clip((self.time - start + ramp) / ramp, 0.0, 1.0)
        falling = np.clip((stop + ramp - self.time) / ramp, 0.0, 1.0)
        return np.minimum(rising, falling)

    def positions(self) -> Array:
        """Joint positions (T, 22, 3) with the root moved along the facing."""
        self.turn("pelvis", "Y", self.yaw)
        steps = np.stack([np.sin(self.yaw), 0.0 * self.yaw, np.cos(self.yaw)], axis=-1) * self.speed[:, None] / FPS
        root = np.concatenate([np.zeros((1, 3)), np.cumsum(steps[:-1], axis=0)])
        root[:, 1] = self.height
        return kinematics.positions(self.rotations, root, SKELETON)


def stand(seconds: float = 4.0, heading: float = 0.0) -> Array:
    return Body(seconds, heading).positions()


def walk(
    speed: float = 1.2,
    steps: float = 2.0,
    turn: float = 0.0,
    swing: float = 0.4,
    heading: float = 0.0,
    seconds: float = 5.0,
) -> Array:
    """Travel at ``speed`` m/s, backwards when negative, ``steps`` a second, turning left by ``turn`` radians in all."""
    body = Body(seconds, heading)
    body.yaw = heading + turn * np.clip((body.time - 1.5) / 2.0, 0.0, 1.0)
    body.speed += speed
    phase = np.pi * steps * body.time
    for side, sign in SIGN.items():
        body.turn(f"{side}_hip", "X", -swing * sign * np.sin(phase))
        body.turn(f"{side}_knee", "X", 0.3 + 0.3 * np.cos(phase) * sign)
        body.turn(f"{side}_shoulder", "X", swing * sign * np.sin(phase))
    body.height = body.height - 0.04 + 0.015 * np.cos(2.0 * phase)
    return body.positions()


def raise_hands(*sides: str, wave: float = 0.0, heading: float = 0.0, seconds: float = 4.0) -> Array:
    """Hold the hands of ``sides`` over the head from 1 s to a second before the end, swinging by ``wave`` radians twice a second."""
    body = Body(seconds, heading)
    up = body.plateau(1.0, seconds - 1.0)
    for side in sides:
        body.turn(f"{side}_shoulder", "Z", SIGN[side] * up * (2.6 + wave * np.sin(4.0 * np.pi * body.time)))
    return body.positions()


def bow(degrees: float = 50.0, heading: float = 0.0, rise: bool = True) -> Array:
    body = Body(4.0, heading)
    body.turn("spine1", "X", np.radians(degrees) * (body.pulse(2.0, 3.0) if rise else body.plateau(2.0, 9.0)))
    return body.positions()


def kick(side: str = "right", heading: float = 0.0, forward: bool = True) -> Array:
    body = Body(3.0, heading)
    body.turn(f"{side}_hip", "X", -1.4 * (1.0 if forward else -1.0) * body.pulse(1.5, 0.9))
    return body.positions()


def punch(side: str = "right", heading: float = 0.0, hold: bool = False, thrown: bool = True) -> Array:
    """Fists at the chin; one shoots forward if it is ``thrown``, and comes back unless it is to ``hold``."""
    body = Body(3.0, heading)
    out = body.plateau(1.5, 9.0, 0.2) if hold else body.pulse(1.5, 0.6)
    for name, sign in SIGN.items():
        stretched = out if thrown and name == side else 0.0 * out
        body.turn(f"{name}_elbow", "Y", -2.4 * sign * (1.0 - stretched))
        body.turn(f"{name}_shoulder", "X", -1.4)
    return body.positions()


def dance(heading: float = 0.0, seconds: float = 5.0) -> Array:
    """Steps on the spot with both arms swinging."""
    body = Body(seconds, heading)
    beat = np.pi * 2.0 * body.time
    for side, sign in SIGN.items():
        body.turn(f"{side}_hip", "X", -0.3 * sign * np.sin(beat))
        body.turn(f"{side}_shoulder", "Z", sign * (0.9 + 0.5 * np.sin(beat)))
    return body.positions()
