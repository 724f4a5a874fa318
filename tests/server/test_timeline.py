"""One character's timeline, with a clock that the test moves and a model that answers when the test says so."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from fake_engine import BENT_JOINT, FakeEngine, bend

from protocol import limits
from protocol.messages import PromptStatus
from server.motion import rotation as rot
from server.motion.motion import MotionRequest
from server.motion.steering import MAX_RATE, Target
from server.timeline import CharacterTimeline, Entry, Latency, TimelineSettings

RATE = 30.0
SETTINGS = TimelineSettings(
    fps=20.0,
    frame_rate=RATE,
    lead=0.25,
    max_ahead=2.0,
    horizon=3.0,
    half_life=0.1,
    idle_text="idle",
    idle_frames=120,
    context_frames=20,
    max_frames=196,
)


class Player:
    """A client and a model around a timeline; ``frames`` is what a client holds: the newest for each index."""

    def __init__(self, settings: TimelineSettings = SETTINGS) -> None:
        seeds = itertools.count(1000)
        self.timeline = CharacterTimeline("main", settings, Latency(0.1), lambda: next(seeds))
        self.engine = FakeEngine()
        self.now = 50.0
        self.answering = True
        self.failing = False
        self.frames: dict[int, tuple[str | None, np.ndarray, np.ndarray]] = {}
        self.statuses: list[PromptStatus] = []
        self.runs = []

    def prompt(self, prompt_id: str, text: str = "walk", seconds: float = 2.0, on_end="idle", replace=True) -> None:
        entry = Entry(prompt_id, text, 7, round(seconds * 20))
        self.timeline.play([entry], on_end, replace=replace)
        self.step(0.0)

    def step(self, seconds: float) -> None:
        self.now += seconds
        request = self.timeline.plan(self.now)
        if request is not None:
            self.engine.calls.append([request])
        if self.timeline.pending is not None and self.answering:
            if self.failing:
                self.timeline.deliver(RuntimeError("broken"), self.now)
            else:
                self.timeline.deliver(self.engine.make(self.timeline.pending.request), self.now)
        self.statuses += self.timeline.take_statuses()
        for run in self.timeline.due(self.now):
            self.runs.append(run)
            for at in range(len(run.poses)):
                self.frames[run.first + at] = (run.prompt, run.poses.root[at], run.poses.rotations[at])
        self.statuses += self.timeline.take_statuses()

    def play(self, seconds: float, step: float = 1 / 30) -> None:
        for _ in range(round(seconds / step)):
            self.step(step)

    def of(self, prompt_id: str | None) -> list[int]:
        return sorted(index for index, (owner, _, _) in self.frames.items() if owner == prompt_id)

    def status(self, prompt_id: str) -> list[str]:
        return [status.status for status in self.statuses if status.id == prompt_id]

    def elbow(self, index: int) -> float:
        return float(rot.angle_between(self.frames[index][2][BENT_JOINT].astype(float), rot.identity()))

    def root(self) -> np.ndarray:
        return np.array([self.frames[index][1] for index in sorted(self.frames)])


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


class TestSeveralActions:
    """A prompt whose sentence was taken apart is one prompt to the client."""

    TEXTS = ("walk", "wave", "bow")

    def play(self, player: Player, frames: int | None, on_end="idle", seed: int = 7, replaces: bool = True) -> None:
        player.timeline.play([Entry("a", "walk", seed, frames, then=("wave", "bow"))], on_end, replace=replaces)
        player.step(0.0)

    def asked(self, player: Player) -> list[MotionRequest]:
        return [call[0] for call in player.engine.calls if call[0].text in self.TEXTS]

    def bends(self, player: Player, frames: list[int]) -> list[float]:
        """The elbow in the middle of each third."""
        third = len(frames) // 3
        return [player.elbow(frames[third // 2 + third * at]) for at in range(3)]

    @pytest.mark.parametrize("frames", [None, 120])
    def test_they_play_one_after_the_other_under_one_id(self, frames: int | None):
        player = Player()
        self.play(player, frames)
        player.play(14.0)
        assert player.status("a") == ["accepted", "started", "finished"]
        (started,) = (status for status in player.statuses if status.id == "a" and status.status == "started")
        assert (started.frame, started.seconds, started.seed) == (0, 6.0, 7)
        own = player.of("a")
        assert own == list(range(len(own)))
        assert abs(len(own) - 180) <= 1
        assert self.bends(player, own) == pytest.approx([bend(text) for text in self.TEXTS], abs=0.01)
        assert np.linalg.norm(np.diff(player.root(), axis=0), axis=-1).max() < 1.2 / RATE
        requests = self.asked(player)
        assert [(r.text, r.rest, r.seed) for r in requests] == [
            ("walk", ("wave", "bow"), 7),
            ("wave", ("bow",), 8),
            ("bow", (), 9),
        ]
        assert [request.frames for request in requests] == [frames, 80, 40]
        assert all(request.context is not None for request in requests[1:])

    def test_all_are_repeated(self):
        player = Player()
        self.play(player, None, "repeat", seed=limits.MAX_SEED)
        player.play(16.0)
        assert player.status("a") == ["accepted", "started"]
        requests = self.asked(player)
        assert [request.text for request in requests[:7]] == ["walk", "wave", "bow"] * 2 + ["walk"]
        assert [request.seed for request in requests[:4]] == [limits.MAX_SEED, 0, 1, 1000]
        assert set(player.of("a")) == set(player.frames)

    def test_another_prompt_cancels_what_is_left(self):
        player = Player()
        self.play(player, 160)
        player.play(1.0)
        player.prompt("b", "jump")
        player.play(10.0)
        assert player.status("a") == ["accepted", "started", "cancelled"]
        assert "bow" not in [request.text for request in self.asked(player)]
        assert player.status("b") == ["accepted", "started", "finished"]

    def test_the_next_prompt_waits_for_all(self):
        player = Player()
        self.play(player, None)
        player.prompt("b", "jump", replace=False)
        assert player.timeline.waiting == 1
        player.play(10.0)
        assert [status.id for status in player.statuses if status.status == "finished"] == ["a", "b"]
        assert abs(len(player.of("a")) - 180) <= 1

    def test_a_failure_ends_them_all(self):
        player = Player()
        self.play(player, 160)
        player.failing = True
        player.play(1.0)
        player.failing = False
        player.play(4.0)
        assert player.status("a") == ["accepted", "started", "failed"]
        assert "bow" not in [request.text for request in self.asked(player)]

    def test_what_has_no_room_is_left_out(self):
        player = Player()
        self.play(player, 40)
        player.play(6.0)
        assert player.status("a") == ["accepted", "started", "finished"]
        assert [request.text for request in self.asked(player)] == ["walk", "wave"]
        assert abs(len(player.of("a")) - 60) <= 1


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
    assert len(player.runs[-1].poses) <= 9


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


def test_the_reserve_follows_what_generation_takes():
    latency = Latency(0.1)
    assert latency.reserve == 0.1
    for _ in range(50):
        latency.observe(0.8)
    assert latency.reserve == pytest.approx(0.8, abs=0.05)
    for _ in range(50):
        latency.observe(100.0)
    assert latency.reserve == 4.0


def travel(player: Player, first: int, last: int) -> float:
    """Direction (radians about +Y) in which the root goes between two frames."""
    step = player.frames[last][1] - player.frames[first][1]
    return float(np.arctan2(step[0], step[2]))


def facing(player: Player, index: int) -> float:
    forward = rot.mul_vec(player.frames[index][2][0].astype(float), np.array([0.0, 0.0, 1.0]))
    return float(np.arctan2(forward[0], forward[2]))


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
        assert again.first + len(again.poses) - 1 >= sent
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
    assert player.runs[0].first + len(player.runs[0].poses) == player.runs[1].first == boundary


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


def test_rewound_frames_come_again_as_they_were():
    player = Player()
    player.prompt("a", "walk", seconds=9.0)
    player.play(1.0)
    before = dict(player.frames)
    player.runs.clear()
    player.timeline.pause(player.now)
    player.timeline.rewind(33)
    player.timeline.resume(player.now + 5.0)
    player.now += 5.0
    player.step(0.0)
    (run,) = player.runs
    assert run.first == 33
    assert run.first + len(run.poses) - 1 >= max(before)
    for index in range(33, max(before) + 1):
        np.testing.assert_array_equal(before[index][2], player.frames[index][2])
    player.play(1.0)
    assert max(player.frames) == pytest.approx(30 + 30 + 7, abs=1)  # the clock stood still meanwhile
