"""What a classifier of recorded motion says of generated motion, beside the rules whose bounds somebody chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from server.evaluation.classifier import MotionClassifier, held_out
from server.evaluation.measures import Measures
from tests.benchmarks.action_table import Measured

_MIN_CLIPS = 5
WIDER = {"wave": ("wave left", "wave right", "wave both"), "raise": ("raise left", "raise right", "raise both")}
"""Asked for without saying which hand -> the classes that show it."""


@dataclass(frozen=True)
class Opinion:
    """A classifier of actions, and for each class how many recorded clips it has and how many were named right
    by a classifier that had not seen their take."""

    model: MotionClassifier
    clips: Counter[str]
    right: Counter[str]

    @property
    def accuracy(self) -> float:
        """Share of recorded clips named right, unseen."""
        return sum(self.right.values()) / sum(self.clips.values())

    def agrees(self, asked: str, motions: Sequence[Measures]) -> list[bool]:
        """Whether each motion is of a class that shows ``asked``."""
        return [said == asked or said in WIDER.get(asked, ()) for said in self.model.likeliest(motions)]

    def knows(self, asked: str) -> bool:
        """Whether there were recorded clips enough to learn ``asked``."""
        return asked in self.clips or asked in WIDER


def action_of(measured: Measured) -> str | None:
    """The narrowest action that a recording is known to show: "wave left" rather than "wave"."""
    return max(measured.clip.own, key=len, default=None)


def learn_actions(measured: Sequence[Measured]) -> Opinion:
    """Of all recorded clips that are known to show an action with at least five clips."""
    counts = Counter(action_of(item) for item in measured)
    known = [item for item in measured if action_of(item) and counts[action_of(item)] >= _MIN_CLIPS]
    motions, labels = [item.measures for item in known], [str(action_of(item)) for item in known]
    said = held_out(motions, labels, [item.clip.take for item in known])
    right = Counter(label for label, other in zip(labels, said, strict=True) if label == other)
    return Opinion(MotionClassifier.fit(motions, labels), Counter(labels), right)
