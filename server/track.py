"""The planned motion of one character: at the model's frame rate, and as the client sees it.

Both are addressed by absolute index. The motion is kept as the model continues it; steering, root motion and pace
decide where and when it is shown, up to a little beyond what has been sent, so that they can change at any time. Feet are
locked last, on the client's frames: a foot on the ground stays there also while the difference at a splice decays.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from protocol.poses import Poses, contact_bits, contact_flags
from protocol.skeleton import Skeleton, default_skeleton
from server.motion import rotation as rot
from server.motion.contacts import ContactSettings, without_flicker
from server.motion.foot_lock import FootLock, FootState
from server.motion.motion import Motion, concatenate
from server.motion.resample import sample_nearest, sample_rotations, sample_vectors
from server.motion.rotation import Array
from server.motion.steering import Course, Target, bend
from server.motion.transition import hold, inertialize
from server.motion.transition import place_after as placed
from server.pace import FASTEST, Pace

# Frames are locked in blocks whose ends depend on the clock; what is locked must not, so nothing looks at what follows.
_CAUSAL: Final = ContactSettings(least_contact=0.0, least_gap=0.0)
AHEAD_SECONDS: Final = 4.0
"""Client frames are made this much further than asked for: in larger blocks each costs less."""


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
        self.start = 0
        self.travels = True
        self._skeleton = skeleton or default_skeleton()
        self._motion: Motion | None = None
        self._course = Course.empty()  # of the first frames of _motion
        self._target, self._target_at = Target(), 0
        self._pace = Pace(fps, frame_rate)
        self._poses = _no_poses()
        self._first = 0  # client index of _poses[0]
        self._lock = FootLock(self._skeleton, frame_rate, half_life, contacts=_CAUSAL) if foot_lock else None
        self._feet: FootState | None = None  # after each of _poses

    @property
    def end(self) -> int:
        """One past the last model frame; equal to ``start`` when nothing is planned yet."""
        return self.start + (len(self._motion) if self._motion is not None else 0)

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
        motion = replace(motion, contacts=without_flicker(motion.contacts, self.fps))
        if self._motion is None or before is None:
            self._motion = replace(motion, rotations=rot.unroll(motion.rotations))
            self.start, self._first = at, self.first_frame(at)
            return self._rework(at)
        if place:
            motion = placed(before, motion)
        motion = inertialize(before, motion, self.fps, self.half_life)
        kept = self._motion[: at - self.start]
        seam = np.concatenate([kept.rotations[-1:], motion.rotations])
        motion = replace(motion, rotations=rot.unroll(seam)[1:])
        self._motion = concatenate([kept, motion])
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
        have = self._first + len(self._poses)
        if self._motion is not None and have < end:
            self._make(have, end + math.ceil(AHEAD_SECONDS * self.frame_rate))
        return min(end, self._first + len(self._poses))

    def poses(self, first: int, end: int) -> Poses:
        """Client frames ``first``..``end`` (end excluded), which must be held."""
        held = self._first + len(self._poses)
        if not self._first <= first <= end <= held:
            raise IndexError(f"frames {first}..{end} are not held; the track has {self._first}..{held}")
        return self._poses[first - self._first : end - self._first]

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

    def _rework(self, at: int) -> int:
        """Model frame ``at`` and later ones are to be shown anew; returns the first client frame among them."""
        first = max(self.first_frame(at), self._first)
        self._course = self._course[: max(0, at - self.start)]
        self._poses = self._poses[: first - self._first]
        if self._feet is not None:
            self._feet = self._feet[: first - self._first]
        self._pace.cut(first)
        return first

    def _make(self, first: int, end: int) -> None:
        """Client frames ``first``, the next one to make, to ``end``, or as far as the motion goes."""
        assert self._motion is not None
        known = self._pace.end - 1
        time = self._pace.time(known)
        needed = math.ceil(time + max(0, end - known) * FASTEST * self.fps / self.frame_rate) + 1
        self._course = bend(
            self._motion[: max(0, needed - self.start)],
            self._course,
            self._target,
            fps=self.fps,
            skeleton=self._skeleton,
            travels=self.travels,
            afresh=self.start + len(self._course) <= self._target_at,
        )
        speeds = np.linalg.norm(self._course.velocity, axis=-1)
        self._pace.extend(end - 1, speeds, self.start, self._target.speed)
        times = self._pace.times(first, min(end, self._pace.end)) - self.start
        if not len(times):
            return
        low, high = max(0, math.floor(times[0])), math.ceil(times[-1]) + 1
        window = _bent(self._motion[low:high], self._course[low:high])
        fresh = resample(window, np.clip(times - low, 0.0, len(window) - 1.0))
        if self._lock is not None:
            fresh = self._locked(self._lock, fresh)
        self._poses = Poses(
            np.concatenate([self._poses.root, fresh.root]),
            np.concatenate([self._poses.rotations, fresh.rotations]),
            np.concatenate([self._poses.contacts, fresh.contacts]),
        )

    def _locked(self, lock: FootLock, poses: Poses) -> Poses:
        """``poses``, which come after those held, with the feet locked."""
        flags = contact_flags(poses.contacts).astype(bool) & self.travels
        before = self._feet[-1] if self._feet is not None and len(self._poses) else None
        locked = lock.lock(poses.root.astype(np.float64), poses.rotations.astype(np.float64), flags, before)
        self._feet = self._feet.then(locked.state) if self._feet is not None and before is not None else locked.state
        contacts = contact_bits(locked.contacts) if self.travels else poses.contacts
        return Poses(locked.root.astype(np.float32), locked.rotations.astype(np.float32), contacts)


def _bent(motion: Motion, course: Course) -> Motion:
    """The motion where it is shown."""
    rotations = motion.rotations.copy()
    rotations[:, 0] = rot.mul(rot.about_y(course.yaw), rotations[:, 0])
    return replace(motion, root=course.root, rotations=rotations, heading=motion.heading + course.yaw)


def _no_poses() -> Poses:
    return Poses(np.zeros((0, 3), np.float32), np.zeros((0, 22, 4), np.float32), np.zeros(0, np.uint8))
