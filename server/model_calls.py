"""Calls of the engine that survive its faults: a batch too large for the memory, a request that it cannot do, a broken model.

Runs in the model thread only, but for `problem`. Nothing here knows who asked.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

import numpy as np

from protocol.limits import JOINT_COUNT
from protocol.poses import CONTACT_BITS
from server.motion.motion import EditingEngine, EditRequest, Motion, MotionEngine, MotionRequest
from server.observer import Observer
from server.stopwatch import Stopwatch

LOG = logging.getLogger(__name__)
SUSPICIOUS_FAILURES: Final = 3
"""Calls that failed one after the other, none between them that did not, after which the model itself is tried."""
CALLS_BEFORE_GROWTH: Final = 64
"""Full batches without a fault after which the next may be larger by one, once memory had run out."""
BATCH_SECONDS: Final = 0.5
"""A call is given no more requests than it can be expected to make in so long: a prompt that comes in the middle waits for its end."""
NEWEST: Final = 0.2
"""The weight of the newest call in the mean of how long a request takes."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 30.0
_TRIAL: Final = MotionRequest("a person stands still", frames=20)

Request = MotionRequest | EditRequest
Result = Motion | Exception
Load = Callable[[], MotionEngine]


class GenerationError(RuntimeError):
    """The engine failed on a request, or took too long."""


class EngineGoneError(GenerationError):
    """The process that the engine ran in has ended, or was ended."""


class LateError(GenerationError):
    """No answer in time: the model has too much to do, or is not well."""


class ModelCalls:
    """Owns the engine. ``load`` makes another one when it is broken; without it the same is used again.

    ``wait`` waits for so many seconds, or less when the server stops, and says whether it is to go on. A call that takes more
    than ``longest_call`` seconds is a `problem`.
    """

    def __init__(
        self,
        engine: MotionEngine,
        max_batch: int,
        load: Load | None = None,
        wait: Callable[[float], bool] = lambda seconds: True,
        longest_call: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Observer()
        self._engine = self._watched(engine)
        self._max_batch = max_batch
        self._load = load
        self._wait = wait
        self._longest_call = longest_call
        self._clock = clock
        self._limit = max_batch
        self._good_calls = 0
        self._seconds = 0.0  # for each request of a call, of late
        self._failures = 0
        self._began: float | None = None
        self._reviving = False

    @property
    def batch_limit(self) -> int:
        """Requests in one call: fewer than asked for after memory had run out, or where the model is slow."""
        return self._limit if self._seconds <= 0.0 else max(1, min(self._limit, int(BATCH_SECONDS / self._seconds)))

    def memory(self) -> dict[str, int]:
        """Bytes of the GPU by kind, as the engine tells; empty when it does not. From any thread."""
        told = getattr(self._engine, "memory", None)
        return told() if callable(told) else {}

    def problem(self) -> str | None:
        """Why the model cannot be expected to answer; None: it can. From any thread."""
        if self._reviving:
            return "the model is being loaded again"
        began = self._began
        if began is not None and self._clock() - began >= self._longest_call:
            return f"the model has been busy with one call for more than {self._longest_call:g} s"
        return None

    def make(self, requests: Sequence[Request]) -> list[Result]:
        """A motion for each request, or why there is none. A request that fails takes no other with it."""
        results: dict[int, Result] = {}
        waiting = self._batches(requests)
        again: list[
            int
        ] = []  # a batch in the middle of which the engine went: once that may have had nothing to do with it
        while waiting:
            batch = waiting.pop(0)
            if self._failures >= SUSPICIOUS_FAILURES and not self._still_works():
                self.revive()
            try:
                with self._observer.batch(len(batch)):
                    made = self._call([requests[at] for at in batch])
            except EngineGoneError as error:
                if not self._wait(0.0):
                    results |= dict.fromkeys([*batch, *itertools.chain(*waiting)], error)
                    break
                LOG.critical("%s; it is started again", error)
                self.revive()
                waiting[:0] = self._after_failure(batch, error, results) if batch == again else [batch]
                again = batch
            except Exception as error:
                waiting[:0] = self._after_failure(batch, error, results)
            else:
                motions = [checked(motion) for motion in made]
                self._note(any(isinstance(motion, Motion) for motion in motions), len(batch))
                results |= dict(zip(batch, motions, strict=True))
        return [results[at] for at in range(len(requests))]

    def look(self) -> None:
        """Loads the model again if it has gone while nothing was asked of it, rather than when someone waits for it."""
        if self._load is not None and getattr(self._engine, "ended", False):
            LOG.critical("the model's process has ended; it is started again")
            self.revive()

    def revive(self) -> None:
        """Loads the model again, as often as it takes, with growing pauses; gives up only when the server stops."""
        self._failures = 0
        if self._load is None:
            return
        self._reviving = True
        delay = 0.0
        try:
            self.close()
            while self._wait(delay):
                try:
                    self._engine = self._watched(_alike(self._load(), self._engine))
                    LOG.warning("the model was loaded again")
                    return
                except Exception as error:
                    delay = min(max(2.0 * delay, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)
                    LOG.error("the model cannot be loaded again: %s; next attempt in %g s", error, delay)
        finally:
            self._reviving = False

    def close(self) -> None:
        """Ends the engine where it has something to end. From any thread."""
        end = getattr(self._engine, "close", None)
        if callable(end):
            end()

    def _watched(self, engine: MotionEngine) -> MotionEngine:
        """The engine, its stages told to the observer if it times them."""
        stopwatch = getattr(engine, "stopwatch", None)
        if isinstance(stopwatch, Stopwatch):
            stopwatch.told = self._observer.stage
        return engine

    def _batches(self, requests: Sequence[Request]) -> list[list[int]]:
        """Places of the requests that are called together: edits alone, motions up to the limit."""
        motions = [at for at, request in enumerate(requests) if isinstance(request, MotionRequest)]
        edits = [[at] for at, request in enumerate(requests) if isinstance(request, EditRequest)]
        return [motions[first : first + self._limit] for first in range(0, len(motions), self._limit)] + edits

    def _after_failure(self, batch: list[int], error: Exception, results: dict[int, Result]) -> list[list[int]]:
        """What to call next instead of the batch that failed."""
        if len(batch) > 1:
            half = len(batch) // 2
            if isinstance(error, MemoryError):
                self._limit, self._good_calls = min(self._limit, half), 0
                LOG.warning(
                    "a batch of %d is too large: %s; the most from now on is %d", len(batch), error, self._limit
                )
            else:
                LOG.warning("the engine failed on a batch of %d (%s); trying it in parts", len(batch), error)
            return [batch[:half], batch[half:]]
        LOG.error("the engine failed on a request", exc_info=error)
        results[batch[0]] = error
        self._failures += 1
        return []

    def _note(self, good: bool, size: int) -> None:
        self._failures = 0 if good else self._failures + 1
        if good and self._limit < self._max_batch and size >= self._limit:
            self._good_calls += 1
            if self._good_calls >= CALLS_BEFORE_GROWTH:
                self._limit, self._good_calls = self._limit + 1, 0

    def _still_works(self) -> bool:
        """Whether a plain request succeeds: then the requests were at fault, not the model."""
        try:
            made = checked(self._call([_TRIAL])[0])
        except Exception as error:
            made = error
        if isinstance(made, Exception):
            LOG.error("the model fails on everything (%s)", made)
            return False
        self._failures = 0
        return True

    def _call(self, requests: Sequence[Request]) -> Sequence[Motion]:
        self._began = self._clock()
        try:
            first = requests[0]
            if isinstance(first, EditRequest):
                engine = cast(EditingEngine, self._engine)
                source = engine.motion_from_pose(first.root, first.rotations)
                return [engine.edit(source, first.ranges, first.text, first.seed)]
            motions = self._engine.generate(cast(Sequence[MotionRequest], requests))
            if len(motions) != len(requests):
                raise GenerationError(f"the engine gave {len(motions)} motions for {len(requests)} requests")
            seconds = (self._clock() - self._began) / len(requests)
            self._seconds += NEWEST * (seconds - self._seconds) if self._seconds else seconds
            return motions
        finally:
            self._began = None


def _alike(engine: MotionEngine, before: MotionEngine) -> MotionEngine:
    """``engine``, unless the streams that run were made for another kind of model."""
    given, wanted = ((e.name, e.fps, e.max_frames, e.context_frames) for e in (engine, before))
    if given != wanted:
        raise GenerationError(
            f"another model lies there now, {given} instead of {wanted}; restart the server to use it"
        )
    return engine


def checked(result: Motion) -> Result:
    """The result, or what is wrong with a motion that no client could take."""
    count = len(result)
    shapes = (result.root.shape, result.rotations.shape, result.contacts.shape)
    wanted = ((count, 3), (count, JOINT_COUNT, 4), (count, CONTACT_BITS))
    if not count or shapes != wanted:
        return GenerationError(f"the engine gave arrays of shapes {shapes}, must be {wanted} with at least one frame")
    if not (np.isfinite(result.root).all() and np.isfinite(result.rotations).all()):
        return GenerationError("the engine gave values that are not finite")
    return result
