"""The map between client frames and the planned motion."""

import math

import numpy as np
import pytest

from server.pace import CHANGE_PER_SECOND, FASTEST, SLOWEST, Pace, factors

FPS = 20.0


def slowest_possible_first_frame(pace: Pace, model_frame: int) -> int:
    times = pace.times(pace.first, pace.end)
    return pace.first + int(np.argmax(times > model_frame - 1 + 1e-6))


@pytest.mark.parametrize("rate", [10.0, 30.0, 59.94, 120.0])
def test_even_frames_lie_where_the_rates_say_and_never_drift(rate):
    pace = Pace(FPS, rate)
    for last in range(0, 40_000, 997):
        pace.extend(last, np.zeros(50_000), 0, None)
        pace.forget(last - 50)
    for frame in (39_850, 39_900, 1_000_000):
        assert pace.time(frame) == pytest.approx(frame * FPS / rate, rel=1e-15)
    for model_frame in (1, 7, 100, 26_001):
        assert Pace(FPS, rate).first_frame(model_frame) == math.floor((model_frame - 1) * rate / FPS + 1e-6) + 1


def test_the_factor_is_bounded_and_does_nothing_to_who_stands():
    speeds = np.array([0.0, 0.2, 0.5, 1.0, 2.0, 4.0])
    np.testing.assert_allclose(factors(speeds, 1.0), [1.0, 1.0, FASTEST, 1.0, 0.5, SLOWEST])
    np.testing.assert_array_equal(factors(speeds, None), 1.0)
    assert factors(np.array([1.0]), 0.0) == SLOWEST


@pytest.mark.parametrize(("wanted", "factor"), [(1.3, 1.3), (0.7, 0.7), (5.0, FASTEST), (0.0, SLOWEST)])
def test_a_speed_is_approached_smoothly(wanted, factor):
    pace = Pace(FPS, 30.0)
    pace.extend(200, np.ones(1000), 0, wanted)
    steps = np.diff(pace.times(0, pace.end)) * 30.0 / FPS
    assert steps[-1] == pytest.approx(factor)
    assert np.abs(np.diff(steps, prepend=1.0)).max() <= CHANGE_PER_SECOND / 30.0 + 1e-9


def test_frames_and_model_frames_agree_at_any_pace():
    rng = np.random.default_rng(2)
    pace = Pace(FPS, 47.0)
    speeds = rng.uniform(0.0, 2.0, 400)
    pace.extend(500, speeds, 0, 1.2)
    for model_frame in range(1, 150):
        first = pace.first_frame(model_frame)
        assert first == slowest_possible_first_frame(pace, model_frame)
        assert pace.first_model_frame(first) <= model_frame < pace.first_model_frame(first + 1)


def test_what_is_cut_is_fixed_again_as_it_was():
    speeds = np.linspace(0.3, 2.0, 300)
    pace = Pace(FPS, 30.0)
    pace.extend(200, speeds, 0, 1.5)
    whole = pace.times(0, 201)
    pace.cut(90)
    assert pace.end == 90
    pace.extend(200, speeds, 0, 1.5)
    np.testing.assert_allclose(pace.times(0, 201), whole, atol=1e-12)
    pace.cut(90)
    pace.extend(300, speeds, 0, None)  # let go: even again after a while
    steps = np.diff(pace.times(0, pace.end)) * 30.0 / FPS
    assert steps[-1] == pytest.approx(1.0)
    assert np.abs(np.diff(steps)).max() <= CHANGE_PER_SECOND / 30.0 + 1e-9


def test_frames_end_where_the_motion_does():
    pace = Pace(FPS, 30.0)
    pace.extend(1000, np.ones(20), 0, None)
    assert pace.end == 29  # frame 28 lies at model frame 18.67, frame 29 would at 19.33
    assert pace.first_frame(20) == 29
