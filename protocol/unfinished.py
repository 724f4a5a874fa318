"""What a client has asked its characters to play and has not seen end, for a session that begins in place of a lost one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol import limits
from protocol.fields import Mode, OnEnd
from protocol.messages import Control, Error, Message, Prompt, PromptStatus, Timeline, TimelinePrompt

MOST_FOR_ONE_CHARACTER: Final = 2 * limits.MAX_QUEUED_PROMPTS
_ENDS: Final = frozenset({"finished", "cancelled", "failed"})


@dataclass(frozen=True)
class _Wish:
    prompt: TimelinePrompt
    message_id: str | None
    replaces: bool
    on_end: OnEnd


class Unfinished:
    """Remembers prompts, so that they can be asked again of a server that has forgotten them, under the same ids.

    Steering, pauses and root motion are not remembered.
    """

    def __init__(self) -> None:
        self._wishes: dict[str, deque[_Wish]] = {}

    def sent(self, message: Message) -> None:
        """Takes note of a message to the server."""
        if isinstance(message, Control) and message.action in ("stop", "remove"):
            self.forget(message.character)
        if isinstance(message, Prompt):
            fields = {name: getattr(message, name) for name in TimelinePrompt.model_fields}
            self._add(message, (TimelinePrompt(**fields),))
        if isinstance(message, Timeline):
            self._add(message, message.prompts)

    def unsent(self, message: Message) -> None:
        """It never left, and whoever sends it will try again."""
        if isinstance(message, Prompt | Timeline):
            ids = {message.id} if isinstance(message, Prompt) else {entry.id for entry in message.prompts}
            self._drop(message.character, lambda wish: wish.prompt.id in ids)

    def seen(self, message: PromptStatus | Error) -> None:
        """Takes note of an answer."""
        if isinstance(message, Error):
            for character in tuple(self._wishes):
                self._drop(character, lambda wish: message.id is not None and message.id in _ids(wish))
        elif message.status in _ENDS:
            self._drop(message.character, lambda wish: wish.prompt.id == message.id)

    def forget(self, character: str) -> None:
        """Nothing is wanted of a character any more."""
        self._wishes.pop(character, None)

    def again(self) -> list[Timeline]:
        """The messages that ask for all of it, in order."""
        messages = []
        for character, wishes in self._wishes.items():
            latest = list(wishes)
            starts = [at for at, wish in enumerate(latest) if wish.replaces]
            latest = latest[starts[-1] if starts else 0 :]
            for first in range(0, len(latest), limits.MAX_TIMELINE_PROMPTS):
                part = latest[first : first + limits.MAX_TIMELINE_PROMPTS]
                prompts = tuple(wish.prompt for wish in part)
                mode: Mode = "queue" if first else "replace"
                messages.append(Timeline(character=character, prompts=prompts, mode=mode, on_end=part[-1].on_end))
        return messages

    def _add(self, message: Prompt | Timeline, prompts: tuple[TimelinePrompt, ...]) -> None:
        wishes = self._wishes.get(message.character, deque(maxlen=MOST_FOR_ONE_CHARACTER))
        replaces = message.mode == "replace"
        wishes.extend(_Wish(p, message.id, replaces and not at, message.on_end) for at, p in enumerate(prompts))
        self._wishes[message.character] = wishes
        while len(self._wishes) > limits.MAX_CHARACTERS:
            del self._wishes[next(iter(self._wishes))]

    def _drop(self, character: str, is_over: Callable[[_Wish], bool]) -> None:
        kept = [wish for wish in self._wishes.get(character, ()) if not is_over(wish)]
        if kept:
            self._wishes[character] = deque(kept, MOST_FOR_ONE_CHARACTER)
        else:
            self.forget(character)


def _ids(wish: _Wish) -> tuple[str | None, ...]:
    return (wish.prompt.id, wish.message_id)
