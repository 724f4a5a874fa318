"""How long the model takes, as far as one can tell from what it took."""

from __future__ import annotations


class Latency:
    """Running mean and mean deviation of the time that a generation takes, as RFC 6298 does for TCP round trips."""

    def __init__(self, floor: float, ceiling: float = 4.0) -> None:
        """Bounds of ``reserve``, seconds."""
        self._floor, self._ceiling = floor, ceiling
        self._mean: float | None = None
        self._deviation = 0.0

    def observe(self, seconds: float) -> None:
        """Takes one measured generation into account."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += 0.25 * (abs(seconds - self._mean) - self._deviation)
        self._mean += 0.125 * (seconds - self._mean)

    @property
    def reserve(self) -> float:
        """Seconds to leave between a request and its splice."""
        if self._mean is None:
            return self._floor
        return min(self._ceiling, max(self._floor, self._mean + 2.0 * self._deviation))
