"""Feet that stay where they land.

A heel or toe in contact is held where it was shown when the contact began, and the leg follows by inverse kinematics. When
it is let go, its offset from the planned motion decays as the offsets of a splice do. Both begin where the foot is, so
nothing jumps. A held toe is the pivot of a lifting heel, a held heel that of a lifting toe.

Held means held over the ground; up and down a held joint sinks as the planned one does, to the floor, and does not rise.
Only the past counts: what is locked can be continued from the :class:`FootState` after any frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from protocol.skeleton import Skeleton
from server.motion.contacts import ContactSettings, clean_contacts
from server.motion.legs import LegPose, Legs
from server.motion.motion import Motion
from server.motion.rotation import Array
from server.motion.transition import decay

_FLOOR = np.array([0.06, 0.0])  # m, the lowest that a held heel (the ankle joint) and toe sink
_NEGLIGIBLE = 1e-5  # m, an offset that is over
_FREE = np.zeros(2, dtype=bool)


@dataclass(frozen=True, eq=False)
class FootState:
    """What locking must know of one frame to go on after it, or of a stretch: every array may have a leading T.

    By foot (left, right): ``feet`` (2, 2, 3) planned heel and toe, metres; ``contacts`` (2, 2) which of them should be held,
    ``held`` (2, 2) which are; ``anchors`` (2, 2, 3) where; ``offsets`` (2, 2, 3) shown minus planned; ``released``
    (2, 2, 3) what they were when ``held`` last changed, ``frames`` (2,) ago. ``pause`` (2,): frames for which a foot that was
    pulled away too far remains free. ``drop`` (): metres by which the pelvis is lowered.
    """

    feet: Array
    contacts: np.ndarray
    held: np.ndarray
    anchors: Array
    offsets: Array
    released: Array
    frames: np.ndarray
    pause: np.ndarray
    drop: Array

    def __getitem__(self, frames: int | slice) -> FootState:
        return FootState(*(array[frames] for array in vars(self).values()))

    @classmethod
    def of_frames(cls, frames: int) -> FootState:
        """Room for a stretch; nothing is held."""
        return cls(
            np.zeros((frames, 2, 2, 3)),
            np.zeros((frames, 2, 2), dtype=bool),
            np.zeros((frames, 2, 2), dtype=bool),
            np.zeros((frames, 2, 2, 3)),
            np.zeros((frames, 2, 2, 3)),
            np.zeros((frames, 2, 2, 3)),
            np.zeros((frames, 2), dtype=np.int64),
            np.zeros((frames, 2), dtype=np.int64),
            np.zeros(frames),
        )

    def then(self, after: FootState) -> FootState:
        """Two stretches end to end."""
        pairs = zip(vars(self).values(), vars(after).values(), strict=True)
        return FootState(*(np.concatenate(pair) for pair in pairs))


class Locked(NamedTuple):
    """Root (T, 3) and local rotations (T, J, 4) with the feet locked; ``state`` after each frame, its ``held`` feet shown."""

    root: Array
    rotations: Array
    state: FootState

    @property
    def contacts(self) -> np.ndarray:
        """(T, 4) bool in the order of ``Skeleton.feet``."""
        return self.state.held.reshape(-1, 4)


class FootLock:
    """Locks feet of motion at ``fps`` frames per second.

    ``half_life``: seconds in which half of a released foot's offset is gone. A foot that is pulled further than
    ``max_offset`` metres from its planned place over the ground is let go for ``pause`` seconds.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        fps: float,
        half_life: float = 0.1,
        *,
        max_offset: float = 0.25,
        pause: float = 0.3,
        contacts: ContactSettings | None = None,
    ) -> None:
        self._legs = Legs(skeleton)
        self._fps = fps
        self._drop_kept = 0.5 ** (0.5 / (half_life * fps))  # from one frame to the next
        # What is left of an offset 1, 2, ... frames after its release, until a metre of it is negligible.
        left = decay(np.arange(1.0, 20.0 * half_life * fps) / fps, half_life)[0]
        self._left = left[left > _NEGLIGIBLE]
        self._max_offset = max_offset
        self._pause = max(1, round(pause * fps))
        self._contacts = contacts or ContactSettings()
        toes = [skeleton.feet[1], skeleton.feet[3]]
        self._lengths = np.linalg.norm(skeleton.offsets[toes], axis=-1)  # (2,) heel to toe

    def lock(
        self, root: Array, rotations: Array, flags: np.ndarray | None = None, before: FootState | None = None
    ) -> Locked:
        """Root (T, 3), metres, and local rotations (T, J, 4) with the feet locked. Pure.

        ``flags`` (T, 4): the motion's own contacts, to be cleaned; None = from heights and speeds alone. ``before``: the
        state after the frame just before (as ``Locked.state[-1]``); None = these are the first frames. Frames in which
        no foot is away from its planned place come back bit for bit.
        """
        pose = self._legs.pose(root, rotations)
        feet = np.stack([pose.ankles, pose.toes], axis=2)  # (T, foot, heel or toe, 3)
        last = (before.feet.reshape(4, 3), before.contacts.reshape(4)) if before is not None else None
        contacts = clean_contacts(feet.reshape(-1, 4, 3), self._fps, flags, settings=self._contacts, before=last)
        state = FootState.of_frames(len(root))
        state.feet[:] = feet
        state.contacts[:] = contacts.reshape(-1, 2, 2)
        before = before if before is not None else FootState.of_frames(1)[0]
        for foot in (0, 1):
            self._follow(foot, state, before)

        away = (np.abs(state.offsets) > _NEGLIGIBLE).any(axis=(1, 2, 3))
        if away.any():
            moved = np.flatnonzero(away)
            state.drop[moved] = self._legs.drop(_part(pose, moved), feet[moved, :, 0] + state.offsets[moved, :, 0])
        self._rise_slowly(state.drop, float(before.drop))
        moved = np.flatnonzero(away | (state.drop > 0.0))
        if not len(moved):
            return Locked(root, rotations, state)
        shown = feet[moved] + state.offsets[moved]
        root, rotations, drop = root.copy(), rotations.copy(), state.drop[moved]
        root[moved, 1] -= drop
        rotations[moved] = self._legs.solve(_part(pose, moved), rotations[moved], shown[:, :, 0], shown[:, :, 1], drop)
        return Locked(root, rotations, state)

    def _rise_slowly(self, drop: Array, before: float) -> None:
        """Lets ``drop`` (T,) fall off no faster than by half in two half-lives, so that the pelvis does not snap back up."""
        if before == 0.0 and not drop.any():
            return
        for frame, needed in enumerate(drop.tolist()):
            before = max(needed, before * self._drop_kept)
            before = before if before > _NEGLIGIBLE else 0.0
            drop[frame] = before

    def _follow(self, foot: int, state: FootState, before: FootState) -> None:
        """Fills in ``held`` and all that follows from it for one foot, run by run of equal contacts."""
        contacts = state.contacts[:, foot]
        changes = [*(np.flatnonzero((contacts[1:] != contacts[:-1]).any(axis=1)) + 1).tolist(), len(contacts)]
        run = _Run.after(before, foot)
        start = at = 0
        while start < len(contacts):
            while changes[at] <= start:
                at += 1
            end = changes[at]
            if run.pause:
                end = min(end, start + run.pause)
                run.switch(_FREE, state.feet[start, foot])
            else:
                run.switch(contacts[start], state.feet[start, foot])
            end = start + self._fill(run, foot, state, slice(start, end))
            if end == start:
                run.pause = self._pause
                continue
            if run.pause:
                state.pause[start:end, foot] = run.pause - 1 - np.arange(end - start)
                run.pause -= end - start
            run.frames += end - start
            run.anchors, run.offsets = state.anchors[end - 1, foot], state.offsets[end - 1, foot]
            run.shown = state.feet[end - 1, foot] + run.offsets
            start = end

    def _fill(self, run: _Run, foot: int, state: FootState, frames: slice) -> int:
        """Fills in the frames of a run and returns how many there are until the foot is pulled too far."""
        part = (frames, foot)
        feet, anchors, offsets = state.feet[part], state.anchors[part], state.offsets[part]  # (n, 2, 3), views
        count = len(feet)
        state.held[part] = run.held
        state.released[part] = run.released
        state.frames[part] = run.frames + np.arange(1, count + 1)
        anchors[:] = run.anchors
        left = self._left[run.frames : run.frames + count, None, None] * run.released  # (up to n, 2, 3)
        fading = slice(0, len(left))
        heel, toe = run.held
        pivot, led = (1, 0) if toe else (0, 1)
        if heel or toe:
            # Down with the lowest that the planned joints have been since they are held.
            lowest = np.minimum.accumulate(feet[..., 1], axis=0)
            lowest = np.minimum(lowest, run.anchors[:, 1])
            anchors[..., 1] = np.maximum(lowest, np.minimum(run.anchors[:, 1], _FLOOR))
            np.subtract(anchors, feet, out=offsets)
            if heel != toe:
                offsets[:, led] = offsets[:, pivot]
                offsets[fading, led] += left[:, led] - left[:, pivot]
            away = offsets[:, pivot, 0] ** 2 + offsets[:, pivot, 2] ** 2
            if away.max() > self._max_offset**2:
                count = int(np.argmax(away > self._max_offset**2))
        else:
            offsets[:] = 0.0
            offsets[fading] = left
            if not len(left) or np.abs(left[0]).max() < _NEGLIGIBLE:
                return count
        # The joint that is led is put where the bone between them allows.
        shown = feet + offsets
        bone = shown[:, led] - shown[:, pivot]
        bone *= self._lengths[foot] / np.sqrt((bone * bone).sum(-1, keepdims=True))
        offsets[:, led] = shown[:, pivot] + bone - feet[:, led]
        return count


def lock_clip(motion: Motion, skeleton: Skeleton, fps: float) -> Motion:
    """A whole clip at ``fps`` frames per second with its feet locked; contacts are those held. Features stay as they were."""
    locked = FootLock(skeleton, fps).lock(motion.root, motion.rotations, motion.contacts)
    return replace(motion, root=locked.root, rotations=locked.rotations, contacts=locked.contacts)


def _part(pose: LegPose, frames: np.ndarray) -> LegPose:
    return LegPose(*(array[frames] for array in pose))


@dataclass
class _Run:
    """One foot between two changes: fields of :class:`FootState` as of its last frame, and where it was ``shown``."""

    held: np.ndarray
    anchors: Array
    offsets: Array
    shown: Array
    released: Array
    frames: int
    pause: int

    @classmethod
    def after(cls, state: FootState, foot: int) -> _Run:
        offsets = state.offsets[foot]
        return cls(
            state.held[foot],
            state.anchors[foot],
            offsets,
            state.feet[foot] + offsets,
            state.released[foot],
            int(state.frames[foot]),
            int(state.pause[foot]),
        )

    def switch(self, held: np.ndarray, feet: Array) -> None:
        """Holds the joints ``held`` (2,) from the frame on in which they are planned at ``feet`` (2, 3)."""
        if (held == self.held).all():
            return
        self.anchors = np.where((held & self.held)[:, None], self.shown, feet + self.offsets)
        self.released, self.frames = self.offsets, 0
        self.held = held
