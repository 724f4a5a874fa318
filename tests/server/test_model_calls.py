"""What a call of the engine survives: too little memory, requests that fail, a model that is broken, a model that is gone."""

import numpy as np
import pytest
from fake_engine import FakeEngine, walk

from server.model_calls import CALLS_BEFORE_GROWTH, SUSPICIOUS_FAILURES, EngineGoneError, GenerationError, ModelCalls
from server.motion.motion import EditRequest, Motion, MotionRequest


def asked(*texts: str) -> list[MotionRequest]:
    return [MotionRequest(text, frames=8) for text in texts]


class Small(FakeEngine):
    """Its memory holds only so many motions at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def generate(self, requests):
        if len(requests) > self.room:
            self.calls.append(list(requests))
            raise MemoryError(f"{len(requests)} are too many")
        return super().generate(requests)


class Broken(FakeEngine):
    """Fails on everything, by an exception or by giving numbers that are none."""

    def __init__(self, gives_nan: bool = False) -> None:
        super().__init__()
        self.gives_nan = gives_nan

    def make(self, request):
        if not self.gives_nan:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        motion = super().make(request)
        motion.root[:] = np.nan
        return motion


def test_out_of_memory_makes_batches_smaller_and_no_request_fails():
    engine = Small(room=3)
    calls = ModelCalls(engine, max_batch=16)
    texts = [f"walk {number}" for number in range(16)]
    for text, motion in zip(texts, calls.make(asked(*texts)), strict=True):
        np.testing.assert_array_equal(motion.rotations, walk(text, 8).rotations)
    assert calls.batch_limit == 2
    engine.calls.clear()
    calls.make(asked(*texts))
    assert {len(call) for call in engine.calls} == {2}


def test_batches_grow_again_when_memory_is_free_again():
    engine = Small(room=1)
    calls = ModelCalls(engine, max_batch=3)
    calls.make(asked("a", "b"))
    assert calls.batch_limit == 1
    engine.room = 16
    for _ in range(CALLS_BEFORE_GROWTH):
        calls.make(asked("a"))
    assert calls.batch_limit == 2
    for _ in range(10 * CALLS_BEFORE_GROWTH):
        calls.make(asked("a", "b", "c"))
    assert calls.batch_limit == 3


class Slow(FakeEngine):
    """Takes ``seconds`` for each motion, by its own ``now``."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.now = seconds, 5.0

    def generate(self, requests):
        self.now += self.seconds * len(requests)
        return super().generate(requests)


@pytest.mark.parametrize(("seconds", "limit"), [(0.0, 16), (0.01, 16), (0.0499, 10), (0.2, 2), (3.0, 1)])
def test_a_call_is_given_what_it_can_make_in_half_a_second(seconds, limit):
    engine = Slow(seconds)
    calls = ModelCalls(engine, max_batch=16, clock=lambda: engine.now)
    assert calls.batch_limit == 16
    calls.make(asked("a"))
    assert calls.batch_limit == limit
    engine.seconds = 0.0499
    for _ in range(80):
        calls.make(asked("a", "b"))
    assert calls.batch_limit == 10


def test_a_motion_that_alone_is_too_much_fails_alone():
    results = ModelCalls(Small(room=0), max_batch=4).make(asked("a", "b"))
    assert all(isinstance(result, MemoryError) for result in results)


def test_requests_that_fail_do_not_make_a_good_model_load_again():
    loads = []
    engine = FakeEngine()
    calls = ModelCalls(engine, 4, load=lambda: loads.append(1) or FakeEngine())
    for _ in range(4):
        results = calls.make(asked("fail one", "walk", "fail two", "fail three"))
        assert [isinstance(result, Motion) for result in results] == [False, True, False, False]
    for _ in range(3 * SUSPICIOUS_FAILURES):
        assert isinstance(calls.make(asked("fail"))[0], RuntimeError)
    assert not loads
    assert any(call[0].text == "a person stands still" for call in engine.calls)


@pytest.mark.parametrize("gives_nan", [False, True], ids=["raises", "nan"])
def test_a_model_that_fails_on_everything_is_loaded_again(gives_nan):
    calls = ModelCalls(Broken(gives_nan), 1, load=FakeEngine)
    results = calls.make(asked(*"abcdef"))
    failed = [isinstance(result, Exception) for result in results]
    assert failed == [True] * SUSPICIOUS_FAILURES + [False] * (6 - SUSPICIOUS_FAILURES)


def test_a_model_that_cannot_be_loaded_is_tried_again_with_growing_pauses(caplog):
    tries, pauses, problems = [], [], []

    def load():
        tries.append(1)
        problems.append(calls.problem())
        if len(tries) < 8:
            raise OSError("masked.safetensors is missing")
        return FakeEngine()

    calls = ModelCalls(Broken(), 4, load, wait=lambda seconds: pauses.append(seconds) or True)
    assert calls.problem() is None
    calls.revive()
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert problems == ["the model is being loaded again"] * 8
    assert calls.problem() is None
    assert isinstance(calls.make(asked("walk"))[0], Motion)
    assert "masked.safetensors is missing" in caplog.text


def test_loading_is_given_up_when_the_server_stops():
    def load():
        raise OSError("gone")

    ModelCalls(Broken(), 4, load, wait=lambda seconds: False).revive()


class Leaving(FakeEngine):
    """Goes in the middle of the calls of which there are as many as in ``left``, or that ask for `poison`; then it is gone."""

    left: list[int]

    def __init__(self, left: list[int]) -> None:
        super().__init__()
        self.left, self.gone, self.closed = left, False, False

    def generate(self, requests):
        self.gone = self.gone or bool(self.left) or any(request.text == "poison" for request in requests)
        if self.left:
            self.left.pop()
        if self.gone:
            raise EngineGoneError("the model's process has ended (exit code -9)")
        return super().generate(requests)

    def close(self):
        self.closed = True


def test_what_an_engine_was_making_when_it_went_is_made_by_the_next():
    engines = [Leaving([1])]
    calls = ModelCalls(engines[0], 4, lambda: engines.append(Leaving([])) or engines[-1])
    assert all(isinstance(result, Motion) for result in calls.make(asked("a", "b", "c")))
    assert [engine.closed for engine in engines] == [True, False]


def test_a_request_that_ends_every_engine_fails_alone():
    calls = ModelCalls(Leaving([]), 4, lambda: Leaving([]))
    results = calls.make(asked("a", "poison", "b", "c", "d"))
    assert [isinstance(result, Motion) for result in results] == [True, False, True, True, True]
    assert isinstance(results[1], EngineGoneError)


def test_when_the_server_stops_no_engine_is_loaded_for_one_that_has_gone():
    calls = ModelCalls(Leaving([1]), 2, load=lambda: pytest.fail("loaded"), wait=lambda seconds: False)
    assert all(isinstance(result, EngineGoneError) for result in calls.make(asked("a", "b", "c")))


def test_another_model_in_the_same_place_is_not_taken(caplog):
    class Other(FakeEngine):
        fps = 30.0

    models = [Other(), FakeEngine()]
    calls = ModelCalls(Broken(), 4, lambda: models.pop(0))
    calls.revive()
    assert models == []
    assert "another model" in caplog.text


def test_a_call_that_does_not_end_shows():
    now = [0.0]
    seen = []

    class Slow(FakeEngine):
        def generate(self, requests):
            for now[0] in (59.0, 61.0):
                seen.append(calls.problem())
            return super().generate(requests)

    calls = ModelCalls(Slow(), 4, clock=lambda: now[0])
    calls.make(asked("walk"))
    assert seen == [None, "the model has been busy with one call for more than 60 s"]
    assert calls.problem() is None


def test_edits_are_called_alone_and_fail_alone():
    class NoEdits(FakeEngine):
        def edit(self, source, ranges, text, seed=0):
            if text == "fail":
                raise ValueError("bad range")
            return super().edit(source, ranges, text, seed)

    clip = walk("a", 40)
    edits = [EditRequest(clip.root, clip.rotations, ((4, 8),), text, 1) for text in ("fail", "wave")]
    engine = NoEdits()
    results = ModelCalls(engine, 4).make([edits[0], *asked("a"), edits[1], *asked("b")])
    assert [type(result) for result in results] == [ValueError, Motion, Motion, Motion]
    assert [len(call) for call in engine.calls] == [2]


def test_a_count_that_is_wrong_is_a_failure():
    class Short(FakeEngine):
        def generate(self, requests):
            return []

    assert isinstance(ModelCalls(Short(), 4).make(asked("a"))[0], GenerationError)
