"""Saying no: the `error` messages of a session, and the limits on how much it may ask and get wrong."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from protocol import limits
from protocol.errors import ErrorCode, shown
from protocol.messages import Error


def refusal(
    code: ErrorCode,
    text: str,
    request_id: str | None = None,
    character: str | None = None,
    field: str | None = None,
) -> Error:
    """An `error` message, its text cut to the protocol's limit."""
    message = text[: limits.MAX_ERROR_CHARACTERS]
    return Error(code=code.value, message=message, id=request_id, character=character, field=field)


def unknown_character(name: str, request_id: str | None) -> Error:
    """The refusal of a message about a character that does not exist."""
    text = f"no character {shown(name)}; it comes into being with its first prompt"
    return refusal(ErrorCode.UNKNOWN_CHARACTER, text, request_id, name)


def id_in_use(taken: str, request_id: str | None, character: str | None = None, field: str = "id") -> Error:
    """The refusal of a message whose ``field`` names what already has that name."""
    text = f"a prompt or request with id {shown(taken)} still plays or waits; ids must differ"
    return refusal(ErrorCode.DUPLICATE_ID, text, request_id, character, field)


def too_many_messages(fields: dict[str, Any]) -> Error:
    """The refusal of an unpacked message that came too soon after others."""
    text = f"more than {limits.MESSAGES_PER_SECOND} messages a second; `{shown(fields['type'])}` was ignored"
    given = fields.get("id")
    named = given if isinstance(given, str) and 0 < len(given) <= limits.MAX_NAME_CHARACTERS else None
    return refusal(ErrorCode.RATE_LIMITED, text, named)


class Allowance:
    """Token bucket: ``rate`` messages a second, as many at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = rate
        self._at = -math.inf
        self._told_at = -math.inf

    def take(self, now: float) -> bool:
        """Whether one more message may pass."""
        self._left = min(self._rate, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def tell(self, now: float) -> bool:
        """Whether to answer a message that may not pass: at most once a second."""
        if now - self._told_at < 1.0:
            return False
        self._told_at = now
        return True


class RefusalWindow:
    """Counts refused messages: more than `max_errors` within `error_window_seconds` end the connection."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=limits.MAX_ERRORS + 1)

    def add(self, now: float) -> bool:
        """Counts one; True when that was too many."""
        self._times.append(now)
        return len(self._times) > limits.MAX_ERRORS and now - self._times[0] < limits.ERROR_WINDOW_SECONDS
