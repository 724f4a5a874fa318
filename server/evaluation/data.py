"""Real clips with their captions, as the published evaluation takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from server.motion.features import LAYOUTS, FeatureLayout
from server.motion.mirror import mirror_caption
from server.motion.rotation import Array

TOKEN_FRAMES = 4
MAX_FRAMES = 196
_SHORTER = 1 / 3  # chance that an example is one token shorter than its clip, as in the published evaluation


class EvaluationDataError(ValueError):
    """A folder that is no prepared dataset, or too small for its metrics; the message names it."""


@dataclass(frozen=True)
class Caption:
    """A sentence, and its words with parts of speech (``word/TAG``) where the dataset has them."""

    text: str
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clip:
    """``features`` (T, C) float32 as prepared, not normalised; ``group`` are takes of one thing in one style, ``action`` of one
    thing: the part of the group's name before its style. Left and right are swapped in those of a mirrored clip."""

    clip_id: str
    group: str
    action: str
    features: Array
    captions: tuple[Caption, ...]


@dataclass(frozen=True)
class Example:
    """A clip cut to whole tokens, and one of its captions; ``clip`` is its place in the split."""

    clip: int
    features: Array
    caption: Caption

    @property
    def tokens(self) -> int:
        return len(self.features) // TOKEN_FRAMES


@dataclass(frozen=True)
class Split:
    """The clips of one split, their feature layout and frame rate."""

    name: str
    clips: tuple[Clip, ...]
    layout: FeatureLayout
    fps: float

    def draw(self, random: np.random.Generator, count: int | None = None) -> list[Example]:
        """All clips, or ``count`` of them, in random order, each with a random caption.

        Each is cut to whole tokens, a third of them to one token less, from a random frame on.
        """
        order = random.permutation(len(self.clips))[:count]
        return [self._example(int(index), random) for index in order]

    def _example(self, index: int, random: np.random.Generator) -> Example:
        clip = self.clips[index]
        tokens = min(len(clip.features), MAX_FRAMES) // TOKEN_FRAMES
        if tokens > 1 and random.random() < _SHORTER:
            tokens -= 1
        frames = tokens * TOKEN_FRAMES
        start = int(random.integers(len(clip.features) - frames + 1))
        caption = clip.captions[int(random.integers(len(clip.captions)))]
        return Example(index, clip.features[start : start + frames], caption)


def load_split(folder: Path, split: str, limit: int | None = None, seed: int = 0) -> Split:
    """A split of a folder that ``motionbridge prepare`` wrote, or ``limit`` of its clips, chosen at random by ``seed``."""
    try:
        meta = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
        features = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        layout = replace(LAYOUTS[meta["layout"]], contact_threshold=meta["contact_threshold"])
        rows = [row for row in rows if row["split"] == split and row["frames"] >= TOKEN_FRAMES]
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationDataError(f"{folder} is not a dataset prepared by 'motionbridge prepare': {error}") from error
    if not rows:
        raise EvaluationDataError(f"{folder} has no clips in split {split!r}; train, val and test are possible")
    if limit is not None and limit < len(rows):
        chosen = np.random.default_rng(seed).choice(len(rows), limit, replace=False)
        rows = [rows[index] for index in np.sort(chosen)]
    return Split(split, tuple(_clip(row, features) for row in rows), layout, float(meta["fps"]))


def _clip(row: dict[str, Any], features: Array) -> Clip:
    tokens: Sequence[Sequence[str]] = row.get("tokens") or [()] * len(row["captions"])
    captions = tuple(Caption(text, tuple(words)) for text, words in zip(row["captions"], tokens, strict=True))
    part = np.asarray(features[row["start"] : row["start"] + row["frames"]], dtype=np.float32)
    group = mirrored_name(row["group"]) if row["clip_id"].endswith("_mirrored") else row["group"]
    return Clip(row["clip_id"], group, action_of(group), part, captions)


def action_of(group: str) -> str:
    """``walk-turn-left`` of ``dataset-2_walk-turn-left_tired``: the part before the style; a name of one part is its own."""
    return (group.rpartition("_")[0] or group).rpartition("_")[2]


def mirrored_name(group: str) -> str:
    """A group's name with left and right swapped."""
    return re.sub(r"[A-Za-z]+", lambda word: mirror_caption(word[0]), group)
