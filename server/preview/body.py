"""The mannequin in any pose: linear blend skinning on the processor, all characters in one sparse product.

viser's own skinned mesh takes two messages for each bone and frame, as its bones know no parents: three characters of 22
joints at 30 frames a second cost 31 % of a core that way, kinematics not counted, and 20 % with ready vertices, one message
a part, kinematics and all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from protocol.rotation import Array
from protocol.skeleton import Skeleton
from server.export.mannequin import PART_COLOURS, Mannequin
from server.export.skinning import bone_transforms


class Part(NamedTuple):
    """One colour of the mesh: ``rows`` of its vertices among all, ``faces`` (F, 3) by its own vertices, ``colour`` sRGB."""

    name: str
    rows: slice
    faces: np.ndarray
    colour: tuple[int, int, int]


class Body:
    """A mesh bound to a skeleton in its rest pose."""

    def __init__(self, mannequin: Mannequin, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        order = np.argsort(mannequin.parts, kind="stable")
        self.rest_vertices = mannequin.vertices[order]
        """Vertices (V, 3) of the T-pose, metres, part after part."""
        self._binding = _binding(self.rest_vertices, mannequin.joints[order], mannequin.weights[order], len(skeleton))
        self.parts = _parts(mannequin, order)

    def vertices(self, root: Array, rotations: Array) -> tuple[Array, Array]:
        """Vertices (C, V, 3) float32 and joints (C, J, 3), metres, of C poses: root (C, 3), local rotations (C, J, 4)."""
        transforms, joints = bone_transforms(rotations, root, self._skeleton)  # (C, J, 3, 4)
        columns = transforms.transpose(1, 3, 0, 2).reshape(4 * len(self._skeleton), -1)  # (4 J, 3 C)
        skinned = self._binding @ columns.astype(np.float32)  # (V, 3 C)
        return np.ascontiguousarray(skinned.reshape(len(skinned), len(root), 3).transpose(1, 0, 2)), joints


def _binding(vertices: Array, joints: np.ndarray, weights: Array, count: int) -> sparse.csr_array:
    """(V, 4 J): weight times the vertex in homogeneous coordinates, for each joint that holds it."""
    rows, influences = np.nonzero(weights)
    held = weights[rows, influences][:, None]
    values = held * np.concatenate([vertices[rows], np.ones((len(rows), 1))], axis=1)  # (N, 4)
    columns = 4 * joints[rows, influences][:, None] + np.arange(4)
    place = (np.repeat(rows, 4), columns.ravel())
    return sparse.csr_array((values.ravel().astype(np.float32), place), shape=(len(vertices), 4 * count))


def _parts(mannequin: Mannequin, order: np.ndarray) -> tuple[Part, ...]:
    new_row = np.empty(len(order), dtype=np.int64)
    new_row[order] = np.arange(len(order))
    sizes = np.bincount(mannequin.parts, minlength=len(PART_COLOURS))
    ends = np.cumsum(sizes)
    face_parts = mannequin.parts[mannequin.faces[:, 0]]
    return tuple(
        Part(name, slice(int(end - size), int(end)), new_row[mannequin.faces[face_parts == at]] - (end - size), colour)
        for at, ((name, colour), size, end) in enumerate(zip(PART_COLOURS.items(), sizes, ends, strict=True))
    )
