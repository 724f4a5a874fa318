"""Which frame of a character is shown now: the client's own clock on its timeline, as SPEC.md asks of clients."""

from __future__ import annotations

import math
from typing import Final

from protocol.buffer import FrameBuffer

MAX_SPEED_CHANGE: Final = 0.05
_MIDDLE: Final = 0.5
"""A clock that ticks once a frame reads it in its middle: then no jitter shows a frame twice and leaves out the next."""
_LATE_S: Final = 0.5
"""A page that was kept from drawing for longer goes on where it is instead of catching up."""


class Playback:
    """The playhead of one timeline. Starts, and goes on after it ran dry, when ``lead`` / 2 seconds of frames are held."""

    def __init__(self, lead: float) -> None:
        self._lead = lead
        self.reset()

    def reset(self) -> None:
        """Back to before the first frame of a timeline."""
        self.frame = -1
        """Index of the frame shown last; -1 before the first."""
        self._position = 0.0  # in frames, with a fraction
        self._waiting = True
        self._then: float | None = None

    def wake(self) -> None:
        """After a pause: the time that has passed since the last frame does not count."""
        self._then = None

    def advance(self, now: float, buffer: FrameBuffer) -> int | None:
        """Moves on to ``now`` (seconds of any steady clock); the index of a frame to show, None when none is new."""
        elapsed = 0.0 if self._then is None else min(now - self._then, _LATE_S)
        self._then = now
        if buffer.newest < 0:
            return None
        if self.frame < 0:
            self._position = max(0, buffer.newest + 1 - buffer.capacity) + _MIDDLE
        held = (buffer.newest + 1 - self._position) / buffer.frame_rate  # seconds
        if self._waiting:
            if held < 0.5 * self._lead:
                return None
            self._waiting, elapsed = False, 0.0
        self._position += elapsed * buffer.frame_rate * self._speed(held)
        if self._position >= buffer.newest + 1:
            self._position, self._waiting = buffer.newest + _MIDDLE, True
        due = _at_or_after(buffer, math.floor(self._position))
        if due > self._position:
            self._position = due + _MIDDLE
        if due == self.frame:
            return None
        self.frame = due
        return due

    def held_seconds(self, buffer: FrameBuffer) -> float:
        """Seconds of frames that follow the one shown, without a gap."""
        return buffer.buffered(self.frame) / buffer.frame_rate if self.frame >= 0 else 0.0

    def _speed(self, held: float) -> float:
        """1 in real time; a little less before frames run out, a little more when far too many are held."""
        low, high = 0.25 * self._lead, 2.0 * self._lead
        if held < low:
            return 1.0 - MAX_SPEED_CHANGE
        return 1.0 + MAX_SPEED_CHANGE if held > high else 1.0


def _at_or_after(buffer: FrameBuffer, index: int) -> int:
    """The first index held from ``index`` on: what a slow client lost is skipped."""
    return next(at for at in range(index, buffer.newest + 1) if at in buffer)
