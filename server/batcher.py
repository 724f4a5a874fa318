"""The model thread: gathers the requests of all sessions for a few milliseconds and makes one batched call of the engine.

What the engine does wrong ends in `ModelCalls`; whatever else ends the thread's work is reported, and the work begun again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from server.backend import BusyError, Deliver, Key, Need
from server.line import Line, Waiting
from server.model_calls import GenerationError, ModelCalls, Request, Result
from server.motion.motion import MotionEngine
from server.observer import Observer

LOG = logging.getLogger(__name__)
LOOK_SECONDS: Final = 1.0
"""Between looks whether the model is still there while nothing is asked of it."""


class Batcher:
    """One thread that owns the engine. All methods may be called from any thread and return at once, but for `stop`."""

    def __init__(
        self,
        engine: MotionEngine,
        *,
        max_batch: int,
        window_seconds: float,
        capacity: int,
        load: Callable[[], MotionEngine] | None = None,
        longest_call: float = 60.0,
        observer: Observer | None = None,
    ) -> None:
        """``load`` makes another engine when this one is broken; without it the same is used again.

        A call that takes more than ``longest_call`` seconds is a `problem`. ``observer`` is told of each call.
        """
        self._calls = ModelCalls(engine, max_batch, load, self._wait, longest_call, observer=observer)
        self._window = window_seconds
        self._line = Line(capacity)
        self._running: dict[Key, Waiting] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="motionbridge-model", daemon=True)

    def start(self) -> None:
        """Starts the thread; once."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that wait for the model."""
        return len(self._line)

    def memory(self) -> dict[str, int]:
        """Bytes of the GPU by kind, as the engine tells; empty when it does not."""
        return self._calls.memory()

    def replicas(self) -> dict[str, int]:
        """Empty: the only engine is this one."""
        return {}

    def problem(self) -> str | None:
        """Why a request could not be answered now; None: it could."""
        return self.fault() or self._line.problem()

    def fault(self) -> str | None:
        """What is wrong with the model, however many requests wait; None: nothing."""
        if self._stopping or not self._thread.is_alive():
            return "the model is not running"
        return self._calls.problem()

    def submit(self, key: Key, request: Request, need: Need, deliver: Deliver) -> None:
        """Asks for a motion. ``deliver`` gets it, or the exception, once, in the model thread; it must not block.

        BusyError when ``capacity`` clips wait already and this is another, not sure of a place, or the batcher is stopping.
        """
        with self._changed:
            if self._stopping:
                raise BusyError("the server is shutting down")
            self._line.add(key, request, need, deliver)
            self._changed.notify_all()

    def cancel(self, key: Key) -> None:
        """Takes a request out of the queue; when it is being made, its result is thrown away. Harmless when unknown."""
        with self._changed:
            self._line.remove(key)
            self._running.pop(key, None)

    def cancel_owner(self, owner: str) -> None:
        """Cancels all requests of an owner."""
        with self._changed:
            self._line.remove_owner(owner)
            for key in [key for key in self._running if key[0] == owner]:
                del self._running[key]

    def stop(self, timeout: float) -> bool:
        """Refuses new requests, drops waiting ones, waits for the call in progress and ends the engine.

        False when the call takes longer; an engine in a process of its own is ended all the same.
        """
        with self._changed:
            self._stopping = True
            self._line.clear()
            self._running.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)
        ended = not self._thread.is_alive()
        self._calls.close()
        return ended

    def _run(self) -> None:
        while True:
            try:
                self._serve()
                return
            except BaseException as error:
                LOG.critical("the model thread died and starts again", exc_info=True)
                with self._changed:
                    lost = list(self._running.values())
                failure = GenerationError(f"the model stopped ({type(error).__name__}: {error}) and is started again")
                self._deliver(lost, [failure] * len(lost))
                self._calls.revive()

    def _serve(self) -> None:
        while self._serve_batch():
            pass

    def _serve_batch(self) -> bool:
        """Makes the next batch; False when stopping. By itself, so that nothing of the last one is kept while the model waits."""
        batch = self._gather()
        if batch is None:
            return False
        if batch:
            self._deliver(batch, self._calls.make([job.request for job in batch]))
        else:
            self._calls.look()
        return True

    def _gather(self) -> list[Waiting] | None:
        """The next batch, empty when none came for a while; None when stopping."""
        with self._changed:
            if not self._line and not self._stopping:
                self._changed.wait(LOOK_SECONDS)
            if not self._line and not self._stopping:
                return []
            deadline = time.monotonic() + self._window
            while len(self._line) < self._calls.batch_limit and not self._stopping:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            if self._stopping:
                return None
            batch = self._line.take(self._calls.batch_limit)
            self._running = {job.key: job for job in batch}
            return batch

    def _deliver(self, batch: Sequence[Waiting], results: Sequence[Result]) -> None:
        for job, result in zip(batch, results, strict=True):
            with self._changed:
                wanted = self._running.pop(job.key, None) is job
            if wanted:
                try:
                    job.deliver(result)
                except Exception:
                    LOG.exception("a result could not be delivered to %s", job.key[0])

    def _wait(self, seconds: float) -> bool:
        """Waits, at most until the batcher stops; whether it goes on."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)
            return not self._stopping
