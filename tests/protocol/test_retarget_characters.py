"""Retargeting onto two real characters (shared/assets): an Unreal-like and a Mixamo-like rig, both resting in an A-pose."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from protocol.retarget import Retargeter, Rig
from protocol.vectors.retarget_cases import largest_error
from protocol.vectors.rigs import MIXAMO, UNREAL

SHARED = Path(__file__).resolve().parents[3] / "shared"
ASSETS = next(
    (folder for folder in (SHARED / "assets", SHARED.parents[1] / "shared" / "assets") if folder.is_dir()), None
)
MAPS = {
    "mh_low_game_engine": {**UNREAL, "spine": ("spine_01", "spine_02", "spine_03"), "neck": ("neck_01",)},
    "mh_low_mixamo": MIXAMO,
}


def read_glb(path, bones):
    """The node tree of a binary glTF as a rig; its meshes are left out."""
    data = path.read_bytes()
    table = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    nodes, names, parents, positions, rotations = table["nodes"], [], [], [], []

    def add(index, parent):
        node = nodes[index]
        names.append(node["name"])
        parents.append(parent)
        positions.append(node.get("translation", [0.0, 0.0, 0.0]))
        rotations.append(node.get("rotation", [0.0, 0.0, 0.0, 1.0]))
        here = len(names) - 1
        for child in node.get("children", []):
            add(child, here)

    add(table["scenes"][0]["nodes"][0], -1)
    return Rig(tuple(names), tuple(parents), np.array(positions), np.array(rotations), "wire", bones)


@pytest.mark.skipif(ASSETS is None, reason="the characters (shared/assets) are not here")
@pytest.mark.parametrize("name", MAPS)
def test_a_real_character_points_where_the_source_points(name):
    rig = read_glb(ASSETS / f"{name}.glb", MAPS[name])
    assert len(rig.names) > 50
    assert largest_error(Retargeter(rig)) < 0.01
    assert largest_error(Retargeter(rig, align=False)) > 50.0
    assert Retargeter(rig).scale == pytest.approx(1.0, abs=0.05)
