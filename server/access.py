"""Who may use the server, and how much: tokens, and an account of what the holders of each use together."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Final

from pydantic import SecretStr

from protocol.errors import ErrorCode
from protocol.messages import ClientMessage, Edit, Error, Generate, Prompt, Timeline
from server.config import Quota, ServeConfig
from server.refusals import refusal

NO_TOKEN: Final = "anyone"
"""Name of the account that all clients share where no token is asked for."""
MINUTE: Final = 60.0


class HelloError(Exception):
    """The connection cannot go on. ``code`` is one of the errors that close it."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Account:
    """What the holders of one token use, over all their sessions."""

    def __init__(self, name: str, quota: Quota) -> None:
        self.name = name
        self.quota = quota
        self._connected: set[str] = set()  # sessions
        self._characters: dict[str, int] = {}  # by session
        self._prompted: deque[float] = deque(maxlen=quota.prompts_per_minute or 0)  # when, the last of them

    @property
    def connections(self) -> int:
        """Sessions that a connection holds."""
        return len(self._connected)

    @property
    def characters(self) -> int:
        """Characters of all sessions."""
        return sum(self._characters.values())

    def connect(self, session_id: str) -> None:
        """A connection holds the session now, instead of an earlier one if there was; HelloError when it is one too many."""
        most = self.quota.connections
        if session_id not in self._connected and most is not None and len(self._connected) >= most:
            text = f"this token has {len(self._connected)} connections already, its limit is {most}; close one first"
            raise HelloError(ErrorCode.TOO_MANY_CONNECTIONS, text)
        self._connected.add(session_id)

    def disconnect(self, session_id: str) -> None:
        """No connection holds the session any more."""
        self._connected.discard(session_id)

    def end(self, session_id: str) -> None:
        """The session is over."""
        self._connected.discard(session_id)
        self._characters.pop(session_id, None)

    def count_characters(self, session_id: str, count: int) -> None:
        """The session has ``count`` characters now."""
        self._characters[session_id] = count

    def no_room_for_character(self) -> str | None:
        """Why another character cannot come into being; None: it can."""
        most = self.quota.characters
        if most is None or self.characters < most:
            return None
        return f"the sessions of this token have {self.characters} characters, its limit is {most}; remove one first"

    def too_big(self, data: bytes | str) -> str | None:
        """What is wrong with the length of a message; None: nothing."""
        most = self.quota.message_bytes
        if most is None or len(data) <= most:
            return None
        return f"message has {len(data)} bytes, the limit of this token is {most}"

    def refused(self, message: ClientMessage, now: float) -> Error | None:
        """Why a valid message is too much for this token: a text too long, or too many prompts; counts it otherwise."""
        texts = _texts(message)
        return self._too_long(message, texts) or self._too_often(message, len(texts), now)

    def _too_long(self, message: ClientMessage, texts: dict[str, str]) -> Error | None:
        most = self.quota.text_characters
        for field, text in texts.items():
            if most is not None and len(text) > most:
                problem = f"{field} has {len(text)} characters, the limit of this token is {most}; shorten it"
                return _refusal(ErrorCode.TEXT_TOO_LONG, problem, message, field)
        return None

    def _too_often(self, message: ClientMessage, count: int, now: float) -> Error | None:
        most = self.quota.prompts_per_minute
        if most is None or not count:
            return None
        while self._prompted and self._prompted[0] <= now - MINUTE:
            self._prompted.popleft()
        over = len(self._prompted) + count - most
        if over <= 0:
            self._prompted.extend([now] * count)
            return None
        if over > len(self._prompted):
            advice = f"{count} at once are more than that"
        else:
            advice = f"try again in {self._prompted[over - 1] + MINUTE - now:.1f} s"
        problem = f"{len(self._prompted)} prompts came within a minute, the limit of this token is {most}; {advice}"
        return _refusal(ErrorCode.PROMPT_RATE_LIMITED, problem, message)


class Access:
    """The accounts of a server, and which token opens which."""

    def __init__(self, config: ServeConfig) -> None:
        self._digests = {name: _digest(secret.get_secret_value()) for name, secret in config.secrets.items()}
        names = self._digests or (NO_TOKEN,)
        self._accounts = {name: Account(name, config.quota_of(name)) for name in names}

    def account(self, token: str | None) -> Account:
        """The account that a client's token opens; HelloError when it opens none.

        All are compared, by digest: the time it takes tells neither which one it was nor how much of one was right.
        """
        if not self._digests:
            return self._accounts[NO_TOKEN]
        digest = _digest(token or "")
        found = [name for name, wanted in self._digests.items() if hmac.compare_digest(digest, wanted)]
        if token is None or not found:
            problem = "hello has no token" if token is None else "hello has a wrong token"
            raise HelloError(ErrorCode.UNAUTHORIZED, f"{problem}; send one that the server was started with")
        return self._accounts[found[0]]

    def named(self, name: str) -> Account | None:
        """The account of that name; None when there is none."""
        return self._accounts.get(name)

    def end(self, session_id: str) -> None:
        """The session is over, whosever it was."""
        for account in self._accounts.values():
            account.end(session_id)

    @property
    def connections(self) -> int:
        """Sessions that a connection holds."""
        return sum(account.connections for account in self._accounts.values())

    @property
    def characters(self) -> int:
        """Characters of all sessions."""
        return sum(account.characters for account in self._accounts.values())


def same_secret(given: str, wanted: SecretStr) -> bool:
    """Whether a secret is the one wanted; how long that takes does not tell how much of it is right."""
    return hmac.compare_digest(_digest(given), _digest(wanted.get_secret_value()))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _texts(message: ClientMessage) -> dict[str, str]:
    """The texts of a message that the model is to make motion of, by field."""
    if isinstance(message, Prompt | Generate | Edit):
        return {"text": message.text}
    if isinstance(message, Timeline):
        return {f"prompts[{at}].text": prompt.text for at, prompt in enumerate(message.prompts)}
    return {}


def _refusal(code: ErrorCode, text: str, message: ClientMessage, field: str | None = None) -> Error:
    return refusal(code, text, getattr(message, "id", None), getattr(message, "character", None), field)
