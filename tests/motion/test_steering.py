"""Bending a path: where it goes, how fast it turns, what the feet do, and that time only runs forward."""

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic import SKELETON, walker

from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.motion import Motion
from server.motion.steering import CAPTURE_METRES, MAX_ACCELERATION, MAX_RATE, Course, Target, bend

FPS = 20.0
TOES = [SKELETON.feet[1], SKELETON.feet[3]]


def planted_walk(frames: int = 240, heading: float = 0.0) -> Motion:
    """A walk whose supporting toe does not move at all."""
    rotations, root = walker(frames, heading=heading)
    toes = kinematics.positions(rotations, np.zeros((frames, 3)), SKELETON)[:, TOES]  # (T, 2, 3)
    forward = np.array([math.sin(heading), 0.0, math.cos(heading)])
    steps = np.diff(toes, axis=0)
    support = (steps @ forward).argmin(axis=1)  # the foot that the body moves over
    root[:, [0, 2]] = 0.0
    root[1:, [0, 2]] = -np.cumsum(steps[np.arange(frames - 1), support], axis=0)[:, [0, 2]]
    contacts = np.zeros((frames, 4), dtype=bool)
    contacts[np.arange(1, frames), 1 + 2 * support] = True
    return Motion(root, rotations, contacts, np.zeros((frames, 3)), np.full(frames, heading))


def sway(frames: int = 120) -> Motion:
    """Someone who shifts their weight from foot to foot, 10 cm each way."""
    motion = planted_walk(frames)
    root = motion.root.copy()
    root[:, [0, 2]] = 0.0
    root[:, 0] = 0.05 * np.sin(np.arange(frames) / FPS * 2.0)
    return Motion(root, motion.rotations, np.ones((frames, 4), bool), motion.features, motion.heading)


def steer(motion: Motion, target: Target, after: int = 20, **options) -> Course:
    """``after`` frames straight on, then steered."""
    given = {"fps": FPS, "skeleton": SKELETON, "travels": True, **options}
    return bend(motion, bend(motion[:after], Course.empty(), Target(), **given), target, afresh=True, **given)


def slide(motion: Motion, course: Course) -> np.ndarray:
    """Horizontal speeds (m/s) of the toes while they carry."""
    rotations = motion.rotations.copy()
    rotations[:, 0] = rot.mul(rot.about_y(course.yaw), rotations[:, 0])
    toes = kinematics.positions(rotations, course.root, SKELETON)[:, TOES]
    speeds = np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1) * FPS
    return speeds[motion.contacts[1:, [1, 3]]]


def test_without_a_target_nothing_changes():
    motion = planted_walk(60)
    course = steer(motion, Target())
    np.testing.assert_allclose(course.root, motion.root, atol=1e-12)
    assert not course.yaw.any()


@pytest.mark.parametrize("start", [0.0, 2.0])
@pytest.mark.parametrize("wanted", [-math.pi, -1.0, 0.5, math.pi / 2, 3.0])
def test_a_heading_is_reached_smoothly_and_kept(start, wanted):
    motion = planted_walk(heading=start)
    course = steer(motion, Target(heading=wanted))
    assert not course.yaw[:20].any()
    assert abs(math.remainder(start + course.yaw[-1] - wanted, 2 * math.pi)) < 0.01
    assert np.abs(course.yaw).max() < np.pi + 0.1  # the short way, without overshoot
    assert np.abs(course.rate).max() <= MAX_RATE + 1e-9
    assert np.abs(np.diff(course.rate)).max() * FPS <= MAX_ACCELERATION + 1e-9
    np.testing.assert_allclose(np.diff(course.yaw), course.rate[1:] / FPS, atol=1e-12)
    travel = course.root[-1] - course.root[-41]  # two whole strides
    assert abs(math.remainder(math.atan2(travel[0], travel[2]) - wanted, 2 * math.pi)) < 0.05
    np.testing.assert_array_equal(course.root[:, 1], motion.root[:, 1])


def test_the_supporting_foot_stays_where_it_is():
    motion = planted_walk()
    course = steer(motion, Target(heading=math.pi / 2))
    turning = slice(20, 60)
    assert slide(motion, steer(motion, Target())).mean() < 1e-6
    bent = slide(motion[turning], course[turning])
    # Turning about the pelvis is the simpler way, and what this one must beat.
    steps = np.diff(motion.root[:, [0, 2]], axis=0)
    sine, cosine = np.sin(course.yaw[1:]), np.cos(course.yaw[1:])
    turned = np.stack([steps[:, 0] * cosine + steps[:, 1] * sine, steps[:, 1] * cosine - steps[:, 0] * sine], axis=-1)
    root = motion.root.copy()
    root[1:, [0, 2]] = np.cumsum(turned, axis=0)
    about_pelvis = slide(motion[turning], replace(course, root=root)[turning])
    assert np.median(bent) < 0.01  # but for the moments in which the weight goes from foot to foot
    assert np.median(about_pelvis) > 0.1
    assert bent.mean() < 0.5 * about_pelvis.mean()


def test_who_does_not_travel_is_neither_turned_nor_moved():
    motion = sway()
    for target in (Target(heading=2.0), Target(waypoints=((3.0, 3.0),))):
        course = steer(motion, target)
        assert not course.yaw.any()
        np.testing.assert_allclose(course.root, motion.root, atol=1e-12)


def test_steering_waits_until_the_character_travels():
    standing, walking = sway(40), planted_walk(160)
    parts = ((standing.root, walking.root + standing.root[-1] * [1, 0, 1]), (standing.rotations, walking.rotations))
    root, rotations = (np.concatenate(part) for part in parts)
    contacts = np.concatenate([standing.contacts, walking.contacts])
    motion = Motion(root, rotations, contacts, np.zeros((200, 3)), np.zeros(200))
    course = steer(motion, Target(heading=1.0), after=5)
    assert not course.yaw[:40].any()
    assert course.yaw[-1] == pytest.approx(1.0, abs=0.01)


TARGETS = [
    Target(heading=2.5),
    Target(waypoints=((2.0, 3.0), (-1.0, 4.0)), heading=-1.0),
    Target(waypoints=((0.3, 0.4), (5.0, -5.0))),
    Target(),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("travels", [True, False])
def test_in_parts_it_is_the_same_as_in_one_go(target, travels):
    rng = np.random.default_rng(4)
    motion = planted_walk(200)
    options = {"fps": FPS, "skeleton": SKELETON, "travels": travels}
    whole = bend(motion, Course.empty(), target, **options)
    parts = Course.empty()
    while len(parts) < len(motion):
        parts = bend(motion[: len(parts) + int(rng.integers(1, 40))], parts, target, **options)
    for name in ("root", "yaw", "rate", "passed", "velocity", "speed", "support"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-9)


def test_steering_anew_changes_nothing_before_and_jerks_nothing_after():
    motion = planted_walk(120)
    first = steer(motion, Target(heading=2.0))
    options = {"fps": FPS, "skeleton": SKELETON, "travels": True}
    again = bend(motion, first[:35], Target(heading=-1.0), **options)
    assert first.rate[34] > 1.0  # in the middle of the turn
    for name in ("root", "yaw", "rate"):
        np.testing.assert_array_equal(getattr(again, name)[:35], getattr(first, name)[:35])
    assert np.abs(np.diff(again.rate)).max() * FPS <= MAX_ACCELERATION + 1e-9
    assert again.yaw[-1] == pytest.approx(-1.0, abs=0.02)


def test_letting_go_ends_the_turn_and_keeps_the_direction():
    motion = planted_walk(120)
    options = {"fps": FPS, "skeleton": SKELETON, "travels": True}
    turning = steer(motion, Target(heading=2.0))[:35]
    course = bend(motion, turning, Target(), **options)
    assert course.rate[-1] == 0.0
    assert 0.0 < course.yaw[-1] - turning.yaw[-1] < MAX_RATE**2 / MAX_ACCELERATION
    later = bend(motion, course[:60], Target(), **options)
    np.testing.assert_allclose(later.root, course.root, atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_waypoints_are_reached_in_order_wherever_they_are(seed):
    rng = np.random.default_rng(seed)
    points = tuple((float(x), float(z)) for x, z in rng.uniform(-4.0, 4.0, (5, 2)))
    course = steer(planted_walk(2400), Target(waypoints=points, heading=1.0))
    assert course.passed[-1] == len(points)
    assert (np.diff(course.passed) >= 0).all()
    for at, point in enumerate(points):
        frame = int(np.argmax(course.passed > at))
        assert np.linalg.norm(course.root[frame - 1, [0, 2]] - point) < CAPTURE_METRES
    assert abs(math.remainder(course.yaw[-1] - 1.0, 2 * math.pi)) < 0.01


def test_in_place_turns_without_travel():
    course = steer(planted_walk(), Target(heading=2.0), travels=False)
    assert np.abs(course.root[:, [0, 2]]).max() == 0.0
    assert course.yaw[-1] == pytest.approx(2.0, abs=0.01)
