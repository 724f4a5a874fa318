"""What a session has to send, and enough of what it has sent to repeat what a dropped connection lost."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

REMEMBERED_REPLIES: Final = 512
REMEMBERED_RUNS: Final = 4096


class _Item(NamedTuple):
    """One message: after a drop it is repeated as it is, or its run of frames is made again, or neither."""

    data: bytes
    repeats: bool = False
    run: tuple[str, int] | None = None


class Outbox:
    """Messages in order, at most ``capacity`` waiting. All of them count but those put first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._greeting: list[bytes] = []
        self._waiting: deque[_Item] = deque()
        self._after_frames: deque[_Item] = deque()
        self._sent = 0
        self._replies: deque[tuple[int, bytes]] = deque(maxlen=REMEMBERED_REPLIES)
        self._runs: deque[tuple[int, str, int]] = deque(maxlen=REMEMBERED_RUNS)

    @property
    def sent(self) -> int:
        """Messages sent so far."""
        return self._sent

    def put(self, data: bytes, *, repeats: bool = True) -> bool:
        """Takes a message; False when there is no room. ``repeats``: it is sent again after a drop."""
        if self._is_full():
            return False
        (self._after_frames or self._waiting).append(_Item(data, repeats))
        return True

    def put_frames(self, data: bytes, character: str, first: int) -> bool:
        """Takes frames of a character from index ``first`` on; False when there is no room."""
        if self._is_full():
            return False
        self._waiting.append(_Item(data, run=(character, first)))
        return True

    def put_last_words(self, data: bytes) -> None:
        """Takes the reason why the connection ends, room or not; never repeated."""
        self._after_frames.append(_Item(data))

    def greet(self, data: bytes) -> None:
        """Takes a `welcome`: goes first and does not count."""
        self._greeting.append(data)

    def take(self) -> list[bytes]:
        """Everything to send now, in order; it counts as sent."""
        ready, self._greeting = self._greeting, []
        for item in (*self._waiting, *self._after_frames):
            self._sent += 1
            ready.append(item.data)
            if item.repeats:
                self._replies.append((self._sent, item.data))
            if item.run is not None:
                self._runs.append((self._sent, *item.run))
        self._waiting.clear()
        self._after_frames.clear()
        return ready

    def drop_passing(self) -> None:
        """The connection has dropped: what waits and is not to be repeated goes with it."""
        for queue in (self._waiting, self._after_frames):
            kept = [item for item in queue if item.repeats]
            queue.clear()
            queue.extend(kept)

    def rewind(self, received: int) -> dict[str, int]:
        """Goes back to the first ``received`` messages: what was sent after them waits again.

        Returns the first frame lost of each character that lost some; these are to be put again before the next `take`. What
        was sent after the first of them then follows them.
        """
        received = min(received, self._sent)
        lost_runs = [run for run in self._runs if run[0] > received]
        first_run = lost_runs[0][0] if lost_runs else 0
        lost = [(number, _Item(data, repeats=True)) for number, data in self._replies if number > received]
        later = [item for number, item in lost if lost_runs and number > first_run]
        self._after_frames = deque([*later, *self._waiting, *self._after_frames])
        self._waiting = deque(item for number, item in lost if not lost_runs or number < first_run)
        self._replies = deque((kept for kept in self._replies if kept[0] <= received), REMEMBERED_REPLIES)
        self._runs = deque((kept for kept in self._runs if kept[0] <= received), REMEMBERED_RUNS)
        self._sent = received
        firsts: dict[str, int] = {}
        for _, character, first in lost_runs:
            firsts[character] = min(first, firsts.get(character, first))
        return firsts

    def _is_full(self) -> bool:
        return len(self._waiting) + len(self._after_frames) >= self._capacity
