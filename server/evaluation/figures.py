"""The rows of the table of figures: real motion, reconstructions, generated motion and the nearest caption's clip.

Protocol of the papers (see :mod:`server.evaluation.metrics`): each repeat draws captions, cuts and an order anew, makes a
motion of each caption as long as its clip, and matches texts and motions in batches of 32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch.nn.functional as F

from server.evaluation import metrics
from server.evaluation.data import MAX_FRAMES, TOKEN_FRAMES, Example, Split
from server.evaluation.evaluators import Evaluator
from server.evaluation.generation import FeatureGenerator, Progress, Wanted
from server.evaluation.metrics import Interval
from server.models.checkpoint import Sampling
from server.motion.features import FeatureLayout, recover_positions
from server.motion.rotation import Array

Row = dict[str, float]

REAL, OTHER_REAL, RECONSTRUCTED, GENERATED, RETRIEVED = (
    "real motion",
    "real motion of the training split",
    "reconstructed by the RVQ-VAE",
    "generated",
    "retrieved: the nearest training caption's clip",
)
COLUMNS = {
    "fid": "FID",
    "top1": "R-precision top-1",
    "top2": "top-2",
    "top3": "top-3",
    "mm_dist": "MM-Dist",
    "diversity": "Diversity",
    "multimodality": "MultiModality",
    "mpjpe": "MPJPE, mm",
}
"""Key of a figure -> its heading."""
MM_PER_UNIT = {"humanml3d": 1000.0, "kit": 1.0}


@dataclass(frozen=True)
class Size:
    """How much is made: ``repeats``; ``mm_texts`` texts with ``mm_samples`` motions each for MultiModality (0 = none)."""

    repeats: int = 20
    mm_texts: int = 96
    mm_samples: int = 30


@dataclass
class Judge:
    """An evaluator and the splits that figures are of; ``seed`` fixes everything that is drawn."""

    evaluator: Evaluator
    test: Split
    train: Split
    seed: int = 0
    _texts: dict[str, Array] = field(default_factory=dict, repr=False)

    def random(self, repeat: int, purpose: int) -> np.random.Generator:
        """An own stream for every repeat and purpose."""
        return np.random.default_rng((self.seed, repeat, purpose))

    def examples(self, repeat: int, count: int | None = None) -> list[Example]:
        """The test split as one repeat sees it."""
        return self.test.draw(self.random(repeat, 0), count)

    def texts(self, examples: Sequence[Example]) -> Array:
        """Embeddings (N, D) of the examples' captions; each text is embedded once."""
        new = {one.caption.text: one.caption for one in examples if one.caption.text not in self._texts}
        if new:
            self._texts |= dict(zip(new, self.evaluator.texts(list(new.values())), strict=True))
        return np.stack([self._texts[one.caption.text] for one in examples])

    def row(self, texts: Array, motions: Array, real: Array, random: np.random.Generator) -> Row:
        """FID to ``real`` (M, D), retrieval against ``texts`` and Diversity of ``motions`` (N, D)."""
        precision, apart = metrics.matching(texts, motions)
        return {
            "fid": metrics.fid(real, motions),
            "top1": float(precision[0]),
            "top2": float(precision[1]),
            "top3": float(precision[2]),
            "mm_dist": apart,
            "diversity": metrics.diversity(motions, random),
        }


def wanted(examples: Sequence[Example], random: np.random.Generator) -> list[Wanted]:
    """What is asked of a model: each example's caption at its length, with a seed of its own."""
    seeds = random.integers(2**31, size=len(examples)).tolist()
    return [Wanted(one.caption.text, one.tokens, seed) for one, seed in zip(examples, seeds, strict=True)]


def generated_row(
    judge: Judge,
    generator: FeatureGenerator,
    repeat: int,
    size: Size,
    *,
    sampling: Sampling | None = None,
    count: int | None = None,
    progress: Progress | None = None,
    keep: list[Array] | None = None,
) -> Row:
    """The figures of one repeat of a model, sampled as it is by default or by ``sampling``, on ``count`` or all clips.

    The motions, features (T, C), are added to ``keep`` in the order of ``judge.examples(repeat, count)``.
    """
    examples = judge.examples(repeat, count)
    random = judge.random(repeat, 1)
    made = generator.make(wanted(examples, random), sampling, progress)
    if keep is not None:
        keep += made
    real = judge.evaluator.motions([one.features for one in examples])
    row = judge.row(judge.texts(examples), judge.evaluator.motions(made), real, random)
    if size.mm_texts and size.mm_samples > 1:
        asked = [example for example in examples[: size.mm_texts] for _ in range(size.mm_samples)]
        motions = judge.evaluator.motions(generator.make(wanted(asked, random), sampling, progress))
        row["multimodality"] = metrics.multimodality(motions.reshape(-1, size.mm_samples, motions.shape[1]), random)
    return row


def reconstructed_row(
    judge: Judge, generator: FeatureGenerator, repeat: int, layers: int | None = None, count: int | None = None
) -> Row:
    """The figures of what the RVQ-VAE makes of real motion with ``layers`` codebooks; MPJPE as the papers have it."""
    examples = judge.examples(repeat, count)
    real = [one.features for one in examples]
    made = generator.reconstruct(real, layers)
    embedded = judge.evaluator.motions(made)
    row = judge.row(judge.texts(examples), embedded, judge.evaluator.motions(real), judge.random(repeat, 2))
    row["mpjpe"] = joint_error(real, made, judge.test.layout)
    return row


def joint_error(real: Sequence[Array], made: Sequence[Array], layout: FeatureLayout) -> float:
    """MPJPE in mm, roots aligned, over all frames of motions (T, C)."""
    errors = [
        metrics.mpjpe(recover_positions(before, layout), recover_positions(after, layout))
        for before, after in zip(real, made, strict=True)
    ]
    return float(np.concatenate(errors).mean()) * MM_PER_UNIT[layout.name]


def real_rows(judge: Judge, repeat: int) -> dict[str, Row]:
    """The test split by itself, and as many clips of the training split, other takes with captions of their own.

    MultiModality of real motion is of pairs of clips in one group, takes of one thing in one style.
    """
    examples = judge.examples(repeat)
    random = judge.random(repeat, 3)
    motions = judge.evaluator.motions([one.features for one in examples])
    real = judge.row(judge.texts(examples), motions, motions, random)
    other = judge.train.draw(random, len(examples))
    others = judge.evaluator.motions([one.features for one in other])
    row = judge.row(judge.texts(other), others, motions, random)
    for of, drawn, embedded, split in ((real, examples, motions, judge.test), (row, other, others, judge.train)):
        if (spread := group_spread([split.clips[one.clip].group for one in drawn], embedded)) is not None:
            of["multimodality"] = spread
    return {REAL: real, OTHER_REAL: row}


def group_spread(groups: Sequence[str], embeddings: Array) -> float | None:
    """Mean distance of two embeddings (N, D) of one group, each group alike; None when no group has two."""
    spreads = []
    for group in dict.fromkeys(groups):
        rows = embeddings[[name == group for name in groups]]
        if len(rows) > 1:
            apart = metrics.distances(rows, rows)
            spreads.append(apart[np.triu_indices(len(rows), 1)].mean())
    return float(np.mean(spreads)) if spreads else None


class Retrieval:
    """A baseline without a model of motion: the training clip whose caption is nearest to the asked one.

    Nearest by the cosine of the model's own condition vectors. Of several clips with that caption one is drawn.
    """

    def __init__(self, generator: FeatureGenerator, train: Split) -> None:
        self._encode = generator.encode
        self._train = train
        self._clips: dict[str, list[int]] = {}
        for index, clip in enumerate(train.clips):
            for caption in clip.captions:
                self._clips.setdefault(caption.text, []).append(index)
        self._texts = list(self._clips)
        self._vectors = F.normalize(generator.encode(self._texts), dim=-1)
        self._nearest: dict[str, str] = {}

    def nearest(self, texts: Sequence[str]) -> list[str]:
        """The training caption nearest to each text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._nearest]
        if new:
            best = (F.normalize(self._encode(new), dim=-1) @ self._vectors.T).argmax(dim=1)
            self._nearest |= {text: self._texts[row] for text, row in zip(new, best.tolist(), strict=True)}
        return [self._nearest[text] for text in texts]

    def make(self, texts: Sequence[str], random: np.random.Generator) -> list[Array]:
        """A clip's features (T, C) for each text, T whole tokens."""
        motions = []
        for caption in self.nearest(texts):
            clips = self._clips[caption]
            motion = self._train.clips[clips[int(random.integers(len(clips)))]].features
            motions.append(motion[: min(len(motion), MAX_FRAMES) // TOKEN_FRAMES * TOKEN_FRAMES])
        return motions


def retrieved_row(judge: Judge, retrieval: Retrieval, repeat: int, size: Size) -> Row:
    """The figures of the baseline; its MultiModality is of the clips that share the nearest caption."""
    examples = judge.examples(repeat)
    random = judge.random(repeat, 4)
    made = judge.evaluator.motions(retrieval.make([one.caption.text for one in examples], random))
    real = judge.evaluator.motions([one.features for one in examples])
    row = judge.row(judge.texts(examples), made, real, random)
    if size.mm_texts and size.mm_samples > 1:
        asked = [one.caption.text for one in examples[: size.mm_texts] for _ in range(size.mm_samples)]
        motions = judge.evaluator.motions(retrieval.make(asked, random))
        row["multimodality"] = metrics.multimodality(motions.reshape(-1, size.mm_samples, motions.shape[1]), random)
    return row


def summary(repeats: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, Interval]]:
    """Mean and 95 % interval of every figure of every row, over its repeats."""
    return {
        name: {key: Interval.of([row[key] for row in rows]) for key in COLUMNS if key in rows[0]}
        for name, rows in repeats.items()
    }
