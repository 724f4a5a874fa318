"""The prompts of one character: which wait, which plays, what follows the last, and what the client is told of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from protocol import limits
from protocol.fields import OnEnd, Status
from protocol.messages import PromptStatus

STEP_FRAMES: Final = 4
"""The model's step of 0.2 s in its frames; lengths are multiples of it, and a context shorter than it is useless."""


@dataclass(eq=False)
class Entry:
    """One accepted prompt. ``frames`` at the model's rate, None: the model's choice; ``end`` of its planned motion.

    ``left`` of them are not made yet; what is made came in ``parts``. Behind ``text`` come the actions ``then``; ``at`` says
    which of all is to be made next.
    """

    id: str | None
    text: str
    seed: int
    frames: int | None = None
    guidance: float | None = None
    left: int = 0
    end: int = 0
    parts: int = 0
    then: tuple[str, ...] = ()
    at: int = 0


class Prompts:
    """``boundary`` is the model frame at which the last planned prompt ends. An entry without an id is idle motion."""

    def __init__(self, character: str) -> None:
        self.queue: deque[Entry] = deque()
        self.playing: Entry | None = None
        """The last one whose motion is planned."""
        self.boundary = 0
        self.after: OnEnd = "hold"
        self.at_once = False
        """The next motion is to replace what is planned, as early as can be."""
        self._character = character
        self._live: list[Entry] = []  # started, and not all sent
        self._statuses: list[PromptStatus] = []

    @property
    def ids(self) -> set[str]:
        """Of those that play or wait."""
        return {entry.id for entry in (*self._live, *self.queue) if entry.id is not None}

    @property
    def ends(self) -> Iterator[int]:
        """Of those that play."""
        return (entry.end for entry in self._live)

    @property
    def repeats(self) -> bool:
        """Whether the one that plays is to be made again when it ends."""
        return self.after == "repeat" and not self.queue

    @property
    def owed(self) -> Entry | None:
        """The one that plays, if it has not got all its frames yet."""
        return self.playing if self.playing is not None and self.playing.left > 0 else None

    def asked_for(self, entry: Entry) -> bool:
        """Whether a client waits for motion of ``entry``: idle motion and repetitions come without."""
        return entry in self.queue or entry is self.owed

    def add(self, entries: Sequence[Entry], on_end: OnEnd, *, replace: bool) -> None:
        """Accepts prompts, to be played in order, at once or after what plays and waits."""
        if replace:
            self._cancel(f"replaced by prompt {entries[0].id}")
            self.at_once = True
        for entry in entries:
            self._tell(entry, "accepted")
        self.queue.extend(entries)
        self.after = on_end

    def stop(self) -> None:
        """Cancels all; idle motion is to follow at once."""
        self._cancel("stopped")
        self.after = "idle"
        self.at_once = True

    def remove(self) -> None:
        """Cancels all, for good."""
        self._cancel("the character was removed")
        self.after = "hold"

    def made(self, entry: Entry, splice: int, frames: int, left: int) -> bool:
        """``entry`` has got ``frames`` model frames from ``splice`` on; returns whether they are its first.

        ``left``: how many the model would make of its other actions, where nobody said.
        """
        for other in self._live:
            other.end = min(other.end, splice)
        first = entry.end == 0
        wanted = entry.left or entry.frames
        entry.left = max(0, wanted - frames) if wanted is not None else left
        entry.left -= entry.left % STEP_FRAMES
        entry.at = min(entry.at + 1, len(entry.then)) if entry.left else 0
        entry.end = splice + frames
        entry.parts += 1
        self.at_once = False
        if self.queue and self.queue[0] is entry:
            self.queue.popleft()
        if entry.id is not None:
            self.playing, self.boundary = entry, entry.end
            if first:
                self._live.append(entry)
        return first

    def started(self, entry: Entry, frame: int, seconds: float) -> None:
        """The client is told at which of its frames a prompt starts, and how long it will be."""
        self._tell(entry, "started", frame=frame, seconds=seconds, seed=entry.seed)

    def finish(self, sent: int, first_frame: Callable[[int], int]) -> None:
        """Client frames before ``sent`` have been sent, ``first_frame`` gives the one where a model frame shows."""
        for entry in list(self._live):
            end = first_frame(entry.end)
            if sent >= end and not (entry is self.playing and (entry.left or self.repeats)):
                self._live.remove(entry)
                self._tell(entry, "finished", frame=end)

    def fail(self, entry: Entry, reason: str) -> None:
        """``entry`` ends; the others go on."""
        self.at_once = False
        if entry in self.queue:
            self.queue.remove(entry)
        if entry in self._live:
            self._live.remove(entry)
        if entry is self.playing:
            self.playing = None
        if not self.queue and self.after == "repeat":
            self.after = "idle"
        self._tell(entry, "failed", reason=reason[: limits.MAX_ERROR_CHARACTERS] or "the model failed")

    def take_statuses(self) -> list[PromptStatus]:
        """The statuses since the last call, in order."""
        statuses, self._statuses = self._statuses, []
        return statuses

    def _cancel(self, reason: str) -> None:
        for entry in (*self._live, *self.queue):
            self._tell(entry, "cancelled", reason=reason)
        self._live.clear()
        self.queue.clear()
        self.playing = None
        self.boundary = 0

    def _tell(
        self,
        entry: Entry,
        status: Status,
        *,
        frame: int | None = None,
        seconds: float | None = None,
        seed: int | None = None,
        reason: str | None = None,
    ) -> None:
        if entry.id is not None:
            self._statuses.append(
                PromptStatus(
                    character=self._character,
                    id=entry.id,
                    status=status,
                    frame=frame,
                    seconds=seconds,
                    seed=seed,
                    reason=reason,
                )
            )
