"""What a timeline plays: prompts in their order, at once or queued, and what follows them."""

from dataclasses import replace

import numpy as np
import pytest
from fake_engine import FakeEngine, bend
from player import RATE, SETTINGS, Player

from server import timeline
from server.backend import AT_ONCE_SECONDS
from server.model_calls import LateError
from server.track import make


def test_first_frames_come_at_once_and_a_lead_ahead():
    player = Player()
    player.prompt("a")
    assert sorted(player.frames) == list(range(8))  # 0.25 s at 30 per second, and frame 0
    player.play(0.5)
    assert max(player.frames) == 15 + 7


def test_nothing_is_sent_before_the_first_motion():
    player = Player()
    player.answering = False
    player.prompt("a")
    player.play(2.0)
    assert not player.frames
    assert player.status("a") == ["accepted"]


def test_frames_are_contiguous_and_idle_follows():
    player = Player()
    player.prompt("a", seconds=2.0)
    player.play(12.0)
    assert sorted(player.frames) == list(range(max(player.frames) + 1))
    assert player.status("a") == ["accepted", "started", "finished"]
    assert abs(len(player.of("a")) - 60) <= 1
    assert player.frames[max(player.frames)][0] is None
    assert any(call[0].text == "idle" for call in player.engine.calls)
    steps = np.linalg.norm(np.diff(player.root(), axis=0), axis=-1)
    assert steps.max() < 1.2 / RATE  # 1 m/s and never a jump


def test_replace_takes_effect_at_once_and_overwrites():
    player = Player()
    player.prompt("a", "walk", seconds=9.8)
    player.play(1.0)
    sent = max(player.frames)
    player.prompt("b", "wave", seconds=4.0)
    first = player.of("b")[0]
    assert 30 + 2 <= first <= sent + 1
    overwritten = [run for run in player.runs if run.first == first]
    assert overwritten
    assert overwritten[-1].prompt == "b"
    assert set(range(first, sent + 1)) <= set(player.of("b"))
    player.play(1.5)
    assert player.status("a") == ["accepted", "started", "cancelled"]
    assert player.elbow(first + 30) == pytest.approx(bend("wave"), abs=0.01)
    assert player.elbow(first - 2) == pytest.approx(bend("walk"), abs=0.01)
    elbows = [player.elbow(index) for index in sorted(player.frames)]
    assert np.abs(np.diff(elbows)).max() < 0.5 * abs(bend("wave") - bend("walk"))


def test_a_replacing_prompt_is_made_in_two_parts_of_its_own_seed():
    player = Player(replace(SETTINGS, first_frames=40))
    player.prompt("a", "walk", seconds=6.0)  # replaces nothing
    player.play(1.0)
    player.prompt("b", "wave", seconds=6.0)
    player.play(9.0)
    requests = [call[0] for call in player.engine.calls if call[0].text != "idle"]
    assert [(request.text, request.frames, request.seed) for request in requests] == [
        ("walk", 120, 7),
        ("wave", 40, 7),
        ("wave", 80, 8),
    ]
    started = next(status for status in player.statuses if (status.id, status.status) == ("b", "started"))
    assert started.seconds == pytest.approx(6.0)
    assert player.status("b") == ["accepted", "started", "finished"]
    assert abs(len(player.of("b")) - 180) <= 1
    assert sorted(player.frames) == list(range(max(player.frames) + 1))
    elbows = [player.elbow(index) for index in player.of("b")[30:]]
    np.testing.assert_allclose(elbows, bend("wave"), atol=0.01)


def test_a_prompt_little_longer_than_its_first_part_is_made_at_once():
    player = Player(replace(SETTINGS, first_frames=40))
    player.prompt("a", "walk", seconds=6.0)
    player.prompt("b", "wave", seconds=2.8)
    assert player.engine.calls[-1][0].frames == 56


def test_the_old_motion_goes_on_while_the_model_works():
    player = Player()
    player.prompt("a", "walk", seconds=9.8)
    player.play(1.0)
    player.answering = False
    player.prompt("b", "wave")
    player.play(1.0)
    assert player.of("b") == []
    assert player.elbow(max(player.frames)) == pytest.approx(bend("walk"), abs=0.01)
    steps = np.diff(player.root()[:, 2])
    assert steps.min() > 0.8 / RATE
    player.answering = True
    player.play(1.0)
    assert player.status("b") == ["accepted", "started"]
    root = player.root()
    assert np.linalg.norm(np.diff(root, axis=0), axis=-1).max() < 1.3 / RATE


def test_queue_waits_its_turn():
    player = Player()
    player.prompt("a", "walk", seconds=4.0)
    player.play(0.5)
    player.prompt("b", "wave", seconds=2.0, replace=False)
    player.play(8.0)
    assert player.status("a") == ["accepted", "started", "finished"]
    assert player.status("b") == ["accepted", "started", "finished"]
    assert player.of("b")[0] == player.of("a")[-1] + 1
    assert len(player.of("a")) == pytest.approx(120, abs=1)
    order = [(status.id, status.status) for status in player.statuses if status.status != "accepted"]
    assert order.index(("a", "finished")) < order.index(("b", "finished"))


def test_queue_over_planned_idle_starts_where_the_prompt_ends():
    player = Player()
    player.prompt("a", "walk", seconds=2.0)
    player.play(0.5)
    assert any(call[0].text == "idle" for call in player.engine.calls)
    player.prompt("b", "wave", replace=False)
    player.play(3.0)
    assert player.of("b")[0] == player.of("a")[-1] + 1
    assert [index for index in player.of(None) if index < player.of("b")[0]] == []


def test_queue_while_idle_starts_soon():
    player = Player()
    player.prompt("a", seconds=1.0)
    player.play(3.0)
    shown = 90
    player.prompt("b", "wave", replace=False)
    player.play(1.0)
    assert shown < player.of("b")[0] <= shown + 10


def test_repeat_goes_on_under_the_same_id_until_something_is_queued():
    player = Player()
    player.prompt("a", "walk", seconds=2.0, on_end="repeat")
    player.play(7.0)
    assert player.of(None) == []
    assert player.status("a") == ["accepted", "started"]
    player.prompt("b", "wave", replace=False)
    player.play(6.0)
    assert player.status("a") == ["accepted", "started", "finished"]
    assert player.status("b")[:2] == ["accepted", "started"]
    assert player.of("b")[0] == player.of("a")[-1] + 1
    seeds = [call[0].seed for call in player.engine.calls if call[0].text == "walk"]
    assert len(set(seeds)) == len(seeds) >= 3


def test_hold_keeps_the_last_pose_and_asks_nothing():
    player = Player()
    player.prompt("a", "walk", seconds=2.0, on_end="hold")
    player.play(6.0)
    assert len(player.engine.calls) == 1
    assert player.status("a") == ["accepted", "started", "finished"]
    last = max(player.frames)
    assert player.frames[last][0] is None
    np.testing.assert_allclose(player.frames[last][1], player.frames[last - 30][1], atol=1e-4)
    assert player.elbow(last) == pytest.approx(bend("walk"), abs=1e-3)


def test_a_prompt_longer_than_the_model_can_continue_is_made_in_parts():
    player = Player()
    player.prompt("a", seconds=1.0)
    player.play(0.5)
    player.prompt("b", "wave", seconds=9.8)
    player.play(12.0)
    assert len(player.of("b")) == pytest.approx(9.8 * RATE, abs=2)
    assert player.status("b") == ["accepted", "started", "finished"]
    started = next(status for status in player.statuses if status.id == "b" and status.status == "started")
    assert started.seconds == pytest.approx(9.8)
    limit = SETTINGS.max_frames - SETTINGS.context_frames
    assert all(call[0].frames <= limit for call in player.engine.calls if call[0].context is not None)


def test_failure_of_the_first_prompt_leads_to_idle():
    player = Player()
    player.failing = True
    player.prompt("a")
    assert player.status("a") == ["accepted", "failed"]
    assert "broken" in str(player.statuses[-1].reason)
    player.failing = False
    player.play(1.0)
    assert player.of(None)


def test_failure_later_leaves_the_stream_going():
    player = Player()
    player.prompt("a", seconds=2.0)
    player.play(0.5)
    player.failing = True
    player.prompt("b", "wave", on_end="repeat")
    player.play(6.0)
    assert player.status("b") == ["accepted", "failed"]
    assert sorted(player.frames) == list(range(max(player.frames) + 1))
    assert max(player.frames) == pytest.approx(6.5 * RATE + 7, abs=1)
    asked = [call[0].text for call in player.engine.calls]
    assert 2 <= asked.count("idle") <= 5  # a broken model is not asked in a tight loop


def test_stop_and_remove_cancel():
    player = Player()
    player.prompt("a", "walk", seconds=9.0)
    player.prompt("b", "wave", replace=False)
    player.play(0.5)
    player.timeline.stop()
    player.play(1.0)
    assert player.status("a") == ["accepted", "started", "cancelled"]
    assert player.status("b") == ["accepted", "cancelled"]
    assert player.of(None)
    assert player.of(None)[0] < 30
    player.timeline.remove()
    player.play(0.0)
    assert player.timeline.pending is None


def test_how_soon_a_motion_is_needed():
    player = Player()
    player.answering = False

    def within() -> float:
        player.step(0.0)
        return player.timeline.pending.need.within

    player.prompt("a", "walk", seconds=4.0)
    assert within() == AT_ONCE_SECONDS
    player.answering = True
    player.play(1.0)
    assert player.timeline.pending is None
    player.prompt("b", "wave", replace=False, seconds=2.0)
    player.answering = False
    while player.timeline.pending is None:
        player.step(0.1)
    left = (player.timeline.pending.splice / 20.0) - (player.now - 50.0)
    assert within() == pytest.approx(left - SETTINGS.lead, abs=0.06)
    player.answering = True
    player.step(0.0)
    player.answering = False
    while player.timeline.pending is None:
        player.step(0.1)
    left = (player.timeline.pending.splice / 20.0) - (player.now - 50.0)
    assert player.timeline.pending.entry.id is None
    assert within() == pytest.approx(timeline.PATIENCE * (left - SETTINGS.lead), abs=0.06 * timeline.PATIENCE)
    player.timeline.stop()
    assert within() == AT_ONCE_SECONDS


@pytest.mark.parametrize("on_end", ["repeat", "idle"])
def test_what_is_made_ahead_and_comes_too_late_is_asked_again_and_the_character_rests_until_then(on_end):
    player = Player()
    player.prompt("a", "walk", seconds=4.0, on_end=on_end)
    player.answering = False
    player.play(3.0)
    first = player.timeline.pending.need.within
    player.play(4.0)
    player.timeline.deliver(LateError("too much to do"), player.now)
    player.play(timeline.RETRY_SECONDS + 0.1)
    assert player.timeline.pending.need.within == timeline.PATIENCE * AT_ONCE_SECONDS < first
    player.answering = True
    player.play(2.0)
    assert "failed" not in player.status("a")
    assert sorted(player.frames) == list(range(max(player.frames) + 1))


def test_rest_is_no_planned_motion_and_what_follows_goes_on_from_it():
    player = Player()
    player.prompt("a", "walk", seconds=1.0, on_end="idle")
    player.answering = False
    player.play(1.5)  # idle motion has not come, and rest is planned for far longer
    player.timeline.pending = None  # as when a connection was lost
    player.step(1 / 30)
    request = player.timeline.pending.request
    assert request.text == "idle"
    rest = player.timeline.pending.splice / 20.0 - 1.5
    assert 0.0 < rest < 0.5  # soon, not when the rest has been played
    np.testing.assert_allclose(np.diff(request.context.root[-4:], axis=0), 0.0, atol=1e-3)  # it stands
    before = player.frames[max(player.frames)][1]
    player.answering = True
    player.step(1 / 30)
    player.play(1.0)
    assert player.frames[max(player.frames)][1][2] > before[2] + 0.5
    steps = np.linalg.norm(np.diff(player.root(), axis=0), axis=1)
    assert steps.max() <= 1.2 / RATE  # it walks at 1 m/s, and sets out a little faster
    assert sorted(player.frames) == list(range(max(player.frames) + 1))


def test_rest_is_planned_before_it_is_due_and_motion_in_time_leaves_none_of_it():
    player, undisturbed = Player(), Player()
    for each in (player, undisturbed):
        each.prompt("a", "walk", seconds=1.0, on_end="idle")
    player.answering = False
    track = player.timeline._track
    while track.end == 20:  # as the server makes what is due soon
        player.step(1 / 30)
        undisturbed.step(1 / 30)
        make([player.timeline.to_make(player.now, 0.0)])
    assert track.end == 20 + timeline.HOLD_SECONDS * 20
    assert max(player.frames) < track.first_frame(20)  # nothing of it has been sent
    player.answering = True
    for each in (player, undisturbed):
        each.play(2.0)
    assert player.frames.keys() == undisturbed.frames.keys()
    for index, (prompt, root, rotations) in undisturbed.frames.items():
        assert player.frames[index][0] == prompt
        np.testing.assert_allclose(player.frames[index][1], root, atol=1e-5)
        np.testing.assert_allclose(player.frames[index][2], rotations, atol=1e-5)


def test_what_is_put_off_or_left_behind_has_not_lost_its_place():
    player = Player()
    player.answering = False
    player.prompt("a", "walk")
    player.step(0.0)
    assert player.timeline.pending.need == (AT_ONCE_SECONDS, 0.0, True)
    player.step(1.0)
    player.timeline.postpone(player.now)
    player.step(timeline.RETRY_SECONDS)
    assert player.timeline.pending.need.waited == pytest.approx(1.25)
    player.prompt("b", "wave")
    player.step(0.0)
    assert player.timeline.pending.need.waited == 0.0  # another one, which begins anew


def test_a_queued_prompt_that_comes_too_late_fails_only_when_it_was_urgent():
    player = Player()
    player.prompt("a", "walk", seconds=4.0)
    player.prompt("b", "wave", replace=False)
    player.answering = False
    player.play(2.0)
    for status in ("accepted", "failed"):
        player.play(4.0)
        assert player.timeline.pending.entry.id == "b"
        player.timeline.deliver(LateError("too much to do"), player.now)
        player.step(0.0)
        assert player.status("b")[-1] == status


def test_a_client_that_waits_for_late_frames_gets_them():
    player = Player()
    player.prompt("a", "walk", seconds=9.0)
    player.play(1.0)
    for _ in range(8):  # it reports its newest frame, and shows it until others come
        player.timeline.report(max(player.frames), player.now)
        player.play(0.25)
    before = max(player.frames)
    player.step(4.0)  # the server was held up
    for _ in range(8):
        player.timeline.report(max(player.frames), player.now)
        player.play(0.25)
    assert max(player.frames) >= before + 0.8 * 2.0 * RATE
    assert sorted(player.frames) == list(range(max(player.frames) + 1))
    assert player.timeline.dropped == 0


def test_quaternions_stay_in_one_hemisphere_and_unit():
    class Flipping(FakeEngine):
        def make(self, request):
            motion = super().make(request)
            motion.rotations[::3] *= -1.0
            return motion

    player = Player()
    player.engine = Flipping()
    player.prompt("a", "walk", seconds=2.0)
    player.play(1.0)
    player.prompt("b", "wave", seconds=2.0)
    player.play(5.0)
    rotations = np.array([player.frames[index][2] for index in sorted(player.frames)])
    assert (np.einsum("tjk,tjk->tj", rotations[1:], rotations[:-1]) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=-1), 1.0, atol=1e-5)


def test_memory_stays_bounded():
    player = Player()
    player.prompt("a", seconds=2.0)
    player.play(60.0, step=0.1)
    assert player.timeline._track.end - player.timeline._track.start < 400
    assert len(player.timeline._segments) < 20


def test_looking_less_often_asks_the_model_for_nothing_later(monkeypatch):
    def asked(look_seconds: float) -> list[tuple[float, str, int]]:
        monkeypatch.setattr(timeline, "LOOK_SECONDS", look_seconds)
        player, calls = Player(), []
        player.prompt("a", "walk", seconds=6.0, on_end="repeat")
        for tick in range(600):
            before = len(player.engine.calls)
            player.step(1 / 30)
            calls += [(player.now, call[0].text, call[0].frames) for call in player.engine.calls[before:]]
            if tick == 250:
                player.prompt("b", "wave", seconds=3.0, replace=False)
            if tick == 400:
                assert player.timeline.report(player.timeline.highest_sent, player.now)
        return calls

    assert len(asked(0.0)) == 3
    assert asked(0.25) == asked(0.0)
