"""One session without a socket: messages in; messages, frames and requests for the model out.

Nothing here waits, and every method that needs the time takes it as ``now`` (seconds, monotonic). After any call the
caller submits `take_jobs`, cancels `take_cancelled`, and sends what `output` gives. ``closing`` ends the connection.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from protocol import limits
from protocol.codec import FramePacker, encode, error_message, unpack, validate_client
from protocol.errors import FATAL, ErrorCode, MessageTooBigError, ProtocolError, shown
from protocol.messages import (
    Clip,
    Control,
    Edit,
    Error,
    Generate,
    Hello,
    Playhead,
    Prompt,
    ServerMessage,
    Steer,
    Timeline,
    TimelinePrompt,
)
from protocol.poses import stack
from server.access import Access, Account, HelloError
from server.clips import ClipEdit, generate_request, generated_clip, model_frames
from server.config import ServeConfig
from server.greeting import ModelInfo, read_hello, welcome
from server.model_calls import GenerationError, Request, Result
from server.motion.in_turn import following
from server.motion.motion import Motion, MotionRequest
from server.motion.steering import Target
from server.observer import Journal, Observer
from server.outbox import Outbox
from server.refusals import Allowance, RefusalWindow, refusal, unknown_character
from server.timeline import CharacterTimeline, Entry, Latency, Pending, TimelineSettings
from server.track import MARGIN_SECONDS, make

LOG = logging.getLogger(__name__)
OUTBOX_MESSAGES: Final = 512
"""Statuses, errors and clips that may wait for a client; more, and it is `too_slow`."""


@dataclass(frozen=True)
class Close:
    """How the connection is to end."""

    code: int
    reason: str


@dataclass(frozen=True, eq=False)
class Job:
    """A request for the model; ``number`` is unique within the session."""

    number: int
    request: Request


@dataclass(frozen=True, eq=False)
class _Clip:
    """A `generate` or `edit` that waits for the model; ``finish`` makes its answer."""

    id: str
    finish: Callable[[Motion], Clip]


@dataclass(frozen=True, eq=False)
class _Work:
    target: tuple[CharacterTimeline, Pending] | _Clip
    deadline: float
    request: Request


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
        self.closing: Close | None = None
        self.successor: Session | None = None
        """The earlier session that the client has resumed: it takes this one's place."""
        self.account: Account | None = None
        """Whose token opened it, from its `hello` on."""
        self._access = access or Access(config)
        self._journal = Journal(observer or Observer(), session_id)
        self._expires = math.inf
        self._find = find
        self._config, self._model, self._latency, self._rng, self._full = config, model, latency, rng, full
        self._hello: Hello | None = None
        self._packer = FramePacker(limits.DEFAULT_FRAME_RATE, "float32")
        self._settings: TimelineSettings | None = None
        self._characters: dict[str, CharacterTimeline] = {}
        self._outbox = Outbox(OUTBOX_MESSAGES)
        self._stopped: list[CharacterTimeline] = []  # by the drop of the connection, not by the client
        self._jobs: list[Job] = []
        self._cancelled: list[int] = []
        self._work: dict[int, _Work] = {}
        self._numbers = 0
        self._allowance = Allowance(limits.MESSAGES_PER_SECOND)
        self._refused = RefusalWindow()

    # In

    def receive(self, data: bytes | str, now: float) -> None:
        """One WebSocket message from the client."""
        if self.closing is not None:
            return
        try:
            if self._hello is None or self.account is None:
                self._greet(data, now)
                return
            too_big = self.account.too_big(data)
            if too_big is not None:
                raise MessageTooBigError(too_big)
            fields = unpack(data)
            if fields["type"] != "playhead" and not self._allowance.take(now):
                self._limit_rate(fields, now)
                return
            message = validate_client(fields)
        except ProtocolError as error:
            self._refuse(error_message(error), now)
            return
        try:
            refused = self.account.refused(message, now) or self._HANDLERS[type(message)](self, message, now)
        except Exception:
            LOG.exception("session %s: a %s message failed", self.id, message.type)
            text = f"a fault of the server; its log has more under session {self.id}"
            refused = refusal(ErrorCode.INTERNAL, text, getattr(message, "id", None))
        if refused is not None:
            self._refuse(refused, now)
        self._advance(now)

    def hello_missing(self) -> None:
        """No `hello` came in time."""
        self._refuse_for_good(
            ErrorCode.HELLO_REQUIRED, f"no hello within {self._config.hello_timeout:g} s; it must be sent at once"
        )

    def too_slow(self, reason: str) -> None:
        """The client does not read."""
        self._refuse_for_good(ErrorCode.TOO_SLOW, reason)

    def deliver(self, number: int, result: Result, now: float) -> None:
        """The answer to a job; ignored when the job is no longer wanted."""
        work = self._work.pop(number, None)
        if work is None:
            return
        if isinstance(work.target, _Clip):
            more = None
            if isinstance(work.request, MotionRequest) and isinstance(result, Motion):
                result, more = following(work.request, result, self._model.fps, self._model.skeleton)
            if more is None:
                self._answer(work.target, result)
            else:
                self._submit(more, work.target, now)
        else:
            timeline, pending = work.target
            if timeline.pending is pending:
                timeline.deliver(result, now)
        self._advance(now)

    def refuse_job(self, number: int, reason: str, now: float) -> None:
        """The model had no room for a job."""
        work = self._work.pop(number, None)
        if work is None:
            return
        if isinstance(work.target, _Clip):
            self._refuse(refusal(ErrorCode.BUSY, reason, work.target.id), now)
        else:
            work.target[0].postpone(now)

    # Out

    def output(self, now: float) -> list[bytes]:
        """Everything to send now, in order: answers and statuses, then the frames that are due, then their ends."""
        if now >= self._expires and self.account is not None:
            text = f"the session has lasted {self.account.quota.session_seconds:g} s, the limit of this token"
            self._refuse_for_good(ErrorCode.SESSION_EXPIRED, text)
        self._advance(now)
        if self.closing is None:
            self._put_frames(now)
        self._collect()
        return self._outbox.take()

    @property
    def timelines(self) -> Iterable[CharacterTimeline]:
        """Of all characters."""
        return self._characters.values()

    def _put_frames(self, now: float) -> None:
        """The frames that are due; what is the same for all characters is done once."""
        lacking = [t for t in self.timelines if (ahead := t.made_ahead(now)) is not None and ahead < 0.0]
        make(timeline.to_make(now, MARGIN_SECONDS) for timeline in lacking)
        dropped = sum(timeline.dropped for timeline in self.timelines)
        runs = [(name, run) for name, timeline in self._characters.items() for run in timeline.due(now)]
        self._journal.dropped(sum(timeline.dropped for timeline in self.timelines) - dropped)
        packed: dict[int, bytes] = {}
        for count in {len(run.poses) for _, run in runs}:
            places = [place for place, (_, run) in enumerate(runs) if len(run.poses) == count]
            names, alike = zip(*(runs[place] for place in places), strict=True)
            poses = stack([run.poses for run in alike])
            data = self._packer.pack_many(names, [run.first for run in alike], [run.prompt for run in alike], poses)
            packed |= dict(zip(places, data, strict=True))
        for place, (name, run) in enumerate(runs):
            self._check_room(self._outbox.put_frames(packed[place], name, run.first))
            self._journal.sent(name, run.prompt, len(run.poses), now)

    def take_jobs(self) -> list[Job]:
        """The requests to submit, once."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def take_cancelled(self) -> list[int]:
        """The jobs that are no longer wanted, once."""
        cancelled, self._cancelled = self._cancelled, []
        return cancelled

    # Life of the connection

    @property
    def admitted(self) -> bool:
        """Whether the server had room for it."""
        return not self._full

    @property
    def greeted(self) -> bool:
        """Whether a `hello` was accepted."""
        return self._hello is not None

    @property
    def sent(self) -> int:
        """Messages that the client has been sent, over all its connections."""
        return self._outbox.sent

    def fits(self, hello: Hello, account: Account) -> bool:
        """Whether ``hello`` can resume this session: it is of the same account, its timelines are made for one frame rate."""
        same = self.account is account
        return same and self._hello is not None and self._hello.frame_rate == hello.frame_rate

    def park(self, now: float) -> None:
        """The connection is gone: characters stand still, open `generate` and `edit` are given up."""
        self.closing = None
        for number, work in list(self._work.items()):
            if isinstance(work.target, _Clip):
                self._cancelled.append(number)
                del self._work[number]
        self._outbox.drop_passing()
        self._stopped = [timeline for timeline in self._characters.values() if not timeline.paused]
        for timeline in self._stopped:
            timeline.pause(now)

    def resume(self, hello: Hello, now: float) -> None:
        """Another connection goes on with this session, which is parked: what the client did not receive is sent again."""
        self._hello = hello
        self._packer = FramePacker(hello.frame_rate, hello.encoding)
        known = hello.received is not None
        firsts = self._outbox.rewind(hello.received) if hello.received is not None else {}
        for name, timeline in self._characters.items():
            if name in firsts or not known:
                timeline.rewind(firsts.get(name))
        for timeline in self._stopped:
            timeline.resume(now)
        self._stopped = []
        characters = tuple(self._characters)
        self._welcome(hello, characters)

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
            self._refuse_for_good(error.code, str(error))
            return
        self._hello, self.account = hello, account
        self._expires = now + (account.quota.session_seconds or math.inf)
        self._packer = FramePacker(hello.frame_rate, hello.encoding)
        config, model = self._config, self._model
        self._settings = TimelineSettings(
            fps=model.fps,
            frame_rate=hello.frame_rate,
            lead=config.lead_seconds,
            max_ahead=limits.MAX_AHEAD_SECONDS,
            horizon=config.horizon_seconds,
            half_life=config.half_life_seconds,
            idle_text=config.idle_text,
            idle_frames=model_frames(config.idle_seconds, model.fps) or model.max_frames,
            context_frames=model.context_frames,
            max_frames=model.max_frames,
            foot_lock=config.foot_lock,
            first_frames=model_frames(config.first_seconds, model.fps),
        )
        self._welcome(hello, None)

    def _welcome(self, hello: Hello, characters: tuple[str, ...] | None) -> None:
        quota = None if self.account is None else self.account.quota
        answer = welcome(
            hello, self.id, self._config, self._model, quota=quota, resume=self.token, characters=characters
        )
        self._outbox.greet(encode(answer))

    # Messages

    def _on_hello(self, message: Hello, now: float) -> Error | None:
        return refusal(ErrorCode.UNEXPECTED_MESSAGE, "hello was answered already; open another connection for another")

    def _on_prompt(self, message: Prompt, now: float) -> Error | None:
        entry = TimelinePrompt(
            id=message.id, text=message.text, seconds=message.seconds, seed=message.seed, guidance=message.guidance
        )
        return self._play(message, (entry,), message.id, now)

    def _on_timeline(self, message: Timeline, now: float) -> Error | None:
        return self._play(message, message.prompts, message.id, now)

    def _play(
        self, message: Prompt | Timeline, prompts: tuple[TimelinePrompt, ...], request_id: str | None, now: float
    ) -> Error | None:
        assert self._settings is not None
        timeline = self._characters.get(message.character)
        replace = message.mode == "replace"
        name = message.character
        full = None if timeline is not None else self._no_room_for_character()
        if full is not None:
            return refusal(ErrorCode.TOO_MANY_CHARACTERS, full, request_id, name)
        waiting = timeline.waiting if timeline is not None and not replace else 0
        most = self._config.max_queued_prompts
        if waiting + len(prompts) > most:
            text = f"{waiting} prompts wait and {len(prompts)} more came, the limit is {most}; wait until some play"
            return refusal(ErrorCode.TOO_MANY_PROMPTS, text, request_id, name)
        taken = self._ids_in_use(besides=timeline if replace else None)
        for at, prompt in enumerate(prompts):
            if prompt.id in taken:
                text = f"a prompt or request with id {shown(prompt.id)} still plays or waits; ids must differ"
                field = f"prompts[{at}].id" if isinstance(message, Timeline) else "id"
                return refusal(ErrorCode.DUPLICATE_ID, text, request_id, name, field)
        if timeline is None:
            timeline = CharacterTimeline(name, self._settings, self._latency, self._draw_seed)
            self._characters[name] = timeline
            self._count_characters()
        entries = [
            Entry(
                prompt.id,
                text,
                self._draw_seed() if prompt.seed is None else prompt.seed,
                model_frames(prompt.seconds, self._settings.fps),
                prompt.guidance,
                then=tuple(then),
            )
            for prompt in prompts
            for text, *then in [self._model.actions(prompt.text)]
        ]
        timeline.play(entries, message.on_end, replace=replace)
        if self._config.log_prompts:
            LOG.info("session %s: prompts of %s: %s", self.id, shown(name), [prompt.text for prompt in prompts])
        if replace:
            self._journal.prompted(name, prompts[0].id, now)
        return None

    def _no_room_for_character(self) -> str | None:
        count = len(self._characters)
        if count >= self._config.max_characters:
            return f"{count} characters exist, which is the limit; remove one first"
        return None if self.account is None else self.account.no_room_for_character()

    def _count_characters(self) -> None:
        if self.account is not None:
            self.account.count_characters(self.id, len(self._characters))

    def _on_steer(self, message: Steer, now: float) -> Error | None:
        timeline = self._characters.get(message.character)
        if timeline is None:
            return unknown_character(message.character, message.id)
        timeline.steer(Target(message.heading, message.speed, message.waypoints or ()), now)
        return None

    def _on_control(self, message: Control, now: float) -> Error | None:
        timeline = self._characters.get(message.character)
        if timeline is None:
            return unknown_character(message.character, message.id)
        match message.action:
            case "pause":
                timeline.pause(now)
            case "resume":
                timeline.resume(now)
            case "stop":
                timeline.stop()
            case "remove":
                timeline.remove()
                self._collect()
                del self._characters[message.character]
                self._journal.removed(message.character)
                self._count_characters()
            case "root_motion_on" | "root_motion_off":
                timeline.set_root_motion(message.action == "root_motion_on")
        return None

    def _on_playhead(self, message: Playhead, now: float) -> Error | None:
        timeline = self._characters.get(message.character)
        if timeline is None:
            return unknown_character(message.character, None)
        if timeline.report(message.frame, now):
            return None
        text = f"playhead.frame: frame {message.frame} was never sent; the newest is {timeline.highest_sent}"
        return refusal(ErrorCode.INVALID_FIELD, text, None, message.character, "frame")

    def _on_generate(self, message: Generate, now: float) -> Error | None:
        refused = self._room_for(message.id)
        if refused is not None:
            return refused
        model, encoding = self._model, self._packer.encoding
        seed = self._draw_seed() if message.seed is None else message.seed
        request = generate_request(message, model.actions(message.text), seed, model.fps, model.max_frames)
        finish = _Clip(message.id, lambda motion: generated_clip(message, seed, motion, model.fps, encoding))
        self._submit(request, finish, now)
        return None

    def _on_edit(self, message: Edit, now: float) -> Error | None:
        if not self._model.edits:
            return refusal(ErrorCode.UNSUPPORTED, "this server's model cannot edit; see welcome.supports", message.id)
        refused = self._room_for(message.id)
        if refused is not None:
            return refused
        model = self._model
        seed = self._draw_seed() if message.seed is None else message.seed
        edit = ClipEdit.of(message, seed, model.fps, model.max_frames)
        self._submit(edit.request, _Clip(message.id, lambda motion: edit.clip(motion, model.fps)), now)
        return None

    _HANDLERS: ClassVar[dict[type, Callable[[Session, Any, float], Error | None]]] = {
        Hello: _on_hello,
        Prompt: _on_prompt,
        Timeline: _on_timeline,
        Steer: _on_steer,
        Control: _on_control,
        Playhead: _on_playhead,
        Generate: _on_generate,
        Edit: _on_edit,
    }

    # Work for the model

    def _advance(self, now: float) -> None:
        """Fails what took too long, drops what is no longer wanted, plans what comes next, collects statuses."""
        for number, work in list(self._work.items()):
            stale = not isinstance(work.target, _Clip) and work.target[0].pending is not work.target[1]
            if stale or now >= work.deadline:
                self._cancelled.append(number)
                del self._work[number]
                if not stale:
                    self._expire(work, now)
        for timeline in self._characters.values():
            request = timeline.plan(now)
            if request is not None and timeline.pending is not None:
                self._submit(request, (timeline, timeline.pending), now)
        self._collect()

    def _expire(self, work: _Work, now: float) -> None:
        error = GenerationError(f"the model did not answer within {self._config.generation_timeout:g} s")
        if isinstance(work.target, _Clip):
            self._answer(work.target, error)
        else:
            work.target[0].deliver(error, now)

    def _submit(self, request: Request, target: tuple[CharacterTimeline, Pending] | _Clip, now: float) -> None:
        self._numbers += 1
        self._work[self._numbers] = _Work(target, now + self._config.generation_timeout, request)
        self._jobs.append(Job(self._numbers, request))

    def _answer(self, clip: _Clip, result: Result) -> None:
        self._check_room(self._outbox.put(encode(self._clip_answer(clip, result)), repeats=False))

    def _clip_answer(self, clip: _Clip, result: Result) -> ServerMessage:
        if isinstance(result, Exception):
            return refusal(ErrorCode.GENERATION_FAILED, f"the model failed: {result}", clip.id)
        try:
            return clip.finish(result)
        except ValueError as error:
            return refusal(ErrorCode.GENERATION_FAILED, f"the model's motion cannot be sent: {error}", clip.id)

    def _room_for(self, request_id: str) -> Error | None:
        pending = sum(isinstance(work.target, _Clip) for work in self._work.values())
        if pending >= self._config.max_pending_requests:
            text = f"{pending} requests wait for an answer, which is the limit; try again when one has come"
            return refusal(ErrorCode.BUSY, text, request_id)
        if request_id in self._ids_in_use():
            text = f"a prompt or request with id {shown(request_id)} still plays or waits; ids must differ"
            return refusal(ErrorCode.DUPLICATE_ID, text, request_id, field="id")
        return None

    def _ids_in_use(self, besides: CharacterTimeline | None = None) -> set[str]:
        ids = {work.target.id for work in self._work.values() if isinstance(work.target, _Clip)}
        for timeline in self._characters.values():
            if timeline is not besides:
                ids |= timeline.prompt_ids
        return ids

    def _draw_seed(self) -> int:
        return self._rng.randint(0, limits.MAX_SEED)

    # Refusals

    def _limit_rate(self, fields: dict[str, Any], now: float) -> None:
        text = f"more than {limits.MESSAGES_PER_SECOND} messages a second; `{shown(fields['type'])}` was ignored"
        given = fields.get("id")
        named = given if isinstance(given, str) and 0 < len(given) <= limits.MAX_NAME_CHARACTERS else None
        self._refuse(refusal(ErrorCode.RATE_LIMITED, text, named), now, silent=not self._allowance.tell(now))

    def _refuse(self, error: Error, now: float, *, silent: bool = False) -> None:
        code = ErrorCode(error.code)
        if code in FATAL:
            self._refuse_for_good(code, error.message)
            return
        self._journal.refused(code)
        if not silent:
            self._send(error)
        if self._refused.add(now):
            text = f"more than {limits.MAX_ERRORS} messages refused within {limits.ERROR_WINDOW_SECONDS:g} s"
            self._refuse_for_good(ErrorCode.TOO_MANY_ERRORS, text)

    def _refuse_for_good(self, code: ErrorCode, text: str) -> None:
        if self.closing is None:
            self._journal.refused(code)
            message = text[: limits.MAX_ERROR_CHARACTERS]
            self._outbox.put_last_words(encode(Error(code=code.value, message=message)))
            self.closing = Close(int(FATAL[code]), message)

    # Outbox

    def _collect(self) -> None:
        for timeline in self._characters.values():
            for status in timeline.take_statuses():
                self._send(status)
                self._journal.status(status.status)

    def _send(self, message: ServerMessage) -> None:
        self._check_room(self._outbox.put(encode(message)))

    def _check_room(self, taken: bool) -> None:
        if not taken:
            self.too_slow(f"{OUTBOX_MESSAGES} messages wait for the client; it must read")
