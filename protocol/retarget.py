"""Reference retargeting: the stream's rotations put onto any character rig.

Everything happens in the rig's model space: its own axes and unit, facing as the axes table says. For a bone that
stands for joint j,

    G_target = G_source(j) · A · R_rest        root = scale · streamed root, lifted to the rig's own hips

G_source is the streamed global rotation, which is the change from the T-pose; R_rest the bone's global rest rotation;
A, the alignment, turns the rig's rest pose into the source's T-pose bone by bone. A has two axes: the direction to
the next mapped bone, and a second one that fixes the twist about it. Without A, a rig that rests in an A-pose keeps
its arms low by as much for ever. Bones that stand for no joint keep their local rest rotation.

`vectors/retarget/` holds worked cases for other languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from protocol import kinematics
from protocol import rotation as rot
from protocol.coordinates import TARGETS, Axes
from protocol.rotation import Array
from protocol.skeleton import Skeleton, default_skeleton

WIRE_AXES: Final = Axes((0, 1, 2), (1, 1, 1), (0, 1, 2), (1, 1, 1), 1.0)
RIG_AXES: Final[dict[str, Axes]] = {"wire": WIRE_AXES, **TARGETS}
"""Axes a rig may have: those of the wire (glTF, VRM, Mixamo, Blender's export), or of an engine."""

MIN_HINGE_BEND: Final = np.radians(20.0)
"""A resting elbow or knee that is bent less does not tell where its hinge is: a little sideways bend would turn it."""
HYPEREXTENDED: Final = -0.5
"""Cosine between the hinge read off a rig and the usual one, below which the joint is bent backwards."""


MIN_AIM_METRES: Final = 0.001
"""Bones closer than this give no direction."""


class RigError(ValueError):
    """A rig that is no tree, or a bone map that does not fit it."""


class Second(Enum):
    """What fixes the twist of a bone about its direction, or replaces the direction."""

    FORWARD = "the body's forward direction"
    ELBOW = "the hinge of an elbow, which bends forward"
    KNEE = "the hinge of a knee, which bends backward"
    LEVEL = "up, with the bone's heading: soles stay on the ground whatever the height of the ankle"
    UPRIGHT = "none: the bone rests upright and looks forward in both"
    PARENT = "none: keeps its rest rotation relative to the bone above"


@dataclass(frozen=True)
class Slot:
    """One entry of a bone map: a chain of bones that stands for a chain of ``joints``.

    ``above`` is the slot it hangs on and ``base`` the joint there. Its direction runs from its first bone to the first
    bone of one of the slots ``toward``, best first. ``hinge`` names the slots of the limb, upper, lower and end, whose
    plane fixes the twist.
    """

    joints: tuple[str, ...]
    above: str
    base: str
    toward: tuple[str, ...]
    second: Second
    hinge: tuple[str, str, str] | None = None


def _limbs(side: str) -> dict[str, Slot]:
    collar, shoulder, elbow, wrist = (f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist"))
    hip, knee, ankle, foot = (f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot"))
    arm, leg = (shoulder, elbow, wrist), (hip, knee, ankle)
    return {
        collar: Slot((collar,), "spine", "spine3", (shoulder,), Second.FORWARD),
        shoulder: Slot((shoulder,), collar, collar, (elbow,), Second.ELBOW, arm),
        elbow: Slot((elbow,), shoulder, shoulder, (wrist,), Second.ELBOW, arm),
        wrist: Slot((wrist,), elbow, elbow, (), Second.PARENT),
        hip: Slot((hip,), "pelvis", "pelvis", (knee,), Second.KNEE, leg),
        knee: Slot((knee,), hip, hip, (ankle,), Second.KNEE, leg),
        ankle: Slot((ankle,), knee, knee, (foot,), Second.LEVEL),
        foot: Slot((foot,), ankle, ankle, (), Second.PARENT),
    }


# The torso is aligned as one, by the line from pelvis to neck: single spine bones of real rigs lean by 20 to 30 degrees
# from one to the next, and straightening each would bend the body that the artist made.
SLOTS: Final[dict[str, Slot]] = {
    "pelvis": Slot(("pelvis",), "", "pelvis", ("neck", "head", "spine"), Second.FORWARD),
    "spine": Slot(("spine1", "spine2", "spine3"), "pelvis", "pelvis", (), Second.PARENT),
    "neck": Slot(("neck",), "spine", "spine3", ("head",), Second.FORWARD),
    "head": Slot(("head",), "neck", "neck", (), Second.UPRIGHT),
    **_limbs("left"),
    **_limbs("right"),
}
"""The bone map's entries, each after the one it hangs on. Only ``pelvis`` must have a bone."""


@dataclass(frozen=True, eq=False)
class Rig:
    """A character's bones in rest pose, parents first.

    ``positions`` (B, 3) and ``rotations`` (B, 4) xyzw are local, in the rig's unit; a root's are in model space.
    ``bones`` is the bone map: for each slot that has any, its bones from the pelvis outward. ``axes`` is a key of
    RIG_AXES. The floor is at height 0. RigError when it does not hang together.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: Array
    rotations: Array
    axes: str
    bones: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if self.parents[:1] != (-1,) or any(not 0 <= parent < bone for bone, parent in enumerate(self.parents) if bone):
            raise RigError("the first bone must be the root, and parents must come before children")
        if len(set(self.names)) != len(self.names):
            raise RigError("bone names repeat")
        if self.axes not in RIG_AXES:
            raise RigError(f"axes are {self.axes!r}, must be one of {', '.join(RIG_AXES)}")
        unknown = sorted(set(self.bones) - set(SLOTS))
        if unknown:
            raise RigError(f"unknown slots {', '.join(unknown)}; there are {', '.join(SLOTS)}")
        if not self.bones.get("pelvis"):
            raise RigError("the bone map has no pelvis")
        missing = sorted({bone for chain in self.bones.values() for bone in chain} - set(self.names))
        if missing:
            raise RigError(f"the bone map names bones that the rig does not have: {', '.join(missing)}")

    def chain(self, slot: str) -> list[int]:
        """Indices of a slot's bones, none when it has none."""
        return [self.names.index(bone) for bone in self.bones.get(slot, ())]

    def forward(self, local: Array, root: Array | None = None) -> tuple[Array, Array]:
        """Local rotations (…, B, 4) to global ones and to positions (…, B, 3), in model space.

        ``root`` (…, 3) is where the pelvis bone goes, in model space; None leaves it where the rest pose has it.
        """
        start = np.broadcast_to(self.positions[0], (*local.shape[:-2], 3))
        rotations, positions = kinematics.forward(local, start, self.parents, self.positions)
        if root is not None:
            pelvis = self.chain("pelvis")[0]
            below = np.zeros(len(self.names), dtype=bool)
            for bone, parent in enumerate(self.parents):
                below[bone] = bone == pelvis or (parent >= 0 and below[parent])
            positions[..., below, :] += (root - positions[..., pelvis, :])[..., None, :]
        return rotations, positions


@dataclass(frozen=True)
class Link:
    """What drives a bone: the rotation ``share`` of the way from joint ``low`` to joint ``high``."""

    bone: int
    low: int
    high: int
    share: float
    rest: Array
    """A · R_rest (4,): the bone's global rotation while the source stands in its T-pose."""


class Retargeter:
    """Puts streamed poses onto one rig.

    ``align`` False leaves A out; it is there so that tests can show what A does.
    """

    def __init__(self, rig: Rig, skeleton: Skeleton | None = None, *, align: bool = True) -> None:
        self.rig = rig
        self.skeleton = skeleton or default_skeleton()
        self._axes = RIG_AXES[rig.axes]
        self._up = self._axes.position(np.array([0.0, 1.0, 0.0])) / self._axes.scale
        self._forward = self._axes.position(np.array([0.0, 0.0, 1.0])) / self._axes.scale
        self._source = self._axes.position(self.skeleton.rest_positions())  # (22, 3)
        self._rest_rotations, self._rest = rig.forward(rig.rotations)  # (B, 4), (B, 3)
        self.alignments: dict[str, Array] = {}
        """A (4,) of each slot that has bones."""
        self.aims: dict[str, str] = {}
        """Slots whose bone points at the bone of another slot exactly as the source's joints do."""
        self._links: dict[int, Link] = {}
        for slot in SLOTS:
            if rig.chain(slot):
                alignment = self._alignment(slot)
                self.alignments[slot] = alignment if align else rot.identity()
                self._link(slot)
        self.scale, self._lift = self._proportions()

    def apply(self, rotations: Array, root: Array) -> tuple[Array, Array]:
        """Streamed rotations (…, 22, 4) and root (…, 3) to the rig's.

        Returns local rotations (…, B, 4) xyzw of every bone, and the pelvis bone's position (…, 3) in model space, in
        the rig's unit.
        """
        source = self._source_rotations(rotations)
        posed: list[Array] = []
        for bone, parent in enumerate(self.rig.parents):
            if bone in self._links:
                link = self._links[bone]
                turned = source[..., link.high, :]
                if link.share < 1.0:
                    share = np.full(turned.shape[:-1], link.share)
                    turned = rot.slerp(source[..., link.low, :], turned, share)
                posed.append(rot.mul(turned, link.rest))
            else:
                kept = np.broadcast_to(self.rig.rotations[bone], (*root.shape[:-1], 4))
                posed.append(kept if parent < 0 else rot.mul(posed[parent], kept))
        local = kinematics.to_local(np.stack(posed, axis=-2), self.rig.parents)
        return local, self.scale * self._axes.position(root) + self._lift * self._up

    def aim_directions(self, rotations: Array) -> dict[str, Array]:
        """For each slot of ``aims``, the direction (…, 3) in model space that its bone must have.

        It follows from the streamed rotations (…, 22, 4) and the source's skeleton alone.
        """
        source = self._source_rotations(rotations)
        return {
            slot: rot.mul_vec(source[..., self.skeleton.index(SLOTS[slot].joints[-1]), :], self._source_aim(slot, aim))
            for slot, aim in self.aims.items()
        }

    def _source_rotations(self, rotations: Array) -> Array:
        """Streamed local rotations (…, 22, 4) as global ones (…, 22, 4) in the rig's axes."""
        root = np.zeros((*rotations.shape[:-2], 3))
        turned, _ = kinematics.forward(rot.normalize(rotations), root, self.skeleton.parents, self.skeleton.offsets)
        return self._axes.rotation(turned)

    def _link(self, name: str) -> None:
        slot, chain = SLOTS[name], self.rig.chain(name)
        along = [self.skeleton.index(joint) for joint in (slot.base, *slot.joints)]
        for place, bone in enumerate(chain):
            # Bone k of N stands for the stretch k/N to (k+1)/N of the joints and turns with the end of it.
            end = (place + 1) * len(slot.joints) / len(chain)
            low = min(int(np.ceil(end)) - 1, len(slot.joints) - 1)
            rest = rot.mul(self.alignments[name], self._rest_rotations[bone])
            self._links[bone] = Link(bone, along[low], along[low + 1], end - low, rest)

    def _alignment(self, name: str) -> Array:
        slot = SLOTS[name]
        aim = next((to for to in slot.toward if self._length(name, to) > MIN_AIM_METRES * self._axes.scale), None)
        if slot.second is Second.UPRIGHT:
            return rot.identity()
        if aim is None:
            return self.alignments.get(slot.above, rot.identity())
        ours, theirs = rot.normalize(self._rig_aim(name, aim)), rot.normalize(self._source_aim(name, aim))
        if slot.second is Second.LEVEL:
            return _turn((self._up, theirs), (self._up, ours))
        if SLOTS[aim].above == name and len(self.rig.chain(name)) == 1:
            self.aims[name] = aim
        if slot.hinge is None:
            return _turn((theirs, self._forward), (ours, self._forward))
        flex = self._forward if slot.second is Second.ELBOW else -self._forward
        joints = [self._source[self.skeleton.index(part)] for part in slot.hinge]
        limb = [self.rig.chain(part) for part in slot.hinge]
        bones = [self._rest[part[0]] for part in limb] if all(limb) else []
        return _turn((theirs, _hinge(joints, theirs, flex)), (ours, _hinge(bones, ours, flex)))

    def _rig_aim(self, name: str, aim: str) -> Array:
        return self._rest[self.rig.chain(aim)[0]] - self._rest[self.rig.chain(name)[0]]

    def _source_aim(self, name: str, aim: str) -> Array:
        start, end = (self.skeleton.index(SLOTS[slot].joints[0]) for slot in (name, aim))
        return rot.normalize(self._source[end] - self._source[start])

    def _length(self, name: str, aim: str) -> float:
        return float(np.linalg.norm(self._rig_aim(name, aim))) if self.rig.chain(aim) else 0.0

    def _proportions(self) -> tuple[float, float]:
        """Root scale, and the height to add to the scaled root, so that a standing source stands on the floor.

        Both compare legs stretched out straight, so that a rig which rests with its legs apart counts in full.
        """
        ours, theirs = self._standing_hip_height(), self._source_hip_height()
        pelvis = self.rig.chain("pelvis")[0]
        source_pelvis = float(self._source[0] @ self._up)
        if ours is None:
            return float(self._rest[pelvis] @ self._up) / source_pelvis, 0.0
        hips = np.mean([self._rest[self.rig.chain(f"{side}_hip")[0]] for side in ("left", "right")], axis=0)
        above = rot.mul_vec(self.alignments["pelvis"], self._rest[pelvis] - hips) @ self._up
        scale = ours / theirs
        return scale, float(ours + above) - scale * source_pelvis

    def _standing_hip_height(self) -> float | None:
        heights = []
        for side in ("left", "right"):
            leg = [self.rig.chain(f"{side}_{part}") for part in ("hip", "knee", "ankle")]
            if not all(leg):
                return None
            heights.append(self._leg_height([self._rest[bones[0]] for bones in leg]))
        return float(np.mean(heights))

    def _source_hip_height(self) -> float:
        parts = [[f"{side}_{part}" for part in ("hip", "knee", "ankle")] for side in ("left", "right")]
        return float(np.mean([self._leg_height([self._source[self.skeleton.index(j)] for j in leg]) for leg in parts]))

    def _leg_height(self, joints: list[Array]) -> float:
        hip, knee, ankle = joints
        return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee) + ankle @ self._up)


def _turn(to: tuple[Array, Array], start: tuple[Array, Array]) -> Array:
    """The rotation (4,) that takes the frame of two axes ``start`` to that of ``to``; the first of each is exact."""
    return rot.mul(rot.from_two_axes(*to), rot.inv(rot.from_two_axes(*start)))


def _hinge(limb: list[Array], direction: Array, flex: Array) -> Array:
    """The hinge axis (3,) of a limb from its three resting joints, or the usual one for bones along ``direction``.

    ``flex`` is the direction the limb usually bends to.
    """
    usual = rot.normalize(np.cross(direction, flex))
    if not limb:
        return usual
    upper, lower = rot.normalize(limb[1] - limb[0]), rot.normalize(limb[2] - limb[1])
    axis = np.cross(upper, lower)
    bend = np.arctan2(np.linalg.norm(axis), upper @ lower)
    if bend < MIN_HINGE_BEND or rot.normalize(axis) @ usual < HYPEREXTENDED:
        return usual
    return rot.normalize(axis)
