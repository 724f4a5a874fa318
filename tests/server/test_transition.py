"""Joining motions: no pop at the seam, nothing left of the difference after a while."""

from dataclasses import replace

import numpy as np

from protocol.skeleton import default_skeleton
from server.motion import rotation as rot
from server.motion.human_limits import top_speeds
from server.motion.motion import Motion
from server.motion.transition import append, hold, inertialize, place_after

FPS = 20.0
SKELETON = default_skeleton()


def moving(frames: int, speed: float, turn: float, seed: int = 0) -> Motion:
    """Root along +X at ``speed`` m/s, every joint turning about a fixed axis at ``turn`` rad/s."""
    rng = np.random.default_rng(seed)
    axis = rot.normalize(rng.normal(size=(22, 3)))
    time = np.arange(frames) / FPS
    root = np.stack([time * speed, np.full(frames, 0.9), np.zeros(frames)], axis=-1)
    rotations = rot.from_axis_angle(axis[None], (time * turn)[:, None] * np.ones(22))
    contacts = np.zeros((frames, 4), bool)
    return Motion(root, rotations, contacts, np.zeros((frames, 3)), np.zeros(frames))


def test_a_continuation_that_fits_is_left_alone():
    whole = moving(60, 1.0, 0.7)
    joined = inertialize(whole[:20], whole[20:], FPS)
    np.testing.assert_allclose(joined.root, whole.root[20:], atol=1e-9)
    assert rot.angle_between(joined.rotations, whole.rotations[20:]).max() < 1e-6


def test_a_jump_becomes_smooth_and_fades():
    before, after = moving(20, 1.0, 0.5), moving(40, -0.5, 0.8, seed=1)
    after = Motion(after.root + [3.0, 0.2, 1.0], after.rotations, after.contacts, after.features, after.heading)
    joined = inertialize(before, after, FPS)
    step = np.linalg.norm(joined.root[0] - before.root[-1])
    assert step < 0.6 < np.linalg.norm(after.root[0] - before.root[-1])
    at_seam = rot.angle_between(before.rotations[-1], joined.rotations[0]).max()
    assert at_seam < 0.5 * rot.angle_between(before.rotations[-1], after.rotations[0]).max()
    np.testing.assert_allclose(joined.root[-1], after.root[-1], atol=1e-3)
    assert rot.angle_between(joined.rotations[-1], after.rotations[-1]).max() < 1e-3
    np.testing.assert_allclose(np.linalg.norm(joined.rotations, axis=-1), 1.0, atol=1e-9)


def test_two_become_one_motion_in_one_hemisphere():
    before, after = moving(20, 1.0, 0.5), moving(40, -0.5, 0.8, seed=1)
    after = replace(after, rotations=-after.rotations)
    joined = append(before, after, FPS)
    entered = inertialize(before, after, FPS)
    np.testing.assert_array_equal(joined.rotations[:20], before.rotations)
    assert rot.angle_between(joined.rotations[20:], entered.rotations).max() < 1e-6
    np.testing.assert_allclose(joined.root[20:], entered.root)
    assert (np.sum(joined.rotations[1:] * joined.rotations[:-1], axis=-1) > 0).all()


def test_after_three_half_lives_less_than_a_tenth_is_left():
    still = moving(40, 0.0, 0.0)
    shifted = Motion(still.root + [0.0, 1.0, 0.0], still.rotations, still.contacts, still.features, still.heading)
    left = (shifted.root - inertialize(still[:5], shifted, FPS, half_life=0.1).root)[:, 1]
    assert 0.4 < left[1] < 0.7
    assert abs(left[5]) < 0.1


def test_hold_comes_to_rest_without_a_jolt():
    before = moving(20, 1.0, 0.5)
    held = hold(before, 40, FPS)
    assert len(held) == 40
    assert 0.02 < held.root[0, 0] - before.root[-1, 0] < 0.05  # from 0.05 m a frame, one half-life later
    np.testing.assert_allclose(held.root[-1], held.root[-2], atol=1e-5)


def test_empty_and_single_frames():
    motion = moving(10, 1.0, 0.5)
    assert inertialize(motion[:0], motion, FPS) is motion
    assert len(inertialize(motion, motion[:0], FPS)) == 0
    joined = inertialize(motion[:1], motion[1:2], FPS)
    np.testing.assert_allclose(joined.root[0], motion.root[0], atol=0.06)


def test_place_after_moves_and_turns_the_whole_motion():
    before = moving(5, 1.0, 0.0)
    before = Motion(
        before.root + [0, 0, 4], before.rotations, before.contacts, before.features, before.heading + np.pi / 2
    )
    motion = moving(20, 1.0, 0.0)
    placed = place_after(before, motion)
    np.testing.assert_allclose(placed.root[0, [0, 2]], before.root[-1, [0, 2]], atol=1e-9)
    np.testing.assert_allclose(placed.root[-1] - placed.root[0], [0.0, 0.0, -0.95], atol=1e-9)  # +X turned left is -Z
    np.testing.assert_allclose(placed.heading, np.pi / 2)
    facing = rot.mul_vec(placed.rotations[0, 0], np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(facing, [1.0, 0.0, 0.0], atol=1e-9)


def test_a_large_offset_takes_its_time_and_a_small_one_does_not():
    still = moving(60, 0.0, 0.0)
    neck, elbow = SKELETON.index("neck"), SKELETON.index("left_elbow")
    turned = still.rotations.copy()
    turned[:, [neck, elbow]] = rot.about_y(np.radians(40.0))
    after = Motion(still.root, turned, still.contacts, still.features, still.heading)
    fastest = top_speeds(SKELETON)
    joined = inertialize(still[:5], after, FPS, 0.1, fastest)
    plain = inertialize(still[:5], after, FPS, 0.1)
    speeds, plain_speeds = (
        np.degrees(rot.angle_between(m.rotations[1:], m.rotations[:-1])) * FPS for m in (joined, plain)
    )
    assert plain_speeds[:, neck].max() > 1.5 * np.degrees(fastest[neck])
    assert speeds[:, neck].max() < 0.75 * np.degrees(fastest[neck])
    np.testing.assert_array_equal(joined.rotations[:, elbow], plain.rotations[:, elbow])
    assert rot.angle_between(joined.rotations[-1], after.rotations[-1]).max() < 0.01
