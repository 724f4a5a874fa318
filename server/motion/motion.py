"""A stretch of motion at the model's frame rate, and the request that asks an engine for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protocol.skeleton import Skeleton
from server.motion.rotation import Array


@dataclass(frozen=True)
class Motion:
    """T frames in the world: right-handed, +Y up, metres; T-pose = identity.

    ``root`` (T, 3) pelvis positions; ``rotations`` (T, 22, 4) local, xyzw; ``contacts`` (T, 4) bool in the order of
    ``Skeleton.feet``; ``features`` (T, C) what the model made them of, and ``heading`` (T,) radians about +Y from +Z to the
    representation's facing: with ``root`` they let a model continue the motion where it stands. Arrays share T. ``left``
    frames of what was asked for are still to be made: see :class:`MotionRequest`.
    """

    root: Array
    rotations: Array
    contacts: np.ndarray
    features: Array
    heading: Array
    left: int = 0

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, frames: slice | NDArray[np.int64]) -> Motion:
        return Motion(
            self.root[frames],
            self.rotations[frames],
            self.contacts[frames],
            self.features[frames],
            self.heading[frames],
        )


def concatenate(parts: Sequence[Motion]) -> Motion:
    """Join stretches end to end."""
    return Motion(
        np.concatenate([part.root for part in parts]),
        np.concatenate([part.rotations for part in parts]),
        np.concatenate([part.contacts for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.heading for part in parts]),
    )


@dataclass(frozen=True)
class MotionRequest:
    """One sentence to be made into motion.

    ``frames`` at the model's rate, None = the model's own estimate. ``context``: the motion just before; the result starts
    with the frame after its last one, at that place and heading. ``guidance`` and ``steps`` None = the model's default.
    ``rest``: sentences that are to follow within the same ``frames``, or the model's estimate for all; only the part of
    ``text`` is made, and the result says how many are ``left`` for them.
    """

    text: str
    frames: int | None = None
    seed: int = 0
    guidance: float | None = None
    steps: int | None = None
    context: Motion | None = None
    rest: tuple[str, ...] = ()


class MotionEngine(Protocol):
    """What the server needs of a model. ``generate`` blocks; it is called from one thread only.

    ``one_action``: it learnt sentences of one action; others are to be taken apart.
    """

    name: str
    fps: float
    skeleton: Skeleton
    max_frames: int
    context_frames: int
    one_action: bool

    def generate(self, requests: Sequence[MotionRequest]) -> list[Motion]:
        """One motion for each request, in order; ``frames`` long (rounded up to whole tokens when estimated).

        MemoryError when so many at once are too much for the device's memory.
        """
        ...


@dataclass(frozen=True, eq=False)
class EditRequest:
    """Frames ``ranges`` (half-open) of a clip at the model's rate to be made anew under ``text``.

    ``root`` (T, 3) metres, ``rotations`` (T, 22, 4) local, xyzw.
    """

    root: Array
    rotations: Array
    ranges: tuple[tuple[int, int], ...]
    text: str
    seed: int


class EditingEngine(MotionEngine, Protocol):
    """An engine that can also edit."""

    def motion_from_pose(self, root: Array, rotations: Array) -> Motion:
        """Poses (T, 3) and (T, 22, 4) with the features that the model reads."""
        ...

    def edit(self, source: Motion, ranges: Sequence[tuple[int, int]], text: str, seed: int = 0) -> Motion:
        """The motion with the ranges made anew; every other frame bit-identical."""
        ...
