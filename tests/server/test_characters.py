"""Characters of a session without a socket: from prompts to frames, and what is refused."""

import pytest
from peer import greeted, only_error

from protocol import limits
from protocol.codec import FrameBlock, read_frames, unpack
from protocol.messages import Error, PromptStatus
from server.config import ServeConfig


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


def test_what_is_sent_between_two_ticks_brings_no_frame_forward():
    peer = greeted()
    peer.say("prompt", id="p1", text="walk", seconds=9.0)
    peer.answer()
    counts = []
    for step in range(1, 61):  # four looks at the session a tick, all but the first for some other reason
        tick = peer.now + step // 4 / limits.DEFAULT_FRAME_RATE
        sent = [read_frames(unpack(data)) for data in peer.session.output(peer.now + step / 120, tick)]
        counts.append(sum(len(block.poses) for block in sent))
    assert counts == [int(step % 4 == 0) for step in range(1, 61)]


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


def test_a_playhead_never_sent_is_an_invalid_field():
    peer = greeted()
    peer.say("prompt", id="p", text="walk")
    peer.answer()
    error = only_error(peer.say("playhead", frame=8))
    assert (error.code, error.field, error.character) == ("invalid_field", "frame", "main")
    assert not any(isinstance(message, Error) for message in peer.say("playhead", frame=7))


def test_a_playhead_of_a_removed_character_is_not_held_against_the_next_of_that_name():
    peer = greeted()
    peer.say("prompt", id="p", text="walk")
    peer.answer()
    peer.say("control", action="remove")
    peer.say("prompt", id="q", text="wave")
    assert not any(isinstance(message, Error) for message in peer.say("playhead", frame=7))
    peer.answer()
    assert only_error(peer.say("playhead", frame=8)).code == "invalid_field"
