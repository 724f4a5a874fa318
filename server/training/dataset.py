"""A prepared dataset in memory, and the batches that the trainer draws from it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from server.models.rvq import RVQVAE
from server.motion.features import LAYOUTS, FeatureLayout
from server.motion.mirror import MIRRORED

POOL = 8
OWN_SHARE = 0.4
"""Of the captions drawn of a clip that has further ones."""
MISSPELT_SHARE = 0.15


class DatasetError(ValueError):
    """A folder that is not a prepared dataset; the message names the file."""


class Balance(NamedTuple):
    """How often each clip is drawn.

    ``group`` and ``family`` (see :class:`Clip`) say how much rare motion is favoured, 0 = not at all, 1 = every kind alike:
    of the data that the embedded checkpoint is made of, some actions have two takes and others hundreds, and were all of
    them alike, most of a training would go into what is hardly ever asked for. ``favour`` holds factors on top: pairs of
    a shell pattern of groups or clip ids (:mod:`fnmatch`) and a factor, of which the first that matches counts.
    """

    group: float = 0.1
    family: float = 0.6
    favour: tuple[tuple[str, float], ...] = ()

    def factor(self, clip: Clip) -> float:
        """The factor of ``favour`` for a clip, 1 where no pattern matches."""
        return next((factor for pattern, factor in self.favour if clip.is_like(pattern)), 1.0)


@dataclass(frozen=True)
class Clip:
    """One clip: ``frames`` rows of the features from ``start``, and its captions; ``group`` are takes of one thing."""

    clip_id: str
    group: str
    start: int
    frames: int
    captions: tuple[str, ...]

    @property
    def family(self) -> str:
        """The group without the last part of its name: ``kick`` of ``kick_angry``, one action in all its styles."""
        return self.group.rpartition("_")[0] or self.group

    def is_like(self, pattern: str) -> bool:
        """Whether its group or its id matches a shell pattern."""
        return fnmatchcase(self.group, pattern) or fnmatchcase(self.clip_id, pattern)

    @property
    def mirrored(self) -> bool:
        """Whether it is the mirror image of a recording."""
        return self.clip_id.endswith(MIRRORED)


class MotionDataset:
    """The clips of one split of a folder that ``motionbridge prepare`` wrote; features normalised, float32."""

    def __init__(self, folder: Path, split: str) -> None:
        try:
            meta = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
            rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
            features = np.load(folder / "features.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DatasetError(f"{folder} is not a dataset prepared by 'motionbridge prepare': {error}") from error
        self.layout: FeatureLayout = replace(LAYOUTS[meta["layout"]], contact_threshold=meta["contact_threshold"])
        self.fps = float(meta["fps"])
        self.mean = torch.tensor(meta["mean"], dtype=torch.float32)
        self.std = torch.tensor(meta["std"], dtype=torch.float32)
        kept = [row for row in rows if row["split"] == split]
        if not kept:
            raise DatasetError(f"{folder} has no clips in split {split!r}")
        self.clips: list[Clip] = []
        at = 0
        parts: list[Tensor] = []
        for row in kept:
            part = torch.from_numpy(np.array(features[row["start"] : row["start"] + row["frames"]]))
            parts.append((part - self.mean) / self.std)
            self.clips.append(Clip(row["clip_id"], row["group"], at, row["frames"], tuple(row["captions"])))
            at += row["frames"]
        self.features = torch.cat(parts)  # (frames, C)

    def motion(self, index: int) -> Tensor:
        """Normalised features (T, C) of a clip."""
        clip = self.clips[index]
        return self.features[clip.start : clip.start + clip.frames]

    def weights(self, balance: Balance, by_frames: bool) -> NDArray[np.float64]:
        """Probability of each clip: the sizes of its group and family to minus their powers, times its factor, and frames if asked.

        DatasetError when ``favour`` leaves nothing to draw.
        """
        groups = Counter(clip.group for clip in self.clips)
        families = Counter(clip.family for clip in self.clips)
        weights = np.array(
            [
                groups[clip.group] ** -balance.group
                * families[clip.family] ** -balance.family
                * balance.factor(clip)
                * (clip.frames if by_frames else 1.0)
                for clip in self.clips
            ]
        )
        if not weights.sum() > 0:
            raise DatasetError(
                f"the factors {dict(balance.favour)} leave no clip to draw; at least one must be above 0"
            )
        return weights / weights.sum()


class WindowBatches:
    """Batches (B, window, C) of random windows of the clips that are long enough."""

    def __init__(self, dataset: MotionDataset, batch_size: int, window: int, balance: Balance) -> None:
        self._features, self._batch_size, self._window = dataset.features, batch_size, window
        self._clips = [clip for clip in dataset.clips if clip.frames >= window]
        if not self._clips:
            raise DatasetError(f"no clip has {window} frames")
        chosen = [clip.frames >= window for clip in dataset.clips]
        weights = torch.from_numpy(dataset.weights(balance, by_frames=True)[chosen])
        self._weights = weights / weights.sum()

    def draw(self, step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.multinomial(self._weights, self._batch_size, replacement=True, generator=generator).tolist()
        places = torch.rand(self._batch_size, generator=generator).tolist()
        starts = [
            self._clips[index].start + int(place * (self._clips[index].frames - self._window + 1))
            for index, place in zip(chosen, places, strict=True)
        ]
        return torch.stack([self._features[start : start + self._window] for start in starts])


class LayeredWindows(NamedTuple):
    """Motion (B, W, C), normalised, and from how many quantiser layers it is to be decoded; None: the model's own rule."""

    motion: Tensor
    layers: int | None


class LayeredBatches:
    """Batches of one of ``windows``, ``base_share`` of them for the base layer alone, the others for one of ``others``.

    A small model's motion is mostly decoded from its base layer, so codes and decoder must make the most of that one.
    """

    def __init__(self, windows: Sequence[WindowBatches], base_share: float, others: Sequence[int | None]) -> None:
        self._windows, self._base_share, self._others = windows, base_share, others

    def draw(self, step: int, generator: torch.Generator) -> LayeredWindows:
        layers, other, window = torch.rand(3, generator=generator).tolist()
        chosen = self._windows[int(window * len(self._windows))].draw(step, generator)
        base = not self._others or layers < self._base_share
        return LayeredWindows(chosen, 1 if base else self._others[int(other * len(self._others))])


class TokenBatch(NamedTuple):
    """``indices`` (B, N, Q) int64 with -1 at pads, ``padding`` (B, N) bool True = pad, ``cond`` (B, D), ``lengths`` (B,).

    ``context`` (B, N) bool: tokens that generation is given too, so never a target.
    """

    indices: Tensor
    padding: Tensor
    cond: Tensor
    lengths: Tensor
    context: Tensor


@dataclass(frozen=True)
class TokenClips:
    """Tokenised clips: for each clip its token sequences (N, Q), one a frame offset, and its captions.

    The captions are rows of ``conds`` (captions, D), the clip's own and then, set by set, further ones. ``misspelt``
    (variants, captions, D) are the same captions with slips of the pen. ``context``: how many of a clip's first tokens are context
    (see :class:`TokenBatch`).
    """

    tokens: Sequence[Sequence[Tensor]]
    captions: Sequence[Sequence[Sequence[int]]]
    conds: Tensor
    misspelt: Tensor
    context: Sequence[int]

    def cond(self, index: int, u_set: float, u_caption: float, u_slip: float) -> Tensor:
        """The condition vector (D,) of a random caption of clip ``index``, from three uniform random numbers."""
        own, *further = self.captions[index]
        chosen = own
        if further and u_set >= OWN_SHARE:
            chosen = further[int((u_set - OWN_SHARE) / (1.0 - OWN_SHARE) * len(further))]
        table = self.conds
        if u_slip < MISSPELT_SHARE:
            table = self.misspelt[int(u_slip / MISSPELT_SHARE * len(self.misspelt))]
        return table[chosen[int(u_caption * len(chosen))]]


@torch.no_grad()
def tokenise(motions: Sequence[Tensor], rvq: RVQVAE, offsets: int, batch_size: int = 64) -> list[list[Tensor]]:
    """Token sequences (N, Q) int16 of every motion (T, C), normalised, starting at frames 0 .. ``offsets`` - 1.

    Sequences of one length go together: neither padding nor, on a CPU, set-up for every new shape.
    """
    step = rvq.config.downsample
    result: list[list[Tensor]] = [[torch.empty(0)] * offsets for _ in motions]
    by_length: dict[int, list[tuple[int, int]]] = {}
    for index, motion in enumerate(motions):
        for offset in range(offsets):
            by_length.setdefault((len(motion) - offset) // step * step, []).append((index, offset))
    for frames, places in tqdm(sorted(by_length.items()), desc="tokens", unit="length", disable=None):
        for at in range(0, len(places), batch_size):
            chosen = places[at : at + batch_size]
            batch = torch.stack([motions[index][offset : offset + frames] for index, offset in chosen])
            for (index, offset), tokens in zip(chosen, rvq.encode(batch).indices.short(), strict=True):
                result[index][offset] = tokens
    return result


class TokenBatches:
    """Random clips as tokens with a random caption's condition vector, padded to the longest of the batch.

    ``cond_noise`` is the length of the random vector added to a condition vector, relative to that one's own: a sentence
    in words that no caption has lies beside them, not on them.

    A batch is drawn as a run of neighbours in length out of ``POOL`` batches' worth of examples: little of it is padding,
    and every example is as likely as without.

    ``crop`` is the share of examples cut to a random part (at least half): the captions describe what goes on all the
    way through, and a stream continues from the middle of things. Of a clip with context, what follows the context is cut
    at its end only, and the context at its start.
    """

    def __init__(
        self, clips: TokenClips, weights: NDArray[np.float64], batch_size: int, crop: float, cond_noise: float = 0.0
    ) -> None:
        self._clips, self._batch_size, self._crop, self._cond_noise = clips, batch_size, crop, cond_noise
        self._weights = torch.from_numpy(weights)

    def draw(self, step: int, generator: torch.Generator) -> TokenBatch:
        pool = self._batch_size * POOL
        chosen = torch.multinomial(self._weights, pool, replacement=True, generator=generator).tolist()
        uniforms = torch.rand(pool, 7, generator=generator).tolist()
        rows, conds, context = [], [], []
        for index, (u_offset, u_crop, u_length, u_start, *u_caption) in zip(chosen, uniforms, strict=True):
            variants = self._clips.tokens[index]
            tokens = variants[int(u_offset * len(variants))].long()
            known = self._clips.context[index]
            if known:
                skip = int(u_start * known)
                stop = known + round((len(tokens) - known) * (0.5 + 0.5 * u_length if u_crop < self._crop else 1.0))
                tokens, known = tokens[skip:stop], known - skip
            elif u_crop < self._crop:
                length = int(len(tokens) * (0.5 + 0.5 * u_length))
                start = int(u_start * (len(tokens) - length + 1))
                tokens = tokens[start : start + length]
            rows.append(tokens)
            context.append(known)
            conds.append(self._clips.cond(index, *u_caption))
        by_length = sorted(range(pool), key=lambda at: len(rows[at]))
        first = self._batch_size * int(torch.randint(POOL, (1,), generator=generator))
        batch = by_length[first : first + self._batch_size]
        cond = torch.stack([conds[at] for at in batch])
        noise = torch.randn(cond.shape, generator=generator)
        cond = cond + noise * (self._cond_noise * cond.norm(dim=-1, keepdim=True) / cond.shape[-1] ** 0.5)
        return pad_tokens([rows[at] for at in batch], cond, [context[at] for at in batch])


def pad_tokens(rows: Sequence[Tensor], cond: Tensor, context: Sequence[int] | None = None) -> TokenBatch:
    """Stack sequences (N, Q) of different lengths, -1 at pads; the first ``context`` tokens of each are known (default 0)."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    indices = torch.full((len(rows), longest, rows[0].shape[1]), -1, dtype=torch.int64)
    for at, row in enumerate(rows):
        indices[at, : len(row)] = row
    places = torch.arange(longest)
    known = places < torch.tensor(context if context is not None else [0] * len(rows))[:, None]
    return TokenBatch(indices, places >= lengths[:, None], cond, lengths, known)
