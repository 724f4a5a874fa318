"""The session without a socket: what each message is answered with."""

import random
from dataclasses import replace

import msgpack
import numpy as np
import pytest
from fake_engine import FakeEngine

from protocol import limits
from protocol.codec import FrameBlock, read_frames, unpack, validate_server
from protocol.errors import CloseCode
from protocol.messages import Clip, Error, PromptStatus, Welcome
from protocol.poses import pack_poses
from protocol.skeleton import default_skeleton
from server.config import ServeConfig
from server.greeting import ModelInfo
from server.motion.motion import EditRequest
from server.session import Session
from server.timeline import Latency

MODEL = ModelInfo("fake", 20.0, default_skeleton(), 196, 20, edits=True)


class Peer:
    """A client at the other end of a session, with the clock in its hand."""

    def __init__(self, config: ServeConfig | None = None, model: ModelInfo = MODEL, **kwargs) -> None:
        self.session = Session("s1", config or ServeConfig(), model, Latency(0.1), random.Random(1), **kwargs)
        self.engine = FakeEngine()
        self.now = 100.0
        self.jobs = []

    def raw(self, data: bytes | str) -> list:
        self.session.receive(data, self.now)
        return self.output()

    def say(self, type_: str, **fields) -> list:
        return self.raw(msgpack.packb({"type": type_, **fields}))

    def hello(self, **fields) -> list:
        return self.say("hello", version=1, **fields)

    def output(self) -> list:
        messages = [unpack(data) for data in self.session.output(self.now)]
        self.jobs += self.session.take_jobs()
        return [read_frames(m) if m["type"] == "frames" else validate_server(m) for m in messages]

    def answer(self) -> list:
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            if isinstance(job.request, EditRequest):
                source = self.engine.motion_from_pose(job.request.root, job.request.rotations)
                result = self.engine.edit(source, job.request.ranges, job.request.text)
            else:
                result = self.engine.make(job.request)
            self.session.deliver(job.number, result, self.now)
        return self.output()


def greeted(**kwargs) -> Peer:
    peer = Peer(**kwargs)
    assert isinstance(peer.hello()[0], Welcome)
    return peer


def only_error(messages: list) -> Error:
    assert len(messages) == 1
    assert isinstance(messages[0], Error)
    return messages[0]


def test_welcome_says_what_was_agreed():
    (welcome,) = Peer(ServeConfig(max_characters=3)).hello(frame_rate=60, encoding="int16", resume="old")
    assert (welcome.frame_rate, welcome.encoding, welcome.model) == (60.0, "int16", "fake")
    assert (welcome.resume, welcome.resumed, welcome.limits.characters) == (None, False, 3)
    assert welcome.skeleton.skeleton().names == default_skeleton().names
    assert "edit" in welcome.supports
    assert "steer" in welcome.supports


@pytest.mark.parametrize(
    ("first", "code", "close"),
    [
        ({"type": "hello", "version": 2}, "version_mismatch", CloseCode.VERSION_MISMATCH),
        ({"type": "hello", "version": 9, "frame_rate": "new form"}, "version_mismatch", CloseCode.VERSION_MISMATCH),
        ({"type": "hello", "version": "1"}, "hello_required", CloseCode.HELLO_REQUIRED),
        ({"type": "hello"}, "hello_required", CloseCode.HELLO_REQUIRED),
        ({"type": "prompt", "id": "p", "text": "walk"}, "hello_required", CloseCode.HELLO_REQUIRED),
        ({"type": "dance"}, "hello_required", CloseCode.HELLO_REQUIRED),
        ([1, 2], "hello_required", CloseCode.HELLO_REQUIRED),
    ],
)
def test_a_bad_first_message_closes(first, code, close):
    peer = Peer()
    assert only_error(peer.raw(msgpack.packb(first))).code == code
    assert peer.session.closing.code == close
    assert peer.hello() == []


def test_tokens():
    config = ServeConfig(token="sésame")
    assert isinstance(Peer(config).hello(token="sésame")[0], Welcome)
    for given in ({}, {"token": "sesame"}):
        peer = Peer(config)
        assert only_error(peer.hello(**given)).code == "unauthorized"
        assert peer.session.closing.code == 4001


def test_a_full_server_says_so():
    peer = Peer(full=True)
    assert only_error(peer.hello()).code == "server_full"
    assert peer.session.closing.code == 4013


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("a text message", "malformed"),
        (b"", "malformed"),
        (msgpack.packb({"type": "prompt", "id": "p", "text": "walk"})[:-3], "malformed"),
        (msgpack.packb({"type": "prompt"}) + b"\x00", "malformed"),
        (msgpack.packb({"type": "juggle", "id": "j1"}), "unknown_type"),
        (msgpack.packb({"type": "prompt", "id": "p", "text": ""}), "invalid_field"),
        (msgpack.packb({"type": "prompt", "id": "p", "text": "x" * 2000}), "invalid_field"),
        (msgpack.packb({"type": "hello", "version": 1}), "unexpected_message"),
        (msgpack.packb({"type": "control", "id": "c", "action": "stop"}), "unknown_character"),
        (msgpack.packb({"type": "playhead", "frame": 1}), "unknown_character"),
        (msgpack.packb({"type": "steer", "id": "s", "heading": 1.0}), "unknown_character"),
    ],
)
def test_soft_errors_leave_the_session_open(data, code):
    peer = greeted()
    assert only_error(peer.raw(data)).code == code
    assert peer.session.closing is None
    assert [m.status for m in peer.say("prompt", id="p9", text="walk")] == ["accepted"]


def test_too_big_closes():
    peer = greeted()
    assert only_error(peer.raw(b"\x00" * (limits.MAX_MESSAGE_BYTES + 1))).code == "too_big"
    assert peer.session.closing.code == 4009


def test_prompt_to_frames():
    peer = greeted()
    (accepted,) = peer.say("prompt", id="p1", text="  a person walks ", seconds=1.1, seed=5)
    assert (accepted.status, accepted.id, accepted.character) == ("accepted", "p1", "main")
    assert peer.jobs[0].request.text == "a person walks"
    assert peer.jobs[0].request.frames == 24  # 1.1 s rounded to the model's 0.2 s, half up
    started, frames = peer.answer()[:2]
    assert (started.status, started.frame, started.seed) == ("started", 0, 5)
    assert started.seconds == pytest.approx(1.2)
    assert isinstance(frames, FrameBlock)
    assert (frames.first, frames.prompt, len(frames.poses)) == (0, "p1", 8)


def test_a_seed_left_open_is_drawn():
    peer = greeted()
    peer.say("prompt", id="p1", text="walk")
    peer.say("prompt", id="p2", text="walk", character="other")
    assert len({job.request.seed for job in peer.jobs}) == 2


def test_duplicate_ids_limits_and_whole_timelines():
    peer = greeted(config=ServeConfig(max_characters=2, max_queued_prompts=3))
    peer.say("prompt", id="p1", text="walk")
    assert only_error(peer.say("prompt", id="p1", text="wave", character="b")).code == "duplicate_id"
    assert only_error(peer.say("prompt", id="p1", text="wave", mode="queue")).code == "duplicate_id"
    assert [m.status for m in peer.say("prompt", id="p1", text="wave")] == ["cancelled", "accepted"]
    peer.answer()
    for at in range(3):
        peer.say("prompt", id=f"q{at}", text="wave", mode="queue")
    full = only_error(peer.say("prompt", id="q9", text="wave", mode="queue"))
    assert (full.code, full.id) == ("too_many_prompts", "q9")
    prompts = [{"id": f"t{at}", "text": "walk"} for at in range(2)]
    assert [m.status for m in peer.say("timeline", character="b", prompts=prompts)] == ["accepted"] * 2
    refused = only_error(peer.say("timeline", id="t", character="b", mode="queue", prompts=[{"id": "q1", "text": "a"}]))
    assert (refused.code, refused.field) == ("duplicate_id", "prompts[0].id")
    assert only_error(peer.say("prompt", id="c1", text="walk", character="c")).code == "too_many_characters"
    assert [m.status for m in peer.say("control", action="remove", character="b")] == ["cancelled"] * 2
    assert [m.status for m in peer.say("prompt", id="c1", text="walk", character="c")] == ["accepted"]


def test_superseded_jobs_are_cancelled_and_their_answers_ignored():
    peer = greeted()
    peer.say("prompt", id="p1", text="walk")
    (old,) = peer.jobs
    peer.jobs = []
    peer.say("prompt", id="p2", text="wave")
    assert peer.session.take_cancelled() == [old.number]
    peer.session.deliver(old.number, peer.engine.make(old.request), peer.now)
    assert peer.output() == []
    started = peer.answer()[0]
    assert (started.id, started.status) == ("p2", "started")


def test_busy_model_is_asked_again_later():
    peer = greeted()
    peer.say("prompt", id="p1", text="walk")
    peer.session.refuse_job(peer.jobs.pop().number, "full", peer.now)
    assert peer.output() == []
    assert peer.jobs == []
    peer.now += 0.3
    peer.output()
    assert isinstance(peer.answer()[0], PromptStatus)


def test_a_model_that_never_answers_fails_the_prompt():
    peer = greeted(config=ServeConfig(generation_timeout=5.0))
    peer.say("prompt", id="p1", text="walk", on_end="hold")
    peer.say("generate", id="g1", text="walk")
    numbers = [job.number for job in peer.jobs]
    peer.now += 5.1
    failed, error = sorted(peer.output(), key=lambda message: message.type, reverse=True)
    assert (failed.status, error.code) == ("failed", "generation_failed")
    assert "5 s" in failed.reason
    assert sorted(peer.session.take_cancelled()) == numbers


def test_generate_gives_a_clip():
    peer = greeted()
    peer.say("generate", id="g1", text="walk", seconds=2.0, frame_rate=30, seed=3, steps=5, guidance=2.0)
    request = peer.jobs[0].request
    assert (request.frames, request.seed, request.steps, request.guidance) == (40, 3, 5, 2.0)
    (clip,) = peer.answer()
    assert isinstance(clip, Clip)
    assert (clip.id, clip.frame_rate, clip.seed) == ("g1", 30.0, 3)
    assert clip.count == 59  # from the first model frame to the last


class TestSentencesOfSeveralActions:
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


def test_too_many_requests_are_busy_and_ids_must_differ():
    peer = greeted()
    for at in range(4):
        assert peer.say("generate", id=f"g{at}", text="walk") == []
    assert only_error(peer.say("generate", id="g9", text="walk")).code == "busy"
    peer.answer()
    peer.say("generate", id="g1", text="walk")
    assert only_error(peer.say("generate", id="g1", text="walk")).code == "duplicate_id"


def test_a_failed_clip_is_an_error_with_its_id():
    peer = greeted()
    peer.say("generate", id="g1", text="walk")
    peer.session.deliver(peer.jobs[0].number, RuntimeError("out of memory"), peer.now)
    error = only_error(peer.output())
    assert (error.code, error.id) == ("generation_failed", "g1")
    assert "out of memory" in error.message


@pytest.mark.parametrize("encoding", ["float32", "int16"])
@pytest.mark.parametrize("rate", [20.0, 30.0, 47.5, 120.0])
def test_edit_leaves_everything_else_bit_identical(encoding, rate):
    peer = greeted()
    peer.say("generate", id="g1", text="walk", seconds=2.0, frame_rate=rate)
    poses = peer.answer()[0].poses()
    count = len(poses)
    ranges = [[3, 9], [9, 10], [count - 5, count]]
    blocks = dict(zip(("root", "rotations", "contacts"), pack_poses(poses, encoding), strict=True))
    fields = {"id": "e1", "text": "wave", "frame_rate": rate, "count": count, "encoding": encoding, "ranges": ranges}
    assert peer.say("edit", **fields, **blocks) == []
    (clip,) = peer.answer()
    for name, size in (("root", 12), ("rotations", 352 if encoding == "float32" else 176), ("contacts", 1)):
        own = np.frombuffer(blocks[name], np.uint8).reshape(count, size)
        new = np.frombuffer(getattr(clip, name), np.uint8).reshape(count, size)
        outside = np.ones(count, bool)
        for start, end in ranges:
            outside[start:end] = False
        np.testing.assert_array_equal(new[outside], own[outside])
    changed = (clip.poses().rotations != poses.rotations).any(axis=(1, 2))
    assert changed[5]
    assert changed[count - 2]


def test_edit_without_an_engine_for_it_is_unsupported():
    model = ModelInfo("fake", 20.0, default_skeleton(), 196, 20, edits=False)
    peer = Peer(model=model)
    assert "edit" not in peer.hello()[0].supports


def test_rate_limit_answers_once_a_second_and_playheads_do_not_count():
    peer = greeted()
    peer.say("prompt", id="p", text="walk")
    peer.answer()
    for _ in range(500):
        assert [m for m in peer.say("playhead", frame=2) if isinstance(m, Error)] == []
    errors = []
    for at in range(limits.MESSAGES_PER_SECOND + 20):
        errors += [m for m in peer.say("control", action="resume", id=f"c{at}") if isinstance(m, Error)]
    assert [error.code for error in errors] == ["rate_limited"]
    assert peer.session.closing is None
    peer.now += 1.0
    assert [m for m in peer.say("control", action="resume") if isinstance(m, Error)] == []


def test_too_many_errors_close_but_not_slow_ones():
    peer = greeted()
    for _ in range(120):
        peer.now += 0.25
        assert peer.say("juggle")[0].code == "unknown_type"
    assert peer.session.closing is None
    peer = greeted()
    codes = [message.code for _ in range(51) for message in peer.say("juggle")]
    assert codes[-1] == "too_many_errors"
    assert peer.session.closing.code == 4008


def test_a_playhead_never_sent_is_an_invalid_field():
    peer = greeted()
    peer.say("prompt", id="p", text="walk")
    peer.answer()
    error = only_error(peer.say("playhead", frame=8))
    assert (error.code, error.field, error.character) == ("invalid_field", "frame", "main")
    assert not any(isinstance(message, Error) for message in peer.say("playhead", frame=7))


def test_a_fault_of_the_server_is_told_and_survived(monkeypatch):
    peer = greeted()
    monkeypatch.setattr("server.session.generate_request", lambda *_: 1 / 0)
    error = only_error(peer.say("generate", id="g1", text="walk"))
    assert (error.code, error.id) == ("internal", "g1")
    assert [m.status for m in peer.say("prompt", id="p", text="walk")] == ["accepted"]
