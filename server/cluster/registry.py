"""Which server has which session, and the sessions that are on their way: the one thing that servers share.

It runs as a Ray actor, and knows nothing of Ray.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

POLL_SECONDS: Final = 5.0
"""How long a server waits to be asked for sessions before it says again which it has."""
SILENT_SECONDS: Final = 4 * POLL_SECONDS
"""A server that has said nothing for so long is gone, and what it had with it."""
MAX_BYTES: Final = 2 << 30
"""Of the sessions on their way. Those that came first end first."""


class _Packed(NamedTuple):
    data: bytes
    until: float


class Registry:
    """``server`` is a name that each server draws for itself. ``clock`` gives seconds, never back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        self._clock, self._max_bytes = clock, max_bytes
        self._tokens: dict[str, set[str]] = {}  # by server
        self._holders: dict[str, str] = {}  # by token
        self._heard: dict[str, float] = {}  # by server
        self._wanted: defaultdict[str, list[str]] = defaultdict(list)  # by server
        self._packed: OrderedDict[str, _Packed] = OrderedDict()  # by token
        self._changed = asyncio.Condition()

    async def announce(self, server: str, token: str) -> None:
        """The server has the session of that token from now on."""
        self._heard[server] = self._clock()
        self._tokens.setdefault(server, set()).add(token)
        self._holders[token] = server

    async def wanted(self, server: str, tokens: Collection[str], seconds: float = POLL_SECONDS) -> list[str]:
        """Tokens of the server's sessions, all of them in ``tokens``, that are wanted elsewhere; waits for ``seconds`` at most."""
        self._heard[server] = self._clock()
        self._forget(server)
        self._tokens[server] = set(tokens)
        self._holders |= dict.fromkeys(tokens, server)
        self._expire()
        async with self._changed:
            await self._until(lambda: bool(self._wanted[server]), seconds)
        self._heard[server] = self._clock()
        return self._wanted.pop(server, [])

    async def give(self, server: str, token: str, session: bytes | None, seconds: float) -> None:
        """The session, or None when the server has it no more; kept for ``seconds`` until someone takes it."""
        self._expire()
        if self._holders.get(token) == server:
            del self._holders[token]
            self._tokens[server].discard(token)
        if session is not None:
            self._packed.pop(token, None)
            self._packed[token] = _Packed(session, self._clock() + seconds)
            while sum(len(packed.data) for packed in self._packed.values()) > self._max_bytes:
                self._packed.popitem(last=False)
        async with self._changed:
            self._changed.notify_all()

    async def take(self, server: str, token: str, seconds: float) -> bytes | None:
        """The session of a token, from the server that has it; None: no one else has it, or not within ``seconds``."""
        self._expire()
        holder = self._holders.get(token)
        if token not in self._packed:
            if holder is None or holder == server:
                return None
            async with self._changed:
                self._wanted[holder].append(token)
                self._changed.notify_all()
                await self._until(lambda: token in self._packed or self._holders.get(token) != holder, seconds)
        packed = self._packed.pop(token, None)
        return packed.data if packed is not None else None

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait_for(condition)
        except TimeoutError:
            pass

    def _expire(self) -> None:
        """Forgets servers that are gone and sessions that no one came for."""
        now = self._clock()
        for server in [server for server, heard in self._heard.items() if heard <= now - SILENT_SECONDS]:
            self._forget(server)
            self._heard.pop(server)
            self._wanted.pop(server, None)
        for token in [token for token, packed in self._packed.items() if packed.until <= now]:
            del self._packed[token]

    def _forget(self, server: str) -> None:
        for token in self._tokens.pop(server, ()):
            if self._holders.get(token) == server:
                del self._holders[token]
