"""How long the parts of a call take, told to whoever asks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


class Stopwatch:
    """Times stages of a call. ``told`` gets the name and seconds of each that ends; None: no one asks, and none is timed.

    On a GPU, work goes on after the call that asked for it: its time shows in the stage that waits for the result.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.told: Callable[[str, float], object] | None = None
        self._clock = clock

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if self.told is None:
            yield
            return
        started = self._clock()
        yield
        self.told(stage, self._clock() - started)
