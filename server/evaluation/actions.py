"""Rules that say from :class:`~server.evaluation.measures.Measures` whether a clip shows an action.

A rule is a list of bounds, each on one measure. The bounds were read off real clips: README.md beside this file has the
table of how many clips of its own action pass each rule, at least nine in ten, and which others do. "Wave with the left
hand" and "raise the left hand" ask the other hand to stay down; "wave" and "raise a hand" take any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from operator import attrgetter

from server.evaluation.measures import SIDES, Measures


@dataclass(frozen=True)
class Bound:
    """``low <= measure <= high`` of one measure, named as an attribute path ("left_hand.swings"); a failing one explains."""

    measure: str
    low: float = -inf
    high: float = inf

    def holds(self, measures: Measures) -> bool:
        return bool(self.low <= attrgetter(self.measure)(measures) <= self.high)

    def explain(self, measures: Measures) -> str:
        """The value beside its limits."""
        return f"{self.measure} {attrgetter(self.measure)(measures):.2f} is not in {self.low:g}..{self.high:g}"


@dataclass(frozen=True)
class Rule:
    """An action: all ``bounds`` hold, and if there are ``alternatives``, all bounds of one of them."""

    bounds: tuple[Bound, ...] = ()
    alternatives: tuple[tuple[Bound, ...], ...] = ()

    def holds(self, measures: Measures) -> bool:
        return not self.missing(measures)

    def missing(self, measures: Measures) -> list[Bound]:
        """The bounds that fail, with those of the alternative of which fewest do; nothing when the rule holds."""
        options = [[bound for bound in group if not bound.holds(measures)] for group in self.alternatives]
        return [bound for bound in self.bounds if not bound.holds(measures)] + min(options, key=len, default=[])

    def failures(self, measures: Measures) -> Iterator[str]:
        """What is missing, a line for each bound; nothing when the rule holds."""
        yield from (bound.explain(measures) for bound in self.bounds if not bound.holds(measures))
        if self.alternatives and not any(all(b.holds(measures) for b in group) for group in self.alternatives):
            for group in self.alternatives:
                yield " and ".join(bound.explain(measures) for bound in group if not bound.holds(measures))


_IN_PLACE = (Bound("net_speed", high=0.35), Bound("leg_activity", high=0.35))
_RUNNING = 1.6  # m/s: faster than nearly every walk, slower than all but the tired runs
_FORWARD = (Bound("forward_speed", low=0.3), Bound("straightness", low=0.55))


def _waves(side: str) -> tuple[Bound, ...]:
    hand = f"{side}_hand"
    return (
        Bound(f"{hand}.over_shoulder", -0.12),
        Bound(f"{hand}.raised", 0.25),
        Bound(f"{hand}.swings", 3),
        Bound(f"{hand}.recoil", high=1.5),
    )


def _raises(side: str) -> tuple[Bound, ...]:
    hand = f"{side}_hand"
    return (
        Bound(f"{hand}.over_shoulder", -0.08),
        Bound(f"{hand}.rise", 0.3),
        Bound(f"{hand}.raised", 0.2),
        Bound(f"{hand}.swings", high=2),
    )


def _down(side: str) -> tuple[Bound, ...]:
    return (Bound(f"{side}_hand.over_shoulder", high=-0.2),)


RULES: dict[str, Rule] = {
    "walk": Rule((*_FORWARD, Bound("speed", 0.35, _RUNNING), Bound("cadence", 0.7))),
    "run": Rule((*_FORWARD, Bound("speed", _RUNNING), Bound("cadence", 1.7))),
    "walk backwards": Rule((Bound("forward_speed", high=-0.25), Bound("cadence", 0.7), Bound("speed", high=1.6))),
    "turn left": Rule((Bound("turn", 45.0, 200.0), Bound("turn_right", high=30.0))),
    "turn right": Rule((Bound("turn", -200.0, -45.0), Bound("turn_left", high=30.0))),
    "wave": Rule(_IN_PLACE, (_waves("left"), _waves("right"))),
    "wave left": Rule((*_IN_PLACE, *_waves("left"), *_down("right"))),
    "wave right": Rule((*_IN_PLACE, *_waves("right"), *_down("left"))),
    "wave both": Rule((*_IN_PLACE, *_waves("left"), *_waves("right"))),
    "raise": Rule(_IN_PLACE, (_raises("left"), _raises("right"))),
    "raise left": Rule((*_IN_PLACE, *_raises("left"), *_down("right"))),
    "raise right": Rule((*_IN_PLACE, *_raises("right"), *_down("left"))),
    "raise both": Rule((*_IN_PLACE, *_raises("left"), *_raises("right"))),
    "bow": Rule((*_IN_PLACE, Bound("bend", 20.0, 100.0), Bound("bend_end", high=12.0), Bound("hip_range", high=0.25))),
    "kick": Rule((Bound("kick_height", 0.4), Bound("kick_speed", 2.5), Bound("net_speed", high=0.9))),
    "punch": Rule(
        (
            Bound("reach", 0.3),
            Bound("thrust", 1.3),
            Bound("net_speed", high=0.6),
            Bound("kick_height", high=0.4),
            *(Bound(f"{side}_hand.over_shoulder", high=0.3) for side in SIDES),
        ),
        ((Bound("recoil", 0.7),), (Bound("leg_activity", 0.2),)),
    ),
    "dance": Rule(
        (
            Bound("leg_activity", 0.25),
            Bound("arm_activity", 0.15),
            Bound("cadence", 0.4),
            Bound("net_speed", high=0.6),
        ),
        ((Bound("net_speed", high=0.25),), (Bound("straightness", -0.6, 0.6),)),
    ),
    "stand": Rule(
        (
            Bound("activity", high=0.06),
            Bound("speed", high=0.1),
            *_down("left"),
            *_down("right"),
            Bound("bend", high=10.0),
            Bound("hip_height", 0.7),
        )
    ),
}


def actions_of(measures: Measures) -> list[str]:
    """All actions whose rules a clip passes."""
    return [name for name, rule in RULES.items() if rule.holds(measures)]
