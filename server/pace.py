"""At which moment of the planned motion each client frame lies: evenly, but where a speed is asked for.

A walk is made faster or slower by playing it so. Scaling its steps instead would make the feet slide by the difference.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

import numpy as np

from server.motion.rotation import Array
from server.motion.steering import SLOW_SPEED, TRAVEL_SPEED

SLOWEST, FASTEST = 0.5, 1.6
"""Bounds of the factor: beyond them a walk looks like slow motion or a silent film."""
CHANGE_PER_SECOND: Final = 1.5
"""How fast the factor changes, per second."""
_EPS = 1e-6


def factors(speeds: Array, wanted: float | None) -> Array:
    """How much faster to play than made, for speeds (…) of the motion in m/s; 1 where it does not travel."""
    if wanted is None:
        return np.ones_like(speeds)
    travelling = np.clip((speeds - SLOW_SPEED) / (TRAVEL_SPEED - SLOW_SPEED), 0.0, 1.0)
    factor = np.clip(wanted / np.maximum(speeds, SLOW_SPEED), SLOWEST, FASTEST)
    return 1.0 + travelling * (factor - 1.0)


class Pace:
    """Model time (in model frames) of each client frame, fixed up to ``end`` and even after it."""

    def __init__(self, fps: float, frame_rate: float) -> None:
        self._step = fps / frame_rate
        self._change = CHANGE_PER_SECOND / frame_rate
        self.first = 0
        """The first frame whose time is still known."""
        self._times: list[float] = [0.0]
        self._factors: list[float] = [1.0]
        self._even = (0, 0.0)  # a frame and its time, from which on frames are even: sums of steps would drift

    @property
    def end(self) -> int:
        """One past the last frame whose time is fixed."""
        return self.first + len(self._times)

    @property
    def is_even(self) -> bool:
        """Whether frames after those that are fixed are even, if no speed is asked for."""
        return self._factors[-1] == 1.0

    def time(self, frame: float) -> float:
        """Model time of a client frame, which may lie between two."""
        low = min(max(math.floor(frame), self.first), self.end - 1)
        if low == self.end - 1:
            start, time = self._even
            return time + (frame - start) * self._step
        at = low - self.first
        return self._times[at] + (frame - low) * (self._times[at + 1] - self._times[at])

    def times(self, first: int, end: int) -> Array:
        """Model times of client frames ``first``..``end`` (end excluded), which must be fixed."""
        return np.array(self._times[first - self.first : end - self.first])

    def first_frame(self, model_frame: int) -> int:
        """The first client frame that depends on ``model_frame`` or a later one."""
        if model_frame <= 0:
            return 0
        before = model_frame - 1 + _EPS * self._step
        if before >= self._times[-1]:
            start, time = self._even
            return max(self.end, start + math.floor((model_frame - 1 - time) / self._step + _EPS) + 1)
        return self.first + bisect_right(self._times, before)

    def first_model_frame(self, client_frame: int) -> int:
        """The first model frame that can change without changing a client frame before ``client_frame``."""
        return math.ceil(self.time(client_frame - 1) - _EPS * self._step) + 1 if client_frame > 0 else 0

    def extend(self, last: int, speeds: Array, start: int, wanted: float | None) -> None:
        """Fixes frames as long as they lie within the model frames ``start``.. of ``speeds`` (T,) m/s, up to ``last``."""
        limit = start + len(speeds) - 1 + _EPS
        if wanted is None and self.is_even:
            begin, time = self._even
            even = (time + (np.arange(self.end, last + 1) - begin) * self._step).tolist()
            count = bisect_right(even, limit)
            self._times += even[:count]
            self._factors += [1.0] * count
            return
        goals = factors(speeds, wanted).tolist()
        while self.end <= last:
            now = self._factors[-1]
            goal = goals[min(max(int(self._times[-1]) - start, 0), len(goals) - 1)]
            factor = now + min(max(goal - now, -self._change), self._change)
            time = self.time(self.end) if factor == now == 1.0 else self._times[-1] + factor * self._step
            if time > limit:
                return
            if factor != 1.0:
                self._even = (self.end, time)
            self._times.append(time)
            self._factors.append(factor)

    def cut(self, frame: int) -> None:
        """Frames from ``frame`` on are no longer fixed."""
        keep = max(1, frame - self.first)
        if keep >= len(self._times):
            return
        del self._times[keep:], self._factors[keep:]
        if self._even[0] >= frame:
            self._even = (frame - 1, self._times[-1])

    def forget(self, frame: int) -> None:
        """Drops what lies before ``frame``, but for the last fixed frame."""
        drop = min(frame - self.first, len(self._times) - 1)
        if drop > 0:
            del self._times[:drop], self._factors[:drop]
            self.first += drop
