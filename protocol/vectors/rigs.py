"""Made-up character rigs for the golden retarget cases: each differs from the wire's skeleton in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from protocol import kinematics
from protocol import rotation as rot
from protocol.retarget import RIG_AXES, Rig
from protocol.rotation import Array

SIDES: Final = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True)
class Build:
    """Proportions (metres) and rest pose (degrees) of a rig, in the axes of the wire.

    ``arm_drop`` is how far the arms hang below the horizontal, ``elbow_bend`` and ``knee_bend`` how far the joints are
    bent, ``leg_spread`` how far the legs stand apart, ``toe_out`` how far the feet point outward, ``slouch`` how far
    the spine bends back and forth.
    """

    thigh: float = 0.42
    shin: float = 0.41
    ankle: float = 0.09
    torso: float = 0.46
    upper_arm: float = 0.28
    forearm: float = 0.25
    head: float = 0.11
    arm_drop: float = 0.0
    elbow_bend: float = 0.0
    knee_bend: float = 0.0
    leg_spread: float = 0.0
    toe_out: float = 0.0
    slouch: float = 0.0


@dataclass(frozen=True)
class Design:
    """A rig to be built: its proportions, names, axes, and the local axes of its bones.

    ``names`` are the bone names of each slot, ``{side}`` and ``{s}`` standing for left and l. ``twists`` are slots
    with a twist bone between their bone and the next; ``extra`` are bones that belong to nothing, by parent slot.
    ``orient`` is a key of ORIENTATIONS. ``armature``, when not empty, is the name of a bone above the pelvis, turned by
    ``armature_turn`` degrees about x.
    """

    build: Build
    names: Mapping[str, tuple[str, ...]]
    axes: str = "wire"
    orient: str = "identity"
    twists: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    armature: str = ""
    armature_turn: float = 0.0


def _names(pelvis: str, spine: str, neck: str, head: str, arm: str, leg: str) -> dict[str, tuple[str, ...]]:
    """Bone names from words apart by spaces; those of limbs with ``{side}``, ``{Side}`` or ``{s}``."""
    table = {"pelvis": (pelvis,), "spine": tuple(spine.split()), "neck": tuple(neck.split()), "head": (head,)}
    for side in SIDES:
        words = {"side": side, "Side": side.capitalize(), "s": side[0]}
        arm_slots, leg_slots = ("wrist", "elbow", "shoulder", "collar"), ("hip", "knee", "ankle", "foot")
        for slots, pattern in ((arm_slots, arm.split()[::-1]), (leg_slots, leg.split())):
            for slot, name in zip(slots, pattern, strict=False):
                table[f"{side}_{slot}"] = (name.format(**words),)
    return {slot: names for slot, names in table.items() if names}


PLAIN = _names(
    "hips",
    "spine chest upper_chest",
    "neck",
    "head",
    "{side}_shoulder {side}_upper_arm {side}_lower_arm {side}_hand",
    "{side}_upper_leg {side}_lower_leg {side}_foot {side}_toes",
)
VRM = _names(
    "J_Bip_C_Hips",
    "J_Bip_C_Spine J_Bip_C_Chest",
    "J_Bip_C_Neck",
    "J_Bip_C_Head",
    "J_Bip_{s}_Shoulder J_Bip_{s}_UpperArm J_Bip_{s}_LowerArm J_Bip_{s}_Hand",
    "J_Bip_{s}_UpperLeg J_Bip_{s}_LowerLeg J_Bip_{s}_Foot J_Bip_{s}_ToeBase",
)
UNREAL = _names(
    "pelvis",
    "spine_01 spine_02 spine_03 spine_04 spine_05",
    "neck_01 neck_02",
    "head",
    "clavicle_{s} upperarm_{s} lowerarm_{s} hand_{s}",
    "thigh_{s} calf_{s} foot_{s} ball_{s}",
)
MIXAMO = _names(
    "mixamorig:Hips",
    "mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2",
    "mixamorig:Neck",
    "mixamorig:Head",
    "mixamorig:{Side}Shoulder mixamorig:{Side}Arm mixamorig:{Side}ForeArm mixamorig:{Side}Hand",
    "mixamorig:{Side}UpLeg mixamorig:{Side}Leg mixamorig:{Side}Foot mixamorig:{Side}ToeBase",
)
BARE = _names("body", "back", "", "head", "arm_{s} forearm_{s} hand_{s}", "leg_{s} shin_{s} foot_{s}")

DESIGNS: Final[dict[str, Design]] = {
    "t_pose": Design(Build(), PLAIN),
    "a_pose": Design(
        Build(arm_drop=50.0, elbow_bend=12.0, leg_spread=6.0, toe_out=10.0), PLAIN, axes="unity", orient="along_y"
    ),
    "chibi": Design(
        Build(0.12, 0.1, 0.05, 0.25, 0.1, 0.09, 0.2, arm_drop=35.0, toe_out=20.0), VRM, axes="unity", orient="any"
    ),
    "long_armed": Design(Build(upper_arm=0.5, forearm=0.55, knee_bend=10.0), PLAIN, orient="any"),
    "unreal": Design(
        Build(arm_drop=54.0, elbow_bend=25.0, knee_bend=5.0, leg_spread=4.0),
        UNREAL,
        axes="unreal_mesh",
        orient="along_x",
        extra={"left_knee": "calf_twist_01_l", "right_wrist": "weapon_r", "pelvis": "ik_foot_root"},
        armature="root",
    ),
    "mixamo": Design(
        Build(arm_drop=48.0, elbow_bend=46.0, slouch=14.0, leg_spread=8.0),
        MIXAMO,
        orient="along_y",
        armature="Armature",
        armature_turn=-90.0,
    ),
    "twist_bones": Design(
        Build(arm_drop=40.0),
        PLAIN,
        axes="unreal_actor",
        orient="along_x",
        twists=("left_shoulder", "left_elbow", "right_shoulder", "right_hip", "left_knee"),
    ),
    "bare": Design(Build(arm_drop=80.0, leg_spread=3.0), BARE, axes="unity", orient="any"),
}
"""What is made of them: no two alike in axes, local axes and bones."""


def rigs() -> dict[str, Rig]:
    """Every rig, by name."""
    return {name: build_rig(design) for name, design in DESIGNS.items()}


def build_rig(design: Design) -> Rig:
    """The rig of a design."""
    names, parents, points, along = [], [], [], []

    def add(name: str, parent: int, point: Array, direction: Array) -> int:
        names.append(name)
        parents.append(parent)
        points.append(point)
        along.append(direction)
        return len(names) - 1

    joints = joint_positions(design.build)
    last: dict[str, int] = {"": -1}
    if design.armature:
        last[""] = add(design.armature, -1, np.zeros(3), np.array([0.0, 1.0, 0.0]))
    for slot, (above, start, end) in joints.items():
        chain = design.names.get(slot, ())
        parent = last[above]
        for place, name in enumerate(chain):
            point = start + (end - start) * place / len(chain)
            if design.build.slouch and slot == "spine":
                lean = np.tan(np.radians(design.build.slouch)) * (end - start)[1] / len(chain)
                point = point + np.array([0.0, 0.0, (-lean, 0.0, lean)[place % 3]])
            parent = add(name, parent, point, end - start)
        if chain and slot in design.twists:
            parent = add(f"{chain[-1]}_twist", parent, (start + end) / 2, end - start)
        if slot in design.extra:
            add(
                design.extra[slot],
                last[above] if parent < 0 else parent,
                start + np.array([0.0, 0.05, 0.1]),
                end - start,
            )
        last[slot] = parent
    return _rig(design, names, parents, np.array(points), np.array(along))


def joint_positions(build: Build) -> dict[str, tuple[str, Array, Array]]:
    """For each slot, the one it hangs on, and where its bones start and end, metres in the axes of the wire."""
    turn = {
        key: np.radians(getattr(build, key)) for key in ("arm_drop", "elbow_bend", "knee_bend", "leg_spread", "toe_out")
    }
    shin_drop, thigh_drop = np.cos(turn["knee_bend"]) * build.shin, build.thigh
    hip_height = build.ankle + np.cos(turn["leg_spread"]) * (thigh_drop + shin_drop)
    pelvis = np.array([0.0, hip_height + 0.08, 0.0])
    waist = pelvis + np.array([0.0, 0.25 * build.torso, 0.0])
    neck = pelvis + np.array([0.0, build.torso + 0.04, 0.0])
    crown = neck + np.array([0.0, build.head, 0.015])
    table = {
        "pelvis": ("", pelvis, waist),
        "spine": ("pelvis", waist, neck),
        "neck": ("spine", neck, crown),
        "head": ("neck", crown, crown + np.array([0.0, build.head, 0.0])),
    }
    for side, sign in SIDES.items():
        mirror = np.array([sign, 1.0, 1.0])
        collar = np.array([0.04, neck[1] - 0.07, 0.01])
        shoulder = np.array([0.17, neck[1] - 0.05, -0.01])
        elbow = shoulder + build.upper_arm * _arm(turn["arm_drop"], 0.0)
        wrist = elbow + build.forearm * _arm(turn["arm_drop"], turn["elbow_bend"])
        hip = np.array([0.09, hip_height, 0.0])
        knee = hip + build.thigh * _leg(turn["leg_spread"], 0.0)
        ankle = knee + build.shin * _leg(turn["leg_spread"], turn["knee_bend"])
        toe = ankle + np.array([0.14 * np.sin(turn["toe_out"]), 0.02 - build.ankle, 0.14 * np.cos(turn["toe_out"])])
        points = {
            "collar": ("spine", collar, shoulder),
            "shoulder": (f"{side}_collar", shoulder, elbow),
            "elbow": (f"{side}_shoulder", elbow, wrist),
            "wrist": (f"{side}_elbow", wrist, wrist + (wrist - elbow) * 0.3),
            "hip": ("pelvis", hip, knee),
            "knee": (f"{side}_hip", knee, ankle),
            "ankle": (f"{side}_knee", ankle, toe),
            "foot": (f"{side}_ankle", toe, toe + np.array([0.0, 0.0, 0.06])),
        }
        for slot, (above, start, end) in points.items():
            table[f"{side}_{slot}"] = (above, mirror * start, mirror * end)
    return table


def _arm(drop: float, bend: float) -> Array:
    """Direction of a left arm bone ``drop`` below the horizontal, then bent forward."""
    level = np.array([np.cos(bend), 0.0, np.sin(bend)])
    return np.array([level[0] * np.cos(drop), -level[0] * np.sin(drop), level[2]])


def _leg(spread: float, bend: float) -> Array:
    """Direction of a left leg bone spread outward, then bent backward."""
    return np.array([np.sin(spread) * np.cos(bend), -np.cos(spread) * np.cos(bend), -np.sin(bend)])


def _along(axis: int) -> Callable[[Array, int], Array]:
    """Bones whose local axis 0 or 1 runs along them, the other one roughly sideways."""

    def orient(direction: Array, bone: int) -> Array:
        side = np.array([0.3, 0.1, 1.0]) if abs(direction[2]) < 0.5 else np.array([1.0, 0.2, 0.0])
        frame = rot.from_two_axes(direction, side)
        quarter = rot.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.array(-0.5 * np.pi * axis))
        return rot.mul(frame, quarter)

    return orient


def _any(direction: Array, bone: int) -> Array:
    """Local axes that follow nothing, other ones for every bone."""
    return rot.normalize(np.sin(np.arange(4) * 1.7 + 2.3 * bone + 0.4))


ORIENTATIONS: Final[dict[str, Callable[[Array, int], Array]]] = {
    "identity": lambda direction, bone: rot.identity(),
    "along_x": _along(0),
    "along_y": _along(1),
    "any": _any,
}


def _rig(design: Design, names: list[str], parents: list[int], points: Array, along: Array) -> Rig:
    axes = RIG_AXES[design.axes]
    points, along = axes.position(points), rot.normalize(axes.position(along))
    turned = np.array([ORIENTATIONS[design.orient](along[bone], bone) for bone in range(len(names))])
    if design.armature:
        turned[0] = rot.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(design.armature_turn))
    for bone, parent in enumerate(parents):
        if parents.count(bone) and parent >= 0 and names[bone].endswith("_twist"):
            turned[bone] = turned[parent]
    offsets = points - np.where(np.array(parents)[:, None] >= 0, points[parents], 0.0)
    above = [turned[parent] if parent >= 0 else rot.identity() for parent in parents]
    positions = rot.mul_vec(rot.inv(np.array(above)), offsets)
    local = kinematics.to_local(turned, parents)
    return Rig(tuple(names), tuple(parents), positions, local, design.axes, design.names)
