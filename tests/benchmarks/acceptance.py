"""Does a model do what it is told? ``python -m tests.benchmarks.acceptance [--model FOLDER] [--data DATA] [--sheet FILE.png]``.

Makes every sentence of ``tests.benchmarks.wordings`` with several seeds and judges the motion by the rules of
``server.evaluation``. Prints for each action and each style of walk how many pass, what the others show instead and which
sentences fail most; then two actions in one sentence, and mean figures of quality. Where DATA (a folder that ``motionbridge
prepare`` wrote) is given, a classifier of its recordings judges too, and sentences that no recording serves are checked for
broken bodies. The rules' own errors are in ``server/evaluation/README.md``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from server.cache import EMBEDDED
from server.engine import Engine, load_engine
from server.evaluation.actions import RULES, actions_of
from server.evaluation.body import JointLimits, check, generated, recorded
from server.evaluation.data import load_split
from server.evaluation.measures import MIN_FRAMES, Measures, measure
from server.evaluation.quality import Quality, quality
from server.evaluation.report import check_table
from server.evaluation.styles import STYLES, WALKS
from server.motion import kinematics
from server.motion.foot_lock import lock_clip
from server.motion.in_turn import generate_in_turn
from server.motion.motion import Motion, MotionEngine, MotionRequest
from server.motion.rotation import Array
from tests.benchmarks import dev_wordings, wordings
from tests.benchmarks.action_table import measure_all
from tests.benchmarks.real_clips import read_real_clips
from tests.benchmarks.second_opinion import WIDER, Opinion, learn_actions

BATCH = 16
SEQUENCES = "sequences"
_CUTS = (0.25, 0.33, 0.42, 0.5, 0.58, 0.67, 0.75)  # of a motion, where its first action may end
_LEAST = max(MIN_FRAMES, 16)  # frames of either part: less shows no action
_LIMIT_CLIPS = 200
_REAL_EVERY = 8  # of the real clips, so that their figures take seconds


@dataclass(frozen=True)
class Outcome:
    """One motion made for ``text``: ``positions`` (T, 22, 3) metres, +Y up, and whether it shows what was ``asked``.

    ``shown`` names what it shows: actions, or where a style was asked for, the style of the walk.
    """

    asked: str
    text: str
    seed: int
    positions: Array
    measures: Measures
    shown: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.asked in self.shown


Make = Callable[[MotionEngine, Sequence[MotionRequest]], list[Motion]]


def as_one(engine: MotionEngine, requests: Sequence[MotionRequest]) -> list[Motion]:
    """Each sentence as the model understands it, however many actions it has."""
    return engine.generate(requests)


def generate(engine: MotionEngine, requests: Sequence[MotionRequest], make: Make = generate_in_turn) -> list[Array]:
    """Joint positions (T, 22, 3) for each request, in batches of :data:`BATCH`; by default as ``motionbridge generate`` does."""
    made: list[Array] = []
    with tqdm(total=len(requests), unit="clip", desc="generate", disable=None) as progress:
        for start in range(0, len(requests), BATCH):
            batch = make(engine, requests[start : start + BATCH])
            motions = [lock_clip(motion, engine.skeleton, engine.fps) for motion in batch]
            made += [kinematics.positions(motion.rotations, motion.root, engine.skeleton) for motion in motions]
            progress.update(len(motions))
    return made


def run(engine: MotionEngine, table: Mapping[str, Sequence[str]], seeds: int, styles: bool) -> list[Outcome]:
    """Every sentence of a table with seeds 0 to ``seeds`` - 1; ``styles`` says whether its keys are styles of a walk."""
    asked = [(name, text, seed) for name, texts in table.items() for text in texts for seed in range(seeds)]
    made = generate(engine, [MotionRequest(text, seed=seed) for _, text, seed in asked])
    outcomes = []
    for (name, text, seed), positions in zip(asked, made, strict=True):
        measures = measure(positions, engine.fps)
        shown = style_of(measures) if styles else actions_of(measures)
        outcomes.append(Outcome(name, text, seed, positions, measures, tuple(shown)))
    return outcomes


def style_of(measures: Measures) -> list[str]:
    """The style that a walk is most like; nothing for what is no walk."""
    return [WALKS.likeliest(measures)] if RULES["walk"].holds(measures) else []


def shows_both(positions: Array, fps: float, first: str, second: str) -> bool:
    """Whether there is a cut, within the middle half, before which a motion passes one rule and after it the other."""
    frames = len(positions)
    cuts = sorted({round(frames * share) for share in _CUTS} & set(range(_LEAST, frames - _LEAST + 1)))
    return any(
        RULES[first].holds(measure(positions[:cut], fps)) and RULES[second].holds(measure(positions[cut:], fps))
        for cut in cuts
    )


def sequence_report(engine: MotionEngine, table: Mapping[str, tuple[str, str]], seeds: int) -> list[str]:
    """Markdown rows: how many motions of each sentence show its two actions, one after the other.

    Of a model that learnt single actions, also how many would, were the sentence not taken apart.
    """
    asked = [(text, seed) for text in table for seed in range(seeds)]
    ways: dict[str, Make] = {"pass": generate_in_turn} | ({"as one sentence": as_one} if engine.one_action else {})
    passed = {}
    for way, make in ways.items():
        made = generate(engine, [MotionRequest(text, seed=seed) for text, seed in asked], make)
        both = (shows_both(clip, engine.fps, *table[text]) for (text, _), clip in zip(asked, made, strict=True))
        passed[way] = Counter(text for (text, _), shown in zip(asked, both, strict=True) if shown)
    lines = [f"| two actions | first, then | {' | '.join(ways)} |", "|---" * (2 + len(ways)) + "|"]
    for text, rules in table.items():
        lines.append(f"| {text} | {', '.join(rules)} | {' | '.join(f'{passed[way][text]}/{seeds}' for way in ways)} |")
    totals = (f"{count.total()}/{len(asked)} {count.total() / len(asked):.0%}" for count in passed.values())
    return [*lines, f"| all | | {' | '.join(totals)} |"]


def opinion_report(outcomes: Sequence[Outcome], opinion: Opinion) -> list[str]:
    """Markdown rows: of each action the share that the classifier names as asked, beside the same of unseen recordings."""
    lines = ["| action | classifier | of recordings |", "|---|---|---|"]
    agreed = total = 0
    for name in dict.fromkeys(outcome.asked for outcome in outcomes):
        own = [outcome.measures for outcome in outcomes if outcome.asked == name]
        if not opinion.knows(name):
            lines.append(f"| {name} | too few recordings | |")
            continue
        classes = (name, *WIDER.get(name, ()))
        clips, right = (sum(count[kind] for kind in classes) for count in (opinion.clips, opinion.right))
        said = sum(opinion.agrees(name, own))
        agreed, total = agreed + said, total + len(own)
        lines.append(f"| {name} | {said}/{len(own)} {said / len(own):.0%} | {right}/{clips} {right / clips:.0%} |")
    return [*lines, f"| all | {agreed}/{total} {agreed / total:.0%} | {opinion.accuracy:.0%} |"] if total else lines


def beyond_report(engine: Engine, texts: Sequence[str], data: Path, seeds: int) -> list[str]:
    """Markdown rows: the checks of bodies for sentences that the recordings cannot serve."""
    train, test = load_split(data, "train", _LIMIT_CLIPS), load_split(data, "test", _LIMIT_CLIPS)
    random = np.random.default_rng(0)
    learnt, real = (recorded(split.draw(random), split.layout, engine.skeleton) for split in (train, test))
    made = generated(engine, list(texts) * seeds, seed=0)
    return check_table(check(made, real, JointLimits.learn(learnt, engine.fps), engine.fps, engine.skeleton))


def action_report(outcomes: Sequence[Outcome]) -> list[str]:
    """Markdown rows: pass rate of each action, what the failing clips show or lack, and its worst sentences."""
    lines = ["| action | pass | instead | lacking most | worst sentences |", "|---|---|---|---|---|"]
    for name in RULES:
        own = [outcome for outcome in outcomes if outcome.asked == name]
        if not own:
            continue
        failed = [outcome for outcome in own if not outcome.passed]
        instead = Counter(shown for outcome in failed for shown in outcome.shown or ("nothing known",))
        lacking = Counter(bound.measure for outcome in failed for bound in RULES[name].missing(outcome.measures))
        lines.append(f"| {name} | {_rate(own)} | {_most(instead)} | {_most(lacking)} | {_worst(own)} |")
    return [*lines, f"| all | {_rate(outcomes)} | | | |"]


def style_report(outcomes: Sequence[Outcome]) -> list[str]:
    """Markdown rows: how many walk in the style that was asked for, and what the others do."""
    lines = ["| walk | pass | instead | worst sentences |", "|---|---|---|---|"]
    for style in STYLES:
        own = [outcome for outcome in outcomes if outcome.asked == style]
        if own:
            instead = Counter(next(iter(outcome.shown), "no walk") for outcome in own if not outcome.passed)
            lines.append(f"| {style} | {_rate(own)} | {_most(instead)} | {_worst(own)} |")
    return lines


def quality_report(made: Iterable[Quality], real: Iterable[Quality]) -> list[str]:
    """Markdown rows: mean figures of the generated and, if there are any, the real clips."""
    columns = {"generated": list(made), "real": list(real)}
    columns = {title: items for title, items in columns.items() if items}
    lines = [f"| mean | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for figure in fields(Quality):
        means = (f"{np.mean([getattr(item, figure.name) for item in items]):.4g}" for items in columns.values())
        lines.append(f"| {figure.name} | {' | '.join(means)} |")
    return lines


def write_sheet(outcomes: Sequence[Outcome], path: Path, fps: float) -> None:
    """A picture with a clip for each action: the first that passes, or the first of all."""
    from server.export.contact_sheet import contact_sheet

    chosen = []
    for name in dict.fromkeys(outcome.asked for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.asked == name]
        chosen.append(next((outcome for outcome in own if outcome.passed), own[0]))
    titles = [f"{item.asked}: “{item.text}” - {', '.join(item.shown) or 'nothing known'}" for item in chosen]
    contact_sheet([item.positions for item in chosen], titles, path, fps)


def _rate(outcomes: Sequence[Outcome]) -> str:
    passed = sum(outcome.passed for outcome in outcomes)
    return f"{passed}/{len(outcomes)} {passed / len(outcomes):.0%}"


def _most(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(3))


def _worst(outcomes: Sequence[Outcome]) -> str:
    """The three sentences that fail most, with how often."""
    fails = Counter(outcome.text for outcome in outcomes if not outcome.passed)
    return "; ".join(f"“{text}” {count}" for text, count in fails.most_common(3))


def main(argv: Sequence[str] | None = None) -> int:
    """Generate, judge and print."""
    parser = argparse.ArgumentParser(
        prog="motionbridge bench acceptance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="bundle folder (default: the embedded checkpoint)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, default=4, help="motions for each sentence (default: %(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*RULES, SEQUENCES),
        metavar="ACTION",
        help=f"these actions only, no styles; {SEQUENCES}: two actions in one sentence",
    )
    parser.add_argument(
        "--dev",
        action="store_true",
        help="the sentences that models and settings are chosen by, not those they are judged by",
    )
    parser.add_argument("--data", type=Path, help="prepared data folder: what its recordings say beside the rules")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write a picture of a clip for each action")
    options = parser.parse_args(argv)
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}; it must be at least 1")
    engine = load_engine(options.model, options.device)
    asked = dev_wordings if options.dev else wordings
    actions = {name: asked.ACTIONS[name] for name in options.only or asked.ACTIONS if name != SEQUENCES}
    acted = run(engine, actions, options.seeds, styles=False)
    walked = [] if options.only else run(engine, asked.WALKS, options.seeds, styles=True)
    report = action_report(acted) if acted else []
    if walked:
        report += ["", *style_report(walked)]
    if SEQUENCES in options.only if options.only else not options.dev:
        report += ["", *sequence_report(engine, wordings.SEQUENCES, options.seeds)]
    real: list[Quality] = []
    if not acted:
        print("\n".join(report).strip())
        return 0
    if options.data:
        fps, clips = read_real_clips(options.data)
        report += ["", *opinion_report(acted, learn_actions(measure_all(clips, fps)))]
        if walked:
            report += ["", *beyond_report(engine, wordings.BEYOND, options.data, options.seeds)]
        fps, clips = read_real_clips(options.data)
        real = [quality(clip.positions, fps) for clip in islice(clips, 0, None, _REAL_EVERY)]
    made = [quality(outcome.positions, engine.fps) for outcome in (*acted, *walked)]
    print("\n".join([*report, "", *quality_report(made, real)]))
    if options.sheet:
        write_sheet([*acted, *walked], options.sheet, engine.fps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
