"""The cases behind `vectors/retarget/`: streamed poses, a rig, and what the rig must then look like."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from protocol import rotation as rot
from protocol.retarget import SLOTS, Retargeter, Rig
from protocol.rotation import Array
from protocol.skeleton import default_skeleton
from protocol.vectors.rigs import rigs

DECIMALS: Final = 8

POSES: Final[dict[str, dict[str, tuple[float, float, float]]]] = {
    "t_pose": {},
    "stride": {
        "pelvis": (5, 20, -4),
        "spine1": (4, -5, 2),
        "spine2": (3, -6, 1),
        "spine3": (2, -9, 0),
        "neck": (8, 6, 0),
        "head": (-6, 4, 3),
        "left_collar": (0, -8, -6),
        "left_shoulder": (10, -20, -68),
        "left_elbow": (25, -30, 0),
        "right_collar": (0, 6, 5),
        "right_shoulder": (-5, -35, 66),
        "right_elbow": (-10, 48, 0),
        "left_hip": (-32, 4, 3),
        "left_knee": (18, 0, 0),
        "left_ankle": (8, 3, 0),
        "right_hip": (20, -6, -4),
        "right_knee": (42, 0, 0),
        "right_ankle": (-12, 0, 2),
        "right_foot": (15, 0, 0),
    },
    "arms_up_turned_away": {
        "pelvis": (-8, 170, 6),
        "spine1": (-6, 2, 8),
        "spine2": (-5, 0, 9),
        "spine3": (-7, -4, 5),
        "neck": (-12, 10, 4),
        "head": (-9, 25, 0),
        "left_collar": (0, 0, 18),
        "left_shoulder": (40, 10, 62),
        "left_elbow": (0, -75, 10),
        "left_wrist": (20, 0, 35),
        "right_collar": (0, 0, -20),
        "right_shoulder": (-30, -15, -70),
        "right_elbow": (0, 95, -5),
        "right_wrist": (-45, 10, -20),
        "left_ankle": (5, 12, 0),
    },
    "crouch": {
        "pelvis": (35, -75, 0),
        "spine1": (12, 0, 0),
        "spine2": (14, 3, 0),
        "spine3": (10, 6, 0),
        "neck": (-20, 0, 0),
        "head": (-25, 0, 0),
        "left_hip": (-95, 12, 10),
        "left_knee": (110, 0, 0),
        "left_ankle": (-40, 0, 0),
        "left_foot": (30, 0, 0),
        "right_hip": (-80, -15, -12),
        "right_knee": (98, 0, 0),
        "right_ankle": (-30, 5, 0),
        "left_shoulder": (0, -60, -30),
        "left_elbow": (0, -120, 0),
        "right_shoulder": (0, 50, 45),
        "right_elbow": (0, 30, 20),
    },
}
"""Euler angles X, Y, Z in degrees, intrinsic, of the joints that are not at rest."""

ROOTS: Final = np.array([[0.0, 0.95, 0.0], [0.4, 0.91, 1.2], [-2.5, 0.97, -0.3], [10.0, 0.52, 3.0]])
"""Positions of the pelvis in POSES, metres."""


def source_poses() -> tuple[Array, Array]:
    """Local rotations (F, 22, 4) and root positions (F, 3) of POSES, in float32 as the wire has them."""
    names = default_skeleton().names
    angles = np.array([[pose.get(name, (0.0, 0.0, 0.0)) for name in names] for pose in POSES.values()])
    rotations = rot.from_euler(np.radians(angles), "XYZ")
    return rotations.astype(np.float32).astype(np.float64), ROOTS


def retarget_cases() -> dict[str, dict[str, Any]]:
    """The JSON of every case, by name; README.md beside the files explains it."""
    return {name: retarget_case(rig) for name, rig in rigs().items()}


def retarget_case(rig: Rig) -> dict[str, Any]:
    """The JSON of one rig's case."""
    rotations, root = source_poses()
    retargeter = Retargeter(rig)
    local, pelvis = retargeter.apply(rotations, root)
    directions = retargeter.aim_directions(rotations)
    return {
        "rig": {
            "axes": rig.axes,
            "bones": [
                {"name": name, "parent": parent, "position": _numbers(position), "rotation": _numbers(rotation)}
                for name, parent, position, rotation in zip(
                    rig.names, rig.parents, rig.positions, rig.rotations, strict=True
                )
            ],
            "map": [{"slot": slot, "bones": list(rig.bones[slot])} for slot in SLOTS if slot in rig.bones],
        },
        "source": {"rotations": _numbers(rotations), "root": _numbers(root)},
        "expected": {
            "scale": _numbers(np.array(retargeter.scale)),
            "rotations": _numbers(local),
            "pelvis": _numbers(pelvis),
            "directions": [
                {"from": rig.bones[slot][0], "to": rig.bones[aim][0], "direction": _numbers(directions[slot])}
                for slot, aim in retargeter.aims.items()
            ],
            "degrees_without_alignment": _numbers(np.array(largest_error(Retargeter(rig, align=False)))),
        },
    }


def direction_errors(retargeter: Retargeter) -> dict[str, Array]:
    """For each slot of ``aims``, the angle (F,) in degrees between where its bone points and where it must."""
    rotations, root = source_poses()
    rig = retargeter.rig
    local, pelvis = retargeter.apply(rotations, root)
    _, positions = rig.forward(local, pelvis)
    errors = {}
    for slot, wanted in retargeter.aim_directions(rotations).items():
        start, end = rig.chain(slot)[0], rig.chain(retargeter.aims[slot])[0]
        got = rot.normalize(positions[:, end] - positions[:, start])
        sine = np.linalg.norm(np.cross(got, wanted), axis=-1)
        errors[slot] = np.degrees(np.arctan2(sine, (got * wanted).sum(-1)))
    return errors


def largest_error(retargeter: Retargeter) -> float:
    """The largest of `direction_errors`, degrees."""
    return max(float(error.max()) for error in direction_errors(retargeter).values())


def _numbers(array: Array) -> Any:
    """Nested lists of rounded numbers, without negative zeros."""
    return (np.round(array, DECIMALS) + 0.0).tolist()
