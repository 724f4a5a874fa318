"""Requests to engines elsewhere: asked again when an engine ends, bounded, cancelled, never delivered to another."""

import asyncio
import sys
import threading

import pytest
from fake_engine import walk

from server import cli
from server.backend import AT_ONCE_SECONDS, BusyError, Need
from server.cluster.remote import ATTEMPTS, EngineLostError, RemoteBackend
from server.model_calls import GenerationError
from server.motion.motion import MotionRequest
from server.observer import Observer

BOUND = 10.0
REQUEST = MotionRequest("a person walks", frames=20, seed=7)


class Engines:
    """Engines of which the first ``lost`` end over their request; ``gate`` holds all back."""

    def __init__(self, lost: int = 0) -> None:
        self.lost = lost
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[MotionRequest] = []
        self.cancelled = 0

    async def __call__(self, request, need):
        self.asked.append(request)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if len(self.asked) <= self.lost:
            raise EngineLostError("killed")
        if request.text == "broken":
            raise ValueError("no such cluster")
        return walk(request.text, request.frames)


class Losses(Observer):
    count = 0

    def engine_lost(self) -> None:
        self.count += 1


class Results(list):
    async def until(self, count: int):
        async with asyncio.timeout(BOUND):
            while len(self) < count:
                await asyncio.sleep(0.001)
        return self


def backend(engines: Engines, *, states=None, capacity=4, ongoing=8, timeout=BOUND, observer=None) -> RemoteBackend:
    made = RemoteBackend(
        engines,
        lambda: {"running": 2} if states is None else states,
        capacity=capacity,
        ongoing=ongoing,
        timeout=timeout,
        observer=observer,
    )
    made.start()
    return made


@pytest.mark.parametrize("lost", range(ATTEMPTS))
async def test_the_same_request_goes_to_another_engine_when_one_ends(lost):
    engines, results, losses = Engines(lost), Results(), Losses()
    remote = backend(engines, observer=losses)
    remote.submit(("s", 1), REQUEST, Need(), results.append)
    assert remote.waiting == 1
    (made,) = await results.until(1)
    assert len(made) == 20
    assert engines.asked == [REQUEST] * (lost + 1)
    assert losses.count == lost
    assert remote.waiting == 0


async def test_a_request_that_ends_every_engine_fails():
    engines, results = Engines(lost=100), Results()
    backend(engines).submit(("s", 1), REQUEST, Need(), results.append)
    (failure,) = await results.until(1)
    assert isinstance(failure, GenerationError)
    assert "3 engines ended over it; the last: killed" in str(failure)
    assert len(engines.asked) == ATTEMPTS


async def test_what_cannot_be_asked_and_what_is_not_answered_fails():
    engines, results = Engines(), Results()
    remote = backend(engines, timeout=0.05)
    remote.submit(("s", 1), MotionRequest("broken"), Need(), results.append)
    (failure,) = await results.until(1)
    assert "the engines could not be asked (ValueError: no such cluster)" in str(failure)
    engines.gate.clear()
    remote.submit(("s", 2), REQUEST, Need(), results.append)
    _, failure = await results.until(2)
    assert str(failure) == "no engine answered within 0.05 s"
    assert engines.cancelled == 1
    assert remote.waiting == 0


async def test_cancelled_requests_are_not_delivered_and_the_engine_is_told():
    engines, results = Engines(), Results()
    remote = backend(engines)
    engines.gate.clear()
    for owner, number in (("s", 1), ("s", 2), ("t", 1)):
        remote.submit((owner, number), REQUEST, Need(), lambda made, of=(owner, number): results.append(of))
    await asyncio.sleep(0)
    remote.cancel(("s", 9))
    remote.cancel(("s", 1))
    remote.cancel_owner("s")
    engines.gate.set()
    assert await results.until(1) == [("t", 1)]
    assert engines.cancelled == 2


async def test_engines_get_what_they_have_room_for_and_what_is_needed_first():
    engines, results = Engines(), Results()
    remote = backend(engines, states={"running": 2}, ongoing=1, capacity=3)
    engines.gate.clear()
    for text, within in (("a", 9.0), ("b", 9.0), ("c", 1e6), ("d", 9.0), ("e", AT_ONCE_SECONDS)):
        remote.submit((text, 1), MotionRequest(text, frames=20), Need(within), results.append)
    await asyncio.sleep(0)
    assert [request.text for request in engines.asked] == ["a", "b"]
    assert remote.waiting == 5
    with pytest.raises(BusyError):
        remote.submit(("f", 1), REQUEST, Need(), results.append)
    engines.gate.set()
    await results.until(5)
    assert [request.text for request in engines.asked[2:]] == ["e", "d", "c"]


async def test_a_key_that_is_used_again_gets_its_own_result_only():
    engines, results = Engines(), Results()
    remote = backend(engines)
    engines.gate.clear()
    remote.submit(("s", 1), REQUEST, Need(), lambda made: results.append("first"))
    await asyncio.sleep(0)
    remote.cancel(("s", 1))
    remote.submit(("s", 1), REQUEST, Need(), lambda made: results.append("second"))
    engines.gate.set()
    assert await results.until(1) == ["second"]


async def test_it_is_bounded_and_says_why_it_is_not_ready():
    engines, states = Engines(), {"running": 1}
    remote = backend(engines, states=states, capacity=1, ongoing=1)
    assert remote.problem() is None
    assert remote.replicas() == {"running": 1}
    states.clear()
    assert remote.problem() == "no engine runs (none is there)"
    states["starting"] = 2
    assert remote.problem() == "no engine runs (2 starting)"
    engines.gate.clear()
    for number in (1, 2):
        remote.submit(("s", number), REQUEST, Need(), print)
    assert remote.problem() == "1 requests wait for the model, the limit is 1"
    with pytest.raises(BusyError, match="1 clips wait"):
        remote.submit(("s", 3), REQUEST, Need(), print)
    assert await asyncio.to_thread(remote.stop, 1.0)
    assert remote.problem() == "the server does not take requests"
    async with asyncio.timeout(BOUND):
        while remote.waiting or engines.cancelled < 1:
            await asyncio.sleep(0.001)
    with pytest.raises(BusyError, match="shutting down"):
        remote.submit(("s", 3), REQUEST, Need(), print)


async def test_a_result_that_cannot_be_delivered_is_logged(caplog):
    def fail(made):
        called.set()
        raise RuntimeError("the loop is gone")

    called = threading.Event()
    remote = backend(Engines())
    remote.submit(("s", 1), REQUEST, Need(), fail)
    async with asyncio.timeout(BOUND):
        while "could not be delivered to s" not in caplog.text:
            await asyncio.sleep(0.001)
    assert called.is_set()
    assert remote.waiting == 0


def test_without_ray_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in [name for name in sys.modules if name.startswith("server.cluster.")]:
        monkeypatch.delitem(sys.modules, name)
    assert cli.main(["serve", "--port", "0", "--engine", "ray"]) == 2
    assert "pip install 'motionbridge[ray]'" in capsys.readouterr().err
