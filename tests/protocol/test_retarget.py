"""The reference retargeting, on rigs that differ from the wire's skeleton in every way the clients meet."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protocol import retarget, vectors
from protocol import rotation as rot
from protocol.retarget import SLOTS, Retargeter, Rig, RigError
from protocol.skeleton import default_skeleton
from protocol.vectors.retarget_cases import direction_errors, largest_error, source_poses
from protocol.vectors.rigs import DESIGNS, build_rig, rigs

FOLDER = Path(vectors.__file__).parent / "retarget"
RIGS = rigs()


@pytest.fixture(params=RIGS)
def rig(request):
    return RIGS[request.param]


@pytest.fixture(params=sorted(path.stem for path in FOLDER.glob("*.json")))
def case(request):
    return json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))


def read_rig(table):
    bones = table["bones"]
    return Rig(
        tuple(bone["name"] for bone in bones),
        tuple(bone["parent"] for bone in bones),
        np.array([bone["position"] for bone in bones]),
        np.array([bone["rotation"] for bone in bones]),
        table["axes"],
        {entry["slot"]: tuple(entry["bones"]) for entry in table["map"]},
    )


def test_files_hold_what_any_reader_needs(case):
    retargeter = Retargeter(read_rig(case["rig"]))
    source = {key: np.array(value) for key, value in case["source"].items()}
    local, pelvis = retargeter.apply(source["rotations"], source["root"])
    apart = rot.angle_between(local, np.array(case["expected"]["rotations"]))
    assert apart.max() < 1e-4
    np.testing.assert_allclose(pelvis, case["expected"]["pelvis"], atol=1e-5)
    assert retargeter.scale == pytest.approx(case["expected"]["scale"], abs=1e-6)


def test_limbs_point_where_the_source_points(rig):
    errors = direction_errors(Retargeter(rig))
    assert {f"{side}_{bone}" for side in ("left", "right") for bone in ("shoulder", "elbow", "hip", "knee")} <= set(
        errors
    )
    assert max(error.max() for error in errors.values()) < 0.001


@pytest.mark.parametrize("name", [name for name in RIGS if name not in ("t_pose", "long_armed")])
def test_without_alignment_the_arms_of_an_a_pose_stay_low(name):
    assert largest_error(Retargeter(RIGS[name], align=False)) > 30.0


@pytest.mark.parametrize("name", ["unreal", "mixamo"])
@pytest.mark.parametrize(("side", "sign"), [("left", -1.0), ("right", 1.0)])
def test_a_bent_elbow_turns_about_the_hinge_that_its_rest_pose_shows(name, side, sign):
    rig = RIGS[name]
    upper, lower, hand = (rig.chain(f"{side}_{part}")[0] for part in ("shoulder", "elbow", "wrist"))

    def hinge(local):
        turned, where = rig.forward(local)
        axis = np.cross(where[lower] - where[upper], where[hand] - where[lower])
        return rot.mul_vec(rot.inv(turned[upper]), rot.normalize(axis))

    rotations = rot.identity(22)
    rotations[default_skeleton().index(f"{side}_elbow")] = rot.about_y(np.radians(90.0 * sign))
    local, _ = Retargeter(rig).apply(rotations, np.zeros(3))
    np.testing.assert_allclose(hinge(local), hinge(rig.rotations), atol=1e-6)


def test_an_elbow_that_rests_bent_backward_is_not_taken_for_its_hinge():
    design = DESIGNS["mixamo"]
    backward, straight = (
        Retargeter(build_rig(replace(design, build=replace(design.build, elbow_bend=bend)))) for bend in (-30.0, 0.0)
    )
    for side in ("left", "right"):
        slot = f"{side}_shoulder"
        assert rot.angle_between(backward.alignments[slot], straight.alignments[slot]) < 1e-6


def test_bones_of_no_slot_keep_their_local_rest_rotation(rig):
    local, _ = Retargeter(rig).apply(*source_poses())
    mapped = {bone for slot in SLOTS for bone in rig.chain(slot)}
    idle = [bone for bone in range(len(rig.names)) if bone not in mapped]
    np.testing.assert_allclose(rot.angle_between(local[:, idle], rig.rotations[idle]), 0.0, atol=1e-7)


def test_a_standing_source_stands_on_the_floor(rig):
    skeleton = default_skeleton()
    retargeter = Retargeter(rig)
    local, pelvis = retargeter.apply(rot.identity(len(skeleton)), skeleton.offsets[0])
    _, positions = rig.forward(local, pelvis)
    _, rest = rig.forward(rig.rotations)
    axes = retarget.RIG_AXES[rig.axes]
    height = axes.position(np.array([0.0, 1.0, 0.0])) / axes.scale**2
    ankles = [rig.chain(f"{side}_ankle")[0] for side in ("left", "right")]
    np.testing.assert_allclose(positions[ankles] @ height, rest[ankles] @ height, atol=1e-4)


def test_the_streams_t_pose_leaves_a_t_pose_as_it_is_but_for_lengths():
    rig = RIGS["t_pose"]
    local, _ = Retargeter(rig).apply(rot.identity(22), default_skeleton().offsets[0])
    arms = [
        rig.chain(f"{side}_{part}")[0] for side in ("left", "right") for part in ("elbow", "wrist", "knee", "ankle")
    ]
    np.testing.assert_allclose(rot.angle_between(local[arms], rig.rotations[arms]), 0.0, atol=1e-7)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_bend_is_spread_over_all_spine_bones_and_ends_in_full_at_the_last(count):
    names = ("hips", *[f"spine{k}" for k in range(count)], "neck")
    positions = np.array([[0.0, 1.0, 0.0]] + [[0.0, 0.1, 0.0]] * (count + 1))
    bones = {"pelvis": names[:1], "spine": names[1:-1], "neck": names[-1:]}
    rig = Rig(names, tuple(range(-1, count + 1)), positions, rot.identity(count + 2), "wire", bones)
    rotations = rot.identity(22)
    step = rot.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(15.0))
    for joint in ("spine1", "spine2", "spine3"):
        rotations[default_skeleton().index(joint)] = step
    local, _ = Retargeter(rig).apply(rotations, np.zeros(3))
    turned = np.degrees(rot.angle_between(local[1:-1], rot.identity(count)))
    np.testing.assert_allclose(turned, 45.0 / count, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parents": (-1, 5)}, "parents must come before"),
        ({"names": ("a", "a")}, "repeat"),
        ({"axes": "maya"}, "'maya'"),
        ({"bones": {}}, "no pelvis"),
        ({"bones": {"pelvis": ("a",), "tail": ("b",)}}, "tail"),
        ({"bones": {"pelvis": ("z",)}}, "does not have: z"),
    ],
)
def test_a_rig_that_does_not_hang_together_is_refused(change, words):
    rig = Rig(("a", "b"), (-1, 0), np.zeros((2, 3)), rot.identity(2), "wire", {"pelvis": ("a",)})
    with pytest.raises(RigError, match=words):
        replace(rig, **change)
