"""Legs that put the feet where they are told: closed-form two-bone inverse kinematics, vectorised over frames and both legs.

Arrays are (…, 2, 3 or 4): left leg, right leg. Right-handed, +Y up, metres, quaternions xyzw. The knee is a hinge about its own x
axis, as the solver makes it (the left-right axis of the T-pose); it only bends further or less, so the leg keeps its plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protocol.skeleton import Skeleton
from server.motion import rotation as rot
from server.motion.rotation import Array

_HINGE = np.array([1.0, 0.0, 0.0])
_UP = np.array([0.0, 1.0, 0.0])
_BACKWARD_FADE = 0.2  # radians of change over which a knee that bends slightly backwards comes round


class LegPose(NamedTuple):
    """Positions (…, 2, 3) and global rotations (…, 2, 4) along both legs."""

    hips: Array
    knees: Array
    ankles: Array
    toes: Array
    pelvis_rotation: Array
    hip_rotation: Array
    knee_rotation: Array
    ankle_rotation: Array

    def of(self, frames: np.ndarray) -> LegPose:
        """The frames that an index or a mask of the leading axes selects."""
        return LegPose(*(array[frames] for array in self))


@dataclass(frozen=True)
class Legs:
    """The legs of a skeleton. ``reach`` is the share of a leg's length beyond which the pelvis is lowered for a foot that is
    to be further away than it was, at most by ``max_drop`` metres and smoothly within ``soft`` metres; ``straight`` the
    share that no leg is stretched beyond by that."""

    skeleton: Skeleton
    reach: float = 0.985
    straight: float = 0.998
    max_drop: float = 0.06
    soft: float = 0.01

    @property
    def joints(self) -> list[int]:
        """Hips, knees and ankles, left before right."""
        hip, knee, ankle, _ = self._chain()
        return [*hip, *knee, *ankle]

    def pose(self, root: Array, rotations: Array) -> LegPose:
        """Forward kinematics of root (…, 3) and local rotations (…, J, 4)."""
        offsets = self.skeleton.offsets
        hip, knee, ankle, toe = self._chain()
        pelvis_rotation = rotations[..., :1, :]
        hip_rotation = rot.mul(pelvis_rotation, rotations[..., hip, :])
        knee_rotation = rot.mul(hip_rotation, rotations[..., knee, :])
        ankle_rotation = rot.mul(knee_rotation, rotations[..., ankle, :])
        hips = root[..., None, :] + rot.mul_vec(pelvis_rotation, offsets[hip])
        knees = hips + rot.mul_vec(hip_rotation, offsets[knee])
        ankles = knees + rot.mul_vec(knee_rotation, offsets[ankle])
        toes = ankles + rot.mul_vec(ankle_rotation, offsets[toe])
        return LegPose(hips, knees, ankles, toes, pelvis_rotation, hip_rotation, knee_rotation, ankle_rotation)

    def drop(self, pose: LegPose, ankles: Array) -> Array:
        """How far (…), metres, the pelvis must go down for both ankles to be in reach at ``ankles`` (…, 2, 3)."""
        length = rot.length(pose.knees - pose.hips) + rot.length(pose.ankles - pose.knees)
        limit = np.maximum(rot.length(pose.ankles - pose.hips), self.reach * length)  # (…, 2)
        away = pose.hips - ankles
        across = away[..., 0] ** 2 + away[..., 2] ** 2
        needed = away[..., 1] - np.sqrt(np.maximum(limit**2 - across, 0.0))
        needed = np.where(rot.length(away) > limit, needed, 0.0).clip(0.0).max(axis=-1)
        # Starts with slope 0, so that the pelvis is not jerked; what it lacks then, the stretch up to `straight` gives.
        return np.minimum(needed * needed / (needed + self.soft), self.max_drop)

    def solve(self, pose: LegPose, rotations: Array, ankles: Array, toes: Array, drop: Array) -> Array:
        """Local rotations (…, J, 4) in which, with the root ``drop`` (…) metres lower, the ankles are at ``ankles``
        (…, 2, 3) and the feet point to ``toes``. Only hips, knees and ankles change. An ankle out of reach stays on the
        line to it.
        """
        target = ankles - pose.hips + drop[..., None, None] * _UP  # from the lowered hips
        thigh, shin = pose.knees - pose.hips, pose.ankles - pose.knees
        planned = rot.length(pose.ankles - pose.hips)
        longest = np.maximum(planned, self.straight * (rot.length(thigh) + rot.length(shin)))
        bend = _knee_change(
            thigh, shin, rot.mul_vec(pose.knee_rotation, _HINGE), np.minimum(rot.length(target), longest)
        )

        knee_turn = rot.from_axis_angle(_HINGE, bend)  # in the knee's frame
        bent = rot.mul(pose.knee_rotation, knee_turn)
        hip, knee, ankle, _ = self._chain()
        leg = thigh + rot.mul_vec(bent, self.skeleton.offsets[ankle])
        swing = rot.between(leg, target)
        reached = pose.hips - drop[..., None, None] * _UP + rot.mul_vec(swing, leg)
        sole = rot.between(pose.toes - pose.ankles, toes - reached)

        solved = rotations.copy()
        solved[..., hip, :] = rot.inv_mul(pose.pelvis_rotation, rot.mul(swing, pose.hip_rotation))
        solved[..., knee, :] = rot.mul(rotations[..., knee, :], knee_turn)
        solved[..., ankle, :] = rot.inv_mul(rot.mul(swing, bent), rot.mul(sole, pose.ankle_rotation))
        changed = self.joints
        turned = solved[..., changed, :]
        flip = rot.dot(turned, rotations[..., changed, :])[..., None] < 0
        solved[..., changed, :] = np.where(flip, -turned, turned)
        return solved

    def _chain(self) -> tuple[list[int], ...]:
        """Joint indices (left, right) of hips, knees, ankles and toes."""
        left_heel, left_toe, right_heel, right_toe = self.skeleton.feet
        ankle, parents = [left_heel, right_heel], self.skeleton.parents
        knee = [parents[joint] for joint in ankle]
        return [parents[joint] for joint in knee], knee, ankle, [left_toe, right_toe]


def _knee_change(thigh: Array, shin: Array, hinge: Array, distance: Array) -> Array:
    """Angle (…, 2) to turn the shin about the ``hinge`` for the ankle to be ``distance`` (…, 2) from the hip."""
    along_shin, along_thigh = rot.dot(shin, hinge), -rot.dot(thigh, hinge)
    shin_across = shin - along_shin[..., None] * hinge
    thigh_across = -thigh - along_thigh[..., None] * hinge
    product = rot.length(shin_across) * rot.length(thigh_across)
    sine = rot.dot(rot.cross(thigh_across, shin_across), hinge)
    cosine = rot.dot(thigh_across, shin_across)
    wanted = 0.5 * (rot.dot(thigh, thigh) + rot.dot(shin, shin) - distance**2) - along_shin * along_thigh
    bend = np.arctan2(-sine, -cosine)  # 0 = straight, positive = as a knee bends
    new = np.pi - np.arccos(np.clip(wanted / np.maximum(product, 1e-9), -1.0, 1.0))
    backward = np.minimum(bend, 0.0)
    fade = np.clip(1.0 - np.abs(new - np.abs(bend)) / _BACKWARD_FADE, 0.0, 1.0)
    return new + 2.0 * backward * fade - bend
