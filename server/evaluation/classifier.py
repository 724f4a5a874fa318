"""Which action a motion shows, learnt from recorded motion: multinomial logistic regression on what the body does.

It sees the numbers of :class:`~server.evaluation.measures.Measures`, never the rules or a text. Beside the rules of
``actions.py`` it is a second opinion whose bounds nobody chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from server.evaluation.measures import Measures
from server.motion.rotation import Array

DECAY = 3e-3
_FAR = 4.0  # deviations at which a measure is cut: one odd value must not decide alone


@dataclass(frozen=True)
class MotionClassifier:
    """``weights`` (M + 1, K), the last row a bias, of measures standardised by ``mean`` and ``scale`` (M,)."""

    classes: tuple[str, ...]
    mean: Array
    scale: Array
    weights: Array

    @classmethod
    def fit(cls, motions: Sequence[Measures], labels: Sequence[str], decay: float = DECAY) -> MotionClassifier:
        """Of motions and what each shows; every class weighs the same. ValueError for fewer than two classes."""
        classes = tuple(sorted(set(labels)))
        if len(classes) < 2 or len(motions) != len(labels):
            raise ValueError(
                f"{len(motions)} motions with {len(labels)} labels of {len(classes)} classes; two or more are needed"
            )
        table = _table(motions)
        mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-6
        inputs = _standardised(table, mean, scale)
        target = np.array([classes.index(label) for label in labels])
        share = 1.0 / (np.bincount(target)[target] * len(classes))  # (N,), sums to 1

        def loss(flat: Array) -> tuple[float, Array]:
            weights = flat.reshape(inputs.shape[1], len(classes))
            scores = log_softmax(inputs @ weights, axis=1)
            slope = np.exp(scores)
            slope[np.arange(len(target)), target] -= 1.0
            kept = weights.copy()
            kept[-1] = 0.0  # the bias does not decay
            value = -(share * scores[np.arange(len(target)), target]).sum() + decay * (kept**2).sum() / 2
            return float(value), (inputs.T @ (share[:, None] * slope) + decay * kept).ravel()

        start = np.zeros(inputs.shape[1] * len(classes))
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
        return cls(classes, mean, scale, found.x.reshape(inputs.shape[1], len(classes)))

    def scores(self, motions: Sequence[Measures]) -> Array:
        """Log-probabilities (N, K)."""
        return log_softmax(_standardised(_table(motions), self.mean, self.scale) @ self.weights, axis=1)

    def likeliest(self, motions: Sequence[Measures]) -> list[str]:
        """The likeliest class of each motion."""
        return [self.classes[index] for index in self.scores(motions).argmax(axis=1)] if motions else []


def held_out(motions: Sequence[Measures], labels: Sequence[str], takes: Sequence[str], folds: int = 5) -> list[str]:
    """What a classifier says of each motion that learnt from all takes but those of its fold; takes are dealt in turn."""
    order = {take: place % folds for place, take in enumerate(dict.fromkeys(takes))}
    fold = np.array([order[take] for take in takes])
    said = [""] * len(motions)
    for number in range(folds):
        inside, outside = np.flatnonzero(fold == number).tolist(), np.flatnonzero(fold != number).tolist()
        if inside:
            model = MotionClassifier.fit([motions[i] for i in outside], [labels[i] for i in outside])
            for place, label in zip(inside, model.likeliest([motions[i] for i in inside]), strict=True):
                said[place] = label
    return said


def confusion(asked: Sequence[str], shown: Sequence[str], classes: Sequence[str]) -> Array:
    """Counts (K, K): row what was asked for, column what is shown."""
    table = np.zeros((len(classes), len(classes)), dtype=int)
    for row, column in zip(asked, shown, strict=True):
        table[classes.index(row), classes.index(column)] += 1
    return table


def _table(motions: Sequence[Measures]) -> Array:
    return np.array([list(_numbers(astuple(motion))) for motion in motions], dtype=np.float64)


def _numbers(values: tuple) -> list[float]:
    return [number for value in values for number in (_numbers(value) if isinstance(value, tuple) else [value])]


def _standardised(table: Array, mean: Array, scale: Array) -> Array:
    values = np.clip((table - mean) / scale, -_FAR, _FAR)
    return np.concatenate([values, np.ones((len(values), 1))], axis=1)
