"""Contacts of the feet from heights, speeds and a motion's own flags."""

import numpy as np
import pytest

from server.motion.contacts import ContactSettings, clean_contacts, hysteresis, replace_short_runs

FPS = 20.0
STANDING = np.array([[0.08, 0.08, 0.0], [0.08, 0.02, 0.13], [-0.08, 0.08, 0.0], [-0.08, 0.02, 0.13]])


def standing(frames: int) -> np.ndarray:
    """Feet (T, 4, 3) that stand still."""
    return np.repeat(STANDING[None], frames, axis=0)


def test_standing_feet_are_in_contact_and_airborne_ones_are_not():
    assert clean_contacts(standing(30), FPS).all()
    assert not clean_contacts(standing(30) + [0.0, 0.4, 0.0], FPS).any()


def test_a_foot_held_up_is_no_contact_though_the_flags_say_so():
    feet = standing(30)
    feet[:, 2:, 1] += 0.3
    contacts = clean_contacts(feet, FPS, np.ones((30, 4), dtype=bool))
    assert contacts[:, :2].all()
    assert not contacts[:, 2:].any()


def test_flags_that_deny_a_contact_are_believed():
    flags = np.ones((30, 4), dtype=bool)
    flags[10:20, 1] = False
    contacts = clean_contacts(standing(30), FPS, flags)
    np.testing.assert_array_equal(contacts, flags)


def test_a_contact_begins_slow_and_lasts_faster():
    settings = ContactSettings(enter_speed=0.3, leave_speed=0.6, least_contact=0.0)
    speeds = np.array([0.5, 0.5, 0.2, 0.5, 0.5, 0.7, 0.5, 0.5])
    feet = standing(9)
    feet[1:, 0, 2] += np.cumsum(speeds) / FPS
    expected = [False, False, False, True, True, True, False, False, False]
    assert clean_contacts(feet, FPS, settings=settings)[:, 0].tolist() == expected


def test_the_flags_replace_the_speed_that_ends_a_contact():
    feet = standing(20)
    feet[10:, :, 2] += np.arange(1, 11)[:, None] * 1.0 / FPS
    assert not clean_contacts(feet, FPS)[12:].any()
    assert clean_contacts(feet, FPS, np.ones((20, 4), dtype=bool)).all()


@pytest.mark.parametrize(("frames", "closed"), [(1, True), (2, False), (5, False)])
def test_short_gaps_are_closed(frames, closed):
    flags = np.ones((30, 4), dtype=bool)
    flags[10 : 10 + frames, 2] = False
    assert clean_contacts(standing(30), FPS, flags)[:, 2].all() == closed


@pytest.mark.parametrize(("frames", "dropped"), [(1, True), (2, False)])
def test_short_contacts_are_dropped(frames, dropped):
    flags = np.zeros((30, 4), dtype=bool)
    flags[10 : 10 + frames] = True
    assert clean_contacts(standing(30), FPS, flags).any() != dropped


def test_runs_at_either_end_are_left_alone():
    flags = np.zeros((10, 1), dtype=bool)
    flags[[0, 9]] = True
    np.testing.assert_array_equal(replace_short_runs(flags, True, 5), flags)


def test_hysteresis_equals_its_definition():
    rng = np.random.default_rng(3)
    enter = rng.random((200, 4)) < 0.2
    stay = rng.random((200, 4)) < 0.7
    state = np.array([True, False, True, False])
    expected = []
    for frame in range(200):
        state = stay[frame] & (enter[frame] | state)
        expected.append(state)
    np.testing.assert_array_equal(hysteresis(enter, stay, np.array([True, False, True, False])), expected)


def test_a_stretch_goes_on_from_the_one_before():
    rng = np.random.default_rng(5)
    feet = standing(120) + np.cumsum(rng.normal(0.0, 0.02, (120, 4, 3)), axis=0) * [1.0, 0.1, 1.0]
    settings = ContactSettings(least_contact=0.0, least_gap=0.0)
    whole = clean_contacts(feet, FPS, settings=settings)
    assert 0.1 < whole.mean() < 0.9
    for cut in (1, 37, 119):
        first = clean_contacts(feet[:cut], FPS, settings=settings)
        rest = clean_contacts(feet[cut:], FPS, settings=settings, before=(feet[cut - 1], whole[cut - 1]))
        np.testing.assert_array_equal(rest, whole[cut:])
        np.testing.assert_array_equal(first[1:], whole[1:cut])


def test_no_frames_give_no_contacts():
    assert clean_contacts(np.zeros((0, 4, 3)), FPS).shape == (0, 4)
