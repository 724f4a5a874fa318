"""The model thread: batches, cancellation, failures, room, and its end. Events instead of sleeps; waits are bounded."""

import queue
import threading

import numpy as np
import pytest
from fake_engine import FakeEngine, walk

from server.backend import BusyError, Need
from server.batcher import Batcher
from server.model_calls import GenerationError
from server.motion.motion import Motion, MotionRequest

WAIT = 10.0


class Inbox:
    """Collects results by key."""

    def __init__(self) -> None:
        self._results: queue.Queue = queue.Queue()

    def into(self, name: str):
        return lambda result: self._results.put((name, result))

    def take(self, count: int) -> dict[str, object]:
        return dict(self._results.get(timeout=WAIT) for _ in range(count))

    @property
    def empty(self) -> bool:
        return self._results.empty()


@pytest.fixture
def gate():
    return threading.Event()


@pytest.fixture
def held(gate):
    """A batcher whose engine waits at the gate, with the first request inside it."""
    engine = FakeEngine(gate)
    batcher = Batcher(engine, max_batch=4, window_seconds=0.0, capacity=6)
    batcher.start()
    batcher.submit(("first", 1), MotionRequest("first"), Need(), lambda result: None)
    assert engine.entered.wait(WAIT)
    yield batcher, engine
    gate.set()
    assert batcher.stop(WAIT)


def test_what_waits_meets_in_one_batch_and_each_gets_its_own(held, gate):
    batcher, engine = held
    inbox = Inbox()
    for name in "abc":
        batcher.submit((name, 1), MotionRequest(name, frames=8), Need(), inbox.into(name))
    gate.set()
    results = inbox.take(3)
    assert [request.text for request in engine.calls[1]] == ["a", "b", "c"]
    for name, motion in results.items():
        assert isinstance(motion, Motion)
        np.testing.assert_array_equal(motion.rotations, walk(name, 8).rotations)


def test_no_batch_is_larger_than_allowed(held, gate):
    batcher, engine = held
    inbox = Inbox()
    for name in "abcdef":
        batcher.submit((name, 1), MotionRequest(name), Need(), inbox.into(name))
    gate.set()
    inbox.take(6)
    assert [len(call) for call in engine.calls] == [1, 4, 2]


def test_what_is_needed_first_is_made_first(held, gate):
    batcher, engine = held
    inbox = Inbox()
    for name in "abc":
        batcher.submit((name, 1), MotionRequest(f"{name} idles"), Need(1e6), inbox.into(f"{name} idles"))
        batcher.submit((name, 2), MotionRequest(f"{name} jumps"), Need(), inbox.into(f"{name} jumps"))
    gate.set()
    inbox.take(6)
    texts = [request.text for call in engine.calls[1:] for request in call]
    assert texts == [f"{name} jumps" for name in "abc"] + [f"{name} idles" for name in "abc"]


def test_a_full_queue_refuses(held):
    batcher, _ = held
    for name in "abcdef":
        batcher.submit((name, 1), MotionRequest(name), Need(), lambda result: None)
    with pytest.raises(BusyError, match="6 clips wait"):
        batcher.submit(("g", 1), MotionRequest("g"), Need(), lambda result: None)
    batcher.submit(("g", 2), MotionRequest("g"), Need(sure=True), lambda result: None)
    assert batcher.waiting == 7


def test_cancelled_requests_leave_the_queue_and_late_results_are_dropped(gate):
    engine, inbox = FakeEngine(gate), Inbox()
    batcher = Batcher(engine, max_batch=4, window_seconds=0.0, capacity=6)
    batcher.start()
    batcher.submit(("gone", 1), MotionRequest("running"), Need(), inbox.into("running"))
    assert engine.entered.wait(WAIT)
    batcher.submit(("gone", 2), MotionRequest("waiting"), Need(), inbox.into("waiting"))
    batcher.submit(("here", 1), MotionRequest("single"), Need(), inbox.into("single"))
    batcher.submit(("here", 2), MotionRequest("wanted"), Need(), inbox.into("wanted"))
    batcher.cancel_owner("gone")
    batcher.cancel(("here", 1))
    gate.set()
    assert set(inbox.take(1)) == {"wanted"}
    assert batcher.stop(WAIT)
    assert inbox.empty
    assert [[request.text for request in call] for call in engine.calls] == [["running"], ["wanted"]]


def test_a_request_that_fails_takes_no_one_else_with_it(held, gate):
    batcher, _ = held
    inbox = Inbox()
    batcher.submit(("a", 1), MotionRequest("fail"), Need(), inbox.into("fail"))
    batcher.submit(("b", 1), MotionRequest("mate"), Need(), inbox.into("mate"))
    gate.set()
    results = inbox.take(2)
    assert isinstance(results["fail"], RuntimeError)
    assert isinstance(results["mate"], Motion)
    batcher.submit(("b", 2), MotionRequest("good"), Need(), inbox.into("good"))
    assert isinstance(inbox.take(1)["good"], Motion)


class Mortal(FakeEngine):
    """Ends the thread that calls it when told to `die`."""

    def generate(self, requests):
        if any(request.text == "die" for request in requests):
            raise SystemExit("the driver is gone")
        return super().generate(requests)


def test_a_model_thread_that_dies_reports_loads_the_model_again_and_goes_on(gate, caplog):
    inbox, loaded = Inbox(), []

    def load():
        assert gate.wait(WAIT)
        loaded.append(Mortal())
        return loaded[-1]

    batcher = Batcher(Mortal(), max_batch=4, window_seconds=0.0, capacity=6, load=load)
    batcher.start()
    assert batcher.problem() is None
    batcher.submit(("a", 1), MotionRequest("die"), Need(), inbox.into("die"))
    failure = inbox.take(1)["die"]
    assert isinstance(failure, GenerationError)
    assert "SystemExit: the driver is gone" in str(failure)
    batcher.submit(("b", 1), MotionRequest("waits"), Need(), inbox.into("waits"))  # while the model is being loaded
    gate.set()
    assert isinstance(inbox.take(1)["waits"], Motion)
    assert batcher.problem() is None
    assert [request.text for call in loaded[0].calls for request in call] == ["waits"]
    assert batcher.stop(WAIT)
    assert batcher.problem() == "the model is not running"
    assert any("thread died" in record.getMessage() for record in caplog.records)


def test_stop_does_not_wait_for_a_model_that_cannot_be_loaded_again():
    inbox, tried = Inbox(), threading.Event()

    def load():
        tried.set()
        raise OSError("the folder is gone")

    batcher = Batcher(Mortal(), max_batch=4, window_seconds=0.0, capacity=6, load=load)
    batcher.start()
    batcher.submit(("a", 1), MotionRequest("die"), Need(), inbox.into("die"))
    assert tried.wait(WAIT)
    assert batcher.stop(WAIT)


def test_a_motion_with_nan_or_a_wrong_shape_is_a_failure(gate):
    class Broken(FakeEngine):
        def make(self, request):
            motion = super().make(request)
            if request.text == "nan":
                motion.root[3] = np.nan
            return (
                motion
                if request.text == "nan"
                else motion.__class__(
                    motion.root, motion.rotations[:, :5], motion.contacts, motion.features, motion.heading
                )
            )

    inbox = Inbox()
    batcher = Batcher(Broken(), max_batch=4, window_seconds=0.0, capacity=6)
    batcher.start()
    for name in ("nan", "shape"):
        batcher.submit((name, 1), MotionRequest(name), Need(), inbox.into(name))
    results = inbox.take(2)
    assert all(isinstance(result, GenerationError) for result in results.values())
    assert batcher.stop(WAIT)


def test_stop_is_bounded_when_the_engine_hangs(gate):
    engine = FakeEngine(gate)
    batcher = Batcher(engine, max_batch=4, window_seconds=0.0, capacity=6)
    batcher.start()
    batcher.submit(("a", 1), MotionRequest("a"), Need(), lambda result: None)
    assert engine.entered.wait(WAIT)
    assert not batcher.stop(0.01)
    with pytest.raises(BusyError, match="shutting down"):
        batcher.submit(("a", 2), MotionRequest("a"), Need(), lambda result: None)
    gate.set()
    assert batcher.stop(WAIT)


def test_an_engine_that_goes_while_nothing_is_asked_of_it_is_loaded_again(monkeypatch):
    monkeypatch.setattr("server.batcher.LOOK_SECONDS", 0.01)
    loaded = threading.Event()

    class Ended(FakeEngine):
        ended = True

    def load() -> FakeEngine:
        loaded.set()
        return FakeEngine()

    batcher = Batcher(Ended(), max_batch=1, window_seconds=0.0, capacity=1, load=load)
    batcher.start()
    try:
        assert loaded.wait(10.0)
    finally:
        assert batcher.stop(10.0)
