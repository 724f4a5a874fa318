"""The planned motion of one character: at the model's frame rate, and resampled to the client's with the feet locked.

Both are addressed by absolute index. Client frame i lies at model frame i · fps / frame rate. Feet are locked last, on the
client's frames: what the model continues from and what a splice joins is the motion as planned, and a foot on the ground
stays there also while the difference at a splice decays.
"""

from __future__ import annotations

import math

import numpy as np

from protocol.poses import Poses, contact_bits, contact_flags
from protocol.skeleton import default_skeleton
from server.motion import rotation as rot
from server.motion.foot_lock import FootLock, FootState
from server.motion.motion import Motion, concatenate
from server.motion.resample import sample_nearest, sample_rotations, sample_vectors
from server.motion.rotation import Array
from server.motion.transition import hold, inertialize
from server.motion.transition import place_after as placed

_EPS = 1e-6


def resample(motion: Motion, times: np.ndarray) -> Poses:
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
    where they landed.
    """

    def __init__(self, fps: float, frame_rate: float, half_life: float, *, foot_lock: bool = True) -> None:
        self.fps = fps
        self.frame_rate = frame_rate
        self.half_life = half_life
        self.start = 0
        self.travels = True
        self._motion: Motion | None = None
        self._ground: Array = np.zeros((0, 2))  # x and z as the model made them, root motion on or off
        self._poses: Poses | None = None
        self._first = 0  # client index of _poses[0]
        self._lock = FootLock(default_skeleton(), frame_rate, half_life) if foot_lock else None
        self._feet: FootState | None = None  # after each of _poses

    @property
    def end(self) -> int:
        """One past the last model frame; equal to ``start`` when nothing is planned yet."""
        return self.start + (len(self._motion) if self._motion is not None else 0)

    @property
    def client_end(self) -> int:
        """One past the last client frame that can be sent."""
        return self.first_frame(self.end) if self._motion is not None else 0

    def first_frame(self, model_frame: int) -> int:
        """The first client frame that depends on ``model_frame`` or a later one."""
        return math.floor((model_frame - 1) * self.frame_rate / self.fps + _EPS) + 1 if model_frame > 0 else 0

    def first_model_frame(self, client_frame: int) -> int:
        """The first model frame that can change without changing a client frame before ``client_frame``."""
        return math.ceil((client_frame - 1) * self.fps / self.frame_rate - _EPS) + 1 if client_frame > 0 else 0

    def context(self, at: int, frames: int) -> Motion | None:
        """Up to ``frames`` model frames that end just before model frame ``at``; None when there are none."""
        if self._motion is None or at <= self.start:
            return None
        return self._motion[max(0, at - self.start - frames) : at - self.start]

    def splice(self, at: int, motion: Motion, *, place: bool = False) -> None:
        """Replaces everything from model frame ``at`` on; the difference at the seam decays.

        ``place``: the motion was not made for this place and is first moved to where the character stands.
        """
        before = self.context(at, 2)
        if self._motion is None or before is None:
            self._motion, self._ground, self.start, self._first = (
                motion,
                motion.root[:, [0, 2]],
                at,
                self.first_frame(at),
            )
            self._refresh(at)
            return
        if place:
            motion = placed(before, motion)
        motion = inertialize(before, motion, self.fps, self.half_life)
        kept = self._motion[: at - self.start]
        ground = motion.root[:, [0, 2]] - kept.root[-1, [0, 2]] + self._ground[at - self.start - 1]
        self._ground = np.concatenate([self._ground[: at - self.start], ground])
        self._motion = concatenate([kept, motion])
        if not self.travels:
            self._set_ground(at, np.zeros_like(ground))
        self._refresh(at)

    def hold(self, frames: int) -> None:
        """Appends ``frames`` model frames that come to rest in the last pose."""
        last = self.context(self.end, 2)
        if last is not None:
            self.splice(self.end, hold(last, frames, self.fps, self.half_life))

    def set_travel(self, at: int, on: bool) -> None:
        """From model frame ``at`` (> start) on the root travels, or keeps its x and z."""
        self.travels = on
        if self._motion is not None and self.start < at < self.end:
            step = self._ground[at - self.start :] - self._ground[at - self.start - 1]
            self._set_ground(at, step if on else np.zeros_like(step))
            self._refresh(at)

    def poses(self, first: int, end: int) -> Poses:
        """Client frames ``first``..``end`` (end excluded), which must be held."""
        if self._poses is None or not self._first <= first <= end <= self._first + len(self._poses):
            raise IndexError(f"frames {first}..{end} are not held; the track has {self._first}..{self.client_end}")
        return self._poses[first - self._first : end - self._first]

    def forget(self, client_frame: int, context_frames: int) -> None:
        """Drops what lies before ``client_frame``, but for ``context_frames`` model frames."""
        model_frame = min(self.first_model_frame(client_frame), self.end) - context_frames
        if self._motion is None or model_frame <= self.start or self._poses is None:
            return
        cut = model_frame - self.start
        self._motion, self._ground, self.start = self._motion[cut:], self._ground[cut:], model_frame
        drop = min(max(0, self.first_frame(model_frame + 1) - self._first), len(self._poses))
        self._poses, self._first = self._poses[drop:], self._first + drop
        if self._feet is not None:
            self._feet = self._feet[drop:]

    def _set_ground(self, at: int, steps: np.ndarray) -> None:
        """Puts the root's x and z from ``at`` on at ``steps`` (T, 2) from where it stands just before."""
        assert self._motion is not None
        cut = at - self.start
        root = self._motion.root.copy()
        root[cut:, [0, 2]] = root[cut - 1, [0, 2]] + steps
        whole = self._motion
        self._motion = Motion(root, whole.rotations, whole.contacts, whole.features, whole.heading)

    def _refresh(self, at: int) -> None:
        """Resamples all client frames that depend on model frame ``at`` or later ones."""
        assert self._motion is not None
        whole, cut = self._motion, max(0, at - self.start)
        seam = max(0, cut - 1)
        rotations = whole.rotations.copy()
        rotations[seam:] = rot.unroll(rotations[seam:])
        self._motion = Motion(whole.root, rotations, whole.contacts, whole.features, whole.heading)
        first = max(self.first_frame(at), self._first)
        indices = np.arange(first, self.client_end)
        times = np.clip(indices * self.fps / self.frame_rate - self.start, 0.0, len(whole) - 1.0)
        kept = 0 if self._poses is None else first - self._first
        fresh = resample(self._motion, times)
        if self._lock is not None:
            fresh = self._locked(self._lock, fresh, times, kept)
        if self._poses is None or not kept:
            self._poses, self._first = fresh, first
            return
        before = self._poses[:kept]
        self._poses = Poses(
            np.concatenate([before.root, fresh.root]),
            np.concatenate([before.rotations, fresh.rotations]),
            np.concatenate([before.contacts, fresh.contacts]),
        )

    def _locked(self, lock: FootLock, poses: Poses, times: np.ndarray, kept: int) -> Poses:
        """``poses`` at model ``times`` (from ``start``) with the feet locked, going on after ``kept`` of the frames held."""
        root = poses.root.astype(np.float64)
        # Where the model walks, so that a foot keeps its place under a character that walks on the spot.
        root[:, [0, 2]] = sample_vectors(self._ground, times)
        before = self._feet[kept - 1] if self._feet is not None and kept else None
        flags = contact_flags(poses.contacts).astype(bool)
        locked = lock.lock(root, poses.rotations.astype(np.float64), flags, before)
        self._feet = self._feet[:kept].then(locked.state) if self._feet is not None else locked.state
        root = poses.root.copy()
        root[:, 1] = locked.root[:, 1]
        return Poses(root, locked.rotations.astype(np.float32), contact_bits(locked.contacts))
