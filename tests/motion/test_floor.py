"""Nobody goes through the floor, and nobody who does not is touched."""

import numpy as np
import pytest
from synthetic import SKELETON, stepper, walker

from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.contacts import ContactSettings
from server.motion.floor import feet_lift, keep_body_above, keep_feet_above
from server.motion.foot_lock import FootLock
from server.motion.legs import Legs

FPS = 20.0
DEEPEST = 0.02  # m
LEGS = Legs(SKELETON)
FEET = list(SKELETON.feet)
CHANGED = [SKELETON.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")]
UP = np.array([0.0, 1.0, 0.0])


def sinking(depth: float = 0.12, frames: int = 60, heading: float = 0.0):
    """A walk whose body goes down by ``depth`` metres and up again: root and rotations."""
    rotations, root, _ = stepper(frames, heading)
    return root - depth * (np.sin(np.pi * np.arange(frames) / (frames - 1)) ** 2)[:, None] * UP, rotations


def lowest(root, rotations) -> np.ndarray:
    return kinematics.positions(rotations, root, SKELETON)[..., 1].min(axis=-1)


def lying(frames: int = 40):
    """On the back, 10 cm too low, an arm moving: root and rotations."""
    rotations, _ = walker(frames)
    rotations[:, 0] = rot.from_axis_angle(np.array(rot.AXES["X"]), np.full(frames, -np.pi / 2))
    return np.tile([0.0, 0.05, 0.0], (frames, 1)), rotations


@pytest.mark.parametrize("heading", np.radians([0, 45, 90, 135, 180, 225, 270, 315]))
def test_feet_stay_above_the_floor_at_every_heading_by_bending_the_legs(heading):
    root, rotations = sinking(heading=heading)
    kept = keep_feet_above(root, rotations, LEGS)
    before = lowest(root, rotations)
    assert before.min() < -0.09
    assert lowest(root, kept).min() > -DEEPEST
    others = [joint for joint in range(len(SKELETON)) if joint not in CHANGED]
    np.testing.assert_array_equal(kept[:, others], rotations[:, others])
    above = before >= 0.0
    assert above.any()
    np.testing.assert_array_equal(kept[above], rotations[above])


def test_a_lifted_foot_keeps_its_place_and_its_direction():
    root, rotations = sinking()
    kept = keep_feet_above(root, rotations, LEGS)
    before, after = (LEGS.pose(root, each) for each in (rotations, kept))
    shift = after.ankles - before.ankles
    np.testing.assert_allclose(shift[..., [0, 2]], 0.0, atol=1e-9)
    np.testing.assert_allclose(after.toes - before.toes, shift, atol=1e-9)
    assert shift[..., 1].min() > -1e-9


def test_a_lift_begins_without_a_pop():
    heights = np.linspace(0.05, -0.3, 3501)  # 0.1 mm apart
    feet = np.zeros((len(heights), 2, 2, 3))
    feet[..., 1] = heights[:, None, None]
    feet[:, :, 0, 1] += 0.055
    lift = feet_lift(feet)[:, 0]
    assert not lift[heights >= 0.0].any()
    shown = feet[:, 0, 1, 1] + lift
    assert (np.diff(shown) < 0.0).all()
    assert shown.min() > -DEEPEST
    assert np.abs(np.diff(lift, 2)).max() < 1e-4 * 1e-4 * 150.0  # curvature per metre


@pytest.mark.parametrize("flagged", [False, True])
def test_locked_feet_stay_above_the_floor_in_one_stretch_as_in_many(flagged):
    root, rotations = sinking()
    flags = np.full((len(root), 4), flagged)
    lock = FootLock(SKELETON, FPS, contacts=ContactSettings(least_contact=0.0, least_gap=0.0))
    whole = lock.lock(root, rotations, flags)
    assert lowest(whole.root, whole.rotations).min() > -DEEPEST
    state = None
    for at in range(len(root)):
        part = lock.lock(root[at : at + 1], rotations[at : at + 1], flags[at : at + 1], state)
        np.testing.assert_array_equal(part.rotations[0], whole.rotations[at])
        state = part.state[-1]


@pytest.mark.parametrize("heading", np.radians([0, 90, 225]))
def test_no_foot_is_under_the_floor_for_legs_that_should_turn_faster_than_people_turn_theirs(heading):
    rotations, root, _ = stepper(60, heading)
    root -= np.where(np.arange(60) % 20 < 10, 0.0, 0.15)[:, None] * UP  # down and up again, each in one frame
    lock, flags = FootLock(SKELETON, 30.0), np.zeros((60, 4), dtype=bool)
    whole = lock.lock(root, rotations, flags)
    assert lowest(whole.root, whole.rotations).min() > -DEEPEST
    state = None
    for start in range(0, 60, 7):
        part = slice(start, start + 7)
        locked = lock.lock(root[part], rotations[part], flags[part], state)
        np.testing.assert_array_equal(locked.rotations, whole.rotations[part])
        state = locked.state[-1]


def test_a_body_that_lies_too_low_is_lifted_as_a_whole():
    root, rotations = lying()
    decoded = kinematics.positions(rotations, root, SKELETON)
    kept = keep_body_above(root, rotations, SKELETON, decoded)
    others = [joint for joint in range(len(SKELETON)) if joint not in FEET]
    assert decoded[:, others, 1].min() < -0.05
    assert kinematics.positions(rotations, kept, SKELETON)[:, others, 1].min() > -DEEPEST
    np.testing.assert_array_equal(kept[:, [0, 2]], root[:, [0, 2]])
    high = root + 0.3 * UP
    np.testing.assert_array_equal(keep_body_above(high, rotations, SKELETON, decoded + 0.3 * UP), high)


def test_a_body_that_stands_is_not_looked_at_twice():
    rotations, root = walker()
    assert keep_body_above(root, rotations, SKELETON, kinematics.positions(rotations, root, SKELETON)) is root
