"""One character's endless motion: what plays, what waits, what to ask the model for, and which frames are due.

Without sockets, threads or a clock: every method that needs the time takes it as ``now``, in seconds of any monotonic
clock. "Position" is the client frame shown now, estimated from playhead reports or from the time since frame 0.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from protocol import limits
from protocol.fields import OnEnd, Status
from protocol.messages import PromptStatus
from protocol.poses import Poses
from server.motion.motion import Motion, MotionRequest
from server.motion.steering import Target
from server.track import Track

STEP_FRAMES: Final = 4
"""The model's step of 0.2 s in its frames; lengths are multiples of it, and a context shorter than it is useless."""
LEAST_REST_FRAMES: Final = 20
"""A rest shorter than this is made with the first frames."""
RETRY_SECONDS: Final = 0.25
FAILED_IDLE_SECONDS: Final = 2.0
HOLD_SECONDS: Final = 1.0
FORGET_SECONDS: Final = 0.5
"""What has been shown is dropped in stretches so long: each costs the same."""


class Latency:
    """Running mean and mean deviation of the time that a generation takes, as RFC 6298 does for TCP round trips."""

    def __init__(self, floor: float, ceiling: float = 4.0) -> None:
        self._floor, self._ceiling = floor, ceiling
        self._mean: float | None = None
        self._deviation = 0.0

    def observe(self, seconds: float) -> None:
        """Takes one measured generation into account."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += 0.25 * (abs(seconds - self._mean) - self._deviation)
        self._mean += 0.125 * (seconds - self._mean)

    @property
    def reserve(self) -> float:
        """Seconds to leave between a request and its splice."""
        if self._mean is None:
            return self._floor
        return min(self._ceiling, max(self._floor, self._mean + 2.0 * self._deviation))


@dataclass(frozen=True)
class TimelineSettings:
    """What all characters of a session share. Rates in frames per second, times in seconds, lengths in model frames."""

    fps: float
    frame_rate: float
    lead: float
    max_ahead: float
    horizon: float
    half_life: float
    idle_text: str
    idle_frames: int
    context_frames: int
    max_frames: int
    foot_lock: bool = True
    first_frames: int | None = None
    """Of a longer prompt that takes effect at once, so many are asked for first, to show sooner, and then the rest."""


@dataclass(eq=False)
class Entry:
    """One accepted prompt. ``frames`` at the model's rate, None: the model's choice; ``end`` of its planned motion.

    ``left`` of them are not made yet; what is made came in ``parts``. Behind ``text`` come the actions ``then``; ``at`` says
    which of all is to be made next.
    """

    id: str | None
    text: str
    seed: int
    frames: int | None = None
    guidance: float | None = None
    left: int = 0
    end: int = 0
    parts: int = 0
    then: tuple[str, ...] = ()
    at: int = 0


@dataclass(frozen=True, eq=False)
class Pending:
    """A request on its way: for which entry, where it goes, when it was asked."""

    entry: Entry
    splice: int
    request: MotionRequest
    asked: float


@dataclass(frozen=True)
class Run:
    """Client frames ``first``, ``first`` + 1, … of one prompt, due now."""

    first: int
    prompt: str | None
    poses: Poses


@dataclass(frozen=True)
class _Segment:
    start: int
    entry: Entry | None


class CharacterTimeline:
    """The timeline of one character. ``draw_seed`` gives the seeds of idle motion and repetitions."""

    def __init__(self, name: str, settings: TimelineSettings, latency: Latency, draw_seed: Callable[[], int]) -> None:
        self.name = name
        self.pending: Pending | None = None
        self.highest_sent = -1
        self.dropped = 0
        self._settings = settings
        self._latency = latency
        self._draw_seed = draw_seed
        self._track = Track(settings.fps, settings.frame_rate, settings.half_life, foot_lock=settings.foot_lock)
        self._segments: list[_Segment] = []
        self._queue: deque[Entry] = deque()
        self._live: list[Entry] = []
        self._playing: Entry | None = None
        self._boundary = 0  # model frame at which the last planned prompt ends
        self._after: OnEnd = "hold"
        self._at_once = False
        self._retry_at = -math.inf
        self._statuses: list[PromptStatus] = []
        self._next = 0
        self._forget_at = 0
        self._anchor: tuple[float, float] | None = None  # frame shown at a time
        self._reported: tuple[int, float] | None = None  # playhead and when it came
        self._paused_at: float | None = None

    # What the client asks for

    @property
    def prompt_ids(self) -> set[str]:
        """Ids of the prompts that play or wait."""
        return {entry.id for entry in (*self._live, *self._queue) if entry.id is not None}

    @property
    def waiting(self) -> int:
        """Prompts that have not started."""
        return len(self._queue)

    def play(self, entries: Sequence[Entry], on_end: OnEnd, *, replace: bool) -> None:
        """Accepts prompts, to be played in order, at once or after what plays and waits."""
        if replace:
            self._cancel_all(f"replaced by prompt {entries[0].id}")
            self._at_once = True
        for entry in entries:
            self._status(entry, "accepted")
        self._queue.extend(entries)
        self._after = on_end
        if self.pending is not None and self.pending.entry is not self._queue[0] and not self._owed():
            self.pending = None  # idle motion or a repetition: the prompt goes first
        self._retry_at = -math.inf

    def stop(self) -> None:
        """Cancels all prompts; the character goes idle as soon as it can."""
        self._cancel_all("stopped")
        self._after = "idle"
        self._at_once = True

    def remove(self) -> None:
        """Cancels all prompts, for good."""
        self._cancel_all("the character was removed")
        self._after = "hold"

    def pause(self, now: float) -> None:
        """The clock stands still until `resume`."""
        if self._paused_at is None:
            self._paused_at = self._position(now)

    def resume(self, now: float) -> None:
        """The clock goes on from where it stood."""
        if self._paused_at is not None:
            if self._anchor is not None:
                self._anchor = (self._paused_at, now)
            self._paused_at = None

    def set_root_motion(self, on: bool) -> None:
        """From the first frame that was not sent on, the root travels or stays."""
        self._track.set_travel(max(self._track.start + 1, self._track.first_model_frame(self._next)), on)

    def steer(self, target: Target, now: float) -> None:
        """From the first frame that can still be changed on, the path bends toward ``target``, until it is replaced."""
        first = self._track.steer(min(self._first_changeable(now, 0.0), self._track.end), target)
        self._next = min(self._next, first)

    def report(self, frame: int, now: float) -> bool:
        """Takes a playhead report; False when that frame was never sent. Reports that go back are ignored."""
        if frame > self.highest_sent:
            return False
        if self._reported is None or frame >= self._reported[0]:
            self._reported = (frame, now)
            self._anchor = (float(frame), now)
            if self._paused_at is not None:
                self._paused_at = float(frame)
        return True

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return self._paused_at is not None

    def rewind(self, first: int | None) -> None:
        """While paused: frames from ``first`` on are to be sent again; None: from the last playhead on."""
        assert self._paused_at is not None
        if first is None:
            first = (self._reported[0] if self._reported is not None else math.floor(self._paused_at)) + 1
        if first < self._next:
            self._next = max(first, self._track.first_held)
            self._paused_at = min(self._paused_at, max(self._next - 1.0, 0.0))

    def take_statuses(self) -> list[PromptStatus]:
        """The statuses since the last call, in order."""
        statuses, self._statuses = self._statuses, []
        return statuses

    # What the model is asked for

    def plan(self, now: float) -> MotionRequest | None:
        """The request to make now, remembered as ``pending``; None when nothing is wanted or one is on its way."""
        if self.pending is not None or self._paused_at is not None or now < self._retry_at:
            return None
        wanted = self._wanted(now)
        if wanted is None:
            return None
        entry, splice = wanted
        known = self._track.context(splice, self._settings.context_frames)
        context = known if known is not None and len(known) >= STEP_FRAMES else None
        room = self._settings.max_frames - (self._settings.context_frames if context is not None else 0)
        length = entry.left or entry.frames
        text, *rest = (entry.text, *entry.then)[entry.at :]
        frames = min(length, room) if length is not None and not rest else length
        first = None if rest else self._settings.first_frames
        if entry.end == 0 and self._at_once and context is not None and first is not None and length is not None:
            frames = first if length >= first + LEAST_REST_FRAMES else frames
        # The parts of a prompt are as its seed has them; each repetition is another.
        seed = (
            (entry.seed + entry.parts) % (limits.MAX_SEED + 1) if entry.left or not entry.parts else self._draw_seed()
        )
        request = MotionRequest(text, frames, seed, entry.guidance, None, context, tuple(rest))
        self.pending = Pending(entry, splice, request, now)
        return request

    def postpone(self, now: float) -> None:
        """The model had no room: ask again a little later."""
        self.pending = None
        self._retry_at = now + RETRY_SECONDS

    def deliver(self, result: Motion | Exception, now: float) -> None:
        """Takes the answer to ``pending``. A failure ends the prompt; the planned motion goes on."""
        pending, self.pending = self.pending, None
        if pending is None:
            return
        if isinstance(result, Exception) or not len(result):
            self._fail(pending.entry, str(result) if isinstance(result, Exception) else "the model made no frames", now)
            return
        self._latency.observe(now - pending.asked)
        entry, request = pending.entry, pending.request
        earliest = min(self._first_changeable(now, 0.0), self._track.end)
        late = pending.splice < earliest
        splice = max(pending.splice, earliest)
        first = self._track.splice(splice, result, place=late or request.context is None)
        self._segments = [segment for segment in self._segments if segment.start < splice]
        self._segments.append(_Segment(splice, entry))
        self._next = min(self._next, first)
        for other in self._live:
            other.end = min(other.end, splice)
        fresh = entry.end == 0
        wanted = entry.left or entry.frames
        entry.left = max(0, wanted - len(result)) if wanted is not None else result.left
        entry.left -= entry.left % STEP_FRAMES
        entry.at = min(entry.at + 1, len(entry.then)) if entry.left else 0
        entry.end = splice + len(result)
        entry.parts += 1
        self._at_once = False
        if self._queue and self._queue[0] is entry:
            self._queue.popleft()
        if entry.id is not None:
            self._playing, self._boundary = entry, entry.end
        if fresh and entry.id is not None:
            self._live.append(entry)
            seconds = (len(result) + entry.left) / self._settings.fps
            self._status(entry, "started", frame=first, seconds=seconds, seed=entry.seed)

    # What is sent

    def due(self, now: float) -> list[Run]:
        """The frames to send now, each run of one prompt; stale ones are skipped. Counts them as sent."""
        if self._track.end == 0 or self._paused_at is not None:
            return []
        if self._anchor is None:
            self._anchor = (0.0, now)
        position = self._position(now)
        end = self._due_end(position)
        stale = math.floor(position) + 1
        if 0 <= self.highest_sent < self._next < stale:
            self.dropped += stale - self._next
            self._next = stale
        while self._track.reach(end) < end:
            self._extend()
        runs = list(self._runs(self._next, end))
        if end > self._next:
            self._next = end
            self.highest_sent = max(self.highest_sent, end - 1)
        self._finish()
        if self._next >= self._forget_at:
            self._forget_at = self._next + round(FORGET_SECONDS * self._settings.frame_rate)
            shown = self._reported[0] if self._reported is not None else math.floor(position)
            self._track.forget(min(shown, self._next) - 1, max(2, self._settings.context_frames))
        return runs

    def _due_end(self, position: float) -> int:
        """One past the last frame that is due."""
        rate = self._settings.frame_rate
        end = math.floor(position + self._settings.lead * rate + 1e-6) + 1
        if self._reported is not None:
            end = min(end, self._reported[0] + math.floor(self._settings.max_ahead * rate) + 1)
        return max(end, self.highest_sent + 1)  # what was overwritten is due at once

    def made_ahead(self, now: float) -> float | None:
        """Seconds of frames that are made beyond those due, negative when some of these are not; None when no more can be."""
        if self._track.end == 0 or self._paused_at is not None or self._track.made >= self._track.can_make:
            return None
        return (self._track.made - self._due_end(self._position(now))) / self._settings.frame_rate

    def to_make(self, now: float, ahead: float) -> tuple[Track, int]:
        """The track, and up to which frame it is to be made to have all that is due and ``ahead`` seconds more."""
        return self._track, self._due_end(self._position(now)) + math.ceil(ahead * self._settings.frame_rate)

    def _runs(self, first: int, end: int) -> Iterator[Run]:
        starts = [self._track.first_frame(segment.start) for segment in self._segments]
        for index, segment in enumerate(self._segments):
            low = max(first, starts[index])
            high = min(end, starts[index + 1] if index + 1 < len(starts) else end)
            while low < high:
                count = min(high - low, limits.MAX_FRAMES)
                yield Run(low, segment.entry.id if segment.entry else None, self._track.poses(low, low + count))
                low += count
        kept = [at for at, start in enumerate(starts) if start <= self._track.first_held]
        self._segments = self._segments[kept[-1] if kept else 0 :]

    def _extend(self) -> None:
        """The planned motion has run out before the model answered, or is to be held: come to rest."""
        self._segments.append(_Segment(self._track.end, None))
        self._track.hold(math.ceil(HOLD_SECONDS * self._settings.fps))

    def _finish(self) -> None:
        for entry in list(self._live):
            end = self._track.first_frame(entry.end)
            if self._next >= end and not (entry is self._playing and (entry.left or self._repeats())):
                self._live.remove(entry)
                self._status(entry, "finished", frame=end)

    # The plan

    def _repeats(self) -> bool:
        return self._after == "repeat" and not self._queue

    def _owed(self) -> bool:
        """Whether the playing prompt has not got all its frames yet."""
        return self._playing is not None and self._playing.left > 0

    def _wanted(self, now: float) -> tuple[Entry, int] | None:
        """The next entry to make and where its motion starts."""
        end = self._track.end
        short = end - self._model_position(now) < self._horizon() * self._settings.fps
        if self._at_once:
            entry = self._queue[0] if self._queue else self._idle()
            return entry, self._earliest(now)
        if self._owed() and self._playing is not None:
            return (self._playing, end) if short else None
        if self._queue:
            near = self._boundary - self._model_position(now) < self._horizon() * self._settings.fps
            return (self._queue[0], min(max(self._boundary, self._earliest(now)), end)) if near else None
        if not short:
            return None
        if self._after == "repeat" and self._playing is not None:
            return self._playing, end
        return (self._idle(), end) if self._after != "hold" else None

    def _idle(self) -> Entry:
        return Entry(None, self._settings.idle_text, self._draw_seed(), self._settings.idle_frames)

    def _horizon(self) -> float:
        return max(self._settings.horizon, 2.0 * self._latency.reserve + self._settings.lead)

    def _earliest(self, now: float) -> int:
        return min(self._first_changeable(now, self._latency.reserve), self._track.end)

    def _first_changeable(self, now: float, reserve: float) -> int:
        """The first model frame whose change the client will not see happen, if it arrives ``reserve`` s from now."""
        if self.highest_sent < 0:
            return 0
        shown = math.floor(self._position(now) + reserve * self._settings.frame_rate)
        return max(self._track.first_model_frame(shown + 2), self._track.start + 1)

    def _position(self, now: float) -> float:
        """The client frame shown now, as far as one can tell; never more than `max_ahead` past the last report."""
        if self._paused_at is not None:
            return self._paused_at
        if self._anchor is None:
            return 0.0
        frame, time = self._anchor
        position = frame + (now - time) * self._settings.frame_rate
        if self._reported is not None:
            position = min(position, self._reported[0] + self._settings.max_ahead * self._settings.frame_rate)
        return position

    def _model_position(self, now: float) -> float:
        return self._track.model_time(self._position(now))

    # Ends of prompts

    def _cancel_all(self, reason: str) -> None:
        self.pending = None
        for entry in (*self._live, *self._queue):
            self._status(entry, "cancelled", reason=reason)
        self._live.clear()
        self._queue.clear()
        self._playing = None
        self._boundary = 0

    def _fail(self, entry: Entry, reason: str, now: float) -> None:
        self._retry_at = now + (FAILED_IDLE_SECONDS if entry.id is None else 0.0)
        self._at_once = False
        if entry in self._queue:
            self._queue.remove(entry)
        if entry in self._live:
            self._live.remove(entry)
        if entry is self._playing:
            self._playing = None
        if not self._queue and self._after == "repeat":
            self._after = "idle"
        if entry.id is not None:
            self._status(entry, "failed", reason=reason[: limits.MAX_ERROR_CHARACTERS] or "the model failed")

    def _status(
        self,
        entry: Entry,
        status: Status,
        *,
        frame: int | None = None,
        seconds: float | None = None,
        seed: int | None = None,
        reason: str | None = None,
    ) -> None:
        if entry.id is not None:
            self._statuses.append(
                PromptStatus(
                    character=self.name,
                    id=entry.id,
                    status=status,
                    frame=frame,
                    seconds=seconds,
                    seed=seed,
                    reason=reason,
                )
            )
