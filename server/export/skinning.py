"""A mesh moved by its joints: linear blend skinning."""

from __future__ import annotations

import numpy as np

from protocol.skeleton import Skeleton, default_skeleton
from server.export.mannequin import Mannequin
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.rotation import Array


def bone_transforms(rotations: Array, root: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """What takes each bone from the rest pose into a pose, as matrices (…, J, 3, 4), and the joints (…, J, 3), metres.

    Poses are local rotations (…, J, 4) xyzw and root positions (…, 3).
    """
    turned, joints = kinematics.forward(rotations, root, skeleton.parents, skeleton.offsets)
    shifts = joints - rot.mul_vec(turned, skeleton.rest_positions())
    return np.concatenate([rot.to_matrix(turned), shifts[..., None]], axis=-1), joints


def skin(mesh: Mannequin, rotations: Array, root: Array) -> tuple[Array, Array]:
    """Vertices and unit normals (V, 3) of one pose: local rotations (22, 4) xyzw, root (3,) metres."""
    transforms, _ = bone_transforms(rotations, root, default_skeleton())
    blended = np.einsum("vk,vkij->vij", mesh.weights, transforms[mesh.joints])  # (V, 3, 4)
    turn, shift = blended[..., :3], blended[..., 3]
    moved = np.einsum("vij,vj->vi", turn, mesh.vertices) + shift
    return moved, rot.normalize(np.einsum("vij,vj->vi", turn, mesh.normals))
