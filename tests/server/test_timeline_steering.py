"""Where a timeline lets its character go: steering, way-points, speed, root motion."""

import math

import numpy as np
import pytest
from player import RATE, Player

from server.motion import rotation as rot
from server.motion.steering import MAX_RATE, Target


def travel(player: Player, first: int, last: int) -> float:
    """Direction (radians about +Y) in which the root goes between two frames."""
    step = player.frames[last][1] - player.frames[first][1]
    return float(np.arctan2(step[0], step[2]))


def facing(player: Player, index: int) -> float:
    forward = rot.mul_vec(player.frames[index][2][0].astype(float), np.array([0.0, 0.0, 1.0]))
    return float(np.arctan2(forward[0], forward[2]))


def test_root_motion_off_freezes_the_ground_and_on_goes_on_from_there():
    player = Player()
    player.prompt("a", seconds=9.0)
    player.play(1.0)
    player.timeline.set_root_motion(False)
    sent = max(player.frames)
    player.play(2.0)
    frozen = player.frames[max(player.frames)][1]
    np.testing.assert_allclose(player.frames[sent + 2][1][[0, 2]], frozen[[0, 2]], atol=1e-6)
    player.prompt("b", "wave", seconds=9.0)
    player.play(1.0)
    np.testing.assert_allclose(player.frames[max(player.frames)][1][[0, 2]], frozen[[0, 2]], atol=1e-6)
    player.timeline.set_root_motion(True)
    player.play(2.0)
    travelled = player.frames[max(player.frames)][1] - frozen
    assert travelled[2] == pytest.approx(2.0, abs=0.15)
    assert np.linalg.norm(np.diff(player.root(), axis=0), axis=-1).max() < 1.3 / RATE


def test_a_steered_walk_turns_and_stays_turned_over_prompts_without_end():
    player = Player()
    player.prompt("a", "walk", seconds=4.0)
    player.play(1.0)
    player.timeline.steer(Target(heading=1.5), player.now)
    player.play(4.0)
    newest = max(player.frames)
    assert facing(player, newest) == pytest.approx(1.5, abs=0.02)
    assert travel(player, newest - 20, newest) == pytest.approx(1.5, abs=0.05)
    player.prompt("b", "wave", seconds=9.0)
    player.play(30.0)
    newest = max(player.frames)
    assert facing(player, newest) == pytest.approx(1.5, abs=0.02)
    assert travel(player, newest - 20, newest) == pytest.approx(1.5, abs=0.02)
    steps = np.linalg.norm(np.diff(player.root(), axis=0), axis=-1)
    assert steps.max() < 1.5 / RATE
    assert sorted(player.frames) == list(range(newest + 1))


def test_the_model_continues_a_steered_walk_as_if_it_went_straight():
    player, straight = Player(), Player()
    for each in (player, straight):
        each.prompt("a", "walk", seconds=2.0, on_end="repeat")
        each.play(1.0)
    player.timeline.steer(Target(heading=-2.0), player.now)
    for each in (player, straight):
        each.play(8.0)
    assert len(player.engine.calls) == len(straight.engine.calls) >= 4
    for bent, plain in zip(player.engine.calls, straight.engine.calls, strict=True):
        assert (bent[0].context is None) == (plain[0].context is None)
        if bent[0].context is not None:
            np.testing.assert_array_equal(bent[0].context.root, plain[0].context.root)


def test_steering_changes_what_was_sent_ahead_but_nothing_that_was_shown():
    player = Player()
    player.prompt("a", "walk", seconds=9.0)
    player.play(1.0)
    for heading in (1.0, -1.0, 2.5, 0.0, -3.0):
        before = dict(player.frames)
        shown, sent = math.floor((player.now - 50.0) * RATE), max(player.frames)
        player.timeline.steer(Target(heading=heading), player.now)
        player.step(0.0)
        again = player.runs[-1]
        assert shown + 1 < again.first <= sent
        assert again.first + again.blocks.frames - 1 >= sent
        for index in range(shown + 2):
            assert before[index] is player.frames[index]
        player.play(0.7)
    turns = np.unwrap([facing(player, index) for index in sorted(player.frames)])
    assert np.abs(np.diff(turns)).max() * RATE < MAX_RATE + 1e-3
    assert np.ptp(turns) > 0.5
    assert sorted(player.frames) == list(range(max(player.frames) + 1))


def test_steering_reaches_back_over_the_start_of_a_prompt():
    player = Player()
    player.prompt("a", "walk", seconds=1.0)
    player.prompt("b", "wave", seconds=4.0, replace=False)
    player.play(0.9)
    boundary = player.of("b")[0]
    assert player.timeline.highest_sent > boundary
    player.runs.clear()
    player.timeline.steer(Target(heading=1.0), player.now)
    player.step(0.0)
    assert [run.prompt for run in player.runs] == ["a", "b"]
    assert player.runs[0].first + player.runs[0].blocks.frames == player.runs[1].first == boundary


def test_waypoints_are_walked_to():
    player = Player()
    player.prompt("a", "walk", seconds=9.0, on_end="repeat")
    player.timeline.steer(Target(waypoints=((2.0, 3.0), (-2.0, 6.0), (-4.0, 0.0)), heading=0.0), player.now)
    player.play(25.0)
    ground = player.root()[:, [0, 2]]
    nearest = [np.linalg.norm(ground - point, axis=-1).argmin() for point in ((2.0, 3.0), (-2.0, 6.0), (-4.0, 0.0))]
    assert nearest == sorted(nearest)
    for at, point in zip(nearest, ((2.0, 3.0), (-2.0, 6.0), (-4.0, 0.0)), strict=True):
        assert np.linalg.norm(ground[at] - point) < 0.6
    assert facing(player, max(player.frames)) == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(("speed", "shown"), [(1.4, 1.4), (0.7, 0.7), (9.0, 1.6), (0.0, 0.5), (None, 1.0)])
def test_a_speed_plays_the_walk_faster_or_slower(speed, shown):
    player = Player()
    player.prompt("a", "walk", seconds=2.0)
    player.prompt("b", "wave", seconds=2.0, replace=False, on_end="repeat")
    player.timeline.steer(Target(speed=speed), player.now)
    player.play(12.0)
    newest = max(player.frames)
    assert sorted(player.frames) == list(range(newest + 1))
    steps = np.linalg.norm(np.diff(player.root(), axis=0), axis=-1) * RATE
    assert steps[-60:].mean() == pytest.approx(shown, abs=0.02)
    assert np.abs(np.diff(steps[30:])).max() < 0.1
    assert player.status("a") == ["accepted", "started", "finished"]
    player.timeline.steer(Target(), player.now)
    player.play(4.0)
    steps = np.linalg.norm(np.diff(player.root(), axis=0), axis=-1) * RATE
    assert steps[-30:].mean() == pytest.approx(1.0, abs=0.02)
    assert sorted(player.frames) == list(range(max(player.frames) + 1))


def test_root_motion_off_turns_in_place():
    player = Player()
    player.prompt("a", seconds=9.0)
    player.play(1.0)
    player.timeline.set_root_motion(False)
    player.timeline.steer(Target(heading=2.0), player.now)
    player.play(1.0)
    frozen = player.frames[max(player.frames)][1]
    player.play(3.0)
    np.testing.assert_allclose(player.frames[max(player.frames)][1][[0, 2]], frozen[[0, 2]], atol=1e-6)
    assert facing(player, max(player.frames)) == pytest.approx(2.0, abs=0.02)
    player.timeline.set_root_motion(True)
    player.play(2.0)
    newest = max(player.frames)
    assert travel(player, newest - 20, newest) == pytest.approx(2.0, abs=0.02)
    assert np.linalg.norm(np.diff(player.root(), axis=0), axis=-1).max() < 1.3 / RATE


def test_steering_before_the_first_motion_and_while_paused():
    player = Player()
    player.answering = False
    player.prompt("a", "walk", seconds=9.0)
    player.timeline.steer(Target(heading=1.0), player.now)
    player.answering = True
    player.play(3.0)
    assert facing(player, max(player.frames)) == pytest.approx(1.0, abs=0.05)
    player.timeline.pause(player.now)
    player.timeline.steer(Target(heading=-1.0), player.now)
    sent = len(player.runs)
    player.play(1.0)
    assert len(player.runs) == sent
    player.timeline.resume(player.now)
    player.play(4.0)
    assert facing(player, max(player.frames)) == pytest.approx(-1.0, abs=0.02)
    assert sorted(player.frames) == list(range(max(player.frames) + 1))
