"""A sentence of several actions on a timeline, and in a session: taken apart for the model, one prompt or clip for the client."""

from dataclasses import replace

import numpy as np
import pytest
from fake_engine import bend
from peer import MODEL, Peer, greeted, only_error
from player import RATE, Player

from protocol import limits
from protocol.messages import PromptStatus
from server.config import ServeConfig
from server.motion.motion import MotionRequest
from server.prompts import Entry


class TestOnATimeline:
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
        assert [request.seed for request in requests[:3]] == [limits.MAX_SEED, 0, 1]
        assert requests[3].seed >= 1000, "a repetition is drawn anew"
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


class TestInASession:
    SENTENCE = "a person walks, then waves. After that they bow."
    PARTS = ("a person walks", "a person waves", "a person bows")

    def peer(self, *, one_action: bool = True, **config) -> Peer:
        return greeted(config=ServeConfig(**config), model=replace(MODEL, one_action=one_action))

    def asked(self, peer: Peer) -> list[tuple[str, tuple[str, ...]]]:
        return [(job.request.text, job.request.rest) for job in peer.jobs]

    def test_a_prompt_of_them_is_one_prompt(self):
        peer = self.peer(max_queued_prompts=1)
        (status,) = peer.say("prompt", id="p", text=self.SENTENCE)
        assert (status.id, status.status) == ("p", "accepted")
        assert self.asked(peer) == [(self.PARTS[0], self.PARTS[1:])]
        started = next(message for message in peer.answer() if isinstance(message, PromptStatus))
        assert (started.status, started.seconds) == ("started", 6.0)

    def test_so_is_each_of_a_timeline(self):
        peer = self.peer()
        prompts = [{"id": "p", "text": "a person jumps"}, {"id": "q", "text": self.SENTENCE}]
        statuses = peer.say("timeline", id="t", prompts=prompts)
        assert [status.id for status in statuses] == ["p", "q"]
        peer.answer()
        assert self.asked(peer) == [(self.PARTS[0], self.PARTS[1:])]

    def test_a_model_that_understands_them_gets_them_whole(self):
        peer = self.peer(one_action=False)
        peer.say("prompt", id="p", text=self.SENTENCE)
        peer.say("generate", id="g", text=self.SENTENCE)
        assert self.asked(peer) == [(self.SENTENCE, ())] * 2

    @pytest.mark.parametrize(("fields", "count"), [({}, 120), ({"seconds": 8.0}, 160), ({"seconds": 0.6}, 12)])
    def test_a_clip_has_them_all_and_the_asked_length(self, fields, count):
        peer = self.peer()
        peer.say("generate", id="g", text=self.SENTENCE, seed=3, **fields)
        requests, answers = [], []
        while peer.jobs:
            requests += [job.request for job in peer.jobs]
            answers += peer.answer()
        (clip,) = answers
        assert (clip.id, clip.text, clip.seed, clip.count) == ("g", self.SENTENCE, 3, count)
        assert [request.text for request in requests] == list(self.PARTS[: 3 if count > 12 else 1])
        assert [request.seed for request in requests] == [3, 4, 5][: len(requests)]
        roots = clip.poses().root
        assert np.linalg.norm(np.diff(roots, axis=0), axis=-1).max() < 0.06  # 1 m/s at 20 per second, and no jump

    def test_a_failure_of_the_second_is_one_error(self):
        peer = self.peer()
        peer.say("generate", id="g", text=self.SENTENCE)
        assert peer.answer() == []
        peer.session.deliver(peer.jobs[0].number, RuntimeError("out of memory"), peer.now)
        error = only_error(peer.output())
        assert (error.code, error.id) == ("generation_failed", "g")
        peer.jobs.clear()
        assert peer.output() == []
        assert not peer.jobs
