"""Prompts that a dropped connection may have lost, so that a client can send them again when it resumes the session."""

from __future__ import annotations

from protocol import limits
from protocol.errors import ErrorCode
from protocol.messages import Error, Message, Prompt, PromptStatus, Timeline


class Unanswered:
    """The `prompt`s and `timeline`s sent that the server has neither accepted nor refused.

    Bounded: of more than ``capacity`` the oldest is forgotten, and lost if its connection drops.
    """

    def __init__(self, capacity: int = limits.MAX_CHARACTERS * limits.MAX_QUEUED_PROMPTS) -> None:
        self._capacity = capacity
        self._open: dict[str, Prompt | Timeline] = {}  # by every id that an answer may carry
        self._again: set[str] = set()

    def sent(self, message: Message) -> None:
        """A message is on its way."""
        if not isinstance(message, Prompt | Timeline):
            return
        while len(self._open) >= self._capacity:
            self._forget(next(iter(self._open)))
        self._open |= dict.fromkeys(_ids(message), message)

    def unsent(self, message: Message) -> None:
        """It never left, and whoever sends it will try again."""
        if isinstance(message, Prompt | Timeline) and _ids(message)[0] in self._open:
            self._forget(_ids(message)[0])

    def take(self, message: PromptStatus | Error) -> bool:
        """An answer has come. False when it is no news: what was sent again had arrived the first time."""
        if message.id not in self._open:
            return True
        again = message.id in self._again
        self._forget(message.id)
        return not (again and isinstance(message, Error) and message.code == ErrorCode.DUPLICATE_ID)

    def again(self) -> list[Prompt | Timeline]:
        """What to send again in a resumed session, in the order in which it was sent first."""
        self._again = set(self._open)
        return list({id(message): message for message in self._open.values()}.values())

    def _forget(self, answered: str) -> None:
        for known in _ids(self._open[answered]):
            self._open.pop(known, None)
            self._again.discard(known)


def _ids(message: Prompt | Timeline) -> list[str]:
    if isinstance(message, Prompt):
        return [message.id]
    own = [] if message.id is None else [message.id]
    return [*own, *(entry.id for entry in message.prompts)]
