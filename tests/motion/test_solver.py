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


def collars(degrees: np.ndarray) -> np.ndarray:
    """Positions (T, 22, 3) of a T-pose whose collar bones point ``degrees`` (T,) below the horizontal."""
    positions = np.repeat(SKELETON.rest_positions()[None], len(degrees), 0)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar, *arm = (SKELETON.index(f"{side}_{part}") for part in ("collar", "shoulder", "elbow", "wrist"))
        angle = np.radians(degrees)
        bone = 0.132 * np.stack([sign * np.cos(angle), -np.sin(angle), np.zeros_like(angle)], axis=-1)
        positions[:, arm] += (positions[:, collar] + bone - positions[:, arm[0]])[:, None]
    return positions


def test_a_collar_points_to_its_shoulder_as_far_as_collars_go():
    degrees = np.linspace(-30.0, 130.0, 321)
    solved = solver.solve(collars(degrees), SKELETON)
    joints = kinematics.positions(solved.local, solved.root, SKELETON)
    for side in ("left", "right"):
        collar, shoulder, elbow = (SKELETON.index(f"{side}_{part}") for part in ("collar", "shoulder", "elbow"))
        bone = joints[:, shoulder] - joints[:, collar]
        shown = np.degrees(np.arctan2(-bone[:, 1], np.abs(bone[:, 0])))
        within = degrees < 15.0
        np.testing.assert_allclose(shown[within], degrees[within], atol=1e-6)
        assert 15.0 < shown.max() < 30.0
        steps = np.diff(shown)
        assert (steps > -1e-9).all()  # it stops, and does not come back
        assert np.abs(np.diff(steps)).max() < 0.1  # and does not pop
        straight = rot.normalize(joints[:, elbow] - joints[:, shoulder])
        np.testing.assert_allclose(np.abs(straight[:, 0]), 1.0, atol=1e-9)  # the arm points as before


def raised_arms(bend: np.ndarray, up: float, forward: float) -> np.ndarray:
    """Positions (T, 22, 3) of a T-pose whose arms point to the side, up and forward, elbows bent by ``bend`` (T,) radians."""
    positions = np.repeat(SKELETON.rest_positions()[None], len(bend), 0)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist = (SKELETON.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        upper = rot.normalize(np.array([sign, up, forward]))
        inwards = rot.normalize(np.cross(np.cross(upper, [-sign, 1.0, 0.0]), upper))
        lower = np.cos(bend)[:, None] * upper + np.sin(bend)[:, None] * inwards
        positions[:, elbow] = positions[:, shoulder] + 0.27 * upper
        positions[:, wrist] = positions[:, elbow] + 0.25 * lower
    return positions


@pytest.mark.parametrize(("up", "forward"), [(-5.0, 0.5), (0.0, 5.0), (5.0, 0.5), (0.8, 0.8)])
def test_an_elbow_that_straightens_does_not_spin_the_arm(up, forward):
    positions = raised_arms(np.radians(np.arange(60.0, -1.0, -1.0)), up, forward)
    solved = solver.solve(positions, SKELETON)
    joints = [SKELETON.index(name) for name in ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow")]
    steps = rot.angle_between(solved.globals[1:, joints], solved.globals[:-1, joints])
    assert np.degrees(steps).max() < 25


def test_the_elbow_of_a_straight_arm_held_forward_points_down_and_outwards():
    solved = solver.solve(raised_arms(np.zeros(1), 0.0, 50.0), SKELETON)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        # In the T-pose the forearm bends forward, so the elbow's tip is behind.
        tip = rot.mul_vec(solved.globals[0, SKELETON.index(f"{side}_elbow")], np.array([0.0, 0.0, -1.0]))
        assert sign * tip[0] > 0.3
        assert tip[1] < -0.5


def test_straight_arms_mirror():
    from server.motion.mirror import mirror_positions

    positions = raised_arms(np.radians([0.0, 3.0, 9.0]), 0.4, 0.7)
    plain, mirrored = (solver.solve(p, SKELETON).globals for p in (positions, mirror_positions(positions, SKELETON)))
    left, right = SKELETON.index("left_shoulder"), SKELETON.index("right_shoulder")
    flipped = plain[:, left] * np.array([1.0, -1.0, -1.0, 1.0])
    assert np.degrees(rot.angle_between(mirrored[:, right], flipped)).max() < 1e-3


def folded(bends: np.ndarray) -> np.ndarray:
    """Positions (T, 22, 3) of a standing body whose elbows are bent by ``bends`` (T,), degrees, in the plane of the ground."""
    rotations = rot.identity(len(bends), 22)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        rotations[:, SKELETON.index(f"{side}_elbow")] = rot.about_y(sign * np.radians(bends))
    return kinematics.positions(rotations, np.zeros((len(bends), 3)), SKELETON)


def test_an_elbow_folds_no_further_than_elbows_do():
    bends = np.linspace(100.0, 188.0, 89)
    positions = folded(bends)
    solved = solver.solve(positions, SKELETON)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        vectors = np.degrees(rot.to_vector(solved.local[:, SKELETON.index(f"{side}_elbow")]))
        shown = sign * vectors[:, 1]
        np.testing.assert_allclose(shown[bends <= 172.0], bends[bends <= 172.0], atol=1e-3)
        assert (shown[bends > 172.0] > 171.9).all()
        assert shown.max() < 176.0
