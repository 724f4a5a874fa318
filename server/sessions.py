"""All sessions of a server: those that a connection holds, and those that wait for their client to come back."""

from __future__ import annotations

import logging
import random
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from protocol.messages import Hello
from server.access import Access, Account
from server.config import ServeConfig
from server.latency import Latency
from server.model_info import ModelInfo
from server.observer import Observer
from server.session import Session, SessionState
from server.timeline import CharacterTimeline

LOG = logging.getLogger(__name__)
TOKEN_BYTES: Final = 24


class Sessions:
    """Opens, parks, resumes and ends sessions. Without a clock: expired ones end when something else happens, or by `expire`.

    ``ended`` is called with the id of each session that is over.
    """

    def __init__(
        self,
        config: ServeConfig,
        model: ModelInfo,
        latency: Latency,
        rng: random.Random,
        ended: Callable[[str], object],
        access: Access | None = None,
        observer: Observer | None = None,
        announce: Callable[[str], object] | None = None,
    ) -> None:
        """``announce`` is called with the token of each session that this server has from now on."""
        self._announce = announce or (lambda token: None)
        self._config, self._model, self._latency, self._rng, self._ended = config, model, latency, rng, ended
        self._access = access or Access(config)
        self._observer = observer or Observer()
        self._held: dict[str, tuple[Session, Callable[[], None]]] = {}  # by token, with how to make the holder let go
        self._served: dict[str, Session] = {}  # by id
        self._parked: OrderedDict[str, tuple[Session, float]] = OrderedDict()  # by token, until when

    @property
    def parked(self) -> int:
        """Sessions without a connection."""
        return len(self._parked)

    @property
    def parked_characters(self) -> int:
        """Characters of sessions without a connection."""
        return sum(len(session.timelines) for session, _ in self._parked.values())

    @property
    def timelines(self) -> Iterator[CharacterTimeline]:
        """Of the characters of all sessions that a connection serves."""
        return (timeline for session in self._served.values() for timeline in session.timelines)

    def open(self, *, full: bool) -> Session:
        """A session for a new connection; its `hello` may turn it into an earlier one, its ``successor``."""
        token = secrets.token_urlsafe(TOKEN_BYTES) if self._config.resume_seconds > 0.0 else None
        return self._new(secrets.token_hex(8), token, full=full)

    def _new(self, session_id: str, token: str | None, *, full: bool) -> Session:
        return Session(
            session_id,
            self._config,
            self._model,
            self._latency,
            self._rng,
            full=full,
            token=token,
            find=lambda hello, account, now: self._find(hello, account, now, full=full),
            access=self._access,
            observer=self._observer,
        )

    def hold(self, session: Session, let_go: Callable[[], None]) -> None:
        """A connection serves a greeted session. ``let_go`` makes it stop at once, when another one takes it over."""
        self._served[session.id] = session
        if session.token is not None:
            self._held[session.token] = (session, let_go)
            self._announce(session.token)

    def leave(self, session: Session, now: float, *, dropped: bool) -> bool:
        """The connection that held the session is gone. ``dropped``: its client may come back. Returns whether it is kept."""
        self.expire(now)
        self._served.pop(session.id, None)
        if session.token is not None:
            self._held.pop(session.token, None)
        if not (dropped and session.greeted) or session.token is None:
            self._end(session.id)
            return False
        if session.account is not None:
            session.account.disconnect(session.id)
        if len(session.timelines) > self._config.max_parked_characters:
            LOG.info("session %s: dropped with more characters than can be kept", session.id)
            self._end(session.id)
            return False
        session.park(now)
        self._parked[session.token] = (session, now + self._config.resume_seconds)
        LOG.info("session %s: dropped, kept for %g s", session.id, self._config.resume_seconds)
        self._end_surplus()
        return session.token in self._parked

    def expire(self, now: float) -> None:
        """Ends those whose time to be resumed is up."""
        while self._parked and next(iter(self._parked.values()))[1] <= now:
            self._end_parked(next(iter(self._parked)), "its client did not come back")

    @property
    def tokens(self) -> list[str]:
        """Of all sessions that can be resumed here."""
        return [*self._held, *self._parked]

    @property
    def parked_tokens(self) -> list[str]:
        """Of the sessions without a connection."""
        return list(self._parked)

    def give(self, token: str, now: float) -> tuple[SessionState, float] | None:
        """The session of a token for another server, and for how many seconds it may wait; it is no longer here. None: unknown."""
        self.expire(now)
        if token in self._held:
            session, let_go = self._held.pop(token)
            let_go()
            self._served.pop(session.id, None)
            session.park(now)
            until = now + self._config.resume_seconds
        elif token in self._parked:
            session, until = self._parked.pop(token)
        else:
            return None
        state = session.state(now)
        LOG.info("session %s: goes to another server", session.id)
        self._end(session.id)
        return state, until - now

    def adopt(self, state: SessionState, now: float) -> bool:
        """Takes a session of another server, to be resumed within the grace time; False when it does not fit this server."""
        account = self._access.named(state.account)
        settings = state.characters.settings
        fits = (settings.fps, settings.max_frames) == (self._model.fps, self._model.max_frames)
        if account is None or state.token is None or not fits:
            LOG.warning("session %s: comes from a server with another model or other tokens, and ends", state.id)
            return False
        self._end_surplus()
        session = self._new(state.id, state.token, full=False)
        session.adopt(state, account, now)
        self._parked[state.token] = (session, now + self._config.resume_seconds)
        self._announce(state.token)
        LOG.info("session %s: came from another server", session.id)
        return True

    def _find(self, hello: Hello, account: Account, now: float, *, full: bool) -> Session | None:
        """The session that ``hello`` resumes, taken from where it is; None when there is none, or it does not fit.

        ``full``: there is no room for one that waits, but one that a connection holds has a place, and keeps it.
        HelloError when ``account`` has no connection left for it; it is kept then.
        """
        self.expire(now)
        token = hello.resume
        if token is None:
            return None
        if not full and token in self._parked and self._parked[token][0].fits(hello, account):
            account.connect(self._parked[token][0].id)
            session, _ = self._parked.pop(token)
        elif token in self._held and self._held[token][0].fits(hello, account):
            session, let_go = self._held.pop(token)
            let_go()
            session.park(now)
        else:
            return None
        session.resume(hello, now)
        LOG.info("session %s: resumed", session.id)
        return session

    def _end_surplus(self) -> None:
        while len(self._parked) > self._config.max_parked:
            # Neither the oldest nor the newest: a client that connects and drops all the time would push all others out.
            self._end_parked(min(self._parked, key=lambda token: self._parked[token][0].sent), "has no room to be kept")
        while self.parked_characters > self._config.max_parked_characters:
            self._end_parked(next(iter(self._parked)), "its characters have no room to be kept")

    def _end_parked(self, token: str, why: str) -> None:
        session, _ = self._parked.pop(token)
        LOG.info("session %s: %s", session.id, why)
        self._end(session.id)

    def _end(self, session_id: str) -> None:
        self._access.end(session_id)
        self._ended(session_id)
