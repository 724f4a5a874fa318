"""How well the rules of ``server.evaluation`` tell real clips apart: ``python -m tests.benchmarks.action_table DATA``.

DATA is a folder that ``motionbridge prepare`` wrote. Prints the tables of ``server/evaluation/README.md``, and with ``--fit``
the constants of ``server/evaluation/styles.py`` anew.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from server.evaluation.actions import RULES, actions_of
from server.evaluation.measures import Measures, measure
from server.evaluation.styles import STYLES, WALKS, StyleModel
from tests.benchmarks.real_clips import RealClip, read_real_clips

_CONFUSIONS = 4


@dataclass(frozen=True)
class Measured:
    """A clip (its positions let go), its measures and the rules that it passes."""

    clip: RealClip
    measures: Measures
    passed: frozenset[str]


def measure_all(clips: Iterator[RealClip], fps: float) -> list[Measured]:
    """Measure every clip."""
    results = []
    for clip in tqdm(clips, unit="clip", desc="measure", disable=None):
        measures = measure(clip.positions, fps)
        bare = replace(clip, positions=np.empty((0, 22, 3)))
        results.append(Measured(bare, measures, frozenset(actions_of(measures))))
    return results


def action_table(measured: Sequence[Measured]) -> list[str]:
    """Markdown rows: the rule, clips of the action, the share that passes, and which other clips pass most often."""
    of_content = Counter(item.clip.content for item in measured)
    lines = ["| rule | clips | pass | others that pass |", "|---|---|---|---|"]
    for rule in RULES:
        own = [item for item in measured if rule in item.clip.own]
        share = f"{sum(rule in item.passed for item in own) / len(own):.1%}" if own else "-"
        wrong = Counter(item.clip.content for item in measured if rule in item.passed - item.clip.own - item.clip.also)
        worst = sorted(wrong, key=lambda content: (-wrong[content], content))[:_CONFUSIONS]
        others = ", ".join(f"{content} {wrong[content]}/{of_content[content]}" for content in worst)
        lines.append(f"| {rule} | {len(own)} | {share} | {others} |")
    return lines


def style_table(walks: Mapping[str, Sequence[Measured]], turning: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Markdown rows: straight walks left out one take at a time, and walks around a corner, by the style they are given."""
    lines = ["| walks | clips | named right | taken for |", "|---|---|---|---|"]
    for style in STYLES:
        given = Counter(_without(walks, item.clip.take).likeliest(item.measures) for item in walks[style])
        lines.append(_style_row(style, style, given))
    for style in STYLES:
        if turning[style]:
            given = Counter(WALKS.likeliest(item.measures) for item in turning[style])
            lines.append(_style_row(f"{style}, around a corner", style, given))
    return lines


def fit(walks: Mapping[str, Sequence[Measured]]) -> StyleModel:
    """The style model of these walks."""
    return StyleModel.fit({style: [item.measures for item in items] for style, items in walks.items()})


def _without(walks: Mapping[str, Sequence[Measured]], take: str) -> StyleModel:
    return fit({style: [item for item in items if item.clip.take != take] for style, items in walks.items()})


def _style_row(title: str, style: str, given: Counter[str]) -> str:
    others = ", ".join(f"{name} {count}" for name, count in given.most_common() if name != style)
    return f"| {title} | {given.total()} | {given[style] / given.total():.1%} | {others} |"


def _walks(measured: Sequence[Measured], turning: bool) -> dict[str, list[Measured]]:
    walks: defaultdict[str, list[Measured]] = defaultdict(list)
    for item in measured:
        if item.clip.style and item.clip.turning == turning and "walk" in item.passed:
            walks[item.clip.style].append(item)
    return {style: walks[style] for style in STYLES}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder written by 'motionbridge prepare'")
    parser.add_argument("--fit", action="store_true", help="also print the medians and spreads of the styles")
    options = parser.parse_args(argv)
    measured = measure_all(*reversed(read_real_clips(options.data)))
    walks = _walks(measured, turning=False)
    print("\n".join([*action_table(measured), "", *style_table(walks, _walks(measured, turning=True))]))
    if options.fit:
        model = fit(walks)
        for style, medians in model.medians.items():
            print(style, [round(value, 4) for value in medians])
        print("spread", [round(value, 4) for value in model.spread])


if __name__ == "__main__":
    main()
