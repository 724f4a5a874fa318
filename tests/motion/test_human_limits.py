"""Motion kept within what people do: no faster, as near as can be, untouched where it was slow."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protocol.skeleton import default_skeleton
from server.motion import rotation as rot
from server.motion.foot_lock import FootLock
from server.motion.human_limits import TOP_ACCELERATION, follow, gentle_path, slow_turns, top_speeds, within_limits
from server.motion.motion import Motion
from server.motion.transition import append, place_after

FPS = 20.0
SKELETON = default_skeleton()
FASTEST = top_speeds(SKELETON)
ELBOW = SKELETON.index("left_elbow")


def turns(angles: np.ndarray) -> np.ndarray:
    """Rotations (T, 4) about +Y, degrees."""
    return rot.about_y(np.radians(angles))


def degrees(rotations: np.ndarray) -> np.ndarray:
    """The angles about +Y of rotations that have no other."""
    return np.degrees(np.unwrap(2.0 * np.arctan2(rotations[:, 1], rotations[:, 3])))


def steps(rotations: np.ndarray) -> np.ndarray:
    """Angles (T - 1, …) from frame to frame, radians."""
    return rot.angle_between(rotations[1:], rotations[:-1])


def wild(frames: int, seed: int, sway: float = 0.08) -> Motion:
    """Every joint wanders, ``sway`` radians from frame to frame and now and then five times that; the root jerks."""
    rng = np.random.default_rng(seed)
    size = sway * np.where(rng.random((frames, 22, 1)) < 0.05, 5.0, 0.3)
    path = np.array([rot.identity(22)] * frames)
    for at, step in enumerate(rot.from_vector(size * rng.normal(size=(frames, 22, 3)))[1:], start=1):
        path[at] = rot.mul(step, path[at - 1])
    pushes = rng.normal(size=(frames, 3)) * np.where(rng.random((frames, 1)) < 0.05, 0.03, 0.003)
    root = np.cumsum(np.cumsum(pushes * [1.0, 0.0, 1.0], axis=0), axis=0)
    return Motion(root, path, np.zeros((frames, 4), bool), np.zeros((frames, 3)), np.zeros(frames))


def test_a_fast_turn_begins_earlier_and_ends_later_by_the_same():
    wanted = np.array([0.0] * 10 + [100.0] * 10)
    made = slow_turns(turns(wanted), np.radians(25.0))
    angles = degrees(made)
    assert np.degrees(steps(made)).max() == pytest.approx(25.0, abs=1e-3)
    np.testing.assert_allclose(angles[9:11].mean(), 50.0, atol=1e-3)
    np.testing.assert_allclose(angles[:6], 0.0, atol=1e-6)
    np.testing.assert_allclose(angles[-6:], 100.0, atol=1e-6)
    assert (np.diff(angles) >= -1e-9).all()


def test_the_first_frame_stays_and_the_rest_catches_up():
    made = slow_turns(turns(np.array([0.0] + [90.0] * 9)), np.radians(30.0))
    np.testing.assert_allclose(degrees(made)[:4], [0.0, 30.0, 60.0, 90.0], atol=1e-6)


def test_a_twist_that_flips_and_comes_back_is_cut_short():
    wanted = np.zeros(20)
    wanted[9:11] = 120.0
    assert degrees(slow_turns(turns(wanted), np.radians(20.0))).max() < 45.0


def test_a_long_spin_is_not_left_behind():
    wanted = np.arange(60) * 40.0
    made = follow(turns(wanted), np.full(59, np.radians(20.0)), np.radians(100.0))
    assert np.degrees(rot.angle_between(made, turns(wanted))).max() < 100.0 + 1e-6


def test_motion_within_the_limits_stays_bit_for_bit():
    slow = wild(60, 0, sway=0.003)
    slow = replace(slow, root=slow.root * 0.1)
    made = within_limits(slow, FPS, FASTEST)
    np.testing.assert_array_equal(made.root, slow.root)
    np.testing.assert_array_equal(made.rotations, slow.rotations)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_beyond_the_limits_at_a_splice_and_after(seed):
    before = within_limits(wild(40, seed), FPS, FASTEST)
    joined = append(before, place_after(before, wild(60, seed + 100)), FPS, fastest=FASTEST)
    np.testing.assert_array_equal(joined.root[:40], before.root)
    np.testing.assert_array_equal(joined.rotations[:40], before.rotations)
    listed = np.isfinite(FASTEST)
    assert (steps(joined.rotations)[:, listed] * FPS / FASTEST[listed]).max() < 1.001
    accelerations = np.linalg.norm(np.diff(joined.root, n=2, axis=0), axis=-1) * FPS**2
    assert accelerations.max() < 1.02 * TOP_ACCELERATION
    assert (np.sum(joined.rotations[1:] * joined.rotations[:-1], axis=-1) > 0).all()


def test_a_jerked_path_is_bent_where_it_was_jerked():
    path = np.zeros((40, 3))
    path[20:, 0] = 0.1 * np.arange(1, 21)  # from rest to 2 m/s in one frame
    made = gentle_path(path, TOP_ACCELERATION / FPS**2)
    assert np.abs(np.diff(made, n=2, axis=0)).max() * FPS**2 < 1.02 * TOP_ACCELERATION
    assert np.abs(made - path).max() < 0.05
    np.testing.assert_array_equal(made[:12], path[:12])


def test_the_table_is_that_of_the_recordings():
    measured = json.loads((Path(__file__).parents[1] / "benchmarks" / "mocap_limits.json").read_text(encoding="utf-8"))
    speeds, named = np.array(measured["joint_speed"]), np.isfinite(FASTEST)
    assert (speeds[~named] < 1.0).all()
    np.testing.assert_allclose(np.degrees(FASTEST[named]), speeds[named], rtol=0.07)  # one side against both
    at_the_models_rate = measured["root_acceleration"] * FPS / measured["rate"]
    assert pytest.approx(at_the_models_rate, rel=0.01) == TOP_ACCELERATION


def test_locked_legs_turn_no_faster_whatever_the_blocks():
    rng = np.random.default_rng(3)
    frames, rate = 90, 30.0
    rotations = rot.identity(frames, 22)
    root = np.stack([0.02 * np.arange(frames), np.full(frames, 0.93), np.zeros(frames)], axis=-1)
    flags = np.repeat(rng.random((9, 1)) < 0.6, 10, axis=0) & np.ones((frames, 4), bool)
    lock = FootLock(SKELETON, rate)
    whole = lock.lock(root, rotations, flags)
    legs = lock.joints
    limit = 1.1 * FASTEST[legs] / rate
    assert (steps(whole.rotations)[:, legs] <= limit).all()
    state, parts = None, []
    for start in range(0, frames, 7):
        part = slice(start, start + 7)
        locked = lock.lock(root[part], rotations[part], flags[part], state)
        state = locked.state[-1]
        parts.append(locked.rotations)
    np.testing.assert_array_equal(np.concatenate(parts), whole.rotations)
