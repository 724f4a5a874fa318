"""Frames made ahead: the same as made alone, spread over the ticks, those first that need it most."""

import numpy as np
import pytest
from player import SETTINGS
from test_track import FPS, RATE, shown, standing

from server.ahead import MOST, Ahead
from server.latency import Latency
from server.motion.steering import Target
from server.motion.steps import done
from server.prompts import Entry
from server.ticks import Ticks
from server.timeline import CharacterTimeline
from server.track import STRETCH_SECONDS, Track, make, make_in_steps

TICK = 1 / 30


def wandering(seed: int) -> Track:
    """Two splices of a drifting stance with contacts that come and go, some of it steered, on the spot or faster."""
    rng = np.random.default_rng(seed)
    track = Track(FPS, RATE, 0.1)
    for at in (0, 25):
        motion = standing(80, shift=rng.uniform(-0.1, 0.1), heading=rng.uniform(-1, 1))
        motion.root[:, 2] += np.cumsum(rng.uniform(0.0, 0.08, 80))
        motion.contacts[:] = rng.random((80, 4)) < 0.7
        track.splice(at, motion)
    if seed % 3 == 1:
        track.steer(30, Target(heading=1.0, speed=1.3))
    if seed % 3 == 2:
        track.set_travel(40, False)
    return track


def test_what_is_made_together_is_the_same_bit_for_bit_as_made_alone():
    together, alone = ([wandering(seed) for seed in range(7)] for _ in range(2))
    rng = np.random.default_rng(5)
    for end in (1, 5, 31, 60, 150):
        make((track, end + int(rng.integers(0, 9))) for track in rng.permutation(np.array(together, dtype=object)))
    for ours, single in zip(together, alone, strict=True):
        mine, other = shown(ours, 0, 120), shown(single, 0, 120)
        np.testing.assert_array_equal(mine.root, other.root)
        np.testing.assert_array_equal(mine.rotations, other.rotations)
        np.testing.assert_array_equal(mine.contacts, other.contacts)


def playing(count: int) -> list[CharacterTimeline]:
    """Characters that all got 9 s of motion at time 0 and have sent their first frames."""
    timelines = []
    for number in range(count):
        timeline = CharacterTimeline(f"c{number}", SETTINGS, Latency(0.1), lambda: 1)
        timeline.play([Entry(f"p{number}", "stands", 1, 180)], "hold", replace=True)
        assert timeline.plan(0.0) is not None
        timeline.deliver(standing(180), 0.0)
        timeline.due(0.0)
        timelines.append(timeline)
    return timelines


def test_no_tick_makes_more_than_its_share_and_none_runs_dry():
    timelines = playing(40)
    ahead = Ahead(lambda: timelines, TICK)
    made: list[int] = []
    for tick in range(1, 150):
        now = tick * TICK
        before = [timeline.made_ahead(now) for timeline in timelines]
        while done(ahead.work(now)) == 0.0:  # at first all are short of frames in the same tick, and need not wait
            pass
        after = [timeline.made_ahead(now) for timeline in timelines]
        made.append(sum(new != old for new, old in zip(after, before, strict=True)))
        assert min(after) >= 0.0
        for timeline in timelines:
            timeline.due(now)
    assert max(made[60:]) <= np.ceil(40 * TICK / STRETCH_SECONDS) + 1


def test_one_go_is_bounded():
    timelines = playing(2 * MOST + 3)
    late = STRETCH_SECONDS - 0.05  # all are short of frames by now
    ahead = Ahead(lambda: timelines, 1.0)
    goes = 0
    pause = 0.0
    while pause == 0.0:
        before = [timeline.made_ahead(late) for timeline in timelines]
        pause = done(ahead.work(late))
        after = [timeline.made_ahead(late) for timeline in timelines]
        assert 0 < sum(new != old for new, old in zip(after, before, strict=True)) <= MOST
        goes += 1
    assert goes == 3


@pytest.mark.parametrize("count", [1, 40, 300])
def test_what_is_used_up_is_made_in_portions_that_come_the_sooner_the_more_there_are(count):
    timelines = playing(count)
    for timeline in timelines:
        make([timeline.to_make(0.0, 2.0 * STRETCH_SECONDS)])
    pause = done(Ahead(lambda: timelines, TICK).work(0.0))
    wanted = count * TICK / STRETCH_SECONDS + 1  # in a tick
    assert pause <= TICK
    assert wanted <= MOST * TICK / pause <= max(MOST, wanted + 1)


def test_who_needs_it_most_comes_first():
    timelines = playing(3)
    for number, timeline in enumerate(timelines):
        make([timeline.to_make(1.0, 0.9 - 0.3 * number)])
    ahead = Ahead(lambda: timelines, TICK)
    done(ahead.work(1.0))
    assert [timeline.made_ahead(1.0) >= STRETCH_SECONDS for timeline in timelines] == [False, True, True]


def test_paused_characters_and_ended_motion_are_left_alone():
    timelines = playing(2)
    timelines[0].pause(0.0)
    make([timelines[1].to_make(0.0, 100.0)])
    assert [timeline.made_ahead(0.0) for timeline in timelines] == [np.inf, np.inf]
    assert done(Ahead(lambda: timelines, TICK).work(0.0)) == TICK


@pytest.mark.parametrize("count", [2, 15, 64])
def test_ticks_of_connections_lie_apart(count):
    period = 1 / 30
    moments = np.sort([Ticks(period, number).after(100.0) for number in range(count)])
    gaps = np.diff(np.append(moments, moments[0] + period))
    assert gaps.min() > 0.3 * period / count
    assert gaps.max() < 2.7 * period / count


def test_ticks_come_evenly_and_missed_ones_are_left_out():
    ticks = Ticks(0.1, 3)
    first = ticks.after(5.0)
    assert 5.0 < first <= 5.1
    assert ticks.after(first) == pytest.approx(first + 0.1)
    assert ticks.after(first + 0.35) == pytest.approx(first + 0.4)
    assert ticks.last(first + 0.35) == pytest.approx(first + 0.3)
    assert ticks.last(first) == pytest.approx(first)


@pytest.mark.parametrize("at_step", range(6))
def test_what_has_changed_between_the_steps_is_made_anew(at_step):
    """While the frames of two characters are made, one is told to do something else and is asked for its frames."""
    changed, left = wandering(0), wandering(3)
    alone, other = wandering(0), wandering(3)
    steps = make_in_steps([(changed, 40), (left, 40)])
    for _ in range(at_step):
        next(steps)
    for track in (changed, alone):
        track.splice(20, standing(60, shift=0.3))
        track.reach(12)
    done(steps)
    for ours, single in ((changed, alone), (left, other)):
        mine, wanted = shown(ours, 0, 60), shown(single, 0, 60)
        np.testing.assert_array_equal(mine.root, wanted.root)
        np.testing.assert_array_equal(mine.rotations, wanted.rotations)
