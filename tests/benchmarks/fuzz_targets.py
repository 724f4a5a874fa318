"""What every input must leave true: of the codec, and of sessions that share a server.

`codec_target` and `SessionTarget.feed` raise AssertionError, or whatever the code under test lets out, when it does not.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

import msgpack

from protocol import codec, limits
from protocol.errors import ErrorCode, ProtocolError
from protocol.messages import Frames
from server.config import ServeConfig
from server.latency import Latency
from server.model_info import ModelInfo
from server.motion.motion import EditRequest
from server.replies import OUTBOX_MESSAGES
from server.session import Session
from server.sessions import Sessions
from tests.benchmarks.fuzz_inputs import Inputs
from tests.server.fake_engine import FakeEngine

MODEL: Final = FakeEngine()
INFO: Final = replace(ModelInfo.of(MODEL), one_action=True)
LIMITS: Final[dict[str, Any]] = {
    "max_characters": 4,
    "max_queued_prompts": 4,
    "max_parked": 2,
    "generation_timeout": 5.0,
    "foot_lock": False,
}
"""Small ones, so that they are reached."""
BEHIND: Final = 7
"""Frames that the good client has in hand, as much as the server sends ahead."""


def codec_target(data: bytes) -> bool:
    """Whether either side's reader takes the message. What it takes survives being written and read again."""
    taken = False
    try:
        fields = codec.unpack(data)
    except ProtocolError as error:
        codec.error_message(error)
        return False
    for validate in (codec.validate_client, codec.validate_server):
        try:
            message = validate(fields)
        except ProtocolError as error:
            codec.error_message(error)
            continue
        taken = True
        written = codec.encode(message)
        assert validate(codec.unpack(written)) == message
        if isinstance(message, Frames):
            block = codec.read_frames(fields)
            assert (block.first, len(block.poses)) == (message.first, message.count)
    return taken


class SessionTarget:
    """A bad client and a good one, each with a session of one server. The good one must not notice anything."""

    def __init__(self, seed: int, config: ServeConfig | None = None) -> None:
        self.rng = random.Random(seed)
        self.now = 1000.0
        config = config or ServeConfig(**LIMITS)
        self.sessions = Sessions(config, INFO, Latency(0.1), random.Random(seed), ended=lambda session: None)
        self._good_now = self.now  # its time does not jump, so that it loses no frames
        self.good = self._open(_hello())
        wish = {"id": "the good one's", "character": "good", "text": "a person walks", "on_end": "repeat"}
        self.good.receive(msgpack.packb({"type": "prompt", **wish}), self.now)
        self.secrets = [text.encode() for text in (self.good.id, self.good.token or "", "the good one's")]
        self.bad = self._open(_hello())
        self.statuses = self.refusals = self.closes = 0
        self._frames = -1
        self._jobs: dict[str, list[Any]] = {}

    def feed(self, data: bytes) -> None:
        """One message of the bad client, and a little time."""
        rng = self.rng
        self.now += rng.choice((0.0, 0.001, 0.02, 0.1))
        self.bad.receive(data, self.now)
        if self.bad.successor is not None:
            assert self.bad.successor is not self.good
            self.bad = self.bad.successor
            self.sessions.hold(self.bad, lambda: None)
        if rng.random() < 0.3:
            self._check(self._turn(self.bad, self.now))
        if rng.random() < 0.1:
            self._good_turn()
        if self.bad.closing is not None or rng.random() < 0.003:
            self._drop()

    def _drop(self) -> None:
        """The bad client's connection ends, in one way or another, and it comes back, perhaps to its own session."""
        rng = self.rng
        self._check(self.bad.output(self.now))
        old = self.bad
        self.closes += old.closing is not None
        self.sessions.leave(old, self.now, dropped=rng.random() < 0.5)
        self.now += rng.choice((0.0, 1.0, 40.0))
        fields: dict[str, Any] = {
            "resume": rng.choice((old.token, "guess", None)),
            "received": rng.choice((None, 0, 3)),
        }
        self.bad = self._open(_hello(**fields))
        self._check(self.bad.output(self.now))

    def _open(self, hello: bytes) -> Session:
        session = self.sessions.open(full=False)
        session.receive(hello, self.now)
        session = session.successor or session
        self.sessions.hold(session, lambda: None)
        return session

    def _turn(self, session: Session, now: float) -> list[bytes]:
        """What a connection does: sends what is due, and brings requests to the model and answers back."""
        sent = session.output(now)
        jobs = self._jobs.setdefault(session.id, [])
        jobs += session.take_jobs()
        cancelled = set(session.take_cancelled())
        jobs[:] = [job for job in jobs if job.number not in cancelled]
        assert len(jobs) <= 2 * limits.MAX_CHARACTERS
        while jobs and self.rng.random() < 0.8:
            job = jobs.pop(self.rng.randrange(len(jobs)))
            match self.rng.randrange(12) if session is self.bad else 11:
                case 0:
                    session.refuse_job(job.number, "no room", now)
                case 1:
                    session.deliver(job.number, RuntimeError("the model failed"), now)
                case 2:
                    pass  # never answered
                case _:
                    session.deliver(job.number, _made(job.request), now)
        if session is self.bad and len(self._jobs) > 8:
            self._jobs = {self.good.id: self._jobs.get(self.good.id, []), session.id: jobs}
        return sent + session.output(now)

    def _check(self, sent: list[bytes]) -> None:
        """What the bad client is told is of the protocol, of bounded size, its own, and no fault of the server."""
        assert len(sent) <= 2 * OUTBOX_MESSAGES + 8
        for data in sent:
            message = codec.decode_server(data)
            assert not (message.type == "error" and message.code == ErrorCode.INTERNAL), message
            assert not any(secret in data for secret in self.secrets)
            self.statuses += message.type == "prompt_status"
            self.refusals += message.type == "error"

    def _good_turn(self) -> None:
        """The good client gets its own frames, each once, in order."""
        self._good_now += 0.05
        for data in self._turn(self.good, self._good_now):
            message = codec.decode_server(data)
            assert message.type != "error", message
            if isinstance(message, Frames):
                assert message.character == "good"
                assert message.first <= self._frames + 1
                self._frames = max(self._frames, message.first + message.count - 1)
        if self._frames >= BEHIND:
            said = msgpack.packb({"type": "playhead", "character": "good", "frame": self._frames - BEHIND})
            self.good.receive(said, self._good_now)
        assert self.good.closing is None


class Script:
    """Messages of a client that knows the protocol and means no good: mostly valid, about few characters and ids."""

    def __init__(self, inputs: Inputs, rng: random.Random) -> None:
        self._inputs, self._rng = inputs, rng

    def draw(self) -> bytes:
        """The next message."""
        rng = self._rng
        if rng.random() < 0.4:
            return self._inputs.draw()
        fields = self._inputs.fields()
        fields["character"] = rng.choice("abcde")
        if "id" in fields or rng.random() < 0.1:
            fields["id"] = str(rng.randrange(12))
        if fields["type"] == "playhead":
            fields["frame"] = rng.choice((0, 1, rng.randrange(1000), 2**53 - 1))
        if fields["type"] == "timeline":
            prompts = fields["prompts"]
            fields["prompts"] = [{**prompt, "id": str(rng.randrange(12))} for prompt in prompts[: rng.randint(1, 4)]]
        return msgpack.packb(fields)


def _hello(**fields: Any) -> bytes:
    return msgpack.packb({"type": "hello", "version": 1, **fields})


def _made(request: Any) -> Any:
    if isinstance(request, EditRequest):
        source = MODEL.motion_from_pose(request.root, request.rotations)
        return MODEL.edit(source, list(request.ranges), request.text)
    return MODEL.make(replace(request, frames=min(request.frames or 40, 40)))
