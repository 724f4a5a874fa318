"""What was shown, saved: the files hold exactly those frames."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from protocol import rotation as rot
from protocol.kinematics import forward
from protocol.poses import Poses, contact_flags
from protocol.skeleton import default_skeleton
from server.export.npz import read_npz
from server.motion.bvh import parse_bvh
from server.preview.downloads import KINDS, file_name, motion_file, take_of

FRAMES = 9


@pytest.fixture(scope="module")
def frames() -> list[tuple[Poses, str]]:
    generator = np.random.default_rng(3)
    axis = rot.normalize(generator.normal(size=(22, 3)))
    made = []
    for at in range(FRAMES):
        rotations = rot.from_axis_angle(axis, np.full(22, 0.1 * at))[None].astype(np.float32)
        sign = -1.0 if at >= 6 else 1.0  # after lost frames, the stream's hemisphere may be the other one
        root = np.array([[0.1 * at, 0.9, 0.2 * at]], dtype=np.float32)
        pose = Poses(root, np.float32(sign) * rotations, np.array([at % 16], dtype=np.uint8))
        made.append((pose, "a person walks" if at < 4 else "a person waves"))
    return made


def test_a_take_keeps_frames_and_where_each_sentence_began(frames):
    take = take_of(frames, 30.0)
    assert (len(take), take.fps) == (FRAMES, 30.0)
    assert take.captions == ((0, "a person walks"), (4, "a person waves"))
    assert (np.einsum("tji,tji->tj", take.rotations[1:], take.rotations[:-1]) > 0.0).all()
    np.testing.assert_array_equal(take.contacts, contact_flags(np.arange(FRAMES, dtype=np.uint8)))


def test_nothing_shown_is_nothing_to_save():
    with pytest.raises(ValueError, match="nothing has been shown"):
        take_of([], 30.0)


def test_bvh_holds_the_frames(frames):
    take = take_of(frames, 30.0)
    clip = parse_bvh(motion_file("BVH", take).decode(), "it.bvh")
    assert clip.frame_time == pytest.approx(1 / 30.0)
    positions, _ = clip.forward()
    skeleton = default_skeleton()
    expected = forward(take.rotations, take.root, skeleton.parents, skeleton.offsets)[1]
    places = [clip.names.index(name) for name in skeleton.names]
    np.testing.assert_allclose(positions[:, places] / 100.0, expected, atol=1e-5)


def test_npz_holds_the_frames(frames, tmp_path: Path):
    take = take_of(frames, 30.0)
    (tmp_path / "it.npz").write_bytes(motion_file("NPZ", take))
    read = read_npz(tmp_path / "it.npz", default_skeleton())
    np.testing.assert_array_equal(read.rotations, take.rotations.astype(np.float32))
    assert read.text == "a person walks; a person waves"


def test_glb_is_a_skinned_animation_of_as_many_frames(frames):
    data = motion_file("GLB", take_of(frames, 30.0))
    magic, version, size, length, _ = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, size) == (b"glTF", 2, len(data))
    tree = json.loads(data[20 : 20 + length])
    times = tree["accessors"][tree["animations"][0]["samplers"][0]["input"]]
    assert times["count"] == FRAMES
    assert len(tree["skins"][0]["joints"]) == 22


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A person walks, then waves!", "a_person_walks_then_waves"),
        ("../../etc/passwd", "etc_passwd"),
        ("une révérence", "une_r_v_rence"),
        ("手を振る", "motion"),
        ("x" * 400, "x" * 48),
    ],
)
def test_file_names_suit_every_file_system(kind: str, text: str, name: str):
    assert file_name(kind, text) == f"{name}.{kind.lower()}"
