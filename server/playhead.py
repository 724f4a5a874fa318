"""Which frame a client shows now, and up to which one it is to be sent.

Estimated from its playhead reports, or from the time since frame 0. Without a clock: every method that needs the time
takes it as ``now``, in seconds of any monotonic clock. Frames are the client's.
"""

from __future__ import annotations

import math


class PlayheadClock:
    """The client's clock for one character. ``lead`` and ``max_ahead`` in seconds."""

    def __init__(self, frame_rate: float, lead: float, max_ahead: float) -> None:
        self._frame_rate = frame_rate
        self._lead = lead * frame_rate
        self._max_ahead = max_ahead * frame_rate
        self._anchor: tuple[float, float] | None = None  # frame shown at a time
        self._reported: int | None = None
        self._paused_at: float | None = None

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused_at is not None

    def start(self, now: float) -> None:
        """Frame 0 is shown now, unless it has been before."""
        if self._anchor is None:
            self._anchor = (0.0, now)

    def pause(self, now: float) -> None:
        """Stands still until `resume`."""
        if self._paused_at is None:
            self._paused_at = self.position(now)

    def resume(self, now: float) -> None:
        """Goes on from where it stood."""
        if self._paused_at is not None:
            if self._anchor is not None:
                self._anchor = (self._paused_at, now)
            self._paused_at = None

    def report(self, frame: int, now: float) -> None:
        """Takes a playhead report. Those that go back are ignored."""
        if self._reported is None or frame >= self._reported:
            self._reported = frame
            self._anchor = (float(frame), now)
            if self._paused_at is not None:
                self._paused_at = float(frame)

    def go_back(self, frame: int) -> None:
        """While paused: stands at ``frame`` at most."""
        assert self._paused_at is not None
        self._paused_at = min(self._paused_at, max(float(frame), 0.0))

    def position(self, now: float) -> float:
        """The frame shown now, as far as one can tell; never more than ``max_ahead`` past the last report."""
        if self._paused_at is not None:
            return self._paused_at
        if self._anchor is None:
            return 0.0
        frame, time = self._anchor
        position = frame + (now - time) * self._frame_rate
        return position if self._reported is None else min(position, self._reported + self._max_ahead)

    def shown(self, now: float) -> int:
        """The newest frame of which it is known that the client has shown it: what it reported, if it ever did."""
        return self._reported if self._reported is not None else math.floor(self.position(now))

    def due_end(self, now: float) -> int:
        """One past the last frame that is due now: the lead beyond what is shown, as far as reports allow."""
        end = math.floor(self.position(now) + self._lead + 1e-6) + 1
        return end if self._reported is None else min(end, self._reported + math.floor(self._max_ahead) + 1)
