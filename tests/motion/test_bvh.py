from pathlib import Path

import numpy as np
import pytest
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
        (("HIERARCHY", "HIERARCHIE"), "not a BVH file"),
        (("Frames: 2", "Frames: 0"), "0 frames"),
        (("Frames: 2", "Frames: 3"), "18 motion values, but 3 frames of 9 channels need 27"),
        (("Frames: 2", "Frames: two"), "must be numbers"),
        (("Frame Time: 0.0333333", "Frame Time: 0"), "frame time"),
        (("0 90 5 90", "0 90 5 nan"), "not finite"),
        (("0 90 5 90", "0 90 5 x"), "not a number"),
        (("JOINT Spine", "JOINT Hips"), "joint names repeat"),
        (("Yrotation Xrotation Zrotation", "Yrotation Xrotation Xrotation"), "channels"),
        (("      OFFSET 0 5 0\n    }\n", "      OFFSET 0 5\n"), "hierarchy"),
        (("    }\n  }\n}\nMOTION", "    }\n  }\nMOTION"), "balance"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(change, message):
    broken = TEXT.replace(*change, 1)
    assert broken != TEXT
    with pytest.raises(bvh.BvhError, match=r"^x\.bvh: ") as caught:
        bvh.parse_bvh(broken, "x.bvh")
    assert message in str(caught.value)


def test_half_a_file_is_an_error(tmp_path: Path):
    path = tmp_path / "half.bvh"
    for cut in range(10, len(TEXT) - 12, 7):
        path.write_text(TEXT[:cut])
        with pytest.raises(bvh.BvhError):
            bvh.read_bvh(path)


@pytest.mark.parametrize("heading", np.radians([0, 90, 180, 270]))
def test_what_is_written_has_the_same_joint_positions(tmp_path: Path, heading):
    rotations, root = walker(heading=heading, turn=3.0)
    path = tmp_path / "walk.bvh"
    bvh.write_bvh(path, rotations, root, SKELETON, 20.0)
    clip = bvh.read_bvh(path)
    assert 1 / clip.frame_time == pytest.approx(20.0)
    mapping = joint_map.detect(clip)
    assert mapping.name == "motionbridge"
    np.testing.assert_allclose(mapping.apply(clip), kinematics.positions(rotations, root, SKELETON), atol=1e-5)


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
