"""What a session has asked of the model: by number, with who waits for the answer and until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from server.backend import Need
from server.model_calls import LateError, Request, Result


@dataclass(frozen=True, eq=False)
class Job:
    """A request for the model; ``number`` is unique within the session."""

    number: int
    request: Request
    need: Need


class Asker(Protocol):
    """Who waits for the answer to a job."""

    @property
    def waits(self) -> bool:
        """Whether it still does."""
        ...

    def deliver(self, result: Result, now: float) -> None:
        """The answer, or why there is none."""
        ...

    def refuse(self, reason: str, now: float) -> None:
        """The model had no room for the job."""
        ...


@dataclass(frozen=True, eq=False)
class _Asked:
    asker: Asker
    deadline: float


class Jobs:
    """The jobs of one session. One that takes longer than ``timeout`` seconds has failed."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._asked: dict[int, _Asked] = {}
        self._fresh: list[Job] = []
        self._cancelled: list[int] = []
        self._numbers = 0

    @property
    def askers(self) -> Iterator[Asker]:
        """All who wait."""
        return (asked.asker for asked in self._asked.values())

    def submit(self, request: Request, asker: Asker, now: float, need: Need) -> None:
        """Asks the model for something."""
        self._numbers += 1
        self._asked[self._numbers] = _Asked(asker, now + self._timeout)
        self._fresh.append(Job(self._numbers, request, need))

    def deliver(self, number: int, result: Result, now: float) -> None:
        """The answer to a job; ignored when no one waits for it any more."""
        asked = self._asked.pop(number, None)
        if asked is not None and asked.asker.waits:
            asked.asker.deliver(result, now)

    def refuse(self, number: int, reason: str, now: float) -> None:
        """The model had no room for a job."""
        asked = self._asked.pop(number, None)
        if asked is not None and asked.asker.waits:
            asked.asker.refuse(reason, now)

    def sweep(self, now: float) -> None:
        """Drops the jobs that no one waits for, and fails those that took too long."""
        for number, asked in list(self._asked.items()):
            if not asked.asker.waits:
                self._cancel(number)
            elif now >= asked.deadline:
                self._cancel(number)
                error = LateError(f"the model did not answer within {self._timeout:g} s")
                asked.asker.deliver(error, now)

    def drop(self) -> None:
        """The connection has dropped: no one waits any more, others need the model."""
        for number in list(self._asked):
            self._cancel(number)

    def take(self) -> list[Job]:
        """The jobs to submit, once."""
        jobs, self._fresh = self._fresh, []
        return jobs

    def take_cancelled(self) -> list[int]:
        """The jobs that are no longer wanted, once."""
        cancelled, self._cancelled = self._cancelled, []
        return cancelled

    def _cancel(self, number: int) -> None:
        del self._asked[number]
        kept = [job for job in self._fresh if job.number != number]
        if len(kept) == len(self._fresh):
            self._cancelled.append(number)
        self._fresh = kept  # what was not taken yet never reaches the model
