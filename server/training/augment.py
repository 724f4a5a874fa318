"""Examples that no recording holds but a stream needs: changes from one motion to another, and standing still.

A stream is continued under a new sentence from the middle of another motion. In recordings the sentence describes all of a
clip, so a model trained on them alone takes the motion before as the stronger hint and goes on with it. Here the end of one
clip is joined to the start of another with the means of the running server (:mod:`server.motion.transition`), at the moment
where the two fit best; the sentence is the second's and the first is context, never a target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from protocol.skeleton import default_skeleton
from server.motion import kinematics, solver
from server.motion.features import FeatureLayout, extract, headings, recover_positions, recover_root
from server.motion.motion import Motion, concatenate
from server.motion.transition import inertialize, place_after
from server.training.dataset import Balance, MotionDataset
from server.training.prepare import MAX_FRAMES

CONTEXT_FRAMES = 32
MIN_NEW_FRAMES = 28
STANDING = (
    "a person stands still",
    "a person is standing still",
    "someone stands",
    "a person stands still and breathes calmly",
    "the person waits, standing",
    "a figure stands in place without moving",
    "a man stands idle",
    "a woman stands upright and does nothing",
    "the character is idle",
    "standing still",
    "a person stays where they are",
    "the person stops and stands there",
)
_TRIES = 20
_ENDS, _STARTS = 12, 10  # candidate frames for the end of the first and the start of the second motion
_HALF_LIFES = (0.08, 0.16)  # s
_STILL_SPEED = 0.25  # m/s of the fastest joint
_STILL_FRAMES, _STANDING_FRAMES = 14, (60, 120)


@dataclass(frozen=True)
class ExtraClip:
    """Normalised ``features`` (T, C), of which the first ``context`` frames are known in generation too; its captions.

    ``source`` is the index of the clip whose captions they are, None for standing still.
    """

    features: Tensor
    context: int
    captions: tuple[str, ...]
    source: int | None


def transition_clips(dataset: MotionDataset, count: int, balance: Balance, seed: int) -> list[ExtraClip]:
    """``count`` joined pairs of clips, both drawn by ``balance``, fewer where hardly any two can be joined."""
    rng = np.random.default_rng(seed)
    weights = dataset.weights(balance, by_frames=False)
    made: list[ExtraClip] = []
    bar = tqdm(total=count, desc="transitions", unit="clip", disable=None)
    for _ in range(count * _TRIES):
        if len(made) == count:
            break
        first, second = rng.choice(len(weights), 2, p=weights)
        joined = _joined(dataset, int(first), int(second), rng)
        if joined is not None:
            made.append(joined)
            bar.update(1)
    bar.close()
    return made


def _joined(dataset: MotionDataset, first: int, second: int, rng: np.random.Generator) -> ExtraClip | None:
    """The end of one clip and the start of another; None where either is too short or they are the same action."""
    before, after = dataset.motion(first), dataset.motion(second)
    if dataset.clips[first].group == dataset.clips[second].group or len(before) < CONTEXT_FRAMES + 1:
        return None
    if len(after) < MIN_NEW_FRAMES + _STARTS:
        return None
    ends = rng.integers(CONTEXT_FRAMES, len(before), _ENDS)
    starts = np.arange(_STARTS, dtype=np.int64)
    end, start = _best_fit(before, after, ends, starts, dataset.layout)
    length = min(len(after) - start, MAX_FRAMES - CONTEXT_FRAMES)
    old = _motion(before[end - CONTEXT_FRAMES : end], dataset)
    new = place_after(old, _motion(after[start : start + length], dataset))
    joined = concatenate([old, inertialize(old, new, dataset.fps, rng.uniform(*_HALF_LIFES))])
    return ExtraClip(_features(joined, dataset), CONTEXT_FRAMES, dataset.clips[second].captions, second)


def _best_fit(
    before: Tensor, after: Tensor, ends: NDArray[np.int64], starts: NDArray[np.int64], layout: FeatureLayout
) -> tuple[int, int]:
    """The pair (end of ``before``, start of ``after``) whose poses and velocities, normalised, differ least."""
    fit = [layout.local_positions, layout.velocities]
    last, next_ = (
        torch.cat([features[:, part] for part in fit], dim=1) for features in (before[ends - 1], after[starts])
    )
    best = int(torch.cdist(last, next_).argmin())
    return int(ends[best // len(starts)]), int(starts[best % len(starts)])


def standing_clips(dataset: MotionDataset, count: int, seed: int) -> list[ExtraClip]:
    """Up to ``count`` clips of standing still: quiet upright stretches of the recordings, played to and fro."""
    rng = np.random.default_rng(seed)
    made: list[ExtraClip] = []
    for index in rng.permutation(len(dataset.clips)):
        if len(made) == count:
            break
        for start, stop in _still_stretches(dataset, int(index)):
            frames = int(rng.integers(*_STANDING_FRAMES))
            there_and_back = np.concatenate([np.arange(start, stop), np.arange(stop - 2, start, -1)])
            order = np.resize(there_and_back, frames)
            still = _motion(dataset.motion(int(index)), dataset)[order]
            made.append(ExtraClip(_features(still, dataset), 0, STANDING, None))
            break
    return made


def _still_stretches(dataset: MotionDataset, index: int) -> Iterator[tuple[int, int]]:
    """Frame ranges of a clip in which an upright body with lowered hands hardly moves."""
    layout, skeleton = dataset.layout, default_skeleton()
    features = (dataset.motion(index) * dataset.std + dataset.mean).numpy()
    velocities = features[:, layout.velocities].reshape(len(features), layout.joints, 3)
    speed = np.linalg.norm(velocities, axis=-1).max(axis=1) * dataset.fps
    local = features[:, layout.local_positions].reshape(len(features), layout.joints - 1, 3)
    wrists = local[:, [skeleton.index("left_wrist") - 1, skeleton.index("right_wrist") - 1]]
    trunk = local[:, skeleton.index("neck") - 1] - np.stack(
        [np.zeros(len(features)), features[:, 3], np.zeros(len(features))], axis=-1
    )
    upright = trunk[:, 1] > 0.93 * np.linalg.norm(trunk, axis=-1)
    standing = features[:, 3] > 0.93 * skeleton.rest_positions()[0, 1]
    lowered = (wrists[..., 1] < features[:, 3:4] + 0.05).all(axis=1)
    still = (speed < _STILL_SPEED) & upright & standing & lowered
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if stop - start >= _STILL_FRAMES:
            yield start, stop


def _motion(normalised: Tensor, dataset: MotionDataset) -> Motion:
    """Normalised features (T, C) as motion from x = z = 0 facing +Z."""
    features = (normalised * dataset.std + dataset.mean).double().numpy()
    solved = solver.retarget_positions(recover_positions(features, dataset.layout), default_skeleton())
    contacts = features[:, dataset.layout.contacts] > 0.5
    return Motion(solved.root, solved.local, contacts, features, headings(recover_root(features, dataset.layout)[0]))


def _features(motion: Motion, dataset: MotionDataset) -> Tensor:
    """Normalised features (T, C) of motion of T frames; its last frame is taken to go on as it did."""
    positions = kinematics.positions(motion.rotations, motion.root, default_skeleton())
    extended = np.concatenate([positions, 2 * positions[-1:] - positions[-2:-1]])
    features = torch.from_numpy(extract(extended, dataset.layout).features).float()
    return (features - dataset.mean) / dataset.std
