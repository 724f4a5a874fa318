"""One character's endless motion: prompts in, requests for the model and the frames that are due out.

Without sockets, threads or a clock: every method that needs the time takes it as ``now``, in seconds of any monotonic
clock.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from protocol import limits
from protocol.fields import OnEnd
from protocol.messages import PromptStatus
from protocol.poses import Encoding, PoseBlocks
from server.backend import AT_ONCE_SECONDS, Need
from server.latency import Latency
from server.model_calls import LateError
from server.motion.motion import Motion, MotionRequest
from server.motion.steering import Target
from server.pace import FASTEST
from server.planning import Planner, TimelineSettings
from server.playhead import PlayheadClock
from server.prompts import Entry, Prompts
from server.track import Track

PATIENCE: Final = 40.0
"""So much longer may idle motion and repetitions take than what a client asked for: to stand still a while does less harm."""
RETRY_SECONDS: Final = 0.25
FAILED_IDLE_SECONDS: Final = 2.0
HOLD_SECONDS: Final = 5.0
"""So much rest is planned at a time where there is no other motion; it costs little more than less of it."""
DRY_SECONDS: Final = 0.1
"""With fewer seconds of planned motion left rest is planned behind it. Motion that still comes in time replaces it unseen."""
LOOK_SECONDS: Final = 0.25
"""So long, at most, is not looked whether more motion is wanted when nothing happens; it costs something each time."""
FORGET_SECONDS: Final = 0.5
"""What has been shown is dropped in stretches so long: each costs the same."""


@dataclass(frozen=True, eq=False)
class Pending:
    """A request on its way: for which entry, where it goes, when it was asked, how soon it is needed."""

    entry: Entry
    splice: int
    request: MotionRequest
    asked: float
    need: Need


class Run(NamedTuple):
    """Client frames ``first``, ``first`` + 1, … of one prompt, due now."""

    first: int
    prompt: str | None
    blocks: PoseBlocks


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
        self._prompts = Prompts(name)
        self._planner = Planner(settings, self._prompts, latency, draw_seed)
        self._clock = PlayheadClock(settings.frame_rate, settings.lead, settings.max_ahead)
        self._track = Track(settings.fps, settings.frame_rate, settings.half_life, foot_lock=settings.foot_lock)
        self._segments: list[_Segment] = []
        self._starts: list[int] = []  # client frames of these
        self._ends_at = 0  # the first client frame with which a prompt may end
        self._rest_at: int | None = None  # the model frame from which on there is but rest
        self._known = -1  # version of the track that the last two are of
        self._wanted_since: float | None = None  # what the model is to be asked for next, or has been
        self._retry_at = -math.inf
        self._plan_at = -math.inf  # before it nothing is wanted of the model, unless something happens
        self._next = 0
        self._forget_at = 0

    # Going to another server, while paused

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to this server; what has been asked of the model is asked again. `attach` makes it whole."""
        here = {
            "_latency": None,
            "_planner": None,
            "pending": None,
            "_wanted_since": None,
            "_retry_at": -math.inf,
            "_plan_at": -math.inf,
        }
        return {**self.__dict__, **here}

    def attach(self, latency: Latency, draw_seed: Callable[[], int]) -> None:
        """It has come from another server, whose clock counted from another moment: `resume` begins anew with ours."""
        self._latency, self._planner = latency, Planner(self._settings, self._prompts, latency, draw_seed)

    # What the client asks for

    @property
    def prompt_ids(self) -> set[str]:
        """Ids of the prompts that play or wait."""
        return self._prompts.ids

    @property
    def waiting(self) -> int:
        """Prompts that have not started."""
        return len(self._prompts.queue)

    def play(self, entries: Sequence[Entry], on_end: OnEnd, *, replace: bool) -> None:
        """Accepts prompts, to be played in order, at once or after what plays and waits."""
        self._prompts.add(entries, on_end, replace=replace)
        # Neither what was replaced nor idle motion or a repetition is wanted any more: the prompt goes first.
        if replace or (
            self.pending is not None and self.pending.entry is not self._prompts.queue[0] and self._prompts.owed is None
        ):
            self.pending = self._wanted_since = None
        self._retry_at = self._plan_at = -math.inf

    def stop(self) -> None:
        """Cancels all prompts; the character goes idle as soon as it can."""
        self.pending = self._wanted_since = None
        self._plan_at = -math.inf
        self._prompts.stop()

    def remove(self) -> None:
        """Cancels all prompts, for good."""
        self.pending = None
        self._prompts.remove()

    def pause(self, now: float) -> None:
        """The clock stands still until `resume`."""
        self._clock.pause(now)

    def resume(self, now: float) -> None:
        """The clock goes on from where it stood."""
        self._clock.resume(now)
        self._plan_at = -math.inf

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return self._clock.paused

    def set_root_motion(self, on: bool) -> None:
        """From the first frame that was not sent on, the root travels or stays."""
        self._track.set_travel(max(self._track.start + 1, self._track.first_model_frame(self._next)), on)

    def steer(self, target: Target, now: float) -> None:
        """From the first frame that can still be changed on, the path bends toward ``target``, until it is replaced."""
        first = self._track.steer(self._first_changeable(now), target)
        self._plan_at = -math.inf
        self._next = min(self._next, first)

    def report(self, frame: int, now: float) -> bool:
        """Takes a playhead report; False when that frame was never sent. Reports that go back are ignored.

        So are those before the first frame: what they tell of is a character of the same name that was removed.
        """
        if self.highest_sent < 0:
            return True
        if frame > self.highest_sent:
            return False
        self._clock.report(frame, now)
        self._plan_at = -math.inf
        return True

    def rewind(self, first: int | None, now: float) -> None:
        """While paused: frames from ``first`` on are to be sent again; None: from the last playhead on."""
        if first is None:
            first = self._clock.shown(now) + 1
        if first < self._next:
            self._next = max(first, self._track.first_held)
            self._clock.go_back(self._next - 1)
            self._plan_at = -math.inf

    def take_statuses(self) -> list[PromptStatus]:
        """The statuses since the last call, in order."""
        return self._prompts.take_statuses()

    # What the model is asked for

    def plan(self, now: float) -> MotionRequest | None:
        """The request to make now, remembered as ``pending``; None when nothing is wanted or one is on its way."""
        if self.pending is not None or now < self._plan_at or now < self._retry_at or self.paused:
            return None
        position = self._track.model_time(self._clock.position(now))

        def earliest() -> int:
            return self._first_changeable(now, self._latency.reserve)

        end = self._track.end if self._rest_at is None else max(self._rest_at, earliest())
        wanted = self._planner.next(position, end, earliest)
        if wanted is None:
            if not self._track.is_even:
                return None  # it cannot be told when more will be wanted
            left = self._planner.left(position, end) / (FASTEST * self._settings.fps)
            self._plan_at = now + min(left, LOOK_SECONDS)
            return None
        entry, splice = wanted
        request = self._planner.request(entry, self._track.context(splice, self._settings.context_frames))
        if self._wanted_since is None:
            self._wanted_since = now
        need = Need(self._within(entry, splice - position), now - self._wanted_since, sure=True)
        self.pending = Pending(entry, splice, request, now, need)
        return request

    def _within(self, entry: Entry, ahead: float) -> float:
        """Within how many seconds a motion is needed that is to be shown when ``ahead`` model frames have been."""
        if self._prompts.at_once:
            return AT_ONCE_SECONDS
        left = max(ahead / self._settings.fps - self._settings.lead, AT_ONCE_SECONDS)
        return left if self._prompts.asked_for(entry) else PATIENCE * left

    def postpone(self, now: float) -> None:
        """The model took no request, as it does when the server ends: ask again a little later, without losing the place in line."""
        self.pending = None
        self._retry_at = now + RETRY_SECONDS

    def deliver(self, result: Motion | Exception, now: float) -> None:
        """Takes the answer to ``pending``. A failure ends the prompt; the planned motion goes on.

        So does a prompt that has begun, or was not urgent, when the model is late: the character comes to rest, and it is
        asked again.
        """
        pending, self.pending = self.pending, None
        if pending is None:
            return
        self._plan_at = -math.inf
        entry, request = pending.entry, pending.request
        if isinstance(result, LateError) and (entry.end > 0 or pending.need.within > AT_ONCE_SECONDS):
            self._retry_at = now + RETRY_SECONDS
            return
        self._wanted_since = None
        if isinstance(result, Exception) or not len(result):
            self._retry_at = now + (FAILED_IDLE_SECONDS if entry.id is None else 0.0)
            self._prompts.fail(entry, str(result) if isinstance(result, Exception) else "the model made no frames")
            return
        if pending.need.within <= AT_ONCE_SECONDS:  # others may wait, and do when there is much to do
            self._latency.observe(now - pending.asked)
        earliest = self._first_changeable(now)
        late = pending.splice < earliest
        splice = max(pending.splice, earliest)
        first = self._track.splice(splice, result, place=late or request.context is None)
        self._rest_at = None
        self._segments = [segment for segment in self._segments if segment.start < splice]
        self._segments.append(_Segment(splice, entry))
        self._next = min(self._next, first)
        if self._prompts.made(entry, splice, len(result), result.left):
            self._prompts.started(entry, first, (len(result) + entry.left) / self._settings.fps)

    def _first_changeable(self, now: float, reserve: float = 0.0) -> int:
        """The first planned frame whose change the client will not see happen, if it arrives ``reserve`` s from now."""
        if self.highest_sent < 0:
            return 0
        shown = math.floor(self._clock.position(now) + reserve * self._settings.frame_rate)
        return min(max(self._track.first_model_frame(shown + 2), self._track.start + 1), self._track.end)

    # What is sent

    def due(self, now: float, encoding: Encoding = "float32") -> list[Run]:
        """The frames to send now, each run of one prompt; stale ones are skipped. Counts them as sent."""
        track = self._track
        if track.end == 0 or self.paused:
            return []
        self._clock.start(now)
        end, first = self._due_end(now), self._next
        if 0 <= self.highest_sent < first:
            # Stale frames are skipped, but not for good before others are sent: a client may turn out to have waited for them.
            first = max(first, math.floor(self._clock.position(now)) + 1)
        while track.made < end and track.reach(end) < end:
            self._rest()
        if self._known != track.version:
            self._look_anew()
        runs: list[Run] = []
        if end > first:
            self.dropped += first - self._next
            runs += self._runs(first, end, encoding)
            self._next = end
            self.highest_sent = max(self.highest_sent, end - 1)
        if self._next >= self._ends_at:
            self._prompts.finish(self._next, track.first_frame)
        if self._next >= self._forget_at:
            self._forget_at = self._next + round(FORGET_SECONDS * self._settings.frame_rate)
            shown = min(self._clock.shown(now), self._next)
            track.forget(shown - 1, max(2, self._settings.context_frames))
        return runs

    def made_ahead(self, now: float) -> float:
        """Seconds of frames that are made beyond those due, negative when some of these are not; infinite when no more can be."""
        track = self._track
        if track.end == 0 or self.paused:
            return math.inf
        seconds = (track.made - self._due_end(now)) / self._settings.frame_rate
        return math.inf if track.made >= track.can_make and seconds >= DRY_SECONDS else seconds

    def to_make(self, now: float, ahead: float) -> tuple[Track, int]:
        """The track, and up to which frame it is to be made to have all that is due and ``ahead`` seconds more.

        Where the planned motion is about to run out, rest is planned behind it.
        """
        due = self._due_end(now)
        if self._track.can_make < due + DRY_SECONDS * self._settings.frame_rate:
            self._rest()
        return self._track, due + math.ceil(ahead * self._settings.frame_rate)

    def _due_end(self, now: float) -> int:
        """One past the last frame that is due; what was overwritten is due at once."""
        return max(self._clock.due_end(now), self.highest_sent + 1)

    def _look_anew(self) -> None:
        """The planned motion has changed: so has where its segments and prompts begin and end."""
        first_frame = self._track.first_frame
        starts = [first_frame(segment.start) for segment in self._segments]
        old = max(0, bisect_right(starts, self._track.first_held) - 1)
        self._segments, self._starts = self._segments[old:], starts[old:]
        self._ends_at = min((first_frame(end) for end in self._prompts.ends), default=0)
        self._known = self._track.version

    def _runs(self, first: int, end: int, encoding: Encoding) -> Iterator[Run]:
        for segment, start, stop in zip(self._segments, self._starts, (*self._starts[1:], end), strict=True):
            low, high = max(first, start), min(end, stop)
            while low < high:
                until = min(high, low + limits.MAX_FRAMES)
                yield Run(low, segment.entry.id if segment.entry else None, self._track.blocks(low, until, encoding))
                low = until

    def _rest(self) -> None:
        """The planned motion runs out before the model has answered, or is to be held: come to rest."""
        if self._rest_at is None:
            self._rest_at = self._track.end
            self._segments.append(_Segment(self._rest_at, None))
        self._track.hold(math.ceil(HOLD_SECONDS * self._settings.fps))
