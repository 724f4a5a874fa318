"""The user's own character: recognised by its bone names, set in motion, and otherwise left alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from characters import EXTRA, character, played, rig
from synthetic import walker

from protocol import rotation as rot
from protocol.retarget import Retargeter
from server.export.character import Character, CharacterError, read_character, write_character
from server.export.gltf import GltfError, read_glb

FPS = 20.0
SHARED = Path(__file__).resolve().parents[3] / "shared"
ASSETS = next(
    (folder for folder in (SHARED / "assets", SHARED.parents[1] / "shared" / "assets") if folder.is_dir()), None
)
KNOWN = {"t_pose": "humanoid", "a_pose": "humanoid", "chibi": "vroid", "unreal": "mannequin", "mixamo": "mixamo"}


def animated(tmp_path: Path, gltf, **walk: float) -> tuple[Character, Path]:
    """A character read back from a file, and the file with it walking."""
    gltf.write(tmp_path / "character.glb")
    found = read_character(tmp_path / "character.glb")
    write_character(tmp_path / "animated.glb", found, *walker(frames=30, **walk), FPS, "a person walks")
    return found, tmp_path / "animated.glb"


def places(path: Path, names: tuple[str, ...]) -> np.ndarray:
    """Positions (T, B, 3) of nodes while the first animation plays."""
    transforms, _ = played(path)
    return np.stack([transforms[name][:, :3, 3] for name in names], axis=1)


def check_aims(transforms: dict, retargeter: Retargeter, rotations: np.ndarray, bones: dict[str, str]) -> None:
    """Nodes, of which ``bones`` names one for each slot, must lie in the directions that the motion's joints have."""
    for slot, wanted in retargeter.aim_directions(rotations).items():
        start, end = (transforms[bones[part]][:, :3, 3] for part in (slot, retargeter.aims[slot]))
        apart = np.degrees(np.arccos(np.clip((rot.normalize(end - start) * wanted).sum(-1), -1.0, 1.0)))
        assert apart.max() < 0.05, slot


@pytest.mark.parametrize("design", KNOWN)
def test_bones_point_where_the_joints_of_the_motion_point(design: str, tmp_path: Path):
    expected = rig(design)
    found, path = animated(tmp_path, character(expected), heading=0.7, turn=1.0)
    assert found.convention == KNOWN[design]
    assert {
        slot: [found.name(found.rig.names.index(bone)) for bone in chain] for slot, chain in found.rig.bones.items()
    } == {slot: list(chain) for slot, chain in expected.bones.items()}
    transforms, times = played(path)
    np.testing.assert_allclose(times, np.arange(30) / FPS, atol=1e-6)
    rotations, root = walker(frames=30, heading=0.7, turn=1.0)
    retargeter = Retargeter(expected)
    assert len(retargeter.aims) >= 10
    check_aims(transforms, retargeter, rotations, {slot: chain[0] for slot, chain in expected.bones.items()})
    np.testing.assert_allclose(
        transforms[expected.bones["pelvis"][0]][:, :3, 3], retargeter.apply(rotations, root)[1], atol=1e-4
    )


@pytest.mark.parametrize(
    "made",
    [{"scale": 0.01}, {"scale": 40.0, "matrices": True}, {"bent": 0.4}, {"bent": 0.4, "matrices": True, "scale": 0.01}],
    ids=lambda made: " ".join(made),
)
def test_how_a_file_says_it_makes_no_difference(made: dict, tmp_path: Path):
    bones = rig("mixamo")
    (tmp_path / "plain").mkdir()
    _, plain = animated(tmp_path / "plain", character(bones))
    _, other = animated(tmp_path, character(bones, **made))
    np.testing.assert_allclose(places(other, bones.names), places(plain, bones.names), atol=1e-4)


@pytest.mark.parametrize("degrees", [90.0, 180.0, -30.0])
def test_the_motion_starts_where_the_character_faces(degrees: float, tmp_path: Path):
    bones, yaw = rig("unreal"), np.radians(degrees)
    (tmp_path / "plain").mkdir()
    _, plain = animated(tmp_path / "plain", character(bones))
    found, turned = animated(tmp_path, character(bones, yaw=yaw))
    assert np.degrees(rot.angle_between(found.facing, rot.about_y(np.array(yaw)))) < 0.01
    expected = rot.mul_vec(rot.about_y(np.array(yaw)), places(plain, bones.names))
    np.testing.assert_allclose(places(turned, bones.names), expected, atol=1e-4)


def test_everything_else_is_kept(tmp_path: Path):
    gltf = character(rig("t_pose"))
    gltf.add_animation("idle", FPS, {3: rot.identity(2)}, {})
    found, path = animated(tmp_path, gltf)
    before, after = read_glb(tmp_path / "character.glb"), read_glb(path)
    assert after.binary[: len(before.binary)] == before.binary
    assert [animation["name"] for animation in after.items("animations")] == ["a person walks", "idle"]
    assert after.items("animations")[1:] == before.items("animations")
    for kind, items in before.tree.items():
        if kind in ("accessors", "bufferViews"):
            assert after.items(kind)[: len(items)] == items
        elif kind not in ("animations", "buffers"):
            assert after.tree[kind] == items, kind
    assert {key: after.tree[key] for key in EXTRA} == EXTRA
    # Writing leaves the character as it was: the same again gives the same file.
    write_character(tmp_path / "again.glb", found, *walker(frames=30), FPS, "a person walks")
    assert (tmp_path / "again.glb").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("version", ["0.x", "1.0"])
def test_a_vrm_file_says_which_bone_is_which(version: str, tmp_path: Path):
    bones = rig("t_pose")
    nameless = dataclasses.replace(
        bones,
        names=tuple(f"bone {n}" for n in range(len(bones.names))),
        bones={slot: tuple(f"bone {bones.names.index(bone)}" for bone in chain) for slot, chain in bones.bones.items()},
    )
    gltf = character(nameless)
    human = {
        "hips": "hips", "spine": "spine", "chest": "chest", "upperChest": "upper_chest", "neck": "neck", "head": "head",
        **{
            f"{side}{part}": f"{side}_{name}"
            for side in ("left", "right")
            for part, name in (
                ("Shoulder", "shoulder"), ("UpperArm", "upper_arm"), ("LowerArm", "lower_arm"), ("Hand", "hand"),
                ("UpperLeg", "upper_leg"), ("LowerLeg", "lower_leg"), ("Foot", "foot"), ("Toes", "toes"),
            )
        },
    }  # fmt: skip
    listed = {name: {"node": bones.names.index(bone)} for name, bone in human.items()}
    if version == "1.0":
        gltf.tree["extensions"] = {"VRMC_vrm": {"humanoid": {"humanBones": listed}}}
    else:
        gltf.tree["extensions"] = {
            "VRM": {"humanoid": {"humanBones": [{"bone": name, **node} for name, node in listed.items()]}}
        }
    found, _ = animated(tmp_path, gltf)
    assert {
        slot: [found.name(found.rig.names.index(bone)) for bone in chain] for slot, chain in found.rig.bones.items()
    } == {slot: list(chain) for slot, chain in nameless.bones.items()}


def test_unknown_bone_names_are_told(tmp_path: Path):
    character(rig("bare")).write(tmp_path / "bare.glb")
    with pytest.raises(CharacterError) as raised:
        read_character(tmp_path / "bare.glb")
    message = str(raised.value)
    assert all(word in message for word in ("bare.glb", "pelvis (", "left_knee (", "found head", "mixamo", "arm_l"))


def test_a_few_missing_bones_are_named(tmp_path: Path):
    gltf = character(rig("mixamo"))
    for node in gltf.items("nodes"):
        node["name"] = node["name"].replace("LeftLeg", "Stump")
    gltf.write(tmp_path / "stump.glb")
    with pytest.raises(
        CharacterError, match=r"no bone is known by name for left_knee \(leftleg\); found pelvis, spine"
    ):
        read_character(tmp_path / "stump.glb")


def without(kind: str):
    def change(gltf) -> None:
        del gltf.tree[kind]

    return change


def a_loop(gltf) -> None:
    gltf.items("nodes")[4]["children"] = [1]


def a_mirror(gltf) -> None:
    gltf.items("nodes")[-2]["scale"] = [-1.0, 1.0, 1.0]


def no_such_node(gltf) -> None:
    gltf.items("skins")[0]["joints"][3] = 999


def cut_matrices(gltf) -> None:
    gltf.items("accessors")[0]["count"] = 10**6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("skins"), "has no skin: export the character with its armature"),
        (a_mirror, "is mirrored or flat"),
        (a_loop, "do not hang together"),
        (no_such_node, "do not hang together"),
        (cut_matrices, "reaches past the end"),
    ],
)
def test_a_broken_character_is_named(change, message: str, tmp_path: Path):
    gltf = character(rig("mixamo"))
    change(gltf)
    gltf.write(tmp_path / "broken.glb")
    with pytest.raises((CharacterError, GltfError), match=message) as raised:
        read_character(tmp_path / "broken.glb")
    assert "broken.glb" in str(raised.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a binary glTF file; export the character as .glb"),
        (b'{"asset": {"version": "2.0"}, "nodes": []}', "is not a binary glTF file"),
        (struct.pack("<III", 0x46546C67, 1, 20) + bytes(8), "is glTF 1; only glTF 2 is read"),
        (struct.pack("<III", 0x46546C67, 2, 500) + bytes(8), "is damaged"),
        (struct.pack("<IIIII", 0x46546C67, 2, 24, 4, 0x4E4F534A) + b"{{{{", "its JSON cannot be read"),
        (struct.pack("<IIIII", 0x46546C67, 2, 24, 4, 0x4E4F534A) + b"[]  ", "its JSON is no object"),
    ],
)
def test_what_is_no_glb_is_named(data: bytes, message: str, tmp_path: Path):
    (tmp_path / "x.glb").write_bytes(data)
    with pytest.raises(GltfError, match=message):
        read_character(tmp_path / "x.glb")


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_tree_is_an_error_of_ours_or_none(seed: int, tmp_path: Path):
    character(rig("t_pose")).write(tmp_path / "character.glb")
    rng, gltf = np.random.default_rng(seed), read_glb(tmp_path / "character.glb")
    for _ in range(2):
        spot: dict | list = gltf.tree[
            str(rng.choice(["nodes", "skins", "accessors", "bufferViews", "buffers", "scenes"]))
        ]
        while True:
            key = rng.integers(len(spot)).item() if isinstance(spot, list) else str(rng.choice(list(spot)))
            if not isinstance(spot[key], (dict, list)) or not spot[key] or rng.random() < 0.2:
                break
            spot = spot[key]
        spot[key] = [None, -1, 0, 10**9, 0.5, "x", [], {}, True][rng.integers(9)]
    (tmp_path / "damaged.glb").write_bytes(chunked(json.dumps(gltf.tree).encode(), bytes(gltf.binary)))
    with contextlib.suppress(GltfError, CharacterError):
        found = read_character(tmp_path / "damaged.glb")
        write_character(tmp_path / "walk.glb", found, *walker(frames=2), FPS, "x")


def chunked(text: bytes, binary: bytes) -> bytes:
    """A binary glTF of a JSON text and a binary chunk, each filled up to whole words."""
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(GltfError, match=r"nothing\.glb cannot be read: No such file"):
        read_character(tmp_path / "nothing.glb")


@pytest.mark.skipif(ASSETS is None, reason="the characters (shared/assets) are not here")
@pytest.mark.parametrize(("name", "convention"), [("mh_low_mixamo", "mixamo"), ("mh_low_game_engine", "mannequin")])
def test_a_real_character_walks(name: str, convention: str, tmp_path: Path):
    found = read_character(ASSETS / f"{name}.glb")
    assert found.convention == convention
    assert len(found.rig.bones) == 20
    rotations, root = walker(frames=30, heading=0.7, turn=1.0)
    write_character(tmp_path / "walk.glb", found, rotations, root, FPS, "a person walks")
    transforms, _ = played(tmp_path / "walk.glb")
    bones = {slot: found.name(found.rig.names.index(chain[0])) for slot, chain in found.rig.bones.items()}
    check_aims(transforms, Retargeter(found.rig), rotations, bones)
