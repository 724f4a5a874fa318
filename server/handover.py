"""Sessions that go from one server to another: a client that comes back elsewhere is followed by its session.

Servers share a :class:`SessionStore`. It knows which of them has which session, asks for it when a client wants to resume it
elsewhere, and keeps the sessions of a server that shuts down. What a server had when it was killed is lost.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable, Collection
from typing import Final, Protocol

from server.access import Access, HelloError
from server.greeting import read_hello, server_version
from server.session import SessionState
from server.sessions import Sessions

LOG = logging.getLogger(__name__)
TAKE_SECONDS: Final = 3.0
"""How long a client waits for its session; after that it begins a new one."""
RETRY_SECONDS: Final = 1.0


class StoreError(Exception):
    """The store cannot be reached now."""


class SessionStore(Protocol):
    """What servers share. StoreError when it cannot be reached."""

    def announce(self, token: str) -> None:
        """This server has the session of that token. Returns at once, never fails."""
        ...

    async def wanted(self, tokens: Collection[str]) -> list[str]:
        """Those of this server's ``tokens`` that are wanted elsewhere; waits a while for some to be."""
        ...

    async def give(self, token: str, session: bytes | None, seconds: float) -> None:
        """Gives the session away, kept for ``seconds`` if no one waits for it; None: there is no such session here any more."""
        ...

    async def take(self, token: str) -> bytes | None:
        """The session of a token, from the server that has it, or None."""
        ...


class Handover:
    """One server's part. ``clock`` is that of its sessions."""

    def __init__(
        self,
        sessions: Sessions,
        access: Access,
        store: SessionStore,
        clock: Callable[[], float],
        retry: float = RETRY_SECONDS,
    ) -> None:
        self._sessions, self._access, self._store, self._clock, self._retry = sessions, access, store, clock, retry
        self._giving = asyncio.Lock()

    async def bring(self, data: bytes | str) -> None:
        """Before a first message is received: brings here the session that it resumes, if another server has it."""
        try:
            hello = read_hello(data)
            self._access.account(hello.token)
        except HelloError:
            return
        if hello.resume is None or hello.resume in self._sessions.tokens:
            return
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                packed = await self._store.take(hello.resume)
            state = await asyncio.to_thread(unpack, packed) if packed is not None else None
        except (StoreError, TimeoutError) as error:
            LOG.warning("a session of another server could not be had: %s", error or "no answer in time")
            return
        if state is not None:
            self._sessions.adopt(state, self._clock())

    async def run(self) -> None:
        """Gives away what other servers want, until it is cancelled."""
        while True:
            try:
                for token in await self._store.wanted(self._sessions.tokens):
                    await self._give(token)
            except StoreError as error:
                LOG.warning("sessions cannot go to other servers now: %s", error)
                await asyncio.sleep(self._retry)

    async def drain(self, timeout: float) -> None:
        """Gives away all sessions that wait for their clients, as this server ends; within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                for token in self._sessions.parked_tokens:
                    await self._give(token)
        except (StoreError, TimeoutError) as error:
            left = len(self._sessions.parked_tokens)
            LOG.warning("%d sessions could not be given away: %s", left, error or f"not done in {timeout:g} s")

    async def _give(self, token: str) -> None:
        async with self._giving:  # `drain` waits for what `run` is giving away
            await self._give_now(token)

    async def _give_now(self, token: str) -> None:
        given = self._sessions.give(token, self._clock())
        if given is None:
            await self._store.give(token, None, 0.0)
            return
        state, seconds = given
        try:
            await self._store.give(token, await asyncio.to_thread(pack, state), seconds)
        except StoreError:
            self._sessions.adopt(state, self._clock())
            raise


def pack(state: SessionState) -> bytes:
    """A session as bytes, for servers of the same version."""
    return pickle.dumps((server_version(), pickle.dumps(state, pickle.HIGHEST_PROTOCOL)))


def unpack(packed: bytes) -> SessionState | None:
    """The session; None when it comes from a server of another version. The bytes must come from the store: they can run code."""
    version, state = pickle.loads(packed)
    if version != server_version():
        LOG.warning("a session of a server of version %s cannot go on in one of %s", version, server_version())
        return None
    return pickle.loads(state)
