"""``motionbridge evaluate MODEL DATA``: the figures of a model on a prepared dataset, as a report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from server.engine import load_engine, load_text_encoder, usable_device
from server.evaluation import figures
from server.evaluation.body import Check, JointLimits, check, generated, heading_check, recorded
from server.evaluation.confusion import action_confusion
from server.evaluation.data import Example, Split, load_split
from server.evaluation.evaluators import load_evaluator
from server.evaluation.figures import Judge, Retrieval, Size
from server.evaluation.generation import FeatureGenerator, Progress
from server.evaluation.metrics import BATCH, Interval
from server.evaluation.report import MARKDOWN_FILE, Report, figure_table, write_report
from server.evaluation.sheets import Sheet, sheets
from server.evaluation.sweeps import SampledRows, planned, shipped_sampling
from server.models.checkpoint import load_bundle
from server.motion.features import HUMANML3D
from server.motion.rotation import Array

PARTS = ("figures", "curves", "ablations", "actions", "bodies")
_LIMIT_CLIPS = 400  # training clips that joint limits are learnt from


@dataclass(frozen=True)
class Options:
    """What ``motionbridge evaluate`` was asked for; counts of clips are at most those of the split."""

    model: Path
    data: Path
    evaluator: Path
    out: Path
    split: str = "test"
    parts: tuple[str, ...] = PARTS
    size: Size = field(default_factory=Size)
    clips: int | None = None
    train_clips: int | None = None
    curve_clips: int = 256
    body_clips: int = 1000
    against: tuple[tuple[str, Path], ...] = ()
    seed: int = 0
    device: str = "auto"
    clip_weights: Path | None = None

    def __post_init__(self) -> None:
        least = {
            "repeats": (self.size.repeats, 1),
            "clips": (BATCH if self.clips is None else self.clips, BATCH),
            "training clips": (BATCH if self.train_clips is None else self.train_clips, BATCH),
            "curve clips": (self.curve_clips, BATCH),
            "body clips": (self.body_clips, 1),
            "multimodality texts": (self.size.mm_texts, 0),
            "multimodality samples": (self.size.mm_samples, 2),
        }
        for name, (value, minimum) in least.items():
            if value < minimum:
                raise ValueError(f"{name} is {value}; at least {minimum} are needed")
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown:
            raise ValueError(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")


def evaluate(args: argparse.Namespace) -> int:
    """Run it as the command line says, print the table of figures and where the report is."""
    options = Options(
        model=args.model,
        data=args.data,
        evaluator=args.evaluator or args.data / "evaluator",
        out=args.out,
        split=args.split,
        parts=tuple(args.parts),
        size=Size(args.repeats, args.multimodality_texts, args.multimodality_samples),
        clips=args.clips,
        train_clips=args.train_clips,
        curve_clips=args.curve_clips,
        body_clips=args.body_clips,
        against=tuple(named_model(text) for text in args.against or ()),
        seed=args.seed,
        device=args.device,
        clip_weights=args.clip_weights,
    )
    report = run(options, lambda unfinished: write_report(unfinished, options.out))
    write_report(report, options.out)
    if report.figures:
        print("\n".join(figure_table(report.figures)))
    print(f"wrote {options.out / MARKDOWN_FILE}")
    return 0


def named_model(text: str) -> tuple[str, Path]:
    """``NAME=FOLDER``; a folder alone is its own name."""
    name, separator, folder = text.partition("=")
    return (name, Path(folder)) if separator else (Path(text).name, Path(text))


def load_generator(folder: Path, device: str, clip_weights: Path | None = None) -> FeatureGenerator:
    """A bundle folder with its text encoder, float32, on a device as ``load_engine`` takes it."""
    device = usable_device(device)
    bundle = load_bundle(folder, device)
    return FeatureGenerator(bundle, load_text_encoder(bundle, folder, device, clip_weights))


def run(options: Options, save: Callable[[Report], object]) -> Report:
    """All parts that ``options`` names, with a progress bar over generated clips.

    ``save`` gets the report after every part but the last: hours of work outlive a run that is cut off.
    """
    started = time.monotonic()
    test = load_split(options.data, options.split, options.clips, options.seed)
    train = load_split(options.data, "train", options.train_clips, options.seed)
    for split in (test, train):
        if len(split.clips) < BATCH:
            raise ValueError(f"split {split.name!r} has {len(split.clips)} clips; R-precision needs at least {BATCH}")
    generator, others = _models(options, test)
    evaluator = load_evaluator(options.evaluator, test.layout.channels, usable_device(options.device))
    judge = Judge(evaluator, test, train, options.seed)
    report = Report(_setting(options, generator, judge))
    parts = [part for part in options.parts if _applies(part, test, report)]
    count = min(options.curve_clips, len(test.clips))
    missing = [*dict.fromkeys(parts), *others]

    def done(name: str) -> None:
        missing.remove(name)
        if missing:
            save(replace(report, setting={**report.setting, "not finished": ", ".join(missing)}))

    with tqdm(
        total=_planned(options, parts, generator, test, count), unit="clip", desc="evaluate", disable=None
    ) as bar:
        first: list[Array] = []
        if "figures" in parts:
            report.figures = _figures(judge, generator, options.size, bar.update, first)
            done("figures")
        elif "actions" in parts:
            figures.generated_row(judge, generator, 0, Size(1, 0), progress=bar.update, keep=first)
        sampled = SampledRows(judge, generator, count, bar.update)
        if "curves" in parts:
            report.curves = sampled.curves()
            done("curves")
        if "ablations" in parts:
            report.ablations = sampled.ablations()
            layers = generator.bundle.config.rvq.quantizers
            for used in (1, layers):
                name = f"reconstruction, {used} codebook{'s' if used > 1 else ''}"
                report.ablations[name] = figures.reconstructed_row(judge, generator, 0, used, count)
            done("ablations")
        if others:
            report.models[generator.name] = sampled.row(shipped_sampling(generator))
        for name, other in others.items():
            report.models[name] = SampledRows(judge, other, count, bar.update).row(other.sampling)
            done(name)
        if "actions" in parts:
            report.confusion = action_confusion(train, test, judge.examples(0), first, judge.random(0, 5))
            done("actions")
        if "bodies" in parts:
            report.body, report.sheets = _bodies(options, judge, bar.update)
            done("bodies")
    report.setting["took"] = f"{(time.monotonic() - started) / 60:.1f} minutes"
    return report


def _models(options: Options, test: Split) -> tuple[FeatureGenerator, dict[str, FeatureGenerator]]:
    """The model and those beside it by name; ValueError when one does not fit the data, or two have one name."""
    generator = load_generator(options.model, options.device, options.clip_weights)
    others: dict[str, FeatureGenerator] = {}
    for name, folder in options.against:
        if name in (generator.name, *others):
            raise ValueError(f"two models are called {name!r}; give --against NAME=FOLDER with another NAME")
        others[name] = load_generator(folder, options.device, options.clip_weights)
    for name, one in ((generator.name, generator), *others.items()):
        if one.bundle.config.features != test.layout.name:
            raise ValueError(
                f"model {name!r} makes {one.bundle.config.features} features, the data has {test.layout.name}"
            )
    return generator, others


def _figures(
    judge: Judge, generator: FeatureGenerator, size: Size, progress: Progress, first: list[Array]
) -> dict[str, dict[str, Interval]]:
    """The table of figures; the motions of the first repeat are added to ``first``."""
    retrieval = Retrieval(generator, judge.train)
    rows: dict[str, list[figures.Row]] = {}
    for repeat in range(size.repeats):
        made = {
            **figures.real_rows(judge, repeat),
            figures.RECONSTRUCTED: figures.reconstructed_row(judge, generator, repeat),
            figures.GENERATED: figures.generated_row(
                judge, generator, repeat, size, progress=progress, keep=first if repeat == 0 else None
            ),
            figures.RETRIEVED: figures.retrieved_row(judge, retrieval, repeat, size),
        }
        for name, row in made.items():
            rows.setdefault(name, []).append(row)
    return figures.summary(rows)


def _bodies(options: Options, judge: Judge, progress: Progress) -> tuple[list[Check], dict[str, Sheet]]:
    """The checks of bodies and their pictures: texts of the test split, drawn anew until there are enough."""
    engine = load_engine(options.model, options.device, options.clip_weights)
    skeleton, layout = engine.skeleton, judge.test.layout
    random = judge.random(0, 6)
    examples: list[Example] = []
    while len(examples) < options.body_clips:
        examples += judge.test.draw(random)
    texts = [one.caption.text for one in examples[: options.body_clips]]
    limits = JointLimits.learn(
        recorded(judge.train.draw(random, min(_LIMIT_CLIPS, options.body_clips)), layout, skeleton), engine.fps
    )
    real = recorded(judge.test.draw(random, options.body_clips), layout, skeleton)
    made = generated(engine, texts, options.seed, progress)
    checks = check(made, real, limits, engine.fps, skeleton)
    pictures = sheets(engine, made, examples, judge.test, limits, options.seed)
    return [*checks, heading_check(engine, texts[0], options.seed)], pictures


def _applies(part: str, test: Split, report: Report) -> bool:
    """Whether a part can be had of this data; a note says when not."""
    if part in ("actions", "bodies") and test.layout.name != HUMANML3D.name:
        report.notes.append(
            f"No part {part!r}: it needs the 22 joints of HumanML3D, the data has {test.layout.name} features."
        )
        return False
    return True


def _planned(options: Options, parts: Sequence[str], generator: FeatureGenerator, test: Split, count: int) -> int:
    """How many clips will be generated."""
    each = len(test.clips)
    spread = min(options.size.mm_texts, each) * options.size.mm_samples
    total = options.size.repeats * (each + spread) if "figures" in parts else each if "actions" in parts else 0
    own = planned(generator, "curves" in parts, "ablations" in parts, shipped=bool(options.against))
    total += count * (own + len(options.against))
    return total + (options.body_clips if "bodies" in parts else 0)


def _setting(options: Options, generator: FeatureGenerator, judge: Judge) -> dict[str, str]:
    """What was run, for the head of the report."""
    known = {caption.text for clip in judge.train.clips for caption in clip.captions}
    texts = {caption.text for clip in judge.test.clips for caption in clip.captions}
    made = generator.sampling
    return {
        "model": generator.name,
        "data": f"split {judge.test.name}, {len(judge.test.clips)} clips; {len(judge.train.clips)} clips of training",
        "captions": f"{len(texts)}, of which the training split has {len(texts & known)} word for word",
        "evaluator": judge.evaluator.name,
        "repeats": str(options.size.repeats),
        "MultiModality": f"{options.size.mm_texts} texts, {options.size.mm_samples} motions each; of real motion, pairs of takes",
        "sampling": ", ".join(f"{name} {value}" for name, value in vars(made).items()),
        "curves, ablations and other models": f"one repeat on {min(options.curve_clips, len(judge.test.clips))} clips",
        "seed": str(options.seed),
    }
