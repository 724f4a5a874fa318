"""Whose bones are called what: bone maps from the names that a rig's bones have.

A name is compared in lower case, without what stands before a ``:`` or ``|`` and without signs, so that
``mixamorig:LeftUpLeg``, ``Left_Up_Leg`` and ``leftUpLeg`` are one. The Unreal plugin has the first five conventions of
this table, in ``BoneNames.cpp``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from protocol.retarget import SLOTS


class Convention(NamedTuple):
    """Names of each slot's bones, from the pelvis outward, apart by spaces, as :func:`simplify` makes them.

    In ``limbs`` (collar, shoulder, elbow, wrist, hip, knee, ankle, foot) ``<`` stands for left or right and ``?`` for l or r.
    """

    name: str
    pelvis: str
    spine: str
    neck: str
    head: str
    limbs: tuple[str, str, str, str, str, str, str, str]


LIMBS: Final = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")

CONVENTIONS: Final = (
    Convention(
        "mannequin",
        "pelvis",
        "spine01 spine02 spine03 spine04 spine05",
        "neck01 neck02",
        "head",
        ("clavicle?", "upperarm?", "lowerarm?", "hand?", "thigh?", "calf?", "foot?", "ball?"),
    ),
    Convention(
        "mixamo",
        "hips",
        "spine spine1 spine2",
        "neck",
        "head",
        ("<shoulder", "<arm", "<forearm", "<hand", "<upleg", "<leg", "<foot", "<toebase"),
    ),
    Convention(
        "vroid",
        "jbipchips",
        "jbipcspine jbipcchest jbipcupperchest",
        "jbipcneck",
        "jbipchead",
        (
            "jbip?shoulder",
            "jbip?upperarm",
            "jbip?lowerarm",
            "jbip?hand",
            "jbip?upperleg",
            "jbip?lowerleg",
            "jbip?foot",
            "jbip?toebase",
        ),
    ),
    Convention(
        "humanoid",
        "hips",
        "spine chest upperchest",
        "neck",
        "head",
        ("<shoulder", "<upperarm", "<lowerarm", "<hand", "<upperleg", "<lowerleg", "<foot", "<toes"),
    ),
    Convention(
        "smpl",
        "pelvis",
        "spine1 spine2 spine3",
        "neck",
        "head",
        ("<collar", "<shoulder", "<elbow", "<wrist", "<hip", "<knee", "<ankle", "<foot"),
    ),
    Convention(
        "rigify",
        "defspine",
        "defspine001 defspine002 defspine003",
        "defspine004 defspine005",
        "defspine006",
        (
            "defshoulder?",
            "defupperarm?",
            "defforearm?",
            "defhand?",
            "defthigh?",
            "defshin?",
            "deffoot?",
            "deftoe?",
        ),
    ),
    Convention(
        "biped",
        "bip001pelvis",
        "bip001spine bip001spine1 bip001spine2",
        "bip001neck",
        "bip001head",
        (
            "bip001?clavicle",
            "bip001?upperarm",
            "bip001?forearm",
            "bip001?hand",
            "bip001?thigh",
            "bip001?calf",
            "bip001?foot",
            "bip001?toe0",
        ),
    ),
    Convention(
        "character creator",
        "ccbasehip",
        "ccbasewaist ccbasespine01 ccbasespine02",
        "ccbasenecktwist01 ccbasenecktwist02",
        "ccbasehead",
        (
            "ccbase?clavicle",
            "ccbase?upperarm",
            "ccbase?forearm",
            "ccbase?hand",
            "ccbase?thigh",
            "ccbase?calf",
            "ccbase?foot",
            "ccbase?toebase",
        ),
    ),
)
"""Unreal's mannequins, Mixamo, VRoid, Unity's and VRM's human bones, SMPL and this project, Blender's Rigify, 3ds Max,
Reallusion."""


class NamedMap(NamedTuple):
    """The convention that fits best and what it finds: for each slot that has any, the bones' indices from the pelvis outward."""

    convention: Convention
    bones: dict[str, tuple[int, ...]]


def simplify(name: str) -> str:
    """A bone's name without prefix and signs, in lower case."""
    return re.sub("[^a-z0-9]", "", re.split("[:|]", name)[-1].lower())


def map_bones(names: Sequence[str]) -> NamedMap:
    """The bone map of the convention that finds most slots, a pelvis among them if any does; the first of equals."""
    simple = [simplify(name) for name in names]
    maps = [NamedMap(convention, _found(convention, simple)) for convention in CONVENTIONS]
    return max(maps, key=lambda found: ("pelvis" in found.bones, len(found.bones)))


def bone_names(convention: Convention, slot: str) -> tuple[str, ...]:
    """The names, simplified, that a convention has for a slot's bones."""
    if slot in SLOTS and "_" in slot:
        side, limb = slot.split("_")
        return (convention.limbs[LIMBS.index(limb)].replace("<", side).replace("?", side[0]),)
    return tuple(getattr(convention, slot).split())


def _found(convention: Convention, simple: list[str]) -> dict[str, tuple[int, ...]]:
    found = {
        slot: tuple(simple.index(name) for name in bone_names(convention, slot) if name in simple) for slot in SLOTS
    }
    return {slot: bones for slot, bones in found.items() if bones}
