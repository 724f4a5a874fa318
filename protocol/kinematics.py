"""Forward kinematics of any joint tree, vectorised over leading axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol import rotation as rot
from protocol.rotation import Array


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


def to_local(global_rotations: Array, parents: Sequence[int]) -> Array:
    """Global rotations (…, J, 4) to local ones."""
    parent_index = [max(p, 0) for p in parents]
    local = rot.inv_mul(global_rotations[..., parent_index, :], global_rotations)
    root = [joint for joint, parent in enumerate(parents) if parent < 0]
    local[..., root, :] = global_rotations[..., root, :]
    return local
