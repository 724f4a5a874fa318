"""The characters of a session: the messages that tell them what to do, their requests for the model, their frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass

from protocol import limits
from protocol.codec import FramePacker
from protocol.errors import ErrorCode, shown
from protocol.messages import Control, Error, Playhead, Prompt, Steer, Timeline, TimelinePrompt
from server.access import Account
from server.clips import model_frames
from server.config import ServeConfig
from server.jobs import Jobs
from server.latency import Latency
from server.model_calls import Result
from server.model_info import ModelInfo
from server.motion.steering import Target
from server.observer import Journal
from server.planning import TimelineSettings
from server.prompts import Entry
from server.refusals import id_in_use, refusal, unknown_character
from server.replies import Replies
from server.timeline import CharacterTimeline, Pending
from server.track import STRETCH_SECONDS, make

LOG = logging.getLogger(__name__)


def timeline_settings(config: ServeConfig, model: ModelInfo, frame_rate: float) -> TimelineSettings:
    """Of the characters of a client that wants ``frame_rate``."""
    return TimelineSettings(
        fps=model.fps,
        frame_rate=frame_rate,
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


@dataclass(frozen=True, eq=False)
class _TimelineAsker:
    """A timeline that waits for the model, as long as this is what it waits for."""

    timeline: CharacterTimeline
    pending: Pending

    @property
    def waits(self) -> bool:
        return self.timeline.pending is self.pending

    def deliver(self, result: Result, now: float) -> None:
        self.timeline.deliver(result, now)

    def refuse(self, reason: str, now: float) -> None:
        self.timeline.postpone(now)


@dataclass(frozen=True)
class CharactersState:
    """Characters that stand still, on their way to another server."""

    settings: TimelineSettings
    timelines: dict[str, CharacterTimeline]
    stopped: tuple[str, ...]
    """Those that go on when their client is back."""


class Characters:
    """Those of one session, from its `hello` on. ``draw_seed`` gives the seeds that the client leaves open.

    What takes a message returns why it is refused, None: it is not.
    """

    def __init__(
        self,
        session_id: str,
        account: Account,
        config: ServeConfig,
        model: ModelInfo,
        settings: TimelineSettings,
        latency: Latency,
        draw_seed: Callable[[], int],
        jobs: Jobs,
        replies: Replies,
        journal: Journal,
    ) -> None:
        self._session_id, self._account, self._config, self._settings = session_id, account, config, settings
        self._model = model
        self._latency, self._draw_seed = latency, draw_seed
        self._jobs, self._replies, self._journal = jobs, replies, journal
        self._timelines: dict[str, CharacterTimeline] = {}
        self._stopped: list[CharacterTimeline] = []  # by the drop of the connection, not by the client

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they came into being."""
        return tuple(self._timelines)

    @property
    def timelines(self) -> Collection[CharacterTimeline]:
        """Of all of them."""
        return self._timelines.values()

    @property
    def frame_rate(self) -> float:
        """That their timelines are made for."""
        return self._settings.frame_rate

    def prompt_ids(self, besides: CharacterTimeline | None = None) -> set[str]:
        """Ids of all prompts that play or wait."""
        return {name for timeline in self.timelines if timeline is not besides for name in timeline.prompt_ids}

    # Messages

    def play(self, message: Prompt | Timeline, now: float, others: Set[str]) -> Error | None:
        """Prompts for a character, which comes into being with its first. ``others``: ids that clip requests have."""
        prompts = message.prompts if isinstance(message, Timeline) else (_as_entry(message),)
        timeline = self._timelines.get(message.character)
        replace = message.mode == "replace"
        name = message.character
        full = None if timeline is not None else self._no_room()
        if full is not None:
            return refusal(ErrorCode.TOO_MANY_CHARACTERS, full, message.id, name)
        waiting = timeline.waiting if timeline is not None and not replace else 0
        most = self._config.max_queued_prompts
        if waiting + len(prompts) > most:
            text = f"{waiting} prompts wait and {len(prompts)} more came, the limit is {most}; wait until some play"
            return refusal(ErrorCode.TOO_MANY_PROMPTS, text, message.id, name)
        taken = others | self.prompt_ids(besides=timeline if replace else None)
        for at, prompt in enumerate(prompts):
            if prompt.id in taken:
                field = f"prompts[{at}].id" if isinstance(message, Timeline) else "id"
                return id_in_use(prompt.id, message.id, name, field)
        if timeline is None:
            timeline = CharacterTimeline(name, self._settings, self._latency, self._draw_seed)
            self._timelines[name] = timeline
            self._count()
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
            LOG.info(
                "session %s: prompts of %s: %s", self._session_id, shown(name), [prompt.text for prompt in prompts]
            )
        if replace:
            self._journal.prompted(name, prompts[0].id, now)
        return None

    def steer(self, message: Steer, now: float) -> Error | None:
        """Where a character is to go."""
        timeline = self._timelines.get(message.character)
        if timeline is None:
            return unknown_character(message.character, message.id)
        timeline.steer(Target(message.heading, message.speed, message.waypoints or ()), now)
        return None

    def control(self, message: Control, now: float) -> Error | None:
        """Pauses, ends and the like."""
        timeline = self._timelines.get(message.character)
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
                self.tell_statuses()
                del self._timelines[message.character]
                self._journal.removed(message.character)
                self._count()
            case "root_motion_on" | "root_motion_off":
                timeline.set_root_motion(message.action == "root_motion_on")
        return None

    def playhead(self, message: Playhead, now: float) -> Error | None:
        """What the client shows."""
        timeline = self._timelines.get(message.character)
        if timeline is None:
            return unknown_character(message.character, None)
        if timeline.report(message.frame, now):
            return None
        text = f"playhead.frame: frame {message.frame} was never sent; the newest is {timeline.highest_sent}"
        return refusal(ErrorCode.INVALID_FIELD, text, None, message.character, "frame")

    # Life

    def plan(self, now: float) -> None:
        """Asks the model for what is to come next."""
        for timeline in self.timelines:
            request = timeline.plan(now)
            if request is not None and timeline.pending is not None:
                asker = _TimelineAsker(timeline, timeline.pending)
                self._jobs.submit(request, asker, now, timeline.pending.need)

    def send_frames(self, packer: FramePacker, now: float, tick: float) -> None:
        """The frames that are due as of ``tick``; what is the same for all characters is done once."""
        make(timeline.to_make(tick, STRETCH_SECONDS) for timeline in self.timelines if timeline.made_ahead(tick) < 0.0)
        dropped = sum(timeline.dropped for timeline in self.timelines)
        sent: list[tuple[str, str | None]] = []
        frames = 0
        for name, timeline in self._timelines.items():
            for run in timeline.due(tick, packer.encoding):
                data = packer.pack_blocks(name, run.first, run.prompt, run.blocks)
                self._replies.send_frames(data, name, run.first)
                sent.append((name, run.prompt))
                frames += run.blocks.frames
        self._journal.dropped(sum(timeline.dropped for timeline in self.timelines) - dropped)
        if sent:
            self._journal.sent(sent, frames, now)

    def tell_statuses(self) -> None:
        """What has become of the prompts since the last call."""
        for timeline in self.timelines:
            for status in timeline.take_statuses():
                self._replies.send(status)
                self._journal.status(status.status)

    def park(self, now: float) -> None:
        """The connection is gone: they stand still."""
        self._stopped = [timeline for timeline in self.timelines if not timeline.paused]
        for timeline in self._stopped:
            timeline.pause(now)
        for timeline in self.timelines:
            timeline.pending = None  # it is asked again when the client is back

    def resume(self, firsts: Mapping[str, int] | None, now: float) -> None:
        """Another connection goes on with them, from the first frame that each has lost; None: what was lost is not known."""
        for name, timeline in self._timelines.items():
            if firsts is None:
                timeline.rewind(None, now)
            elif name in firsts:
                timeline.rewind(firsts[name], now)
        for timeline in self._stopped:
            timeline.resume(now)
        self._stopped = []

    def state(self) -> CharactersState:
        """What another server needs to go on with them; they stand still, and are not to be used here any more."""
        return CharactersState(self._settings, self._timelines, tuple(timeline.name for timeline in self._stopped))

    def adopt(self, state: CharactersState) -> None:
        """Those of another server become these."""
        self._timelines = state.timelines
        self._stopped = [self._timelines[name] for name in state.stopped]
        for timeline in self.timelines:
            timeline.attach(self._latency, self._draw_seed)
        self._count()

    def _no_room(self) -> str | None:
        count = len(self._timelines)
        if count >= self._config.max_characters:
            return f"{count} characters exist, which is the limit; remove one first"
        return self._account.no_room_for_character()

    def _count(self) -> None:
        self._account.count_characters(self._session_id, len(self._timelines))


def _as_entry(message: Prompt) -> TimelinePrompt:
    """A prompt alone as one of a timeline."""
    return TimelinePrompt(
        id=message.id, text=message.text, seconds=message.seconds, seed=message.seed, guidance=message.guidance
    )
