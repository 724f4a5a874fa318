"""Which sessions can be resumed, for how long, and how many are kept."""

import random

import msgpack
import pytest
from peer import MODEL

from protocol.codec import unpack, validate_server
from protocol.messages import Welcome
from server.config import ServeConfig
from server.latency import Latency
from server.session import Session
from server.sessions import Sessions


class House:
    """Sessions without sockets."""

    def __init__(self, **settings) -> None:
        self.ended: list[str] = []
        self.output: list = []
        """What came after the last `welcome`."""
        self.config = ServeConfig(**settings)
        self.sessions = Sessions(self.config, MODEL, Latency(0.1), random.Random(1), self.ended.append)

    def enter(self, now: float = 0.0, **hello) -> tuple[Session, Welcome]:
        """What a connection does at its start."""
        fresh = self.sessions.open(full=False)
        fresh.receive(msgpack.packb({"type": "hello", "version": 1, **hello}), now)
        session = fresh.successor or fresh
        self.sessions.hold(session, lambda: None)
        first, *self.output = [validate_server(unpack(data)) for data in session.output(now)]
        return session, first

    def say(self, session: Session, type_: str, now: float, **fields) -> None:
        session.receive(msgpack.packb({"type": type_, **fields}), now)

    def drop(self, session: Session, now: float) -> bool:
        return self.sessions.leave(session, now, dropped=True)


def test_a_dropped_session_comes_back_with_what_it_had():
    house = House()
    session, welcome = house.enter()
    assert welcome.resume
    assert not welcome.resumed
    house.say(session, "prompt", 0.0, id="p", text="walk", character="hero")
    assert house.drop(session, 1.0)
    assert house.sessions.parked == 1
    again, resumed = house.enter(30.9, resume=welcome.resume, received=0, encoding="int16")
    assert again is session
    assert (resumed.resumed, resumed.characters, resumed.encoding) == (True, ("hero",), "int16")
    assert (resumed.resume, resumed.session) == (welcome.resume, welcome.session)
    assert house.sessions.parked == 0
    assert house.ended == []


@pytest.mark.parametrize(
    ("hello", "now"),
    [({"resume": "unknown"}, 1.0), ({"frame_rate": 60.0}, 1.0), ({}, 31.0)],
    ids=["unknown token", "other frame rate", "too late"],
)
def test_what_cannot_be_resumed_is_a_fresh_session(hello, now):
    house = House()
    session, welcome = house.enter()
    house.say(session, "prompt", 0.0, id="p", text="walk")
    house.drop(session, 1.0)
    other, answer = house.enter(now, **{"resume": welcome.resume, **hello})
    assert other is not session
    assert (answer.resumed, answer.characters) == (False, ())
    assert answer.resume != welcome.resume
    assert (house.ended == [session.id]) == (now == 31.0)


def test_the_number_of_dropped_sessions_is_bounded():
    house = House(max_parked=2)
    sessions = [house.enter() for _ in range(4)]
    for at, (session, _) in enumerate(sessions):
        house.drop(session, float(at))
    assert house.sessions.parked == 2
    assert house.ended == [sessions[0][0].id, sessions[1][0].id]
    assert [house.enter(5.0, resume=welcome.resume)[1].resumed for _, welcome in sessions] == [False, False, True, True]


def test_the_characters_of_dropped_sessions_are_bounded_and_the_oldest_go_first():
    house = House(max_parked_characters=5)
    entered = [house.enter() for _ in range(4)]
    for at, ((session, _), count) in enumerate(zip(entered, (2, 3, 0, 1), strict=True)):
        for number in range(count):
            house.say(session, "prompt", 0.0, id=f"p{number}", text="walk", character=f"c{number}")
        assert house.drop(session, float(at))
    assert house.ended == [entered[0][0].id]
    assert (house.sessions.parked, house.sessions.parked_characters) == (3, 4)
    resumed = [house.enter(5.0, resume=welcome.resume)[1].resumed for _, welcome in entered]
    assert resumed == [False, True, True, True]


def test_a_session_with_too_many_characters_is_not_kept_and_ends_no_other():
    house = House(max_parked_characters=2)
    small, large = house.enter()[0], house.enter()[0]
    for session, count in ((small, 1), (large, 3)):
        for number in range(count):
            house.say(session, "prompt", 0.0, id=f"p{number}", text="walk", character=f"c{number}")
    assert house.drop(small, 1.0)
    assert not house.drop(large, 2.0)
    assert house.ended == [large.id]
    assert house.sessions.parked == 1


def test_clients_that_only_drop_push_out_no_one_who_had_a_stream():
    house = House(max_parked=2)
    session, welcome = house.enter()
    session.receive(msgpack.packb({"type": "prompt", "id": "p", "text": "walk"}), 0.0)
    session.output(0.0)
    house.drop(session, 0.0)
    for at in range(1, 10):
        house.drop(house.enter(float(at))[0], float(at))
    assert house.enter(10.0, resume=welcome.resume)[1].resumed


def test_a_session_that_ended_or_never_began_is_not_kept():
    house = House()
    session, welcome = house.enter()
    assert not house.sessions.leave(session, 1.0, dropped=False)
    assert not house.drop(house.sessions.open(full=False), 1.0)
    assert house.sessions.parked == 0
    assert not house.enter(1.0, resume=welcome.resume)[1].resumed


def test_it_can_be_switched_off():
    house = House(resume_seconds=0.0)
    session, welcome = house.enter()
    assert welcome.resume is None
    assert not house.drop(session, 1.0)
    assert house.ended == [session.id]


def test_a_session_that_another_connection_holds_is_taken_over():
    house = House()
    session, welcome = house.enter()
    let_go = []
    house.sessions.hold(session, lambda: let_go.append(True))
    again, answer = house.enter(1.0, resume=welcome.resume)
    assert again is session
    assert answer.resumed
    assert let_go == [True]


def test_a_dropped_session_gives_up_clips_and_keeps_its_prompts():
    house = House()
    session, welcome = house.enter()
    house.say(session, "generate", 0.0, id="g", text="walk")
    house.say(session, "prompt", 0.0, id="p", text="walk")
    clip, prompt = session.take_jobs()
    house.drop(session, 1.0)
    assert session.take_cancelled() == [clip.number, prompt.number]  # others need the model meanwhile
    session.deliver(prompt.number, RuntimeError("broken"), 2.0)
    house.enter(3.0, resume=welcome.resume, received=0)
    (again,) = session.take_jobs()
    assert (again.request.text, again.request.seed) == ("walk", prompt.request.seed)
    session.deliver(again.number, RuntimeError("broken"), 4.0)
    assert [message.status for message in house.output] == ["accepted"]
    assert "failed" in str(session.output(4.0))


def test_a_full_server_lets_those_back_in_who_have_a_place_and_keeps_the_others():
    house = House()
    held, welcome = house.enter()
    waiting, other = house.enter()
    house.drop(waiting, 1.0)
    hello = {"type": "hello", "version": 1}
    back, late = (house.sessions.open(full=True) for _ in range(2))
    back.receive(msgpack.packb({**hello, "resume": welcome.resume}), 1.0)
    late.receive(msgpack.packb({**hello, "resume": other.resume}), 1.0)
    assert back.successor is held
    assert held.admitted
    assert late.successor is None
    assert late.closing is not None
    assert not late.admitted
    assert house.sessions.parked == 1
