"""How long an event loop is busy at a time, and so how late what falls due meanwhile."""

from __future__ import annotations

import asyncio
import selectors
import time
from array import array
from typing import NamedTuple

import numpy as np


class Turns(NamedTuple):
    """Turns of a loop, each from waking until it waits again: ``wait`` is the time in ms that what falls due at a random moment
    waits for the turn under way to end, at p99; ``longest`` is the longest turn in ms. Both in seconds of the processor
    that the loop's thread worked, and in real ones (``real_wait``, ``real_longest``), which other programs lengthen too.
    """

    wait: float
    longest: float
    real_wait: float
    real_longest: float


class TimedSelector(selectors.DefaultSelector):
    """Notes how long its loop takes between two waits; costs it a few µs."""

    def __init__(self) -> None:
        super().__init__()
        self._woken: tuple[float, float] | None = None
        self._begin()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._woken is not None:
            self._real.append(time.perf_counter() - self._woken[0])
            self._worked.append(time.thread_time() - self._woken[1])
        ready = super().select(timeout)
        self._woken = time.perf_counter(), time.thread_time()
        return ready

    def take(self) -> Turns:
        """Of the turns since the last call."""
        passed = time.perf_counter() - self._began
        worked, real = np.array(self._worked), np.array(self._real)
        self._begin()
        return Turns(
            *(value * 1000 for turns in (worked, real) for value in (wait_p99(turns, passed), turns.max(initial=0.0)))
        )

    def _begin(self) -> None:
        self._worked, self._real, self._began = array("d"), array("d"), time.perf_counter()


def wait_p99(turns: np.ndarray, passed: float) -> float:
    """Of waits from a random moment of ``passed`` seconds to the end of the turn under way, if any: the p99, seconds."""
    turns = np.sort(turns)[::-1]
    # With a limit between the k-th longest and the next, the k longest exceed it, by this sum less k times the limit.
    for count, total in enumerate(np.cumsum(turns), start=1):
        limit = (total - 0.01 * passed) / count
        if limit >= (turns[count] if count < len(turns) else 0.0):
            return float(limit)
    return 0.0


def timed_loop() -> tuple[asyncio.AbstractEventLoop, TimedSelector]:
    """A loop, and what tells of it."""
    selector = TimedSelector()
    return asyncio.SelectorEventLoop(selector), selector
