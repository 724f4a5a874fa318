"""Which motions the report shows as contact sheets: one of each action, those furthest from sane, one text with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.engine import Engine
from server.evaluation.body import Clip, JointLimits, depth, generated
from server.evaluation.data import Example, Split
from server.motion.rotation import Array

_ROWS = 12
_FURTHEST = 4  # of either kind
_SEEDS, _SEEDED = 3, 4  # seeds of a text, and texts


@dataclass(frozen=True)
class Sheet:
    """Joint positions (T, 22, 3) m at ``fps`` with a title each."""

    motions: tuple[Array, ...]
    titles: tuple[str, ...]
    fps: float

    @classmethod
    def of(cls, rows: Sequence[tuple[str, Clip]], fps: float) -> Sheet:
        """Of titles and clips."""
        return cls(tuple(clip.positions for _, clip in rows), tuple(title for title, _ in rows), fps)


def of_actions(examples: Sequence[Example], split: Split, most: int = _ROWS) -> list[int]:
    """Places of the first example of each action, in the order of the examples; at most ``most``."""
    first: dict[str, int] = {}
    for at, one in enumerate(examples):
        first.setdefault(split.clips[one.clip].action, at)
    return list(first.values())[:most]


def sheets(
    engine: Engine, made: Sequence[Clip], examples: Sequence[Example], split: Split, limits: JointLimits, seed: int
) -> dict[str, Sheet]:
    """Name -> sheet. ``made`` is of the examples' captions in their order; nothing but ``furthest`` is chosen by how it looks."""
    places = [at for at in of_actions(examples, split) if at < len(made)]
    asked = [made[at].text for at in places[:_SEEDED] for _ in range(_SEEDS)]
    seeded = generated(engine, asked, seed)
    titles = [f"{text} ({at % _SEEDS + 1} of {_SEEDS} seeds)" for at, text in enumerate(asked)]
    return {
        "clips": Sheet.of([(made[at].text, made[at]) for at in places], engine.fps),
        "seeds": Sheet.of(list(zip(titles, seeded, strict=True)), engine.fps),
        "furthest": Sheet.of(furthest(made, limits), engine.fps),
    }


def furthest(made: Sequence[Clip], limits: JointLimits) -> list[tuple[str, Clip]]:
    """The clips that go deepest into the floor, then others with a joint furthest outside its limits; titles say how far."""
    depths = [depth(clip) for clip in made]
    angles = [float(limits.beyond(clip.rotations).max()) for clip in made]
    deep = sorted(range(len(made)), key=lambda at: -depths[at])[:_FURTHEST]
    bent = sorted(set(range(len(made))) - set(deep), key=lambda at: -angles[at])[:_FURTHEST]
    return [
        *((f"{made[at].text} ({100 * depths[at]:.0f} cm into the floor)", made[at]) for at in deep),
        *((f"{made[at].text} ({angles[at]:.0f} degrees outside)", made[at]) for at in bent),
    ]
