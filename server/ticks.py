"""When the connections of a server send: evenly in time, each at a moment of its own within the tick.

Connections that were opened together would otherwise all send at once, and each wait for all the others.
"""

from __future__ import annotations

import math
from typing import Final

GOLDEN_SECTION: Final = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of it, less their whole parts, lie evenly within 0..1 however many there are."""


class Ticks:
    """The moments ``(k + phase)`` · ``period`` for whole k, in seconds of the event loop's clock."""

    def __init__(self, period: float, number: int) -> None:
        """``number``: how many connections have been opened before."""
        self._period = period
        self._phase = number * GOLDEN_SECTION % 1.0 * period

    def last(self, time: float) -> float:
        """The last moment not later than ``time``."""
        return math.floor((time - self._phase) / self._period + 1e-9) * self._period + self._phase

    def after(self, time: float) -> float:
        """The first moment later than ``time``; those that were missed are left out, none comes late for ever after."""
        return self.last(time) + self._period
