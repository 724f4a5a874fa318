"""Bone maps by name: every rig of the vectors that has names of its kind, and one table for Python and the Unreal plugin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol.bone_names import CONVENTIONS, LIMBS, bone_names, map_bones, simplify
from protocol.retarget import SLOTS
from protocol.skeleton import default_skeleton
from protocol.vectors.rigs import rigs

PLUGIN = Path(__file__).parents[2] / "unreal_client/Source/MotionBridgeCore/Private/BoneNames.cpp"


@pytest.mark.parametrize("name", [name for name in rigs() if name != "bare"])
def test_the_rigs_of_the_vectors_are_recognised(name: str):
    rig = rigs()[name]
    found = map_bones(rig.names)
    assert {slot: tuple(rig.names[bone] for bone in chain) for slot, chain in found.bones.items()} == dict(rig.bones)


def test_our_own_skeleton_is_recognised():
    found = map_bones(default_skeleton().names)
    assert found.convention.name == "smpl"
    assert set(found.bones) == set(SLOTS)


@pytest.mark.parametrize(
    ("names", "convention", "slot"),
    [
        (("DEF-spine", "DEF-upper_arm.L", "DEF-forearm.L", "DEF-thigh.R"), "rigify", "left_shoulder"),
        (("Bip001 Pelvis", "Bip001 L UpperArm", "Bip001 R Thigh"), "biped", "left_shoulder"),
        (("CC_Base_Hip", "CC_Base_L_Upperarm", "CC_Base_R_Thigh"), "character creator", "left_shoulder"),
        (("Hips", "LeftArm", "LeftForeArm"), "mixamo", "left_shoulder"),
        (("rig|pelvis", "rig|upperarm_l", "rig|upperarm_twist_01_l"), "mannequin", "left_shoulder"),
    ],
)
def test_names_of_other_makers(names: tuple[str, ...], convention: str, slot: str):
    found = map_bones(names)
    assert found.convention.name == convention
    assert found.bones["pelvis"] == (0,)
    assert found.bones[slot] == (1,)


def test_nothing_known_finds_nothing():
    assert map_bones(("root", "bone.001", "")).bones == {}


def test_a_name_without_prefix_signs_and_case():
    assert [simplify(name) for name in ("mixamorig:LeftUpLeg", "Left_Up-Leg", "a|b|left up leg")] == ["leftupleg"] * 3


def test_no_convention_uses_a_name_twice():
    for convention in CONVENTIONS:
        names = [name for slot in SLOTS for name in bone_names(convention, slot)]
        assert len(names) == len(set(names)), convention.name
        assert all(name == simplify(name) for name in names)


def test_the_unreal_plugin_has_the_same_table():
    text = PLUGIN.read_text(encoding="utf-8")
    table = text[text.index("Conventions[] = {") : text.index("constexpr int FirstLimb")]
    words = re.findall(r'"([^"]*)"', table)
    width = 5 + len(LIMBS)
    assert len(words) == 5 * width
    for row, convention in enumerate(CONVENTIONS[:5]):
        name, pelvis, spine, neck, head, *limbs = words[row * width : (row + 1) * width]
        assert (name, pelvis, spine, neck, head, tuple(limbs)) == tuple(convention)
