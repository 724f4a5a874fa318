"""The client as a timeline sees it: its clock, its reports, its pauses, and what it has missed."""

import numpy as np
import pytest
from player import Player


def test_pause_stands_still_and_resume_goes_on():
    player = Player()
    player.prompt("a", seconds=9.0)
    player.play(1.0)
    sent = max(player.frames)
    player.timeline.pause(player.now)
    player.play(5.0)
    assert max(player.frames) == sent
    player.timeline.resume(player.now)
    player.play(1.0)
    assert max(player.frames) == sent + 30
    assert sorted(player.frames) == list(range(sent + 31))


def test_a_playhead_that_stands_still_bounds_what_is_sent():
    player = Player()
    player.prompt("a", seconds=9.0)
    assert player.timeline.report(3, player.now)
    player.play(9.0)
    assert max(player.frames) == 3 + 60
    assert not player.timeline.report(1000, player.now)


def test_playheads_lead_the_clock():
    player = Player()
    player.prompt("a", seconds=9.0)
    for shown in range(0, 60, 3):  # a client at half speed
        player.timeline.report(shown, player.now)
        player.step(0.2)
    assert max(player.frames) == pytest.approx(57 + 6 + 7, abs=1)


def test_a_client_that_was_away_loses_frames_and_gets_the_newest():
    player = Player()
    player.prompt("a", seconds=9.0)
    player.play(1.0)
    player.step(3.0)
    assert player.timeline.dropped == pytest.approx(90 - 8, abs=2)
    assert player.runs[-1].first == pytest.approx(121, abs=1)
    assert player.runs[-1].blocks.frames <= 9


def test_what_was_overwritten_comes_at_once_though_the_playhead_lags():
    player = Player()
    player.prompt("a", "walk", seconds=9.0)
    player.play(1.0)
    sent = max(player.frames)
    assert player.timeline.report(20, player.now)
    player.prompt("b", "wave", seconds=4.0)
    first = player.of("b")[0]
    assert first < sent - 5
    assert player.of("b") == list(range(first, sent + 1))


def test_rewound_frames_come_again_as_they_were():
    player = Player()
    player.prompt("a", "walk", seconds=9.0)
    player.play(1.0)
    before = dict(player.frames)
    player.runs.clear()
    player.timeline.pause(player.now)
    player.timeline.rewind(33, player.now)
    player.timeline.resume(player.now + 5.0)
    player.now += 5.0
    player.step(0.0)
    (run,) = player.runs
    assert run.first == 33
    assert run.first + run.blocks.frames - 1 >= max(before)
    for index in range(33, max(before) + 1):
        np.testing.assert_array_equal(before[index][2], player.frames[index][2])
    player.play(1.0)
    assert max(player.frames) == pytest.approx(30 + 30 + 7, abs=1)  # the clock stood still meanwhile
