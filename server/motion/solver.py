"""Joint positions to full joint rotations, in closed form and vectorised over frames.

Positions alone do not say how a limb is twisted, so the twist comes from the anatomy:

- pelvis from the hip axis and the lower spine, chest (spine3) from the neck and the collar axis;
- collars point to their shoulders, as far as collar bones go;
- elbows bend as far as elbows do;
- spine1, spine2 and neck point along their bone, their twist is spread between pelvis and chest;
- thigh and shin (upper and lower arm) share the knee (elbow) hinge, the normal of the plane of the limb. A nearly
  straight limb has no such plane: there the hinge fades into the foot's side axis (legs), or the one that people's arms
  have on average in that direction from the chest (arms);
- foot from ankle to toe with the shin's hinge as its side axis; head, hands and toes follow their parent.

A global rotation is the change from the T-pose (identity), so a rotation is built by mapping a rest frame to a current one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protocol.skeleton import Skeleton
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.limits import saturate
from server.motion.rotation import Array

_LEFT_AXIS = np.array([1.0, 0.0, 0.0])
_DOWN = np.array([0.0, -1.0, 0.0])
# sin of the bend angle below which a limb's plane is noise, and above which it is trusted alone.
_BEND_FADE = (np.sin(np.radians(5.0)), np.sin(np.radians(15.0)))
# Radians about the left arm of its mean twist beyond the least rotation from the T-pose: constant, per unit up, per unit
# forward. Least absolute deviations over bent arms of real mocap (tests/benchmarks/solver_table.py prints the fit).
_ARM_TWIST = (-0.56, -0.86, -0.46)
# The left collar bone's directions in the chest's frame lie about this one, 99.95 % of recorded ones within 38 degrees and all
# within 43 (mocap of four rigs). A body that a model cannot decide on shrinks, and its collar then points anywhere.
_COLLAR_CENTRE = rot.normalize(np.array([0.938, 0.347, 0.0]))
_COLLAR_REACH, _COLLAR_SOFT = np.radians(38.0), np.radians(6.0)
# No recorded elbow bends by more than 171.3 degrees. The arm of a body that shrinks is folded flat, and beyond.
_ELBOW_REACH, _ELBOW_SOFT = np.radians(172.0), np.radians(4.0)


class Solved(NamedTuple):
    """Local and global rotations (…, J, 4) xyzw and root positions (…, 3) metres."""

    local: Array
    globals: Array
    root: Array


def fit_skeleton(positions: Array, skeleton: Skeleton) -> Skeleton:
    """Rest offsets of the body that made ``positions`` (T, J, 3): its bone lengths in the default T-pose directions.

    At pelvis and chest, whose several children form a rigid body, the directions are measured too (mean over frames in the
    joint's own frame), so forward kinematics of the solved rotations gives the positions back.
    """
    lengths = kinematics.bone_lengths(positions, skeleton.parents).mean(axis=0)  # (J,)
    offsets = rot.normalize(skeleton.offsets) * lengths[:, None]
    offsets[0] = skeleton.offsets[0]
    for parent_name, frame in (("pelvis", _pelvis_frame), ("spine3", _chest_frame)):
        parent = skeleton.index(parent_name)
        rest_frame = frame(skeleton.rest_positions()[None], skeleton)
        rotation = rot.mul(frame(positions, skeleton), rot.inv(rest_frame))  # (T, 4)
        for child, of in enumerate(skeleton.parents):
            if of == parent:
                offsets[child] = rot.mul_vec(rot.inv(rotation), positions[:, child] - positions[:, parent]).mean(axis=0)
    return kinematics.with_offsets(skeleton, offsets)


def solve(positions: Array, skeleton: Skeleton) -> Solved:
    """Rotations of the 22-joint ``skeleton`` for joint ``positions`` (…, 22, 3), any heading, metres.

    Limb bones point exactly along the given bones, but for arms folded flatter than arms go. The hips' midpoint is kept, so
    a body of other proportions at the pelvis still puts its feet where they were.
    """
    rest = skeleton.rest_positions()
    g: dict[str, Array] = {}

    def at(name: str) -> Array:
        return positions[..., skeleton.index(name), :]

    def bone(child: str, table: Array = positions) -> Array:
        index = skeleton.index(child)
        return table[..., index, :] - table[..., skeleton.parents[index], :]

    def follow(reference: Array, child: str, direction: Array | None = None) -> Array:
        """The least rotation after ``reference`` that points the bone to ``child`` along ``direction``, None: the data."""
        direction = bone(child) if direction is None else direction
        return rot.mul(rot.between(rot.mul_vec(reference, bone(child, rest)), direction), reference)

    g["pelvis"] = rot.mul(_pelvis_frame(positions, skeleton), rot.inv(_pelvis_frame(rest, skeleton)))
    g["spine3"] = rot.mul(_chest_frame(positions, skeleton), rot.inv(_chest_frame(rest, skeleton)))
    g["spine1"] = follow(rot.slerp(g["pelvis"], g["spine3"], np.array(1 / 3)), "spine2")
    g["spine2"] = follow(rot.slerp(g["pelvis"], g["spine3"], np.array(2 / 3)), "spine3")
    g["neck"] = follow(g["spine3"], "head")
    g["head"] = g["neck"]
    for side in ("left", "right"):
        hip, knee, ankle, foot = (f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot"))
        thigh, shin, sole = (rot.normalize(bone(part)) for part in (knee, ankle, foot))
        side_axis = _fallback_leg_hinge(g["pelvis"], thigh, shin, sole)
        hinge = _limb_hinge(np.cross(thigh, shin), side_axis)
        g[hip] = _from_bone_and_hinge(thigh, hinge, bone(knee, rest), _LEFT_AXIS)
        g[knee] = _from_bone_and_hinge(shin, hinge, bone(ankle, rest), _LEFT_AXIS)
        g[ankle] = _from_bone_and_hinge(sole, rot.mul_vec(g[knee], _LEFT_AXIS), bone(foot, rest), _LEFT_AXIS)
        g[foot] = g[ankle]

        collar, shoulder, elbow, wrist = (f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist"))
        upper, lower = (rot.normalize(bone(part)) for part in (elbow, wrist))
        rest_hinge = _DOWN if side == "left" else -_DOWN
        g[collar] = follow(g["spine3"], shoulder, _within_reach(bone(shoulder), g["spine3"], side))
        carried = rot.mul_vec(follow(g["spine3"], elbow), rest_hinge)
        hinge = _limb_hinge(np.cross(upper, lower), _fallback_arm_hinge(g["spine3"], upper, carried, side))
        g[shoulder] = _from_bone_and_hinge(upper, hinge, bone(elbow, rest), rest_hinge)
        g[elbow] = _from_bone_and_hinge(_unfolded(upper, lower, hinge), hinge, bone(wrist, rest), rest_hinge)
        g[wrist] = g[elbow]

    stacked = np.stack([np.broadcast_to(g[name], positions.shape[:-2] + (4,)) for name in skeleton.names], axis=-2)
    hips = 0.5 * (at("left_hip") + at("right_hip"))
    rest_hips = 0.5 * (skeleton.offsets[skeleton.index("left_hip")] + skeleton.offsets[skeleton.index("right_hip")])
    root = hips - rot.mul_vec(g["pelvis"], rest_hips)
    return Solved(kinematics.to_local(stacked, skeleton.parents), stacked, root)


def retarget_positions(positions: Array, skeleton: Skeleton) -> Solved:
    """Motion (T, 22, 3) of a body of any size onto ``skeleton``: rotations kept, travel scaled by leg length."""
    return retarget_clips([positions], skeleton)[0]


def retarget_clips(clips: Sequence[Array], skeleton: Skeleton) -> list[Solved]:
    """``retarget_positions`` of several motions (T, 22, 3), each of a body of its own, solved as one.

    A frame is solved for itself, and for a short clip most of the time goes into calls rather than numbers.
    """
    rest = kinematics.leg_length(skeleton.rest_positions()[None], skeleton)
    scaled = [positions * (rest / kinematics.leg_length(positions, skeleton)) for positions in clips]
    solved = solve(np.concatenate(scaled), skeleton)
    ends = np.cumsum([len(positions) for positions in clips])[:-1]
    return [Solved(*parts) for parts in zip(*(np.split(array, ends) for array in solved), strict=True)]


def _pelvis_frame(p: Array, skeleton: Skeleton) -> Array:
    left, right, spine = (p[..., skeleton.index(name), :] for name in ("left_hip", "right_hip", "spine1"))
    return rot.from_two_axes(left - right, spine - 0.5 * (left + right))


def _chest_frame(p: Array, skeleton: Skeleton) -> Array:
    names = ("spine3", "neck", "left_collar", "right_collar")
    chest, neck, left, right = (p[..., skeleton.index(name), :] for name in names)
    return rot.from_two_axes(neck - chest, left - right)


def _from_bone_and_hinge(bone: Array, hinge: Array, rest_bone: Array, rest_hinge: Array) -> Array:
    """Rotation taking the rest bone exactly, and the rest hinge as nearly as it can, to the current ones."""
    return rot.mul(rot.from_two_axes(bone, hinge), rot.inv(rot.from_two_axes(rest_bone, rest_hinge)))


def _fallback_leg_hinge(pelvis: Array, thigh: Array, shin: Array, sole: Array) -> Array:
    """The knee's side axis of a straight leg: mostly across the foot; the pelvis's own where the foot points down the leg."""
    carried = rot.mul_vec(rot.mul(rot.between(rot.mul_vec(pelvis, _DOWN), thigh), pelvis), _LEFT_AXIS)
    across = np.cross(sole, shin)
    agrees = (across * carried).sum(-1, keepdims=True) > 0
    return rot.normalize(np.where(agrees, across, 0.0) + 0.3 * carried)


def _fallback_arm_hinge(chest: Array, upper: Array, carried: Array, side: str) -> Array:
    """The elbow's axis of a straight arm: the one ``carried`` from the T-pose, twisted as arms in that direction mostly are.

    An arm that hangs is hardly twisted; raised or held forward it turns its elbow down and outwards. None in the T-pose.
    """
    outward, up, forward = np.moveaxis(rot.mul_vec(rot.inv(chest), upper), -1, 0)
    sign = 1.0 if side == "left" else -1.0
    constant, per_up, per_forward = _ARM_TWIST
    beyond_rest = 1.0 - np.maximum(sign * outward, 0.0) ** 4
    twist = sign * beyond_rest * (constant + per_up * up + per_forward * forward)
    return rot.mul_vec(rot.from_axis_angle(upper, twist), carried)


def _within_reach(bone: Array, chest: Array, side: str) -> Array:
    """The direction of a collar bone, turned back softly to where such bones go from the ``chest``; there it stays bit for bit."""
    centre = rot.mul_vec(chest, _COLLAR_CENTRE * [1.0 if side == "left" else -1.0, 1.0, 1.0])
    unit = rot.normalize(bone)
    cosine = (unit * centre).sum(-1, keepdims=True)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    beyond = np.maximum(angle - _COLLAR_REACH, 0.0)
    angle = np.minimum(angle, _COLLAR_REACH) + saturate(beyond, _COLLAR_SOFT)
    across = rot.normalize(unit - cosine * centre)
    return np.where(beyond > 0.0, np.cos(angle) * centre + np.sin(angle) * across, bone)


def _unfolded(upper: Array, lower: Array, hinge: Array) -> Array:
    """The direction of a lower arm, turned back softly about the elbow's ``hinge`` to where it folds; there it stays bit for bit.

    An arm that lies on the other side of its hinge is bent too little when it is nearly straight, and too much when it is folded.
    """
    across = rot.normalize(hinge - (hinge * upper).sum(-1, keepdims=True) * upper)
    sine = (np.cross(across, upper) * lower).sum(-1)
    bend = np.arctan2(sine, (upper * lower).sum(-1))
    bend = np.where(bend < -0.5 * np.pi, bend + 2.0 * np.pi, bend)
    beyond = np.maximum(bend - _ELBOW_REACH, 0.0)
    back = rot.mul_vec(rot.from_axis_angle(across, saturate(beyond, _ELBOW_SOFT) - beyond), lower)
    return np.where(beyond[..., None] > 0.0, back, lower)


def _limb_hinge(normal: Array, fallback: Array) -> Array:
    """Unit hinge axis from the limb's plane ``normal`` (length = sin of the bend), fading to ``fallback`` when straight.

    Below the fade the plane is noise of a straight limb and may even point backwards; beyond it the plane is believed.
    """
    bend = np.linalg.norm(normal, axis=-1, keepdims=True)
    low, high = _BEND_FADE
    t = np.clip((bend - low) / (high - low), 0.0, 1.0)
    weight = t * t * (3.0 - 2.0 * t)
    direction = normal / np.maximum(bend, 1e-9)
    return rot.normalize(weight * direction + (1.0 - weight) * fallback)
