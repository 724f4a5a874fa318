"""The mannequin as a GLB: its joints go where ours go, and other software accepts the file."""

from __future__ import annotations

from pathlib import Path

import gltf_validator
import numpy as np
import pytest
from characters import character, played, rig
from synthetic import SKELETON, walker

from server.export.character import read_character, write_character
from server.export.gltf import read_glb
from server.export.mannequin import PART_COLOURS, mannequin
from server.export.mannequin_glb import write_mannequin
from server.export.skinning import skin
from server.motion import kinematics

FPS = 20.0
VALIDATOR = gltf_validator.available()


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "walk.glb"
    write_mannequin(path, *walker(frames=40, heading=2.0, turn=7.0), FPS, "a person walks, d\u00e9cid\u00e9")
    return path


def test_its_joints_are_where_ours_are(walk: Path):
    transforms, times = played(walk)
    np.testing.assert_allclose(times, np.arange(40) / FPS, atol=1e-6)
    rotations, root = walker(frames=40, heading=2.0, turn=7.0)
    ours = kinematics.positions(rotations, root, SKELETON)
    for joint, name in enumerate(SKELETON.names):
        np.testing.assert_allclose(transforms[name][:, :3, 3], ours[:, joint], atol=1e-5)


def test_its_skin_is_the_mannequins(walk: Path):
    gltf, body = read_glb(walk), mannequin()
    (skin_entry,) = gltf.items("skins")
    names = [gltf.items("nodes")[joint]["name"] for joint in skin_entry["joints"]]
    assert tuple(names) == SKELETON.names
    inverse_bind = gltf.read_matrices(skin_entry["inverseBindMatrices"])
    transforms, _ = played(walk)
    frame = 23
    moved = np.stack([transforms[name][frame] for name in names]) @ inverse_bind
    corners = np.concatenate([body.vertices, np.ones((len(body.vertices), 1))], axis=1)
    expected = np.einsum("vk,vkij,vj->vi", body.weights, moved[body.joints], corners)[:, :3]
    rotations, root = walker(frames=40, heading=2.0, turn=7.0)
    np.testing.assert_allclose(skin(body, rotations[frame], root[frame])[0], expected, atol=1e-5)


def test_neighbouring_frames_turn_the_short_way(walk: Path):
    rotations, _ = walker(frames=40, heading=2.0, turn=7.0)
    assert ((rotations[1:] * rotations[:-1]).sum(-1) < 0).sum() == 0
    flipped = rotations * np.where(np.arange(40) % 2, -1.0, 1.0)[:, None, None]
    write_mannequin(walk.with_name("flipped.glb"), flipped, walker(frames=40)[1], FPS, "x")
    gltf = read_glb(walk.with_name("flipped.glb"))
    for sampler in gltf.items("animations")[0]["samplers"][:22]:
        entry = gltf.items("accessors")[sampler["output"]]
        start = gltf.items("bufferViews")[entry["bufferView"]]["byteOffset"]
        turns = np.frombuffer(bytes(gltf.binary[start : start + 16 * 40]), dtype="<f4").reshape(40, 4)
        assert ((turns[1:] * turns[:-1]).sum(-1) > 0).all()


def test_names_and_colours(walk: Path):
    tree = read_glb(walk).tree
    assert [animation["name"] for animation in tree["animations"]] == ["a person walks, d\u00e9cid\u00e9"]
    assert [material["name"] for material in tree["materials"]] == list(PART_COLOURS)
    drawn = [tree["accessors"][primitive["indices"]]["count"] for primitive in tree["meshes"][0]["primitives"]]
    assert sum(drawn) == 3 * len(mannequin().faces)
    assert min(drawn) > 0


@pytest.mark.skipif(not VALIDATOR, reason="gltf-validator is not here (npm install gltf-validator, NODE_PATH)")
def test_the_validator_finds_nothing_in_the_mannequin(walk: Path):
    assert gltf_validator.issues(walk) == []


@pytest.mark.skipif(not VALIDATOR, reason="gltf-validator is not here (npm install gltf-validator, NODE_PATH)")
@pytest.mark.parametrize("made", [{}, {"scale": 0.01, "matrices": True, "bent": 0.3}], ids=["plain", "odd"])
def test_the_validator_finds_nothing_in_a_character(made: dict, tmp_path: Path):
    character(rig("mixamo"), **made).write(tmp_path / "character.glb")
    found = read_character(tmp_path / "character.glb")
    write_character(tmp_path / "walk.glb", found, *walker(frames=20), FPS, "a person walks")
    assert gltf_validator.issues(tmp_path / "walk.glb") == []


@pytest.mark.skipif(not VALIDATOR, reason="gltf-validator is not here (npm install gltf-validator, NODE_PATH)")
def test_the_validator_would_find_a_fault(walk: Path):
    gltf = read_glb(walk)
    gltf.items("animations")[0]["samplers"][0]["output"] = 0
    gltf.write(walk.with_name("faulty.glb"))
    assert any("ANIMATION" in line for line in gltf_validator.issues(walk.with_name("faulty.glb")))
