"""The line of requests that wait for the model: who is served next.

A request says within how many seconds its motion is needed: at once for a prompt, when the planned motion runs out for what
continues it. Served first is what has waited longest in proportion to that. So a prompt passes motion that is made ahead, yet
all rise as they wait, and none waits for ever, however slow the model is. With deadlines, the earliest first, a model that
is too slow would soon have nothing but deadlines that are past, and serve the oldest: prompts would wait behind idle motion.

Owners take turns: of one who has several requests in line, the second counts half as much as it would alone, the third a
third. An owner is a session; engines in a cluster know none, so that only the line of each server is fair.

A place is sure for characters, of which a server has only so many, each with one request. Clips find room or are refused; however
many characters wait, they take none of it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from server.backend import AT_ONCE_SECONDS, BusyError, Deliver, Key, Need
from server.model_calls import Request

HEAD_START_SECONDS: Final = 0.05
"""So long a request has waited already when it comes: those that come together differ by how soon they are needed."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """One request in line, wanted since ``since`` and needed ``within`` seconds of then."""

    key: Key
    request: Request
    deliver: Deliver
    within: float
    since: float
    sure: bool

    def urgency(self, now: float) -> float:
        """How much it has waited, in proportion to how long it may."""
        return (now - self.since + HEAD_START_SECONDS) / max(self.within, AT_ONCE_SECONDS)


class Line:
    """At most ``capacity`` clips, beside requests that are sure of a place. Belongs to one thread, or to whoever holds its lock."""

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._waiting: dict[Key, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def problem(self) -> str | None:
        """Why another server would be the better one to ask; None: this one has room."""
        full = len(self._waiting) >= self._capacity
        return f"{len(self._waiting)} requests wait for the model, the limit is {self._capacity}" if full else None

    def add(self, key: Key, request: Request, need: Need, deliver: Deliver) -> None:
        """Puts a request in line; BusyError when it is a clip, not sure of a place, and there are ``capacity`` of them."""
        clips = 0 if need.sure else sum(not one.sure for one in self._waiting.values())
        if clips >= self._capacity:
            raise BusyError(f"{clips} clips wait for the model, the limit is {self._capacity}; try again")
        self._waiting[key] = Waiting(key, request, deliver, need.within, self._clock() - need.waited, need.sure)

    def need(self, one: Waiting) -> Need:
        """How soon a request is needed now, to be told to another line."""
        return Need(one.within, self._clock() - one.since, one.sure)

    def take(self, count: int) -> list[Waiting]:
        """The next ``count`` requests, or all, out of the line."""
        now = self._clock()
        turns: Counter[str] = Counter()
        ranks: dict[Key, float] = {}
        for one in sorted(self._waiting.values(), key=lambda one: -one.urgency(now)):
            turns[one.key[0]] += 1
            ranks[one.key] = one.urgency(now) / turns[one.key[0]]
        return [self._waiting.pop(key) for key in sorted(ranks, key=lambda key: -ranks[key])[:count]]

    def remove(self, key: Key) -> None:
        """Takes a request out; harmless when unknown."""
        self._waiting.pop(key, None)

    def remove_owner(self, owner: str) -> None:
        """Takes all requests of an owner out."""
        for key in [key for key in self._waiting if key[0] == owner]:
            del self._waiting[key]

    def clear(self) -> None:
        """Takes all out."""
        self._waiting.clear()
