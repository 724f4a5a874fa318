"""What follows from forward kinematics, vectorised over leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protocol.kinematics import forward, to_local
from protocol.skeleton import Skeleton
from server.motion.rotation import Array

__all__ = ["bone_lengths", "forward", "leg_length", "positions", "to_local", "with_offsets"]


def positions(local: Array, root: Array, skeleton: Skeleton) -> Array:
    """Joint positions (…, J, 3) of a skeleton's pose, metres."""
    return forward(local, root, skeleton.parents, skeleton.offsets)[1]


def bone_lengths(joints: Array, parents: Sequence[int]) -> Array:
    """Distance (…, J) of each joint (…, J, 3) from its parent; 0 for the root."""
    parent_index = [j if p < 0 else p for j, p in enumerate(parents)]
    return np.linalg.norm(joints - joints[..., parent_index, :], axis=-1)


def leg_length(joints: Array, skeleton: Skeleton) -> float:
    """Mean hip-to-ankle bone length of both legs over all frames, metres."""
    chain = [skeleton.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle")]
    return float(bone_lengths(joints, skeleton.parents)[..., chain].mean(axis=tuple(range(joints.ndim - 2))).sum() / 2)


def with_offsets(skeleton: Skeleton, offsets: Array) -> Skeleton:
    """The same joints with other rest offsets (J, 3)."""
    return replace(skeleton, name=f"{skeleton.name}-fitted", offsets=np.array(offsets, dtype=np.float64))
