"""Feet that stay where they land.

A heel or toe in contact is held where it was shown when the contact began, and the leg follows by inverse kinematics. When
it is let go, its offset from the planned motion decays as the offsets of a splice do. Both begin where the foot is, so
nothing jumps. A held toe is the pivot of a lifting heel, a held heel that of a lifting toe.

Held means held over the ground; up and down a held joint sinks as the planned one does, to the floor, and does not rise.
No foot, held or not, is shown under the floor (see ``floor.py``).
A leg that is pulled is turned no faster than people turn theirs, but to keep a foot from the floor, and the pelvis sinks no faster
than they sink.
Only the past counts: what is locked can be continued from the :class:`FootState` after any frame. Several bodies are locked
at once, each as if it were alone: numpy's calls take most of the time, and are as many for one body as for many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from protocol.skeleton import Skeleton
from server.motion import rotation as rot
from server.motion.contacts import ContactSettings, clean_contacts
from server.motion.floor import feet_lift, keep_feet_above
from server.motion.human_limits import follow, top_speeds
from server.motion.legs import Legs
from server.motion.motion import Motion
from server.motion.rotation import Array
from server.motion.steps import Steps, done
from server.motion.transition import decay

_FLOOR = np.array([0.06, 0.0])  # m, the lowest that a held heel (the ankle joint) and toe sink
_NEGLIGIBLE = 1e-5  # m, an offset that is over
_SINK = 0.6  # m/s, how fast the pelvis goes down at most: two thirds of the jerk that people's roots have
_SPARE = 1.05  # times a leg's top speed, as planned motion may have all of that


@dataclass(frozen=True, eq=False)
class FootState:
    """What locking must know of one frame to go on after it: every array may have leading axes of frames and bodies.

    By foot (left, right): ``feet`` (2, 2, 3) planned heel and toe, metres; ``contacts`` (2, 2) which of them should be held,
    ``held`` (2, 2) which are; ``anchors`` (2, 2, 3) where; ``offsets`` (2, 2, 3) shown minus planned; ``released``
    (2, 2, 3) what they were when ``held`` last changed, ``frames`` (2,) ago. ``pause`` (2,): frames for which a foot that was
    pulled away too far remains free. ``drop`` (): metres by which the pelvis is lowered. ``legs`` (2, 6, 4): local rotations of
    hips, knees and ankles, planned and shown.
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
    legs: Array

    def __getitem__(self, frames: int | slice | tuple[int | slice, ...]) -> FootState:
        return FootState(*(array[frames] for array in vars(self).values()))

    @classmethod
    def of_shape(cls, *shape: int) -> FootState:
        """Room for the leading axes ``shape``; nothing is held."""
        return cls(
            np.zeros((*shape, 2, 2, 3)),
            np.zeros((*shape, 2, 2), dtype=bool),
            np.zeros((*shape, 2, 2), dtype=bool),
            np.zeros((*shape, 2, 2, 3)),
            np.zeros((*shape, 2, 2, 3)),
            np.zeros((*shape, 2, 2, 3)),
            np.zeros((*shape, 2), dtype=np.int64),
            np.zeros((*shape, 2), dtype=np.int64),
            np.zeros(shape),
            np.zeros((*shape, 2, 6, 4)),
        )

    @classmethod
    def stack(cls, states: Sequence[FootState]) -> FootState:
        """States of one frame each as those of several bodies."""
        return cls(*(np.stack(arrays) for arrays in zip(*(vars(state).values() for state in states), strict=True)))

    def by_foot(self, axis: int) -> FootState:
        """The same memory with bodies and feet, the axes from ``axis`` on, as one; ``drop`` and ``legs`` are as they were."""
        own = {"feet": 2, "contacts": 1, "held": 1, "anchors": 2, "offsets": 2, "released": 2, "frames": 0, "pause": 0}
        arrays = vars(self)
        return replace(
            self,
            **{
                name: arrays[name].reshape(
                    *arrays[name].shape[:axis], -1, *arrays[name].shape[arrays[name].ndim - axes :]
                )
                for name, axes in own.items()
            },
        )

    def then(self, after: FootState) -> FootState:
        """Two stretches end to end."""
        pairs = zip(vars(self).values(), vars(after).values(), strict=True)
        return FootState(*(np.concatenate(pair) for pair in pairs))


class Locked(NamedTuple):
    """Root (T, …, 3) and local rotations (T, …, J, 4) with the feet locked; ``state`` after each frame."""

    root: Array
    rotations: Array
    state: FootState

    @property
    def contacts(self) -> np.ndarray:
        """The feet held (T, …, 4) bool in the order of ``Skeleton.feet``."""
        return self.state.held.reshape(*self.state.held.shape[:-2], 4)


class FootLock:
    """Locks feet of motion at ``fps`` frames per second.

    ``half_life``: seconds in which half of a released foot's offset is gone. A foot that is pulled further than
    ``max_offset`` metres from its planned place over the ground, or turned further than ``max_turn`` degrees from its
    planned direction, is let go for ``pause`` seconds.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        fps: float,
        half_life: float = 0.1,
        *,
        max_offset: float = 0.25,
        max_turn: float = 40.0,
        pause: float = 0.3,
        contacts: ContactSettings | None = None,
    ) -> None:
        self._legs = Legs(skeleton)
        self._fps = fps
        self._drop_kept = 0.5 ** (0.5 / (half_life * fps))  # from one frame to the next
        # What is left of an offset 1, 2, ... frames after its release, until a metre of it is negligible.
        left = decay(np.arange(1.0, 20.0 * half_life * fps) / fps, half_life)[0]
        self._left = np.append(left[left > _NEGLIGIBLE], 0.0)
        self._max_offset = max_offset
        self._pause = max(1, round(pause * fps))
        self._contacts = contacts or ContactSettings()
        toes = [skeleton.feet[1], skeleton.feet[3]]
        self._lengths = np.linalg.norm(skeleton.offsets[toes], axis=-1)  # (2,) heel to toe
        swing = 2.0 * np.sin(0.5 * np.radians(max_turn))
        self._max_swing = swing * _across(skeleton.offsets[toes])  # (2,) of a flat foot's toe about its heel
        self.joints = self._legs.joints
        self._turn = _SPARE * top_speeds(skeleton)[self.joints] / fps  # (6,) from one frame to the next

    def lock(
        self, root: Array, rotations: Array, flags: np.ndarray | None = None, before: FootState | None = None
    ) -> Locked:
        """Root (T, …, 3), metres, and local rotations (T, …, J, 4) with the feet locked; … are none or several bodies. Pure.

        ``flags`` (T, …, 4): the motion's own contacts, to be cleaned; None = from heights and speeds alone. ``before``: the
        state after the frame just before (as ``Locked.state[-1]``); None = these are the first frames. Frames in which
        no foot is away from its planned place come back bit for bit, and so does a body whatever the others do.
        """
        return done(self.lock_in_steps(root, rotations, flags, before))

    def lock_in_steps(
        self, root: Array, rotations: Array, flags: np.ndarray | None = None, before: FootState | None = None
    ) -> Steps[Locked]:
        """The same in steps."""
        pose = self._legs.pose(root, rotations)
        yield
        feet = np.stack([pose.ankles, pose.toes], axis=-2)  # (T, …, foot, heel or toe, 3)
        bodies = feet.shape[1:-3]
        last = (before.feet.reshape(*bodies, 4, 3), before.contacts.reshape(*bodies, 4)) if before is not None else None
        flat = feet.reshape(*feet.shape[:-3], 4, 3)
        contacts = clean_contacts(flat, self._fps, flags, settings=self._contacts, before=last)
        state = FootState.of_shape(*feet.shape[:-3])
        state.feet[:] = feet
        state.contacts[:] = contacts.reshape(state.contacts.shape)
        state.legs[..., 0, :, :] = state.legs[..., 1, :, :] = rotations[..., self.joints, :]
        begins = before is None
        before = before if before is not None else FootState.of_shape(*bodies)
        yield
        self._follow(state, before)
        yield

        away = np.asarray((np.abs(state.offsets) > _NEGLIGIBLE).any(axis=(-3, -2, -1)))
        if away.any():
            state.drop[away] = self._legs.drop(pose.of(away), feet[away][:, :, 0] + state.offsets[away][:, :, 0])
        self._move_slowly(state.drop, before.drop)
        shown = feet + state.offsets
        lift = feet_lift(shown)
        moved = np.asarray(away | (state.drop > 0.0) | lift.any(axis=-1))
        if moved.any():
            yield
            shown[..., 1] += lift[..., None]
            root, rotations, shown, drop = root.copy(), rotations.copy(), shown[moved], state.drop[moved]
            root[..., 1] -= state.drop
            rotations[moved] = self._legs.solve(pose.of(moved), rotations[moved], shown[:, :, 0], shown[:, :, 1], drop)
            state.legs[..., 1, :, :] = rotations[..., self.joints, :]
        slowed = self._slow_down(state.legs, None if begins else before.legs)
        if slowed.any():
            rotations = rotations.copy()
            rotations[..., self.joints, :] = state.legs[..., 1, :, :]
            rotations[slowed] = keep_feet_above(root[slowed], rotations[slowed], self._legs, again=True)
        return Locked(root, rotations, state)

    def _slow_down(self, legs: Array, before: Array | None) -> np.ndarray:
        """Lets shown joints of ``legs`` (T, …, 2, 6, 4) turn no faster than people's, or than planned.

        ``before`` (…, 2, 6, 4): those of the frame just before. Returns which frames (T, …) that changed.
        """
        slowed = np.zeros((len(legs), math.prod(legs.shape[1:-3])), dtype=bool)  # (T, N)
        path = np.concatenate([legs[:1] if before is None else before[None], legs])  # (T + 1, …, 2, 6, 4)
        path = path.reshape(len(path), -1, *legs.shape[-3:])
        turns = rot.angle_between(path[1:, :, 1], path[:-1, :, 1])  # (T, N, 6)
        fast = np.argwhere((turns > self._turn).any(axis=0)).tolist()
        flat = legs.reshape(len(legs), -1, *legs.shape[-3:])  # a view
        for body, joint in fast:
            own = rot.angle_between(path[1:, body, 0, joint], path[:-1, body, 0, joint])
            slow = follow(path[:, body, 1, joint], np.maximum(own, self._turn[joint]))[1:]
            slowed[:, body] |= (slow != flat[:, body, 1, joint]).any(axis=-1)
            flat[:, body, 1, joint] = slow
        return slowed.reshape(legs.shape[:-3])

    def _move_slowly(self, drop: Array, before: Array) -> None:
        """Lets ``drop`` (T, …) grow no faster than `_SINK` and fall off by no more than half in two half-lives: nothing snaps."""
        if not before.any() and not drop.any():
            return
        for frame, needed in enumerate(drop):
            before = np.minimum(np.maximum(needed, before * self._drop_kept), before + _SINK / self._fps)
            before = np.where(before > _NEGLIGIBLE, before, 0.0)
            drop[frame] = before

    def _follow(self, state: FootState, before: FootState) -> None:
        """Fills in ``held`` and all that follows from it, run by run of equal contacts, all feet of all bodies at once."""
        count = len(state.feet)
        shown = state.by_foot(1)
        ends = _run_ends(shown.contacts)
        runs = _Runs.after(before.by_foot(0))
        start = np.zeros(len(runs.frames), dtype=np.int64)
        while len(feet := np.flatnonzero(start < count)):
            start[feet] += self._fill(feet, start[feet], ends[start[feet], feet], runs, shown)

    def _fill(self, of: np.ndarray, start: np.ndarray, end: np.ndarray, runs: _Runs, state: FootState) -> np.ndarray:
        """Fills in frames ``start`` to ``end`` (N,) of the feet ``of`` (N,), as far as they are not pulled away too far.

        Returns how many frames (N,) that is.
        """
        free = runs.pause[of] > 0
        end = np.where(free, np.minimum(end, start + runs.pause[of]), end)
        runs.switch(of, state.contacts[start, of] & ~free[:, None], state.feet[start, of])
        # A held toe, or else the heel, leads: it comes first here. The other joint is led by the bone between them.
        order = np.where(runs.held[of, 1:], [1, 0], [0, 1])  # (N, 2)
        held, anchors, released = (array[of[:, None], order] for array in (runs.held, runs.anchors, runs.released))
        steps = np.arange((end - start).max())
        frames = np.minimum(start[:, None] + steps, len(state.feet) - 1)  # (N, L)
        feet = state.feet[frames[..., None], of[:, None, None], order[:, None]]  # (N, L, 2, 3)
        left = self._left[np.minimum(runs.frames[of][:, None] + steps, len(self._left) - 1)]
        fading = left[..., None, None] * released[:, None]
        # Down with the lowest that the planned joints have been since they are held.
        height = anchors[:, None, :, 1]
        lowest = np.minimum(np.minimum.accumulate(feet[..., 1], axis=1), height)
        anchors = np.repeat(anchors[:, None], len(steps), axis=1)
        anchors[..., 1] = np.maximum(lowest, np.minimum(height, _FLOOR[order][:, None]))

        offsets = np.where(held[:, None, :, None], anchors - feet, fading)
        leads = held[:, 0] & ~held[:, 1]
        offsets[leads, :, 1] = offsets[leads, :, 0] + fading[leads, :, 1] - fading[leads, :, 0]
        far = _across(offsets[:, :, 0]) > self._max_offset
        # The leg turns with the body; a planted foot may not be turned further from it than an ankle goes.
        far |= held.all(axis=1)[:, None] & (
            _across(offsets[:, :, 1] - offsets[:, :, 0]) > self._max_swing[of % 2, None]
        )
        far &= held[:, :1] & (steps < (end - start)[:, None])
        pulled = far.any(axis=1)
        count = np.where(pulled, far.argmax(axis=1), end - start)
        leader = feet[:, :, 0] + offsets[:, :, 0]
        bone = feet[:, :, 1] + offsets[:, :, 1] - leader
        bone *= self._lengths[of % 2, None, None] / rot.length(bone)[..., None]
        moves = held[:, :1] | (np.abs(fading).max(axis=(2, 3)) >= _NEGLIGIBLE)
        offsets[:, :, 1] = np.where(moves[..., None], leader + bone - feet[:, :, 1], offsets[:, :, 1])

        run, step = np.nonzero(steps < count[:, None])
        at, foot = frames[run, step], of[run]
        state.held[at, foot] = runs.held[foot]
        state.released[at, foot] = runs.released[foot]
        state.frames[at, foot] = runs.frames[foot] + step + 1
        state.pause[at, foot] = np.maximum(runs.pause[foot] - 1 - step, 0)
        state.anchors[at[:, None], foot[:, None], order[run]] = anchors[run, step]
        state.offsets[at[:, None], foot[:, None], order[run]] = offsets[run, step]
        runs.go_on(of, start, count, state)
        runs.pause[of[pulled]] = self._pause
        return count


def lock_clip(motion: Motion, skeleton: Skeleton, fps: float) -> Motion:
    """A whole clip at ``fps`` frames per second with its feet locked; contacts are those held. Features stay as they were."""
    locked = FootLock(skeleton, fps).lock(motion.root, motion.rotations, motion.contacts)
    return replace(motion, root=locked.root, rotations=locked.rotations, contacts=locked.contacts)


@dataclass
class _Runs:
    """Feet (N) between two changes: fields of :class:`FootState` as of their last frame, and where they were ``shown``."""

    held: np.ndarray
    anchors: Array
    offsets: Array
    shown: Array
    released: Array
    frames: np.ndarray
    pause: np.ndarray

    @classmethod
    def after(cls, state: FootState) -> _Runs:
        """After one frame's state by foot."""
        arrays = (state.held, state.anchors, state.offsets, state.feet + state.offsets)
        return cls(*(array.copy() for array in (*arrays, state.released, state.frames, state.pause)))

    def switch(self, of: np.ndarray, held: np.ndarray, feet: Array) -> None:
        """Holds the joints ``held`` (n, 2) of the feet ``of`` (n,) from the frame on in which they are planned at ``feet``."""
        changed = (held != self.held[of]).any(axis=1)
        of, held, feet = of[changed], held[changed], feet[changed]
        stays = held & self.held[of]
        self.anchors[of] = np.where(stays[..., None], self.shown[of], feet + self.offsets[of])
        self.released[of], self.frames[of], self.held[of] = self.offsets[of], 0, held

    def go_on(self, of: np.ndarray, start: np.ndarray, count: np.ndarray, state: FootState) -> None:
        """``count`` (n,) frames from ``start`` (n,) of the feet ``of`` (n,) have been filled in."""
        self.frames[of] += count
        self.pause[of] = np.maximum(self.pause[of] - count, 0)
        some = count > 0
        of, last = of[some], (start + count - 1)[some]
        self.anchors[of], self.offsets[of] = state.anchors[last, of], state.offsets[last, of]
        self.shown[of] = state.feet[last, of] + self.offsets[of]


def _across(vectors: Array) -> Array:
    """Lengths (…) of vectors (…, 3) over the ground."""
    return np.hypot(vectors[..., 0], vectors[..., 2])


def _run_ends(contacts: np.ndarray) -> np.ndarray:
    """For every frame of contacts (T, N, 2), the first one after it (T, N) at which they differ; T where they stay."""
    frames = np.arange(1, len(contacts))[:, None]
    changes = np.where((contacts[1:] != contacts[:-1]).any(axis=-1), frames, len(contacts))
    ends = np.concatenate([changes, np.full_like(contacts[:1, :, 0], len(contacts), dtype=np.int64)])
    return np.minimum.accumulate(ends[::-1], axis=0)[::-1]
