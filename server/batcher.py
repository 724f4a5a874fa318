"""The model thread: gathers the requests of all sessions for a few milliseconds and makes one batched call."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from protocol.limits import JOINT_COUNT
from protocol.poses import CONTACT_BITS
from server.motion.motion import Motion, MotionEngine, MotionRequest
from server.motion.rotation import Array
from server.observer import Observer

LOG = logging.getLogger(__name__)

Key = tuple[str, int]
"""Owner and job number: a late result never reaches the owner's next job, nor another owner."""


@dataclass(frozen=True, eq=False)
class EditRequest:
    """Frames ``ranges`` (half-open) of a clip at the model's rate to be made anew under ``text``.

    ``root`` (T, 3) metres, ``rotations`` (T, 22, 4) local, xyzw.
    """

    root: Array
    rotations: Array
    ranges: tuple[tuple[int, int], ...]
    text: str
    seed: int


class EditingEngine(MotionEngine, Protocol):
    """An engine that can also edit."""

    def motion_from_pose(self, root: Array, rotations: Array) -> Motion:
        """Poses (T, 3) and (T, 22, 4) with the features that the model reads."""
        ...

    def edit(self, source: Motion, ranges: Sequence[tuple[int, int]], text: str, seed: int = 0) -> Motion:
        """The motion with the ranges made anew; every other frame bit-identical."""
        ...


Request = MotionRequest | EditRequest
Result = Motion | Exception
Deliver = Callable[[Result], None]


class BusyError(RuntimeError):
    """The model has no room for another request."""


class GenerationError(RuntimeError):
    """The engine failed on a request, or took too long."""


@dataclass(frozen=True, eq=False)
class _Job:
    request: Request
    deliver: Deliver


def can_edit(engine: MotionEngine) -> bool:
    """Whether the engine has what :class:`EditingEngine` asks."""
    return callable(getattr(engine, "edit", None)) and callable(getattr(engine, "motion_from_pose", None))


class Batcher:
    """One thread that owns the engine. All methods may be called from any thread and return at once, but for `stop`."""

    def __init__(
        self,
        engine: MotionEngine,
        *,
        max_batch: int,
        window_seconds: float,
        capacity: int,
        observer: Observer | None = None,
    ) -> None:
        self._engine = engine
        self._observer = observer or Observer()
        self._max_batch = max_batch
        self._window = window_seconds
        self._capacity = capacity
        self._waiting: OrderedDict[Key, _Job] = OrderedDict()
        self._running: dict[Key, _Job] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="motionbridge-model", daemon=True)

    def start(self) -> None:
        """Starts the thread; once."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that wait for the model."""
        return len(self._waiting)

    def problem(self) -> str | None:
        """Why a request could not be taken now; None: it could."""
        if self._stopping or not self._thread.is_alive():
            return "the model is not running"
        if len(self._waiting) >= self._capacity:
            return f"{self._capacity} requests wait for the model, which is the limit"
        return None

    def submit(self, key: Key, request: Request, deliver: Deliver) -> None:
        """Asks for a motion. ``deliver`` gets it, or the exception, once, in the model thread; it must not block.

        BusyError when ``capacity`` requests wait already or the batcher is stopping.
        """
        with self._changed:
            if self._stopping:
                raise BusyError("the server is shutting down")
            if len(self._waiting) >= self._capacity:
                raise BusyError(f"{self._capacity} requests wait for the model already; try again")
            self._waiting[key] = _Job(request, deliver)
            self._changed.notify_all()

    def cancel(self, key: Key) -> None:
        """Takes a request out of the queue; when it is being made, its result is thrown away. Harmless when unknown."""
        with self._changed:
            self._waiting.pop(key, None)
            self._running.pop(key, None)

    def cancel_owner(self, owner: str) -> None:
        """Cancels all requests of an owner."""
        with self._changed:
            for jobs in (self._waiting, self._running):
                for key in [key for key in jobs if key[0] == owner]:
                    del jobs[key]

    def stop(self, timeout: float) -> bool:
        """Refuses new requests, drops waiting ones and waits for the call in progress; False when that takes longer."""
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._running.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            batch = self._gather()
            if batch is None:
                return
            motions = [(key, job) for key, job in batch if isinstance(job.request, MotionRequest)]
            edits = [(key, job) for key, job in batch if isinstance(job.request, EditRequest)]
            if motions:
                self._make(motions)
            for edit in edits:
                self._make([edit])

    def _gather(self) -> list[tuple[Key, _Job]] | None:
        """The next batch, oldest first; None when stopping."""
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            deadline = time.monotonic() + self._window
            while len(self._waiting) < self._max_batch and not self._stopping:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            if self._stopping:
                return None
            count = min(self._max_batch, len(self._waiting))
            batch = [self._waiting.popitem(last=False) for _ in range(count)]
            self._running = dict(batch)
            return batch

    def _make(self, batch: Sequence[tuple[Key, _Job]]) -> None:
        results: list[Result]
        try:
            with self._observer.batch(len(batch)):
                results = list(self._call([job.request for _, job in batch]))
            if len(results) != len(batch):
                raise GenerationError(f"the engine gave {len(results)} motions for {len(batch)} requests")
        except Exception as error:
            LOG.exception("the engine failed on a batch of %d", len(batch))
            results = [error] * len(batch)
        results = [_checked(result) for result in results]
        for (key, job), result in zip(batch, results, strict=True):
            with self._changed:
                wanted = self._running.pop(key, None) is job
            if wanted:
                try:
                    job.deliver(result)
                except Exception:
                    LOG.exception("a result could not be delivered to %s", key[0])

    def _call(self, requests: Sequence[Request]) -> Sequence[Motion]:
        first = requests[0]
        if isinstance(first, EditRequest):
            engine = cast(EditingEngine, self._engine)
            source = engine.motion_from_pose(first.root, first.rotations)
            return [engine.edit(source, first.ranges, first.text, first.seed)]
        return self._engine.generate(cast(Sequence[MotionRequest], requests))


def _checked(result: Result) -> Result:
    """The result, or what is wrong with a motion that no client could take."""
    if isinstance(result, Exception):
        return result
    count = len(result)
    shapes = (result.root.shape, result.rotations.shape, result.contacts.shape)
    wanted = ((count, 3), (count, JOINT_COUNT, 4), (count, CONTACT_BITS))
    if not count or shapes != wanted:
        return GenerationError(f"the engine gave arrays of shapes {shapes}, must be {wanted} with at least one frame")
    if not (np.isfinite(result.root).all() and np.isfinite(result.rotations).all()):
        return GenerationError("the engine gave values that are not finite")
    return result
