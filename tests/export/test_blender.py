"""Blender's opinion of the files: at every frame its bones start where our joints are, to a millimetre, whatever the heading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from blender import BLENDER, heads_in_blender
from characters import character, rig
from synthetic import SKELETON, walker

from protocol.retarget import Retargeter
from server.export import formats
from server.export.character import read_character
from server.export.take import Take
from server.motion import kinematics

LIMIT = 0.001  # m
FPS = 20.0
FRAMES = 30
HEADINGS = (0.0, 75.0, 180.0, -120.0)

pytestmark = pytest.mark.skipif(
    BLENDER is None, reason="Blender is not here (a Python with bpy in MOTIONBRIDGE_BLENDER)"
)


def test_joints_are_where_ours_are(tmp_path: Path):
    """One start of Blender reads all files: the mannequin as BVH and GLB, and characters of other make."""
    files, expected = [], []
    for degrees in HEADINGS:
        rotations, root = walker(frames=FRAMES, heading=np.radians(degrees), turn=np.radians(200.0))
        made = Take(root, rotations, np.zeros((FRAMES, 4)), FPS, ((0, "a person walks"),))
        ours = kinematics.positions(rotations, root, SKELETON)
        for ending in (".bvh", ".glb"):
            files.append(tmp_path / f"{degrees:g}{ending}")
            formats.write(files[-1], made)
            expected.append({name: ours[:, joint] for joint, name in enumerate(SKELETON.names)})
    for design, options in {"mixamo": {"scale": 0.01}, "unreal": {"bent": 0.3}, "chibi": {}}.items():
        character(rig(design), **options).write(tmp_path / "character.glb")
        found = read_character(tmp_path / "character.glb")
        files.append(tmp_path / f"{design}.glb")
        formats.write(files[-1], made, found)
        _, places = found.rig.forward(*Retargeter(found.rig).apply(rotations, root))
        expected.append({found.name(bone): places[:, bone] for bone in range(1, len(found.nodes))})
    seen = heads_in_blender([(path, FRAMES, FPS) for path in files])
    apart = {
        f"{path.name} {name}": np.linalg.norm(bones[name] - places, axis=-1).max()
        for path, bones, joints in zip(files, seen, expected, strict=True)
        for name, places in joints.items()
    }
    assert len(apart) == 2 * len(HEADINGS) * len(SKELETON) + sum(map(len, expected[2 * len(HEADINGS) :]))
    assert {name: distance for name, distance in apart.items() if not distance < LIMIT} == {}
