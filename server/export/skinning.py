"""A mesh moved by its joints: linear blend skinning of the mannequin."""

from __future__ import annotations

import numpy as np

from protocol.skeleton import default_skeleton
from server.export.mannequin import Mannequin
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.rotation import Array


def skin(mesh: Mannequin, rotations: Array, root: Array) -> tuple[Array, Array]:
    """Vertices and unit normals (V, 3) of one pose: local rotations (22, 4) xyzw, root (3,) metres."""
    skeleton = default_skeleton()
    turned, positions = kinematics.forward(rotations, root, skeleton.parents, skeleton.offsets)
    matrices = rot.to_matrix(turned)  # (22, 3, 3)
    shifts = positions - (matrices @ skeleton.rest_positions()[..., None])[..., 0]
    blended = np.einsum("vk,vkij->vij", mesh.weights, matrices[mesh.joints])
    moved = np.einsum("vij,vj->vi", blended, mesh.vertices) + np.einsum("vk,vki->vi", mesh.weights, shifts[mesh.joints])
    return moved, rot.normalize(np.einsum("vij,vj->vi", blended, mesh.normals))
