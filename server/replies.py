"""What a session tells its client: messages into the outbox, refusals, and in the end why it must close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol import limits
from protocol.codec import encode
from protocol.errors import FATAL, ErrorCode
from protocol.messages import Error, ServerMessage
from server.observer import Journal
from server.outbox import Outbox
from server.refusals import RefusalWindow

OUTBOX_MESSAGES: Final = 512
"""Statuses, errors and clips that may wait for a client; more, and it is `too_slow`."""


@dataclass(frozen=True)
class Close:
    """How the connection is to end."""

    code: int
    reason: str


class Replies:
    """One session's, over all its connections. ``closing`` ends the present one."""

    def __init__(self, journal: Journal) -> None:
        self.closing: Close | None = None
        self.outbox = Outbox(OUTBOX_MESSAGES)
        self._journal = journal
        self._refused = RefusalWindow()

    def send(self, message: ServerMessage, *, repeats: bool = True) -> None:
        """A message in its turn. ``repeats``: it is sent again after a drop."""
        self._check_room(self.outbox.put(encode(message), repeats=repeats))

    def send_frames(self, data: bytes, character: str, first: int) -> None:
        """A packed `frames` message of a character from index ``first`` on."""
        self._check_room(self.outbox.put_frames(data, character, first))

    def refuse(self, error: Error, now: float, *, silent: bool = False) -> None:
        """A message of the client was refused; too many of them end the connection. ``silent``: without telling it."""
        code = ErrorCode(error.code)
        if code in FATAL:
            self.refuse_for_good(code, error.message)
            return
        self._journal.refused(code)
        if not silent:
            self.send(error)
        if self._refused.add(now):
            text = f"more than {limits.MAX_ERRORS} messages refused within {limits.ERROR_WINDOW_SECONDS:g} s"
            self.refuse_for_good(ErrorCode.TOO_MANY_ERRORS, text)

    def refuse_for_good(self, code: ErrorCode, text: str) -> None:
        """Ends the connection with one of the errors that do."""
        if self.closing is None:
            self._journal.refused(code)
            message = text[: limits.MAX_ERROR_CHARACTERS]
            self.outbox.put_last_words(encode(Error(code=code.value, message=message)))
            self.closing = Close(int(FATAL[code]), message)

    def _check_room(self, taken: bool) -> None:
        if not taken:
            self.refuse_for_good(ErrorCode.TOO_SLOW, f"{OUTBOX_MESSAGES} messages wait for the client; it must read")
