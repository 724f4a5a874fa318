"""What the server tells about its work as it goes: to metrics, to traces, to whoever watches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence


class Observer:
    """Watches and never disturbs: every method is quick and may be called from any thread. This one does nothing."""

    @contextlib.contextmanager
    def batch(self, size: int) -> Iterator[None]:
        """Around one call of the engine for ``size`` requests, in the model thread."""
        yield

    def stage(self, name: str, seconds: float) -> None:
        """A part of the call in progress has been done, in the model thread."""

    def frames_sent(self, count: int) -> None:
        """Frames were given to a connection."""

    def frames_dropped(self, count: int) -> None:
        """Frames were skipped because a client did not read."""

    def prompt_status(self, status: str) -> None:
        """A `prompt_status` was given to a connection."""

    def first_frame(self, session: str, character: str, prompt: str, seconds: float) -> None:
        """The first frame of a prompt with mode `replace` was given to its connection, ``seconds`` after the prompt came."""

    def refused(self, code: str) -> None:
        """A message or a connection was refused with an error code."""

    def engine_lost(self) -> None:
        """An engine that runs elsewhere ended while it made a motion."""


class Observers(Observer):
    """Several as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._all = tuple(observers)

    @contextlib.contextmanager
    def batch(self, size: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for observer in self._all:
                stack.enter_context(observer.batch(size))
            yield

    def stage(self, name: str, seconds: float) -> None:
        for observer in self._all:
            observer.stage(name, seconds)

    def frames_sent(self, count: int) -> None:
        for observer in self._all:
            observer.frames_sent(count)

    def frames_dropped(self, count: int) -> None:
        for observer in self._all:
            observer.frames_dropped(count)

    def prompt_status(self, status: str) -> None:
        for observer in self._all:
            observer.prompt_status(status)

    def first_frame(self, session: str, character: str, prompt: str, seconds: float) -> None:
        for observer in self._all:
            observer.first_frame(session, character, prompt, seconds)

    def refused(self, code: str) -> None:
        for observer in self._all:
            observer.refused(code)

    def engine_lost(self) -> None:
        for observer in self._all:
            observer.engine_lost()


class Journal:
    """What one session tells its observer; knows when each character was last told to do something else."""

    def __init__(self, observer: Observer, session: str) -> None:
        self._observer, self._session = observer, session
        self._asked: dict[
            str, tuple[str, float]
        ] = {}  # by character: the newest prompt that replaces, and when it came

    def prompted(self, character: str, prompt: str, now: float) -> None:
        """A prompt with mode `replace` was accepted."""
        self._asked[character] = (prompt, now)

    def sent(self, runs: Sequence[tuple[str, str | None]], frames: int, now: float) -> None:
        """Runs of frames go out, each of a character and a prompt; so many frames in all."""
        self._observer.frames_sent(frames)
        for character, prompt in runs if self._asked else ():
            asked = self._asked.get(character)
            if asked is not None and asked[0] == prompt:
                del self._asked[character]
                self._observer.first_frame(self._session, character, asked[0], now - asked[1])

    def dropped(self, count: int) -> None:
        """Frames were skipped because the client did not read."""
        if count:
            self._observer.frames_dropped(count)

    def removed(self, character: str) -> None:
        """The character is gone."""
        self._asked.pop(character, None)

    def status(self, status: str) -> None:
        """A `prompt_status` goes out."""
        self._observer.prompt_status(status)

    def refused(self, code: str) -> None:
        """An error goes out."""
        self._observer.refused(code)
