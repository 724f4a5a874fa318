"""The floor at y = 0, which nobody goes through.

A decoder's legs are now and then too short; bones of constant length then end lower than it meant, and splices and locked
feet add to it. Each frame is looked at for itself: feet are lifted by bending the knee, other joints with the whole body. The lift
begins with slope and curvature 0, so that nothing pops, and above its ``start`` a motion stays bit for bit.
"""

from __future__ import annotations

import numpy as np

from protocol.skeleton import Skeleton
from server.motion import kinematics
from server.motion.legs import Legs
from server.motion.limits import saturate
from server.motion.rotation import Array

# m, heights under which joints are lifted. Recorded toes go down to 0 and decoded ones tremble by some mm; an ankle at 2 cm
# is that of a foot that lies on its side.
_START, _OTHERS = np.array([0.02, -0.005]), -0.005  # heel and toe; other joints
_SOFT = 0.012  # m; what is left of any depth under these is less
_NEAR = 0.25  # legs' lengths; joints decoded higher than this do not reach the floor when their bones are made constant


def feet_lift(feet: Array) -> Array:
    """How far, metres, each foot (…, 2) must go up, of heels and toes (…, 2, 2, 3) as left and right, heel and toe."""
    return _lift(feet[..., 1], _START).max(axis=-1)


def keep_feet_above(root: Array, rotations: Array, legs: Legs, *, again: bool = False) -> Array:
    """Local rotations (…, J, 4) of a motion with root (…, 3) whose feet are lifted where they go under the floor.

    ``again``: of feet that were lifted already, and then moved, only those that now go deeper than any lifted foot does.
    """
    pose = legs.pose(root, rotations)
    feet = np.stack([pose.ankles, pose.toes], axis=-2)
    up = np.maximum(_START - _SOFT - feet[..., 1], 0.0).max(axis=-1) if again else feet_lift(feet)  # (…, 2)
    moved = np.asarray(up.any(axis=-1))
    if not moved.any():
        return rotations
    shift = up[moved][..., None] * np.array([0.0, 1.0, 0.0])
    pose, rotations = pose.of(moved), rotations.copy()
    rotations[moved] = legs.solve(pose, rotations[moved], pose.ankles + shift, pose.toes + shift, np.zeros(len(shift)))
    return rotations


def keep_body_above(root: Array, rotations: Array, skeleton: Skeleton, decoded: Array) -> Array:
    """The root (T, 3) of a motion lifted where another joint than a foot goes under the floor.

    ``decoded`` (T, J, 3): about where the joints are, in any unit; it saves the work where all are high.
    """
    others = [joint for joint in range(len(skeleton)) if joint not in skeleton.feet]
    if decoded[:, others, 1].min() > _NEAR * kinematics.leg_length(decoded, skeleton):
        return root
    lowest = kinematics.positions(rotations, root, skeleton)[:, others, 1].min(axis=-1)  # (T,)
    return root + _lift(lowest, np.array(_OTHERS))[:, None] * np.array([0.0, 1.0, 0.0])


def _lift(heights: Array, start: Array) -> Array:
    depth = np.maximum(start - heights, 0.0)
    return depth - saturate(depth, _SOFT)
