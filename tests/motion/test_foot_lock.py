"""Feet that stay where they land, and a body that does not notice."""

import numpy as np
import pytest
from synthetic import SKELETON, stepper, walker

from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.contacts import ContactSettings
from server.motion.foot_lock import FootLock, FootState, lock_clip
from server.motion.legs import Legs
from server.motion.motion import Motion

FPS = 20.0
FEET = list(SKELETON.feet)
LEGS = [SKELETON.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")]
GROUND = [0, 2]


def feet_of(root, rotations) -> np.ndarray:
    return kinematics.positions(rotations, root, SKELETON)[:, FEET]


def slide(feet: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Horizontal steps, metres, of feet (T, 4, 3) from one frame in contact to the next."""
    both = contacts[1:] & contacts[:-1]
    return np.linalg.norm(np.diff(feet[..., GROUND], axis=0), axis=-1)[both]


def sliding_walk(heading: float = 0.0, frames: int = 120, factor: float = 1.15):
    """A walk whose root runs ahead of its feet: rotations, root, contacts."""
    rotations, root, contacts = stepper(frames, heading)
    return rotations, root * [factor, 1.0, factor], contacts


def standing(frames: int):
    """Both feet on the ground, knees bent."""
    rotations, root, _ = stepper(2, speed=0.0)
    return np.repeat(rotations[:1], frames, axis=0), np.repeat(root[:1], frames, axis=0)


def check_body(root, rotations, locked) -> None:
    """Only legs and the root's height may change; the knee stays a hinge about its x axis."""
    others = [joint for joint in range(len(SKELETON)) if joint not in LEGS]
    np.testing.assert_array_equal(locked.rotations[:, others], rotations[:, others])
    np.testing.assert_array_equal(locked.root[:, GROUND], root[:, GROUND])
    assert (locked.root[:, 1] <= root[:, 1]).all()
    np.testing.assert_allclose(np.linalg.norm(locked.rotations, axis=-1), 1.0, atol=1e-9)
    assert ((locked.rotations * rotations).sum(-1) > 0).all()
    knees = [SKELETON.index("left_knee"), SKELETON.index("right_knee")]
    turned = rot.inv_mul(rotations[:, knees], locked.rotations[:, knees])
    np.testing.assert_allclose(turned[..., 1:3], 0.0, atol=1e-9)


@pytest.mark.parametrize("heading", np.radians([0, 45, 90, 135, 180, 225, 270, 315]))
def test_a_sliding_foot_stands_still_at_every_heading(heading):
    rotations, root, contacts = sliding_walk(heading)
    locked = FootLock(SKELETON, FPS).lock(root, rotations, contacts)
    before, after = feet_of(root, rotations), feet_of(locked.root, locked.rotations)
    assert slide(before, contacts).mean() == pytest.approx(0.15 / FPS, rel=0.05)
    assert slide(after, locked.contacts).mean() < 0.01 * slide(before, contacts).mean()
    assert slide(after, locked.contacts).max() < 2e-3  # a heel and a toe that sink unequally, on a bone of fixed length
    assert locked.contacts.mean() > 0.9 * contacts.mean()
    check_body(root, rotations, locked)
    steps = [np.linalg.norm(np.diff(feet, axis=0), axis=-1).max() for feet in (before, after)]
    assert steps[1] <= 1.05 * steps[0]


def test_a_foot_in_the_swing_goes_back_to_its_planned_path():
    rotations, root, contacts = sliding_walk()
    locked = FootLock(SKELETON, FPS).lock(root, rotations, contacts)
    offset = np.linalg.norm(feet_of(locked.root, locked.rotations) - feet_of(root, rotations), axis=-1)
    last_of_swing = ~contacts[:-1] & contacts[1:]
    assert offset[contacts].max() > 0.05
    assert offset[:-1][last_of_swing].max() < 0.015


def test_planted_feet_come_back_bit_for_bit():
    rotations, root, contacts = stepper(1)
    rotations, root = np.repeat(rotations, 40, axis=0), np.repeat(root, 40, axis=0)
    locked = FootLock(SKELETON, FPS).lock(root, rotations, np.repeat(contacts, 40, axis=0))
    assert locked.contacts.any()
    np.testing.assert_array_equal(locked.rotations, rotations)
    np.testing.assert_array_equal(locked.root, root)


def test_airborne_motion_is_unchanged():
    rotations, root = walker(100, turn=2.0)
    root = root + [0.0, 0.6, 0.0]
    for flags in (None, np.ones((100, 4), dtype=bool), np.zeros((100, 4), dtype=bool)):
        locked = FootLock(SKELETON, FPS).lock(root, rotations, flags)
        assert not locked.contacts.any()
        np.testing.assert_array_equal(locked.rotations, rotations)
        np.testing.assert_array_equal(locked.root, root)


def test_both_feet_hold_under_a_body_that_sways_and_turns():
    rotations, root = standing(80)
    time = np.arange(80) / FPS
    sway = np.stack([0.05 * np.sin(2 * time), -0.03 + 0.03 * np.cos(3 * time), 0.06 * np.sin(1.3 * time)], axis=-1)
    rotations[:, 0] = rot.mul(rot.about_y(0.2 * np.sin(1.7 * time)), rotations[:, 0])
    root = root + sway
    flags = np.ones((80, 4), dtype=bool)
    locked = FootLock(SKELETON, FPS).lock(root, rotations, flags)
    assert locked.contacts.all()
    assert slide(feet_of(root, rotations), flags).mean() > 0.08 / FPS
    assert slide(feet_of(locked.root, locked.rotations), flags).mean() < 0.002 / FPS
    assert slide(feet_of(locked.root, locked.rotations), flags).max() < 2e-3
    check_body(root, rotations, locked)


def test_a_held_toe_is_the_pivot_of_a_rising_heel():
    rotations, root = standing(30)
    ankle = SKELETON.index("left_ankle")
    pitch = np.radians(30.0) * np.clip((np.arange(30) - 10) / 10, 0.0, 1.0)
    rotations[:, ankle] = rot.mul(rotations[:, ankle], rot.from_axis_angle(np.array(rot.AXES["X"]), pitch))
    flags = np.ones((30, 4), dtype=bool)
    flags[10:, 0] = False  # the toe pushes back and down under a heel that stays in place
    locked = FootLock(SKELETON, FPS).lock(root, rotations, flags)
    before, after = feet_of(root, rotations), feet_of(locked.root, locked.rotations)
    assert before[-1, 1, 1] < -0.03
    np.testing.assert_allclose(after[:, 1], np.broadcast_to(after[0, 1], (30, 3)), atol=0.025)
    assert slide(after[:, 1:2], flags[:, 1:2]).max() < 1e-3
    assert after[-1, 0, 1] - after[0, 0, 1] > 0.03


def test_a_foot_sinks_to_the_floor_and_no_further():
    rotations, root = standing(40)
    root = root + np.stack([0 * np.arange(40), 0.03 - 0.004 * np.arange(40), 0 * np.arange(40)], axis=-1)
    locked = FootLock(SKELETON, FPS).lock(root, rotations, np.ones((40, 4), dtype=bool))
    height = feet_of(locked.root, locked.rotations)[:, 1, 1]
    assert height[0] > 0.02
    assert (np.diff(height) < 1e-6).all()
    assert height[-1] == pytest.approx(0.0, abs=2e-3)
    assert feet_of(root, rotations)[-1, 1, 1] < -0.08


def test_a_target_out_of_reach_lowers_the_pelvis_and_breaks_no_bone():
    rotations, root = standing(40)
    glide = 0.006 * np.arange(40)
    root = root + np.stack([0.5 * glide, 0.5 * glide, 0 * glide], axis=-1)
    locked = FootLock(SKELETON, FPS).lock(root, rotations, np.ones((40, 4), dtype=bool))
    drop = root[:, 1] - locked.root[:, 1]
    assert 0.005 < drop.max() <= Legs.max_drop
    assert np.abs(np.diff(drop, 2)).max() < 0.01  # 4 m/s²
    joints = kinematics.positions(locked.rotations, locked.root, SKELETON)
    assert np.isfinite(joints).all()
    length = kinematics.leg_length(SKELETON.rest_positions()[None], SKELETON)
    legs = np.linalg.norm(joints[:, [7, 8]] - joints[:, [1, 2]], axis=-1)
    assert legs.max() < length
    check_body(root, rotations, locked)


def test_a_foot_that_is_pulled_too_far_steps_back_without_a_jump():
    rotations, root = standing(80)
    glide = 0.02 * np.arange(80)  # 0.4 m/s, slow enough to begin with the first frame's contact
    root = root + np.stack([0 * glide, 0 * glide, np.maximum(glide - 0.2, 0.0)], axis=-1)
    locked = FootLock(SKELETON, FPS, max_offset=0.15).lock(root, rotations, np.ones((80, 4), dtype=bool))
    assert locked.state.pause.max() > 0
    before, after = feet_of(root, rotations), feet_of(locked.root, locked.rotations)
    assert np.linalg.norm((after - before)[..., GROUND], axis=-1).max() < 0.16
    assert (
        np.linalg.norm(np.diff(after, axis=0), axis=-1).max() < 0.02 + 0.06
    )  # its own step and the largest of a decay
    assert slide(after, locked.contacts).max() < 2e-3


def test_a_foot_that_the_body_turns_away_from_is_let_go():
    rotations, root = standing(80)
    yaw = np.radians(1.0) * np.arange(80)  # 20 degrees/s about the pelvis: slow enough to be a contact
    rotations[:, 0] = rot.mul(rot.about_y(yaw), rotations[:, 0])
    locked = FootLock(SKELETON, FPS).lock(root, rotations, np.ones((80, 4), dtype=bool))
    before, after = (
        kinematics.positions(*pose, SKELETON) for pose in ((rotations, root), (locked.rotations, locked.root))
    )
    soles = [rot.normalize((p[:, [10, 11]] - p[:, [7, 8]]) * [1.0, 0.0, 1.0]) for p in (before, after)]
    turned = np.degrees(np.arccos(np.clip((soles[0] * soles[1]).sum(-1), -1.0, 1.0)))
    assert locked.contacts[:35].all()
    assert 35.0 < turned.max() < 42.0
    assert np.linalg.norm(np.diff(after[:, [7, 8, 10, 11]], axis=0), axis=-1).max() < 0.04


@pytest.mark.parametrize("cuts", [(60,), (2, 3, 4), (17, 18, 40, 95), tuple(range(2, 120))])
def test_stretch_by_stretch_equals_the_whole(cuts):
    rotations, root, contacts = sliding_walk(0.7, factor=1.3)
    # Least durations look ahead, which a stretch cannot beyond its end.
    lock = FootLock(SKELETON, FPS, max_offset=0.1, contacts=ContactSettings(least_contact=0.0, least_gap=0.0))
    whole = lock.lock(root, rotations, contacts)
    assert whole.state.pause.any()
    state: FootState | None = None
    for start, end in zip((0, *cuts), (*cuts, 120), strict=True):
        part = lock.lock(root[start:end], rotations[start:end], contacts[start:end], state)
        np.testing.assert_allclose(part.rotations, whole.rotations[start:end], atol=1e-9)
        np.testing.assert_allclose(part.root, whole.root[start:end], atol=1e-9)
        np.testing.assert_array_equal(part.contacts, whole.contacts[start:end])
        state = part.state[-1]


def test_the_past_does_not_know_the_future():
    rotations, root, contacts = sliding_walk()
    lock = FootLock(SKELETON, FPS, max_offset=0.1, contacts=ContactSettings(least_contact=0.0, least_gap=0.0))
    whole = lock.lock(root, rotations, contacts)
    other = lock.lock(np.concatenate([root[:61], root[61:] + 0.3]), rotations, contacts)
    for name, array in vars(whole.state[:60]).items():
        np.testing.assert_array_equal(array, getattr(other.state[:60], name), err_msg=name)


def test_legs_reach_their_targets_and_keep_their_lengths():
    rng = np.random.default_rng(11)
    rotations, root = walker(60, heading=1.0, turn=4.0)
    legs = Legs(SKELETON)
    pose = legs.pose(root, rotations)
    shift = rng.uniform(-0.04, 0.04, (60, 2, 3)) + [0.0, 0.06, 0.0]
    drop = legs.drop(pose, pose.ankles + shift)
    assert not drop.any()
    solved = legs.solve(pose, rotations, pose.ankles + shift, pose.toes + shift, drop)
    joints = kinematics.positions(solved, root, SKELETON)
    np.testing.assert_allclose(joints[:, [7, 8]], pose.ankles + shift, atol=1e-9)
    np.testing.assert_allclose(joints[:, [10, 11]], pose.toes + shift, atol=1e-9)
    same = legs.solve(pose, rotations, pose.ankles, pose.toes, drop)
    np.testing.assert_allclose(same, rotations, atol=1e-9)


def test_a_whole_clip_is_locked_and_nothing_else_of_it_changes():
    rotations, root, contacts = sliding_walk()
    clip = Motion(root, rotations, contacts, np.ones((len(root), 3)), np.zeros(len(root)))
    locked = lock_clip(clip, SKELETON, FPS)
    before, after = (slide(feet_of(motion.root, motion.rotations), motion.contacts) for motion in (clip, locked))
    assert after.mean() < 0.2 * before.mean()
    np.testing.assert_array_equal(locked.root[:, GROUND], clip.root[:, GROUND])
    np.testing.assert_array_equal(locked.features, clip.features)
    others = [joint for joint in range(22) if joint not in LEGS]
    np.testing.assert_array_equal(locked.rotations[:, others], clip.rotations[:, others])
