"""What the model is to be asked for next, so that the planned motion of a character never runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol import limits
from server.latency import Latency
from server.motion.motion import Motion, MotionRequest
from server.prompts import STEP_FRAMES, Entry, Prompts

SPREAD: Final = 0.5
"""By so much of its length, at most, the horizon of one character is longer than that of another."""
LEAST_REST_FRAMES: Final = 20
"""A rest shorter than this is made with the first frames."""


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


class Planner:
    """For one character. ``draw_seed`` gives the seeds of idle motion and repetitions. All frames are the model's."""

    def __init__(
        self, settings: TimelineSettings, prompts: Prompts, latency: Latency, draw_seed: Callable[[], int]
    ) -> None:
        self._settings, self._prompts, self._latency, self._draw_seed = settings, prompts, latency, draw_seed
        # Characters that are prompted together would otherwise ask together, again and again, as their motion runs short.
        self._spread = 1.0 + SPREAD * (draw_seed() % 1000) / 1000

    def next(self, position: float, end: int, earliest: Callable[[], int]) -> tuple[Entry, int] | None:
        """The next entry to make and where its motion starts; None when enough is planned.

        ``position`` is the frame shown now, ``end`` that of the planned motion, ``earliest`` gives the first frame whose
        change the client will not see happen.
        """
        prompts = self._prompts
        horizon = self._horizon() * self._settings.fps
        short = end - position < horizon
        if prompts.at_once:
            return prompts.queue[0] if prompts.queue else self._idle(), earliest()
        if prompts.owed is not None:
            return (prompts.owed, end) if short else None
        if prompts.queue:
            near = prompts.boundary - position < horizon
            return (prompts.queue[0], min(max(prompts.boundary, earliest()), end)) if near else None
        if not short:
            return None
        if prompts.after == "repeat" and prompts.playing is not None:
            return prompts.playing, end
        return (self._idle(), end) if prompts.after != "hold" else None

    def left(self, position: float, end: int) -> float:
        """How many frames at least are shown until `next` gives something, where it gives nothing now."""
        short = (min(self._prompts.boundary, end) if self._prompts.queue else end) - position
        return max(0.0, short - self._horizon() * self._settings.fps)

    def request(self, entry: Entry, known: Motion | None) -> MotionRequest:
        """What to ask for ``entry``, to go on from ``known``, the end of the motion before it."""
        settings = self._settings
        context = known if known is not None and len(known) >= STEP_FRAMES else None
        room = settings.max_frames - (settings.context_frames if context is not None else 0)
        length = entry.left or entry.frames
        text, *rest = (entry.text, *entry.then)[entry.at :]
        frames = min(length, room) if length is not None and not rest else length
        first = None if rest else settings.first_frames
        if (
            entry.end == 0
            and self._prompts.at_once
            and context is not None
            and first is not None
            and length is not None
        ):
            frames = first if length >= first + LEAST_REST_FRAMES else frames
        # The parts of a prompt are as its seed has them; each repetition is another.
        seed = (
            (entry.seed + entry.parts) % (limits.MAX_SEED + 1) if entry.left or not entry.parts else self._draw_seed()
        )
        return MotionRequest(text, frames, seed, entry.guidance, None, context, tuple(rest))

    def _idle(self) -> Entry:
        return Entry(None, self._settings.idle_text, self._draw_seed(), self._settings.idle_frames)

    def _horizon(self) -> float:
        return max(self._settings.horizon, 2.0 * self._latency.reserve + self._settings.lead) * self._spread
