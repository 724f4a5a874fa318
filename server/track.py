"""The planned motion of one character: at the model's frame rate, and as the client sees it.

Both are addressed by absolute index. The motion is kept as the model continues it; steering, root motion and pace
decide where and when it is shown, up to a little beyond what has been sent, so that they can change at any time. Feet are
locked last, on the client's frames: a foot on the ground stays there also while the difference at a splice decays, and
none is shown under the floor.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from protocol.poses import Encoding, PoseBlocks, Poses, contact_bits
from protocol.skeleton import Skeleton, default_skeleton
from server.motion import rotation as rot
from server.motion.contacts import ContactSettings, without_flicker
from server.motion.floor import keep_feet_above
from server.motion.foot_lock import FootLock, FootState
from server.motion.human_limits import top_speeds, within_limits
from server.motion.legs import Legs
from server.motion.motion import Motion
from server.motion.resample import sample_nearest, sample_rotations, sample_vectors
from server.motion.rotation import Array
from server.motion.steering import Course, Target, bend
from server.motion.steps import Steps, done
from server.motion.transition import append, hold
from server.motion.transition import place_after as placed
from server.pace import FASTEST, Pace

# Frames are locked in blocks whose ends depend on the clock; what is locked must not, so nothing looks at what follows.
_CAUSAL: Final = ContactSettings(least_contact=0.0, least_gap=0.0)
STRETCH_SECONDS: Final = 1.0
"""Frames are made so many at a time: one by one they would cost many times as much. Of more, more is lost when the motion changes."""


def resample(motion: Motion, times: Array) -> Poses:
    """A motion at fractional frame ``times`` within 0..T-1 as float32 poses."""
    return Poses(
        sample_vectors(motion.root, times).astype(np.float32),
        sample_rotations(motion.rotations, times).astype(np.float32),
        contact_bits(sample_nearest(motion.contacts, times)),
    )


class Track:
    """Model frames ``start``..``end`` (end excluded) of one character, and the client frames that they determine.

    Rotations are kept in one hemisphere from frame to frame. ``fps`` is the model's, ``frame_rate`` the client's;
    ``half_life`` in seconds is that of differences at splices and of released feet. ``foot_lock``: feet in contact stay
    where they landed; on a character that walks on the spot they are free, as the game moves the ground.
    """

    def __init__(
        self,
        fps: float,
        frame_rate: float,
        half_life: float,
        skeleton: Skeleton | None = None,
        *,
        foot_lock: bool = True,
    ) -> None:
        self.fps = fps
        self.frame_rate = frame_rate
        self.half_life = half_life
        self.start = self.end = 0
        self.made = 0
        """One past the last client frame that is made."""
        self.version = self.reworks = 0
        """The first changes whenever `first_frame` of anything may, the second when frames that are made or not made may."""
        self.travels = True
        self._skeleton = skeleton or default_skeleton()
        self._fastest = top_speeds(self._skeleton)
        self._motion: Motion | None = None
        self._course = Course.empty()  # of the first frames of _motion
        self._target, self._target_at = Target(), 0
        self._pace = Pace(fps, frame_rate)
        self._poses = _no_poses()
        self._first = 0  # client index of _poses[0]
        self._blocks = PoseBlocks.of(self._poses, "float32")
        self._blocks_first = 0  # client index of their first
        self.legs = Legs(self._skeleton)
        self.lock = FootLock(self._skeleton, frame_rate, half_life, contacts=_CAUSAL) if foot_lock else None
        self._feet: FootState | None = None  # after each of _poses

    @property
    def settings(self) -> Hashable:
        """What frames must have in common to be made together."""
        return self.fps, self.frame_rate, self.half_life, self._skeleton.name, self.lock is not None

    @property
    def feet(self) -> FootState | None:
        """Of the last frame made; None while there is none."""
        return self._feet[-1] if self._feet is not None and self.has_feet else None

    @property
    def has_feet(self) -> bool:
        """Whether there is such a frame, and feet are locked."""
        return self._feet is not None and self.made > self._first

    @property
    def first_held(self) -> int:
        """The first client frame that is still held."""
        return self._first

    def first_frame(self, model_frame: int) -> int:
        """The first client frame that depends on ``model_frame`` or a later one; an estimate where pace may change."""
        return self._pace.first_frame(model_frame)

    def first_model_frame(self, client_frame: int) -> int:
        """The first model frame that can change without changing a client frame before ``client_frame``."""
        return self._pace.first_model_frame(client_frame)

    def model_time(self, client_frame: float) -> float:
        """The model frame shown at a client frame, both fractional."""
        return self._pace.time(client_frame)

    @property
    def is_even(self) -> bool:
        """Whether model frames that are not shown yet go by evenly."""
        return self._target.speed is None and self._pace.is_even

    def context(self, at: int, frames: int) -> Motion | None:
        """Up to ``frames`` model frames that end just before model frame ``at``; None when there are none.

        As the model made them, not bent: to it, which sees motion relative to the heading, the two are the same.
        """
        if self._motion is None or at <= self.start:
            return None
        return self._motion[max(0, at - self.start - frames) : at - self.start]

    def splice(self, at: int, motion: Motion, *, place: bool = False) -> int:
        """Replaces everything from model frame ``at`` on; the difference at the seam decays.

        ``place``: the motion was not made for this place and is first moved to where the character stands. Returns the
        first client frame that changes.
        """
        before = self.context(at, 2)
        motion = replace(
            motion,
            contacts=without_flicker(motion.contacts, self.fps),
            features=motion.features.astype(np.float32),  # most of what is held, and the model takes no more of them
        )
        if self._motion is None or before is None:
            motion = replace(motion, rotations=rot.unroll(motion.rotations))
            self._motion = within_limits(motion, self.fps, self._fastest)
            self.start, self.end = at, at + len(motion)
            self._first = self.made = self.first_frame(at)
            return self._rework(at)
        if place:
            motion = placed(before, motion)
        kept = self._motion[: at - self.start]
        self._motion = append(kept, motion, self.fps, self.half_life, self._fastest)
        self.end = at + len(motion)
        return self._rework(at)

    def hold(self, frames: int) -> None:
        """Appends ``frames`` model frames that come to rest in the last pose."""
        last = self.context(self.end, 2)
        if last is not None:
            self.splice(self.end, hold(last, frames, self.fps, self.half_life))

    def set_travel(self, at: int, on: bool) -> int:
        """From model frame ``at`` on the root travels, or keeps its x and z. Returns the first client frame that changes."""
        self.travels = on
        return self._rework(at)

    def steer(self, at: int, target: Target) -> int:
        """From model frame ``at`` on bends toward ``target``. Returns the first client frame that changes."""
        self._target, self._target_at = target, at
        return self._rework(at)

    def reach(self, end: int) -> int:
        """Makes client frames up to ``end`` (excluded); returns how far the planned motion allowed, ``end`` at most."""
        if self.made < end:
            make([(self, end + math.ceil(STRETCH_SECONDS * self.frame_rate))])
        return min(end, self.made)

    def poses(self, first: int, end: int) -> Poses:
        """Client frames ``first``..``end`` (end excluded), which must be held."""
        if not self._first <= first <= end <= self.made:
            raise IndexError(f"frames {first}..{end} are not held; the track has {self._first}..{self.made}")
        return self._poses[first - self._first : end - self._first]

    def blocks(self, first: int, end: int, encoding: Encoding) -> PoseBlocks:
        """The same, encoded; with them those that follow, as one by one they would cost many times as much."""
        have = self._blocks_first + self._blocks.frames
        if encoding != self._blocks.encoding or not self._blocks_first <= first or end > have:
            self._blocks, self._blocks_first = PoseBlocks.of(self.poses(first, max(end, self.made)), encoding), first
        return self._blocks.run(first - self._blocks_first, end - self._blocks_first)

    def forget(self, client_frame: int, context_frames: int) -> None:
        """Drops what lies before ``client_frame``, but for ``context_frames`` model frames."""
        model_frame = min(self.first_model_frame(client_frame), self.start + len(self._course)) - context_frames
        if self._motion is None or model_frame <= self.start:
            return
        cut = model_frame - self.start
        self._motion, self._course, self.start = self._motion[cut:], self._course[cut:], model_frame
        drop = min(max(0, self.first_frame(model_frame + 1) - self._first), len(self._poses))
        self._poses, self._first = self._poses[drop:], self._first + drop
        if self._feet is not None:
            self._feet = self._feet[drop:]
        self._pace.forget(self._first)
        self.version += 1

    def _rework(self, at: int) -> int:
        """Model frame ``at`` and later ones are to be shown anew; returns the first client frame among them."""
        first = max(self.first_frame(at), self._first)
        self._course = self._course[: max(0, at - self.start)]
        self._poses = self._poses[: first - self._first]
        if self._feet is not None:
            self._feet = self._feet[: first - self._first]
        self.made = self._first + len(self._poses)
        self._blocks = self._blocks.run(0, min(max(0, first - self._blocks_first), self._blocks.frames))
        self._pace.cut(first)
        self.version += 1
        self.reworks += 1
        return first

    @property
    def can_make(self) -> int:
        """One past the last client frame that the planned motion allows; an estimate where pace may change."""
        return self._pace.first_frame(self.end)

    def window(self, end: int) -> Window | None:
        """What the client frames from the next one to make to ``end`` are made of, as far as the motion goes."""
        if self._motion is None or self.made >= end:
            return None
        self.version += 1
        known = self._pace.end - 1
        time = self._pace.time(known)
        needed = math.ceil(time + max(0, end - known) * FASTEST * self.fps / self.frame_rate) + 1
        if not self._target.turns:
            needed = self.end  # bending nothing costs the same for all of it
        self._course = bend(
            self._motion[: max(0, needed - self.start)],
            self._course,
            self._target,
            fps=self.fps,
            skeleton=self._skeleton,
            travels=self.travels,
            afresh=self.start + len(self._course) <= self._target_at,
        )
        speeds = self._course.velocity if self._target.speed is not None else np.zeros((len(self._course), 2))
        self._pace.extend(end - 1, np.linalg.norm(speeds, axis=-1), self.start, self._target.speed)
        times = self._pace.times(self.made, min(end, self._pace.end))
        if not len(times):
            return None
        low, high = max(0, math.floor(times[0]) - self.start), math.ceil(times[-1]) + 1 - self.start
        planned, course = self._motion[low:high], self._course[low:high]
        before = (self.travels, self.feet, self.made, self.reworks)
        return Window(self, self.start + low, planned, course, times, *before)

    def append(self, poses: Poses, feet: FootState | None) -> None:
        """Client frames that have been made, with the state of the feet after each."""
        if self._feet is not None and feet is not None and self.has_feet:
            feet = self._feet.then(feet)
        self._feet = feet
        self._poses = Poses(
            np.concatenate([self._poses.root, poses.root]),
            np.concatenate([self._poses.rotations, poses.rotations]),
            np.concatenate([self._poses.contacts, poses.contacts]),
        )
        self.made += len(poses)


@dataclass(frozen=True, eq=False)
class Window:
    """Planned frames of a track from ``start`` on, where they are shown, and the times of the client frames to be made.

    ``start`` and ``times``, which are fractional, count the track's planned frames. The rest is how the track stood then.
    """

    track: Track
    start: int
    planned: Motion
    course: Course
    times: Array
    travels: bool
    feet: FootState | None
    made: int
    reworks: int

    @property
    def is_wanted(self) -> bool:
        """Whether the track still lacks these frames, and as they were planned."""
        return self.made == self.track.made and self.reworks == self.track.reworks


def make(wanted: Iterable[tuple[Track, int]]) -> None:
    """Makes the client frames of each track up to the one given with it (excluded), as far as its motion goes.

    All in one: the calls of numpy, most of the time of a single block, are shared. A track's frames are the same, bit for
    bit, whatever is made with them and in however many steps.
    """
    done(make_in_steps(wanted))


def make_in_steps(wanted: Iterable[tuple[Track, int]]) -> Steps[None]:
    """The same in steps. Anything may happen to the tracks in between; what then is no longer wanted is thrown away."""
    alike: dict[Hashable, list[Window]] = {}
    for track, end in wanted:
        if (window := track.window(end)) is not None:
            alike.setdefault((track.settings, window.feet is None), []).append(window)
    for windows in alike.values():
        yield
        yield from _make(windows)


def _make(windows: Sequence[Window]) -> Steps[None]:
    """Makes the windows of tracks with the same settings, that all begin or all go on."""
    counts = [len(window.times) for window in windows]
    most = max(counts)
    # (T, N) times in frames of the track, the shorter ones padded with their last.
    times = np.stack([np.pad(window.times, (0, most - len(window.times)), "edge") for window in windows], axis=1)
    ends = np.cumsum([len(window.planned) for window in windows])
    shift = np.array([end - len(w.planned) - w.start for w, end in zip(windows, ends.tolist(), strict=True)])
    low = np.floor(times + 1e-9)  # of the track, not of the window: the fraction must not depend on where it begins
    fraction = np.clip(times - low, 0.0, 1.0)
    at = np.clip(low.astype(np.int64) + shift, 0, ends - 1)
    after, nearest = np.minimum(at + 1, ends - 1), np.minimum(at + (fraction > 0.5), ends - 1)

    planned = np.concatenate([window.planned.rotations for window in windows])
    yaw = np.concatenate([window.course.yaw for window in windows])
    planned[:, 0] = rot.mul(rot.about_y(yaw), planned[:, 0])
    path = np.concatenate([window.course.root for window in windows])
    flags = np.concatenate([window.planned.contacts for window in windows])[nearest]
    root = path[at] * (1.0 - fraction[..., None]) + path[after] * fraction[..., None]
    rotations = rot.slerp(
        planned[at], planned[after], np.broadcast_to(fraction[..., None], (*at.shape, planned.shape[1]))
    )

    lock, states = windows[0].track.lock, None
    if lock is not None:
        yield
        travels = np.array([window.travels for window in windows])
        feet = [window.feet for window in windows if window.feet is not None]
        before = FootState.stack(feet) if feet else None
        root, rotations, states = yield from lock.lock_in_steps(root, rotations, flags & travels[:, None], before)
        flags = np.where(travels[:, None], states.held.reshape(flags.shape), flags)
    else:
        rotations = keep_feet_above(root, rotations, windows[0].track.legs)
    root, rotations, contacts = root.astype(np.float32), rotations.astype(np.float32), contact_bits(flags)
    yield
    for body, (window, count) in enumerate(zip(windows, counts, strict=True)):
        if not window.is_wanted:
            continue
        mine = (slice(count), body)
        window.track.append(
            Poses(root[mine], rotations[mine], contacts[mine]), states[mine] if states is not None else None
        )


def _no_poses() -> Poses:
    return Poses(np.zeros((0, 3), np.float32), np.zeros((0, 22, 4), np.float32), np.zeros(0, np.uint8))
