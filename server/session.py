"""One session without a socket: messages in; messages, frames and requests for the model out.

Nothing here waits, and every method that needs the time takes it as ``now`` (seconds, monotonic). After any call the
caller submits `take_jobs`, cancels `take_cancelled`, and sends what `output` gives. ``closing`` ends the connection.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from protocol import limits
from protocol.codec import FramePacker, encode, error_message, unpack, validate_client
from protocol.errors import ErrorCode, MessageTooBigError, ProtocolError
from protocol.messages import (
    Control,
    Edit,
    Error,
    Generate,
    Hello,
    Playhead,
    Prompt,
    Steer,
    Timeline,
)
from server.access import Access, Account, HelloError
from server.characters import Characters, CharactersState, timeline_settings
from server.clip_requests import ClipRequests
from server.config import ServeConfig
from server.greeting import read_hello, welcome
from server.jobs import Job, Jobs
from server.latency import Latency
from server.model_calls import Result
from server.model_info import ModelInfo
from server.observer import Journal, Observer
from server.outbox import Outbox
from server.planning import TimelineSettings
from server.refusals import Allowance, refusal, too_many_messages
from server.replies import Close, Replies
from server.timeline import CharacterTimeline

LOG = logging.getLogger(__name__)
_HANDLERS: Final[dict[type, Callable[[Characters, ClipRequests, Any, float], Error | None]]] = {
    Hello: lambda characters, clips, message, now: refusal(
        ErrorCode.UNEXPECTED_MESSAGE, "hello was answered already; open another connection for another"
    ),
    Prompt: lambda characters, clips, message, now: characters.play(message, now, clips.ids),
    Timeline: lambda characters, clips, message, now: characters.play(message, now, clips.ids),
    Steer: lambda characters, clips, message, now: characters.steer(message, now),
    Control: lambda characters, clips, message, now: characters.control(message, now),
    Playhead: lambda characters, clips, message, now: characters.playhead(message, now),
    Generate: lambda characters, clips, message, now: clips.generate(message, now, characters.prompt_ids()),
    Edit: lambda characters, clips, message, now: clips.edit(message, now, characters.prompt_ids()),
}
"""What each message of a client that has said `hello` does; gives why it is refused, None: it is not."""


@dataclass(frozen=True)
class SessionState:
    """A parked session on its way to another server."""

    id: str
    token: str | None
    account: str
    expires_in: float
    """Seconds until its token's time is up."""
    characters: CharactersState
    outbox: Outbox


class Session:
    """The state behind one connection, from before its `hello` on."""

    def __init__(
        self,
        session_id: str,
        config: ServeConfig,
        model: ModelInfo,
        latency: Latency,
        rng: random.Random,
        *,
        full: bool = False,
        token: str | None = None,
        find: Callable[[Hello, Account, float], Session | None] = lambda hello, account, now: None,
        access: Access | None = None,
        observer: Observer | None = None,
    ) -> None:
        """``full``: the server has no room, the client is told so after a `hello` that goes on with no earlier session.

        ``token`` is what the client may resume with. ``find`` gives, at a `hello` that resumes, the earlier session, resumed.
        ``access`` says whose token the client has; by default that of ``config`` alone.
        """
        self.id = session_id
        self.token = token
        self.successor: Session | None = None
        """The earlier session that the client has resumed: it takes this one's place."""
        self.account: Account | None = None
        """Whose token opened it, from its `hello` on."""
        self._access = access or Access(config)
        self._journal = Journal(observer or Observer(), session_id)
        self._expires = math.inf
        self._find = find
        self._config, self._model, self._latency, self._full = config, model, latency, full
        # Not a method: what belongs to the session and holds on to it would outlive it, until the garbage collector comes.
        self._draw_seed = partial(rng.randint, 0, limits.MAX_SEED)
        self._packer = FramePacker(limits.DEFAULT_FRAME_RATE, "float32")
        self._replies = Replies(self._journal)
        self._outbox = self._replies.outbox
        self._jobs = Jobs(config.generation_timeout)
        self._clips = ClipRequests(config, model, self._jobs, self._replies, self._draw_seed)
        self._characters: Characters | None = None  # until a `hello` was accepted
        self._allowance = Allowance(limits.MESSAGES_PER_SECOND)

    # In

    def receive(self, data: bytes | str, now: float) -> None:
        """One WebSocket message from the client."""
        if self.closing is not None:
            return
        if self._characters is None or self.account is None:
            self._greet(data, now)
            return
        try:
            too_big = self.account.too_big(data)
            if too_big is not None:
                raise MessageTooBigError(too_big)
            fields = unpack(data)
            if fields["type"] != "playhead" and not self._allowance.take(now):
                self._replies.refuse(too_many_messages(fields), now, silent=not self._allowance.tell(now))
                return
            message = validate_client(fields)
        except ProtocolError as error:
            self._replies.refuse(error_message(error), now)
            return
        try:
            handle = _HANDLERS[type(message)]
            refused = self.account.refused(message, now) or handle(self._characters, self._clips, message, now)
        except Exception:
            LOG.exception("session %s: a %s message failed", self.id, message.type)
            text = f"a fault of the server; its log has more under session {self.id}"
            refused = refusal(ErrorCode.INTERNAL, text, getattr(message, "id", None))
        if refused is not None:
            self._replies.refuse(refused, now)
        self._advance(now)

    def hello_missing(self) -> None:
        """No `hello` came in time."""
        text = f"no hello within {self._config.hello_timeout:g} s; it must be sent at once"
        self._replies.refuse_for_good(ErrorCode.HELLO_REQUIRED, text)

    def too_slow(self, reason: str) -> None:
        """The client does not read."""
        self._replies.refuse_for_good(ErrorCode.TOO_SLOW, reason)

    def deliver(self, number: int, result: Result, now: float) -> None:
        """The answer to a job; ignored when the job is no longer wanted."""
        self._jobs.deliver(number, result, now)
        self._advance(now)

    def refuse_job(self, number: int, reason: str, now: float) -> None:
        """The model had no room for a job."""
        self._jobs.refuse(number, reason, now)

    # Out

    def output(self, now: float, tick: float | None = None) -> list[bytes]:
        """Everything to send now, in order: answers and statuses, then the frames that are due, then their ends.

        Frames are due as of ``tick``, a moment not later than ``now`` (by default ``now``): a character's go evenly when it
        moves on evenly, whatever else there is to be sent in between. What was overwritten is due at once.
        """
        if now >= self._expires and self.account is not None:
            text = f"the session has lasted {self.account.quota.session_seconds:g} s, the limit of this token"
            self._replies.refuse_for_good(ErrorCode.SESSION_EXPIRED, text)
        self._advance(now)
        if self._characters is not None:
            if self.closing is None:
                self._characters.send_frames(self._packer, now, now if tick is None else tick)
            self._characters.tell_statuses()
        return self._outbox.take()

    def take_jobs(self) -> list[Job]:
        """The requests to submit, once."""
        return self._jobs.take()

    def take_cancelled(self) -> list[int]:
        """The jobs that are no longer wanted, once."""
        return self._jobs.take_cancelled()

    def _advance(self, now: float) -> None:
        """Fails what took too long, drops what is no longer wanted, plans what comes next, collects statuses."""
        self._jobs.sweep(now)
        if self._characters is not None:
            self._characters.plan(now)
            self._characters.tell_statuses()

    # Life of the connection

    @property
    def closing(self) -> Close | None:
        """How the connection is to end, once it is."""
        return self._replies.closing

    @property
    def admitted(self) -> bool:
        """Whether the server had room for it."""
        return not self._full

    @property
    def greeted(self) -> bool:
        """Whether a `hello` was accepted."""
        return self._characters is not None

    @property
    def timelines(self) -> Collection[CharacterTimeline]:
        """Of all characters."""
        return () if self._characters is None else self._characters.timelines

    @property
    def sent(self) -> int:
        """Messages that the client has been sent, over all its connections."""
        return self._outbox.sent

    def fits(self, hello: Hello, account: Account) -> bool:
        """Whether ``hello`` can resume this session: it is of the same account, its timelines are made for one frame rate."""
        characters = self._characters
        return self.account is account and characters is not None and characters.frame_rate == hello.frame_rate

    def park(self, now: float) -> None:
        """The connection is gone: characters stand still and ask for nothing, open `generate` and `edit` are given up."""
        self._replies.closing = None
        self._jobs.drop()
        self._outbox.drop_passing()
        if self._characters is not None:
            self._characters.park(now)

    def resume(self, hello: Hello, now: float) -> None:
        """Another connection goes on with this session, which is parked: what the client did not receive is sent again."""
        assert self._characters is not None
        firsts = self._outbox.rewind(hello.received) if hello.received is not None else None
        self._characters.resume(firsts, now)
        self._welcome(hello, self._characters.names)

    def state(self, now: float) -> SessionState:
        """What another server needs to go on with this session, which is parked and not to be used here any more."""
        assert self.account is not None
        assert self._characters is not None
        left = self._expires - now
        return SessionState(self.id, self.token, self.account.name, left, self._characters.state(), self._outbox)

    def adopt(self, state: SessionState, account: Account, now: float) -> None:
        """Becomes, fresh but for its id and token, the parked session of another server. ``account``: as ``state`` names it."""
        self._expires = now + state.expires_in
        self._outbox = self._replies.outbox = state.outbox
        self._begin(account, state.characters.settings).adopt(state.characters)

    def _greet(self, data: bytes | str, now: float) -> None:
        try:
            hello = read_hello(data)
            account = self._access.account(hello.token)
            if hello.resume is not None:
                self.successor = self._find(hello, account, now)
                if self.successor is not None:
                    return
            if self._full:
                text = f"the server has {self._config.max_connections} connections already, which is its limit"
                raise HelloError(ErrorCode.SERVER_FULL, text)
            account.connect(self.id)
        except HelloError as error:
            self._replies.refuse_for_good(error.code, str(error))
            return
        self._expires = now + (account.quota.session_seconds or math.inf)
        self._begin(account, timeline_settings(self._config, self._model, hello.frame_rate))
        self._welcome(hello, None)

    def _begin(self, account: Account, settings: TimelineSettings) -> Characters:
        self.account = account
        self._characters = Characters(
            self.id,
            account,
            self._config,
            self._model,
            settings,
            self._latency,
            self._draw_seed,
            self._jobs,
            self._replies,
            self._journal,
        )
        return self._characters

    def _welcome(self, hello: Hello, characters: tuple[str, ...] | None) -> None:
        self._packer = FramePacker(hello.frame_rate, hello.encoding)
        self._clips.encoding = hello.encoding
        quota = None if self.account is None else self.account.quota
        answer = welcome(
            hello, self.id, self._config, self._model, quota=quota, resume=self.token, characters=characters
        )
        self._outbox.greet(encode(answer))
