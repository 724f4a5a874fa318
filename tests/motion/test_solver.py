import numpy as np
import pytest
from synthetic import SKELETON, positions_of, walker

from server.motion import kinematics, solver
from server.motion import rotation as rot

HEADINGS = np.radians(np.arange(0, 360, 30))


def bone_angles(a, b):
    """Degrees (T, J-1) between the bones of two poses."""
    parents = list(SKELETON.parents[1:])
    one, other = (rot.normalize(p[:, 1:] - p[:, parents]) for p in (a, b))
    return np.degrees(np.arccos(np.clip((one * other).sum(-1), -1, 1)))


@pytest.mark.parametrize("heading", HEADINGS)
def test_known_rotations_are_found_at_every_heading(heading):
    rotations, root = walker(heading=heading, turn=2.0)
    positions = kinematics.positions(rotations, root, SKELETON)
    solved = solver.solve(positions, SKELETON)
    again = kinematics.positions(solved.local, solved.root, SKELETON)
    np.testing.assert_allclose(again, positions, atol=1e-6)
    truth, _ = kinematics.forward(rotations, root, SKELETON.parents, SKELETON.offsets)
    angles = np.degrees(rot.angle_between(solved.globals, truth)).mean(axis=0)
    for joint in ("pelvis", "spine3", "left_hip", "right_knee", "left_ankle", "left_shoulder", "right_elbow"):
        assert angles[SKELETON.index(joint)] < 3.0, joint


@pytest.mark.parametrize("heading", HEADINGS)
def test_turning_the_figure_turns_the_solution(heading):
    straight = solver.solve(positions_of(), SKELETON)
    turn = rot.about_y(np.array(heading))
    turned = solver.solve(rot.mul_vec(turn, positions_of()), SKELETON)
    assert np.degrees(rot.angle_between(turned.globals, rot.mul(turn, straight.globals))).max() < 1e-3
    np.testing.assert_allclose(turned.root, rot.mul_vec(turn, straight.root), atol=1e-9)


def test_the_t_pose_is_identity():
    solved = solver.solve(SKELETON.rest_positions()[None], SKELETON)
    assert np.degrees(rot.angle_between(solved.local, rot.identity(1, 22))).max() < 1e-4


def test_a_body_of_other_proportions_is_fitted_exactly():
    rng = np.random.default_rng(0)
    other = kinematics.with_offsets(SKELETON, SKELETON.offsets * rng.uniform(0.8, 1.25, size=(22, 1)))
    rotations, root = walker(turn=1.0)
    positions = kinematics.positions(rotations, root, other)
    fitted = solver.fit_skeleton(positions, SKELETON)
    solved = solver.solve(positions, fitted)
    again = kinematics.positions(solved.local, solved.root, fitted)
    assert np.linalg.norm(again - positions, axis=-1).mean() < 1e-3
    limbs = [
        SKELETON.index(f"{s}_{p}") - 1 for s in ("left", "right") for p in ("knee", "ankle", "foot", "elbow", "wrist")
    ]
    assert bone_angles(again, positions)[:, limbs].max() < 0.1


def test_retargeting_scales_the_travel_with_the_legs():
    rotations, root = walker()
    double = kinematics.with_offsets(SKELETON, SKELETON.offsets * 2)
    positions = kinematics.positions(rotations, root * 2, double)
    solved = solver.retarget_positions(positions, SKELETON)
    np.testing.assert_allclose(solved.root, root, atol=1e-6)


def test_noise_on_straight_limbs_does_not_spin_them():
    rng = np.random.default_rng(1)
    positions = np.repeat(SKELETON.rest_positions()[None], 200, 0) + rng.normal(scale=0.003, size=(200, 22, 3))
    solved = solver.solve(positions, SKELETON)
    limbs = [SKELETON.index(name) for name in ("left_knee", "right_knee", "left_elbow", "right_elbow")]
    assert np.degrees(rot.angle_between(solved.globals[:, limbs], rot.identity(200, 4))).max() < 15


def test_mirrored_positions_give_mirrored_rotations():
    from server.motion.mirror import mirror_positions

    positions = positions_of(turn=1.0)
    plain, mirrored = (solver.solve(p, SKELETON) for p in (positions, mirror_positions(positions, SKELETON)))
    flipped = plain.globals * np.array([1.0, -1.0, -1.0, 1.0])
    for left, right in (("left_elbow", "right_elbow"), ("left_hip", "right_hip"), ("left_ankle", "right_ankle")):
        angle = rot.angle_between(mirrored.globals[:, SKELETON.index(right)], flipped[:, SKELETON.index(left)])
        assert np.degrees(angle).max() < 1e-3
