"""A client at the other end of a session without a socket."""

from __future__ import annotations

import random

import msgpack
from fake_engine import FakeEngine

from protocol.codec import read_frames, unpack, validate_server
from protocol.messages import Error, Welcome
from protocol.skeleton import default_skeleton
from server.config import ServeConfig
from server.latency import Latency
from server.model_info import ModelInfo
from server.motion.motion import EditRequest
from server.session import Session

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
