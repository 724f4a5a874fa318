"""The session without a socket: its beginning, and what is wrong with a message."""

import msgpack
import pytest
from peer import Peer, greeted, only_error

from protocol import limits
from protocol.errors import CloseCode
from protocol.messages import Error, Welcome
from protocol.skeleton import default_skeleton
from server.config import ServeConfig


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


def test_a_fault_of_the_server_is_told_and_survived(monkeypatch):
    peer = greeted()
    monkeypatch.setattr("server.clip_requests.generate_request", lambda *_: 1 / 0)
    error = only_error(peer.say("generate", id="g1", text="walk"))
    assert (error.code, error.id) == ("internal", "g1")
    assert [m.status for m in peer.say("prompt", id="p", text="walk")] == ["accepted"]
