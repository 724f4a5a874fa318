"""Results of the model thread on their way into the sessions: one at a time, whatever else is to be done in between.

Taking one in costs about a millisecond. A batch has many, and those that were asked for together come together: taken in at
one go, they would make every connection of the server late.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

LOG = logging.getLogger(__name__)


class Arrivals:
    """Belongs to the event loop that it is made in. What waits is bounded by what the sessions have asked for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._some = asyncio.Event()

    def put(self, take_in: Callable[[], None]) -> None:
        """``take_in`` is called in the loop, after those that were put before. From any thread; ignored when the loop has closed."""
        try:
            self._loop.call_soon_threadsafe(self._add, take_in)
        except RuntimeError:
            LOG.debug("a result came after the end")  # no one is left to tell

    async def run(self) -> None:
        """Takes them in until it is cancelled; what one fails at is logged."""
        while True:
            await self._some.wait()
            try:
                self._waiting.popleft()()
            except Exception:
                LOG.exception("a result could not be taken in")
            if not self._waiting:
                self._some.clear()
            await asyncio.sleep(0.0)

    def _add(self, take_in: Callable[[], None]) -> None:
        self._waiting.append(take_in)
        self._some.set()
