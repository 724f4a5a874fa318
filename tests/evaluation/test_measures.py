import dataclasses

import bodies
import numpy as np
import pytest

from server.evaluation.measures import MeasureError, Measures, heading, measure
from server.motion.mirror import mirror_positions

HEADINGS = [0.0, 1.0, np.pi / 2, 3.0, -2.2]


def numbers(measures: Measures) -> dict[str, float]:
    """All the numbers of the measures by their dotted names."""
    flat: dict[str, float] = {}
    for name, value in dataclasses.asdict(measures).items():
        flat |= {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def swap_sides(name: str) -> str:
    return name.replace("left", "§").replace("right", "left").replace("§", "right")


@pytest.mark.parametrize("at", HEADINGS)
def test_nothing_depends_on_the_heading_or_the_place(at: float):
    for motion in (bodies.walk, bodies.bow, bodies.kick, bodies.punch):
        here = numbers(measure(motion(), bodies.FPS))
        there = numbers(measure(motion(heading=at) + np.array([3.0, 0.0, -7.0]), bodies.FPS))
        assert there == pytest.approx(here, abs=1e-6)


@pytest.mark.parametrize("at", HEADINGS)
def test_the_heading_is_where_the_body_faces(at: float):
    facing = heading(bodies.stand(heading=at), bodies.FPS)
    assert np.cos(facing) == pytest.approx(np.cos(at))
    assert np.sin(facing) == pytest.approx(np.sin(at))


def test_heights_count_from_the_clip_s_own_floor():
    assert numbers(measure(bodies.kick() + np.array([0.0, 0.4, 0.0]), bodies.FPS)) == pytest.approx(
        numbers(measure(bodies.kick(), bodies.FPS))
    )


@pytest.mark.parametrize("speed", [0.8, 1.4, -0.9])
def test_a_straight_walk_travels_as_it_was_made(speed: float):
    made = measure(bodies.walk(speed=speed, steps=1.8), bodies.FPS)
    assert made.forward_speed == pytest.approx(speed, rel=0.03)
    assert made.speed == pytest.approx(abs(speed), rel=0.03)
    assert made.peak_speed == pytest.approx(abs(speed), rel=0.05)
    assert made.leftward == pytest.approx(0.0, abs=0.01)
    assert made.travel == pytest.approx(made.path, rel=0.02)
    assert made.cadence == pytest.approx(1.8, abs=0.2)
    assert made.step == pytest.approx(abs(speed) / 1.8, rel=0.15)
    assert made.turn == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("degrees", [90.0, -90.0, 180.0])
def test_a_turn_is_positive_to_the_left(degrees: float):
    made = measure(bodies.walk(turn=np.radians(degrees), heading=2.5), bodies.FPS)
    assert made.turn == pytest.approx(degrees, abs=4.0)
    assert made.turn_left == pytest.approx(max(degrees, 0.0), abs=4.0)
    assert made.turn_right == pytest.approx(max(-degrees, 0.0), abs=4.0)


def test_moving_to_the_left_without_turning_is_leftward():
    sliding = bodies.stand(heading=0.7)
    left = np.array([np.cos(0.7), 0.0, -np.sin(0.7)])
    made = measure(sliding + np.linspace(0.0, 2.0, len(sliding))[:, None, None] * left, bodies.FPS)
    assert made.leftward == pytest.approx(2.0, rel=0.03)
    assert made.forward == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_left_is_left(side: str, other: str):
    waving = measure(bodies.raise_hands(side, wave=0.3), bodies.FPS)
    hands = {"left": waving.left_hand, "right": waving.right_hand}
    assert hands[side].over_head > 0.2 > 0.0 > hands[other].over_shoulder
    assert hands[side].swings >= 5 > 0 == hands[other].swings
    assert hands[other].raised == 0.0
    kicking = measure(bodies.kick(side), bodies.FPS)
    feet = {"left": kicking.left_foot, "right": kicking.right_foot}
    assert feet[side].front_height > 0.4
    assert feet[other].height == pytest.approx(0.0, abs=1e-6)
    punching = measure(bodies.punch(side), bodies.FPS)
    fists = {"left": punching.left_hand, "right": punching.right_hand}
    assert fists[side].thrust > 1.5 > 0.1 > fists[other].thrust


def test_a_mirrored_motion_has_mirrored_measures():
    motion = bodies.raise_hands("left", wave=0.3, heading=0.4)
    own = numbers(measure(motion, bodies.FPS))
    mirrored = numbers(measure(mirror_positions(motion, bodies.SKELETON), bodies.FPS))
    for name, value in own.items():
        signed = name in ("turn", "leftward")
        swapped = name if signed else swap_sides(name)
        sign = -1.0 if signed else 1.0
        assert mirrored[swapped] == pytest.approx(sign * value, abs=1e-6), name


def test_only_a_fist_that_comes_back_recoils():
    back, held = (measure(bodies.punch(hold=hold), bodies.FPS) for hold in (False, True))
    assert back.recoil > 1.2
    assert held.recoil < 0.1 < 1.2 < held.thrust


def test_a_foot_swung_backwards_is_not_raised_in_front():
    assert measure(bodies.kick(forward=False), bodies.FPS).kick_height < 0.1


def test_a_bow_is_measured_in_degrees_and_ends_upright():
    made = measure(bodies.bow(60.0), bodies.FPS)
    assert made.bend == pytest.approx(60.0, rel=0.25)
    assert made.bend_end < 3.0
    assert measure(bodies.bow(60.0, rise=False), bodies.FPS).bend_end > 30.0


def test_flight_is_the_share_of_frames_with_both_feet_off_the_ground():
    jump = bodies.Body(4.0)
    jump.height = jump.height + 0.4 * jump.pulse(2.0, 1.0)
    assert measure(jump.positions(), bodies.FPS).flight == pytest.approx(0.2, abs=0.05)
    assert measure(bodies.stand(), bodies.FPS).flight == 0.0


def test_measures_hardly_depend_on_the_frame_rate():
    motion = bodies.walk(seconds=6.0)
    full, half = measure(motion, bodies.FPS), measure(motion[::2], bodies.FPS / 2)
    for name in ("forward_speed", "cadence", "lean", "leg_activity"):
        assert getattr(half, name) == pytest.approx(getattr(full, name), rel=0.08, abs=0.1), name


def test_the_shortest_clip_can_be_measured():
    assert measure(bodies.walk()[:4], bodies.FPS).seconds == pytest.approx(0.2)


@pytest.mark.parametrize("shape", [(3, 22, 3), (20, 21, 3), (20, 22, 4), (22, 3), (0, 22, 3)])
def test_a_bad_shape_is_named(shape: tuple[int, ...]):
    with pytest.raises(MeasureError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        measure(np.zeros(shape), bodies.FPS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_place(value: float):
    motion = bodies.stand()
    motion[5, 20, 1] = value
    with pytest.raises(MeasureError, match=rf"{value} in frame 5 \(left_wrist, y\)"):
        measure(motion, bodies.FPS)


@pytest.mark.parametrize("fps", [0.0, -20.0, np.nan, np.inf])
def test_a_bad_frame_rate_is_named(fps: float):
    with pytest.raises(MeasureError, match=f"frame rate is {fps}"):
        measure(bodies.stand(), fps)
