"""Which action each generated motion shows beside the one that was asked for, told by a classifier of recorded motion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from server.evaluation.classifier import MotionClassifier, confusion
from server.evaluation.data import Example, Split
from server.evaluation.measures import Measures, measure
from server.motion.features import FeatureLayout, recover_positions, recover_smooth_positions
from server.motion.rotation import Array

MIN_CLIPS = 8  # training clips that an action needs to be told from others
MAX_CLASSES = 30
_CLIPS = 80  # an action learns from at most so many training clips


@dataclass(frozen=True)
class Confusion:
    """Counts (K, K) over ``classes``, asked for in rows, shown in columns; ``real`` of recorded test motion, as a check."""

    classes: tuple[str, ...]
    made: Array
    real: Array

    @property
    def accuracy(self) -> float:
        """Share of generated motions that show what was asked for."""
        return _share(self.made)

    @property
    def real_accuracy(self) -> float:
        """Share of recorded test motions that the classifier names right."""
        return _share(self.real)


def measured(features: Sequence[Array], layout: FeatureLayout, fps: float, *, decoded: bool) -> list[Measures]:
    """What each motion (T, C) does; ``decoded`` smooths positions as the engine does with what a decoder gives."""
    recover = recover_smooth_positions if decoded else recover_positions
    return [measure(recover(one, layout), fps) for one in features]


def action_confusion(
    train: Split, test: Split, examples: Sequence[Example], made: Sequence[Array], random: np.random.Generator
) -> Confusion | None:
    """Of the motions ``made`` of ``examples``, for the actions that the training split has enough clips of.

    None when there are fewer than two such actions, or more than a picture can hold: then groups are no actions.
    """
    counts = Counter(clip.action for clip in train.clips)
    present = {test.clips[one.clip].action for one in examples}
    learnable = [action for action, count in counts.items() if count >= MIN_CLIPS]
    if not 2 <= len(learnable) <= MAX_CLASSES or len(present & set(learnable)) < 2:
        return None
    chosen: list[int] = []
    for action in learnable:
        own = [index for index, clip in enumerate(train.clips) if clip.action == action]
        chosen += random.permutation(own)[:_CLIPS].tolist()
    known = measured([train.clips[index].features for index in chosen], train.layout, train.fps, decoded=False)
    model = MotionClassifier.fit(known, [train.clips[index].action for index in chosen])
    judged = [at for at, one in enumerate(examples) if test.clips[one.clip].action in learnable]
    asked = [test.clips[examples[at].clip].action for at in judged]
    shown = model.likeliest(measured([made[at] for at in judged], test.layout, test.fps, decoded=True))
    real = model.likeliest(measured([examples[at].features for at in judged], test.layout, test.fps, decoded=False))
    classes = tuple(sorted({*asked, *shown, *real}))
    return Confusion(classes, confusion(asked, shown, classes), confusion(asked, real, classes))


def _share(table: Array) -> float:
    return float(np.trace(table) / max(table.sum(), 1))
