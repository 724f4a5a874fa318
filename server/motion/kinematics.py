"""Forward kinematics and what follows from it, vectorised over leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protocol.skeleton import Skeleton
from server.motion import rotation as rot
from server.motion.rotation import Array


def forward(local: Array, root: Array, parents: Sequence[int], offsets: Array) -> tuple[Array, Array]:
    """Local rotations (…, J, 4) and root positions (…, 3) to global rotations (…, J, 4) and positions (…, J, 3).

    ``offsets`` (J, 3) or (…, J, 3) are in metres in the parent's frame; the root's own offset is not used.
    """
    rotations: list[Array] = []
    positions: list[Array] = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            rotations.append(local[..., joint, :])
            positions.append(root)
        else:
            rotations.append(rot.mul(rotations[parent], local[..., joint, :]))
            positions.append(positions[parent] + rot.mul_vec(rotations[parent], offsets[..., joint, :]))
    return np.stack(rotations, axis=-2), np.stack(positions, axis=-2)


def positions(local: Array, root: Array, skeleton: Skeleton) -> Array:
    """Joint positions (…, J, 3) of a skeleton's pose, metres."""
    return forward(local, root, skeleton.parents, skeleton.offsets)[1]


def to_local(global_rotations: Array, parents: Sequence[int]) -> Array:
    """Global rotations (…, J, 4) to local ones."""
    parent_index = [max(p, 0) for p in parents]
    local = rot.inv_mul(global_rotations[..., parent_index, :], global_rotations)
    root = [joint for joint, parent in enumerate(parents) if parent < 0]
    local[..., root, :] = global_rotations[..., root, :]
    return local


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
