"""The HumanML3D (263-d) and KIT-ML (251-d) pose representation, both ways (Guo et al., CVPR 2022).

One frame of J joints, as named slices of :class:`FeatureLayout`: root yaw velocity (the arcsine of the quaternion's y
component, so half the angle, per frame), root x and z velocity in the root frame, root height, root-relative joint
positions turned to face +Z, 6-D joint rotations, joint velocities in the root frame, and four foot contacts (left pair,
right pair). T positions give T - 1 frames. Right-handed, +Y up, facing +Z; the unit of length is the input's.

The root's quaternion here turns the character's facing *to* +Z, as in the original; it is the inverse of its heading.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d

from server.motion import rotation as rot
from server.motion.rotation import Array

_FACING_SIGMA = 20.0  # frames; the original's smoothing of the facing direction
_AXES = {"x": (1, 0, 0), "X": (-1, 0, 0), "y": (0, 1, 0), "Y": (0, -1, 0), "z": (0, 0, 1), "Z": (0, 0, -1)}


class FeatureError(ValueError):
    """Positions or features of a shape that the layout does not have."""


@dataclass(frozen=True)
class FeatureLayout:
    """What the representation needs to know of a skeleton.

    ``bone_axes`` is one letter a joint: the axis of its bone in the representation's own rest pose (capital: negative).
    ``hips`` and ``shoulders`` are (left, right) joint indices, ``feet`` the joints of the four contacts, ``leg`` two joints
    whose offsets measure leg length, ``contact_threshold`` a squared displacement per frame.
    """

    name: str
    fps: float
    chains: tuple[tuple[int, ...], ...]
    bone_axes: str
    hips: tuple[int, int]
    shoulders: tuple[int, int]
    feet: tuple[int, int, int, int]
    leg: tuple[int, int]
    contact_threshold: float

    @property
    def joints(self) -> int:
        return len(self.bone_axes)

    @property
    def channels(self) -> int:
        return 12 * self.joints - 1

    @cached_property
    def parents(self) -> tuple[int, ...]:
        parents = [-1] * self.joints
        for chain in self.chains:
            for parent, child in pairwise(chain):
                parents[child] = parent
        return tuple(parents)

    @cached_property
    def raw_offsets(self) -> Array:
        """Unit bone directions (J, 3) of the representation's rest pose."""
        return np.array([(0, 0, 0) if axis == "." else _AXES[axis] for axis in self.bone_axes], dtype=np.float64)

    @property
    def yaw_velocity(self) -> slice:
        return slice(0, 1)

    @property
    def root_velocity(self) -> slice:
        return slice(1, 3)

    @property
    def root_height(self) -> slice:
        return slice(3, 4)

    @property
    def local_positions(self) -> slice:
        return slice(4, 4 + 3 * (self.joints - 1))

    @property
    def rotations(self) -> slice:
        return slice(self.local_positions.stop, self.local_positions.stop + 6 * (self.joints - 1))

    @property
    def velocities(self) -> slice:
        return slice(self.rotations.stop, self.rotations.stop + 3 * self.joints)

    @property
    def contacts(self) -> slice:
        return slice(self.velocities.stop, self.velocities.stop + 4)


HUMANML3D = FeatureLayout(
    name="humanml3d",
    fps=20.0,
    chains=((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20)),
    bone_axes=".xXyYYyYYyzzyxXzYYYYYY",
    hips=(1, 2),
    shoulders=(16, 17),
    feet=(7, 10, 8, 11),
    leg=(5, 8),
    contact_threshold=0.002,
)
KIT = FeatureLayout(
    name="kit",
    fps=12.5,
    chains=((0, 11, 12, 13, 14, 15), (0, 16, 17, 18, 19, 20), (0, 1, 2, 3, 4), (3, 5, 6, 7), (3, 8, 9, 10)),
    bone_axes=".yyyyxYYXYYxYYzzXYYzz",
    hips=(16, 11),
    shoulders=(8, 5),
    feet=(19, 20, 14, 15),
    leg=(17, 18),
    contact_threshold=0.05,
)
LAYOUTS = {layout.name: layout for layout in (HUMANML3D, KIT)}


@dataclass(frozen=True)
class Extracted:
    """Features (T-1, C) and what they were made of: canonical global positions (T, J, 3), root quaternions (T, 4)."""

    features: Array
    positions: Array
    root_to_z: Array


def uniform_skeleton(positions: Array, target_offsets: Array, layout: FeatureLayout) -> Array:
    """Keep every bone's direction, take the target's bone lengths (J, 3); scale the root's path by leg length (frame 0)."""
    lengths = np.linalg.norm(positions[0] - positions[0, _parent_index(layout)], axis=-1)  # (J,)
    source_leg, target_leg = (
        sum(np.abs(offsets[joint]).max() for joint in layout.leg)
        for offsets in (layout.raw_offsets * lengths[:, None], target_offsets)
    )
    result = np.empty_like(positions, dtype=np.float64)
    result[:, 0] = positions[:, 0] * (target_leg / source_leg)
    for chain in layout.chains:
        for parent, child in pairwise(chain):
            turn = rot.between(layout.raw_offsets[child], positions[:, child] - positions[:, parent])
            result[:, child] = result[:, parent] + rot.mul_vec(turn, target_offsets[child])
    return result


def extract(positions: Array, layout: FeatureLayout, *, continuous: bool = True) -> Extracted:
    """Joint positions (T, J, 3), T >= 2, to features (T-1, C), after moving the clip onto the floor, the origin and +Z.

    The original flips the root quaternion's sign where the heading crosses ±180°, which reverses that frame's yaw
    velocity, and starts with a jump from the unsmoothed to the smoothed facing. ``continuous`` mends both (same
    layout, recovers without error); ``continuous=False`` reproduces the original to the digit.
    """
    if positions.ndim != 3 or positions.shape[1:] != (layout.joints, 3) or len(positions) < 2:
        raise FeatureError(f"positions {positions.shape}: expected (T >= 2, {layout.joints}, 3) for {layout.name}")
    positions = np.array(positions, dtype=np.float64)
    positions[..., 1] -= positions[..., 1].min()
    positions -= positions[0, 0] * np.array([1.0, 0.0, 1.0])
    if continuous:
        positions = rot.mul_vec(rot.inv(facing(positions, layout, hips=True, smooth=True)[0]), positions)
        root_to_z = rot.unroll(rot.inv(facing(positions, layout, hips=True, smooth=True)))
    else:
        positions = rot.mul_vec(rot.inv(facing(positions[:1], layout, hips=True, smooth=False)), positions)
        root_to_z = rot.inv(facing(positions, layout, hips=False, smooth=True))
    root_to_z[0] = rot.identity()

    yaw = np.arcsin(np.clip(rot.mul(root_to_z[1:], rot.inv(root_to_z[:-1]))[:, 1:2], -1.0, 1.0))
    steps = positions[1:] - positions[:-1]  # (T-1, J, 3)
    root_velocity = rot.mul_vec(root_to_z[1:], steps[:, 0])[:, [0, 2]]
    local = localize(positions, root_to_z)
    joint_velocity = rot.mul_vec(root_to_z[:-1, None], steps)
    contacts = ((steps[:, layout.feet] ** 2).sum(-1) < layout.contact_threshold).astype(np.float64)
    rotations = rot.to_6d(inverse_kinematics(positions, root_to_z, layout)[:, 1:])
    count = len(steps)
    features = np.concatenate(
        [
            yaw,
            root_velocity,
            positions[:-1, 0, 1:2],
            local[:-1, 1:].reshape(count, -1),
            rotations[:-1].reshape(count, -1),
            joint_velocity.reshape(count, -1),
            contacts,
        ],
        axis=-1,
    )
    return Extracted(features, positions, root_to_z)


def localize(positions: Array, root_to_z: Array) -> Array:
    """Positions (T, J, 3) relative to the root's x and z and turned to face +Z."""
    ground = positions[:, :1] * np.array([1.0, 0.0, 1.0])
    return rot.mul_vec(root_to_z[:, None], positions - ground)


def inverse_kinematics(positions: Array, root_to_z: Array, layout: FeatureLayout) -> Array:
    """Twist-free local rotations (T, J, 4) of the representation; not a character's joint rotations.

    Each bone takes the shortest arc from its raw direction. Every chain starts at the *root's* rotation, also the arms'.
    """
    local = rot.identity(*positions.shape[:2])
    local[:, 0] = root_to_z
    for chain in layout.chains:
        frame = root_to_z
        for parent, child in pairwise(chain):
            turn = rot.between(layout.raw_offsets[child], positions[:, child] - positions[:, parent])
            local[:, child] = rot.inv_mul(frame, turn)
            frame = rot.mul(frame, local[:, child])
    return local


def recover_root(features: Array, layout: FeatureLayout) -> tuple[Array, Array]:
    """Root-to-+Z quaternions (…, T, 4) and root positions (…, T, 3), integrated from the velocities; starts at x = z = 0."""
    half = np.zeros(features.shape[:-1])
    half[..., 1:] = np.cumsum(features[..., :-1, 0], axis=-1)
    root_to_z = rot.about_y(2.0 * half)
    steps = np.zeros((*features.shape[:-1], 3))
    steps[..., 1:, 0] = features[..., :-1, 1]
    steps[..., 1:, 2] = features[..., :-1, 2]
    root = np.cumsum(rot.mul_vec(rot.inv(root_to_z), steps), axis=-2)
    root[..., 1] = features[..., 3]
    return root_to_z, root


def headings(root_to_z: Array) -> Array:
    """Heading angles (T,), radians about +Y from +Z, of root-to-+Z quaternions (T, 4); unwrapped."""
    return np.unwrap(-2.0 * np.arctan2(root_to_z[:, 1], root_to_z[:, 3]))


def recover_positions(features: Array, layout: FeatureLayout) -> Array:
    """Features (…, T, C) to joint positions (…, T, J, 3): what the clip looked like, from the positions in the vector."""
    features = np.asarray(features, dtype=np.float64)
    if features.shape[-1] != layout.channels:
        raise FeatureError(f"features have {features.shape[-1]} channels, {layout.name} has {layout.channels}")
    root_to_z, root = recover_root(features, layout)
    local = features[..., layout.local_positions].reshape(*features.shape[:-1], layout.joints - 1, 3)
    world = rot.mul_vec(rot.inv(root_to_z)[..., None, :], local) + root[..., None, :] * np.array([1.0, 0.0, 1.0])
    return np.concatenate([root[..., None, :], world], axis=-2)


def recover_smooth_positions(features: Array, layout: FeatureLayout, trust: float = 3.0) -> Array:
    """Features (T, C), T >= 2, to joint positions (T, J, 3) that fit both the positions and the velocities in the vector.

    A decoder's positions tremble by a millimetre or two from frame to frame, its velocities do not, and recordings hold
    both: the result minimises |x_t - p_t|² + ``trust`` |x_{t+1} - x_t - v_t|² over the whole clip. On reconstructions of
    held-out recordings this brings the jerk from twice the recordings' to about theirs, and is nearer to them in position too.
    """
    positions = recover_positions(features, layout)
    root_to_z, _ = recover_root(np.asarray(features, dtype=np.float64), layout)
    steps = features[:, layout.velocities].reshape(len(features), layout.joints, 3)
    steps = rot.mul_vec(rot.inv(root_to_z)[:, None], steps)[:-1]  # (T-1, J, 3)
    bands = np.empty((2, len(features)))
    bands[0], bands[1] = -trust, 1.0 + 2.0 * trust
    bands[1, [0, -1]] = 1.0 + trust
    wanted = positions.copy()
    wanted[1:] += trust * steps
    wanted[:-1] -= trust * steps
    return solveh_banded(bands, wanted.reshape(len(features), -1)).reshape(positions.shape)


def recover_positions_from_rotations(features: Array, offsets: Array, layout: FeatureLayout) -> Array:
    """Features (T, C) to joint positions (T, J, 3) through the 6-D rotations and rest ``offsets`` (J, 3)."""
    root_to_z, root = recover_root(np.asarray(features, dtype=np.float64), layout)
    local = rot.from_6d(features[..., layout.rotations].reshape(*features.shape[:-1], layout.joints - 1, 6))
    result = np.zeros((*features.shape[:-1], layout.joints, 3))
    result[..., 0, :] = root
    for chain in layout.chains:
        frame = root_to_z
        for parent, child in pairwise(chain):
            frame = rot.mul(frame, local[..., child - 1, :])
            result[..., child, :] = result[..., parent, :] + rot.mul_vec(frame, offsets[child])
    return result


def offsets_from_frame(frame: Array, layout: FeatureLayout) -> Array:
    """Target offsets (J, 3) with the bone lengths of one pose (J, 3), along the raw directions."""
    lengths = np.linalg.norm(frame - frame[_parent_index(layout)], axis=-1)
    return layout.raw_offsets * lengths[:, None]


def _parent_index(layout: FeatureLayout) -> list[int]:
    return [max(parent, 0) for parent in layout.parents]


def facing(positions: Array, layout: FeatureLayout, *, hips: bool, smooth: bool) -> Array:
    """Heading quaternions (T, 4) of positions (T, J, 3): +Z to where the body faces, ``smooth`` in time or frame by frame.

    The side axis is the shoulders' plus the hips', or, without ``hips``, shoulders minus hips: the original's inverse
    kinematics swaps the two hip names.
    """
    left_hip, right_hip = (positions[:, joint] for joint in layout.hips)
    left_shoulder, right_shoulder = (positions[:, joint] for joint in layout.shoulders)
    hip_axis = right_hip - left_hip
    across = (right_shoulder - left_shoulder) + (hip_axis if hips else -hip_axis)
    forward = np.cross(np.array([0.0, 1.0, 0.0]), rot.normalize(across))
    if smooth:
        forward = gaussian_filter1d(forward, _FACING_SIGMA, axis=0, mode="nearest")
    return rot.about_y(np.arctan2(forward[:, 0], forward[:, 2]))
