import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from synthetic import SKELETON, walker

from server.motion import bvh, joint_map, kinematics
from server.motion import rotation as rot

TEXT = """HIERARCHY
ROOT Hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 5 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 90 0 0 0 90 0 0 0
0 90 5 90 0 0 0 90 0
"""


def test_position_channels_replace_the_offset_and_end_sites_are_joints():
    clip = bvh.parse_bvh(TEXT, "x.bvh")
    assert clip.names == ("Hips", "Spine", "Spine.end")
    positions, rotations = clip.forward()
    np.testing.assert_allclose(positions[0], [[0, 90, 0], [0, 100, 0], [0, 105, 0]], atol=1e-9)
    np.testing.assert_allclose(positions[1, 1], [-10, 90, 5], atol=1e-9)  # Z turn of 90 degrees: up becomes -X
    np.testing.assert_allclose(positions[1, 2], [-10, 90, 10], atol=1e-9)  # then X of 90: its up becomes forward
    assert np.degrees(rot.angle_between(rotations[0, 1], rot.about_y(np.array(np.pi / 2)))) < 1e-9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("HIERARCHY", "HIERARCHIE"), "x.bvh: not a BVH file"),
        (("MOTION", "MOTIONS"), "x.bvh: not a BVH file"),
        (("Frames: 2", "Frames: 0"), "x.bvh, line 17: 0 frames"),
        (("Frames: 2", "Frames: -2"), "x.bvh, line 17: -2 frames"),
        (("Frames: 2", "Frames: 3"), "x.bvh: 18 motion values, but 3 frames of 9 channels need 27"),
        (("Frames: 2", "Frames: two"), "x.bvh, line 17: 'Frames: two' and 'Frame Time: 0.0333333' must be numbers"),
        (("Frames: 2\n", ""), "x.bvh, line 17: the MOTION section does not start with"),
        (("Frame Time: 0.0333333", "Frame Time: 0"), "x.bvh, line 18: frame time 0.0 s is outside"),
        (("Frame Time: 0.0333333", "Frame Time: nan"), "x.bvh, line 18: frame time nan s is outside"),
        (("0 90 5 90", "0 90 5 nan"), "x.bvh, line 20: the motion value nan is not finite"),
        (("0 90 5 90", "0 90 5 1e999"), "x.bvh, line 20: the motion value 1e999 is not finite"),
        (("0 90 5 90", "0 90 5 x"), "x.bvh, line 20: the motion value 'x' is not a number"),
        (("0 90 5 90", "0 90,0 5 90"), "x.bvh, line 20: the motion value '90,0' is not a number"),
        (("0 90 5 90", "0 90 5"), "17 motion values, but 2 frames of 9 channels need 18; line 20 has 8"),
        (("JOINT Spine", "JOINT Hips"), "x.bvh: joint names repeat: ['Hips']"),
        (("Yrotation Xrotation Zrotation", "Yrotation Xrotation Xrotation"), "x.bvh, line 9: joint Spine has channels"),
        (("CHANNELS 3 Yrotation", "CHANNELS 4 Wrotation Yrotation"), "x.bvh, line 9: joint Spine has channels"),
        (("CHANNELS 3 Yrotation", "CHANNELS three Yrotation"), "x.bvh, line 9: the hierarchy breaks off or holds no"),
        (("      OFFSET 0 5 0\n    }\n", "      OFFSET 0 5\n"), "x.bvh, line 12: the hierarchy breaks off or holds no"),
        (("OFFSET 0 10 0", "OFFSET 0 inf 0"), "x.bvh, line 8: the OFFSET of joint Spine is not finite"),
        (("    }\n  }\n}\nMOTION", "    }\n  }\nMOTION"), "x.bvh: the hierarchy's braces do not balance"),
        (("  JOINT Spine", "  BONE Spine"), "x.bvh, line 6: unexpected 'BONE' in the hierarchy"),
    ],
)
def test_a_broken_file_is_named_with_its_fault_and_line(change, message):
    broken = TEXT.replace(*change, 1)
    assert broken != TEXT
    with pytest.raises(bvh.BvhError) as caught:
        bvh.parse_bvh(broken, "x.bvh")
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.bvh")


def test_half_a_file_is_an_error(tmp_path: Path):
    path = tmp_path / "half.bvh"
    for cut in range(10, len(TEXT) - 12, 7):
        path.write_text(TEXT[:cut])
        with pytest.raises(bvh.BvhError):
            bvh.read_bvh(path)


@pytest.mark.parametrize("order", ["".join(order) for order in permutations("XYZ")])
@pytest.mark.parametrize("positions_first", [True, False])
def test_six_channels_on_every_joint_in_every_order(order, positions_first):
    rng = np.random.default_rng(0)
    angles, places = rng.uniform(-170, 170, size=(5, 2, 3)), rng.uniform(-9, 9, size=(5, 2, 3))
    turns, moves = ([f"{axis}{kind}" for axis in order] for kind in ("rotation", "position"))
    channels = " ".join(moves + turns if positions_first else turns + moves)
    text = TEXT[: TEXT.index("MOTION")]
    for old in ("6 Xposition Yposition Zposition Zrotation Xrotation Yrotation", "3 Yrotation Xrotation Zrotation"):
        text = text.replace(old, f"6 {channels}")
    moved = places[..., ["XYZ".index(axis) for axis in order]]
    rows = np.concatenate([moved, angles] if positions_first else [angles, moved], axis=-1).reshape(5, 12)
    text += "MOTION\nFrames: 5\nFrame Time: 0.05\n" + "\n".join(" ".join(map(repr, row)) for row in rows.tolist())
    positions, rotations = bvh.parse_bvh(text, "x.bvh").forward()

    hips, spine = (Rotation.from_euler(order, angles[:, joint], degrees=True) for joint in (0, 1))
    np.testing.assert_allclose(positions[:, 0], places[:, 0], atol=1e-9)
    np.testing.assert_allclose(positions[:, 1], places[:, 0] + hips.apply(places[:, 1]), atol=1e-9)
    np.testing.assert_allclose(positions[:, 2], positions[:, 1] + (hips * spine).apply([0, 5, 0]), atol=1e-9)
    assert np.degrees(rot.angle_between(rotations[:, 1], (hips * spine).as_quat())).max() < 1e-5


def test_windows_line_ends_a_byte_order_mark_and_frames_over_several_lines_are_read():
    plain = bvh.parse_bvh(TEXT, "x.bvh")
    wrapped = TEXT.replace("0 90 5 90", "0 90 5\n90").replace("\n", "\r\n")
    np.testing.assert_array_equal(bvh.parse_bvh("\ufeff" + wrapped, "x.bvh").values, plain.values)


@pytest.mark.parametrize("turn", [0.0, 3.0, -7.0], ids=lambda turn: f"turn{turn:g}")
@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_what_is_written_has_the_same_joint_positions(tmp_path: Path, degrees, turn):
    rotations, root = walker(heading=np.radians(degrees), turn=turn)
    path = tmp_path / "walk.bvh"
    bvh.write_bvh(path, rotations, root, SKELETON, 20.0)
    clip = bvh.read_bvh(path)
    assert 1 / clip.frame_time == pytest.approx(20.0)
    mapping = joint_map.detect(clip)
    assert mapping.name == "motionbridge"
    np.testing.assert_allclose(mapping.apply(clip), kinematics.positions(rotations, root, SKELETON), atol=1e-5)


@pytest.mark.parametrize("turn", [7.0, -7.0])
def test_angles_never_jump_between_frames(tmp_path: Path, turn):
    """Programs interpolate the channels, so a heading that passes ±180 degrees must go on, not wrap."""
    rotations, root = walker(turn=turn)
    path = tmp_path / "turn.bvh"
    bvh.write_bvh(path, rotations, root, SKELETON, 20.0)
    angles = bvh.read_bvh(path).values[:, 3:]
    assert np.ptp(angles[:, 2]) > 360.0
    assert np.abs(np.diff(angles, axis=0)).max() < 45.0


def test_a_foreign_skeleton_without_a_preset_is_refused():
    with pytest.raises(joint_map.JointMapError, match=r"no preset joint map .* fits joints Hips, Spine"):
        joint_map.detect(bvh.parse_bvh(TEXT, "x.bvh"))
    with pytest.raises(joint_map.JointMapError, match="needs joints the file does not have: Chest"):
        next(m for m in joint_map.presets() if m.name == "bandai_namco").apply(bvh.parse_bvh(TEXT, "x.bvh"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d["joints"].pop("head"), "missing \\['head'\\]"),
        (lambda d: d["joints"].update(tail="x"), "unknown \\['tail'\\]"),
        (lambda d: d["joints"].update(head={"a": 0.5, "b": 0.6}), "weights of head sum to 1.1"),
        (lambda d: d.update(metres_per_unit=-1), "metres_per_unit"),
        (lambda d: d.update(scale=2), "scale"),
    ],
)
def test_a_bad_joint_map_is_refused(tmp_path: Path, edit, message):
    import json

    data = json.loads((joint_map.PRESET_FOLDER / "motionbridge.json").read_text())
    edit(data)
    path = tmp_path / "map.json"
    path.write_text(json.dumps(data))
    with pytest.raises(joint_map.JointMapError, match=message):
        joint_map.load_joint_map(path)


def test_the_guides_worked_example_is_a_joint_map(tmp_path: Path):
    guide = (joint_map.PRESET_FOLDER.parent / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "my_rig.json"
    path.write_text(guide.partition("```json")[2].partition("```")[0])
    mapping = joint_map.load_joint_map(path)
    names = dict(zip(SKELETON.names, mapping.weights, strict=True))
    rotations, root = walker(frames=3, heading=1.0)
    bvh.write_bvh(tmp_path / "walk.bvh", rotations, root, SKELETON, 20.0)
    text = (tmp_path / "walk.bvh").read_text()
    for ours, mix in names.items():
        text = re.sub(rf"(ROOT|JOINT) {ours}\n", rf"\1 {next(iter(mix))}\n", text)
    clip = bvh.parse_bvh(text, "walk.bvh")
    np.testing.assert_allclose(mapping.apply(clip), kinematics.positions(rotations, root, SKELETON), atol=1e-5)
