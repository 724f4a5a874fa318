"""Makes the frames of all characters a little ahead of their sending: some at a time, and those first that need it most.

Every character needs a new stretch of frames from time to time. Made when it is due, the stretches of characters that began
together fall due together, and all that is to be sent waits for them. Made ahead, a few in each tick, no tick has more than
its share of work; those made together share the calls of numpy, most of what a stretch costs, and what falls due goes between
their steps.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Final

from server.motion.steps import Steps
from server.timeline import CharacterTimeline
from server.track import STRETCH_SECONDS, make_in_steps

URGENT_SECONDS: Final = 0.15
"""With fewer seconds of frames than this a character does not wait for the next tick."""
MOST: Final = 8
"""Characters whose frames are made in one go, about 5 ms in some steps of 1 ms or less."""


class Ahead:
    """``timelines`` gives those of all connected sessions; ``tick`` is the time between calls of `work`, seconds."""

    def __init__(self, timelines: Callable[[], Iterable[CharacterTimeline]], tick: float) -> None:
        self._timelines = timelines
        self._tick = tick
        self._count = 0
        self._needs: deque[tuple[float, CharacterTimeline]] = deque()  # who has how many seconds, as of the last look
        self._look_at = -math.inf

    def work(self, now: float) -> Steps[float]:
        """Makes the frames of some characters; gives after how many seconds to do so again, 0 when others need theirs now."""
        if now >= self._look_at or not self._needs:
            self._look(now)
        # One more than wear off in a tick, so that they catch up; but no more, so that they stay spread over time.
        wanted = math.ceil(self._count * self._tick / STRETCH_SECONDS) + 1
        share = min(MOST, wanted)
        group = [self._needs.popleft()[1] for _ in range(min(share, len(self._needs)))]
        ahead = [(timeline, timeline.made_ahead(now)) for timeline in group]
        yield from make_in_steps(
            t.to_make(now, max(seconds, 0.0) + STRETCH_SECONDS) for t, seconds in ahead if seconds < STRETCH_SECONDS
        )
        urgent = len(self._needs) > 0 and self._needs[0][0] < URGENT_SECONDS
        return 0.0 if urgent else self._tick * share / wanted

    def _look(self, now: float) -> None:
        """Who needs frames; this costs something for each character, so it is done but once or twice in a tick."""
        timelines = [timeline for timeline in self._timelines() if not timeline.paused]
        needs = [(timeline.made_ahead(now), timeline) for timeline in timelines]
        self._needs = deque(sorted((need for need in needs if need[0] < STRETCH_SECONDS), key=itemgetter(0)))
        self._count = len(timelines)
        self._look_at = now + 0.6 * self._tick
