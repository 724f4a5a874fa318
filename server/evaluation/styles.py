"""How a walk is walked: which of the normal, tired, old, happy and energetic walks of the data it is most like.

README.md beside this file says which clips the medians and spreads are of, and how often they name the right style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from server.evaluation.measures import Measures

MEASURES = ("speed", "cadence", "lean", "bounce", "arm_activity", "leg_activity")


@dataclass(frozen=True)
class StyleModel:
    """The median of each of :data:`MEASURES` for every style, and their spread within a style, in the measures' units."""

    medians: Mapping[str, tuple[float, ...]]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, walks: Mapping[str, Sequence[Measures]]) -> StyleModel:
        """Of walks by style; each style weighs the same in the spread. ValueError when a style has no walk."""
        for style, samples in walks.items():
            if not samples:
                raise ValueError(f"style {style!r} has no walk to learn from; give at least one or leave the style out")
        tables = {style: np.array([_values(walk) for walk in samples]) for style, samples in walks.items()}  # (N, M)
        medians = {style: tuple(np.median(table, axis=0).tolist()) for style, table in tables.items()}
        variance = np.mean([table.var(axis=0) for table in tables.values()], axis=0)
        return cls(medians, tuple(np.sqrt(np.maximum(variance, 1e-12)).tolist()))

    def scores(self, measures: Measures) -> dict[str, float]:
        """Minus the mean squared distance to each style, in spreads; the highest is the likeliest. For walks."""
        values, spread = _values(measures), np.array(self.spread)
        return {
            style: -float(np.mean(((values - np.array(median)) / spread) ** 2))
            for style, median in self.medians.items()
        }

    def likeliest(self, measures: Measures) -> str:
        """The style of the highest score."""
        scores = self.scores(measures)
        return max(scores, key=scores.__getitem__)


WALKS = StyleModel(
    medians={
        "normal": (1.129, 1.761, 0.269, 0.0135, 0.716, 1.083),
        "tired": (1.049, 1.856, 0.934, 0.0164, 0.872, 1.054),
        "old": (0.765, 1.913, 8.291, 0.0071, 0.340, 0.778),
        "happy": (1.384, 2.117, 4.530, 0.0345, 1.368, 1.212),
        "energetic": (1.420, 2.164, 5.501, 0.0254, 1.592, 1.374),
    },
    spread=(0.064, 0.128, 2.081, 0.0027, 0.116, 0.047),
)
STYLES = tuple(WALKS.medians)


def style_scores(measures: Measures) -> dict[str, float]:
    """:meth:`StyleModel.scores` of :data:`WALKS`."""
    return WALKS.scores(measures)


def auc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Chance that a value of ``higher`` exceeds one of ``lower`` (ties half): 0.5 = told apart by nothing, 0 or 1 = always."""
    if not higher or not lower:
        raise ValueError(f"both samples need values, not {len(higher)} and {len(lower)}")
    wins = sum((a > b) + 0.5 * (a == b) for a in higher for b in lower)
    return wins / (len(higher) * len(lower))


def _values(measures: Measures) -> np.ndarray:
    return np.array([getattr(measures, name) for name in MEASURES], dtype=np.float64)
