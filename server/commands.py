"""What the command line does offline: prepare, train, export and generate. Imports of torch wait until a command runs."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from protocol import limits
from server.cache import EMBEDDED
from server.export import formats

if TYPE_CHECKING:
    from server.engine import Engine
    from server.motion.motion import Motion

STOPPED = 130  # exit status after Ctrl-C, as shells have it
_BATCH = 16


class UsageError(ValueError):
    """A command that cannot be carried out as given; the message names the value and the limit."""


def check_text(text: str, where: str = "the text") -> str:
    """The stripped sentence; UsageError naming ``where`` when it is empty or longer than the wire's limit."""
    text = text.strip()
    if not 1 <= len(text) <= limits.MAX_TEXT_CHARACTERS:
        raise UsageError(f"{where} has {len(text)} characters; 1 to {limits.MAX_TEXT_CHARACTERS} are allowed")
    return text


def check_within(name: str, value: float | None, low: float, high: float) -> None:
    """UsageError when an option's value is given and is not within its limits; nan never is."""
    if value is not None and not low <= value <= high:
        raise UsageError(f"{name} is {value:.12g}; {low:.12g} to {high:.12g} are possible")


def check_target(path: Path, endings: Sequence[str]) -> None:
    """FormatError or UsageError when a file has another ending or cannot be made there: better known before the work."""
    formats.check_ending(path, endings)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    folder = next((parent for parent in path.parents if parent.exists()), None)
    if folder is None or not folder.is_dir():
        raise UsageError(f"{path} cannot be written: {folder or path.anchor} is not a folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{path} cannot be written: {folder} is write-protected")


def bench(args: argparse.Namespace) -> int:
    """``motionbridge bench``: one of the benchmarks, which are in a checkout's tests and not in the installed package."""
    root = Path(__file__).parents[1]
    source = root / "tests" / "benchmarks" / f"{args.name}.py"
    if not source.is_file():
        raise UsageError(
            f"{source} is not there: benchmarks are part of the source code, not of the installed package. Clone the "
            'repository and run python -m pip install -e ".[dev]" in it first'
        )
    sys.path.insert(0, str(root))
    return importlib.import_module(f"tests.benchmarks.{args.name}").main(args.options)


def prepare(args: argparse.Namespace) -> int:
    """``motionbridge prepare``: a dataset folder from motion files and captions."""
    from server.training.prepare import prepare as run

    report = run(args.kind, args.source, args.target, args.joint_map, not args.no_mirror)
    print(
        f"{report.clips} clips, {report.frames} frames in {args.target}; {len(report.dropped)} left out (see dropped.csv)"
    )
    for what, why in report.dropped[:5]:
        print(f"  left out {what}: {why}")
    return 0


_OPTIONS_OF = {
    "captions": ("text", "masked", "residual", "length"),
    "favour": ("rvq", "decoder", "masked", "residual", "length"),
    "quantize_dropout": ("rvq",),
    "tower": ("text",),
    "from_scratch": ("text",),
}
"""Of the options of ``motionbridge train`` that not every model has: which do."""


def train(args: argparse.Namespace) -> int:
    """``motionbridge train``: one model of a run folder, resumed where it was stopped."""
    from server.training import stages
    from server.training.captions import read_caption_sets
    from server.training.dataset import Balance

    for option, models in _OPTIONS_OF.items():
        value = getattr(args, option)
        if args.model not in models and value is not None and value is not False and value != []:
            name, listed = option.replace("_", "-"), " and ".join(filter(None, (", ".join(models[:-1]), models[-1])))
            raise UsageError(f"--{name} belongs to train {listed}, not to train {args.model}")
    captions = () if args.captions is None else tuple(read_caption_sets(args.captions))
    sizes = stages.ModelSizes()
    if args.quantize_dropout is not None:
        sizes = dataclasses.replace(sizes, quantize_dropout=args.quantize_dropout)
    stage = stages.StageConfig(sizes=sizes, balance=Balance(favour=tuple(args.favour)), captions=captions)
    given = {
        name: value
        for name in ("steps", "batch_size", "lr", "precision", "threads", "device", "seed")
        if (value := getattr(args, name)) is not None
    }
    if args.tower is not None and args.from_scratch:
        raise UsageError("--tower takes a trained text tower, --from-scratch trains one; give one of them")
    if args.captions is not None and (args.tower is not None or args.from_scratch):
        raise UsageError("--captions is not read with --tower and --from-scratch; leave it out")
    if args.tower is not None:
        from server.training.tower import take_tower

        take_tower(args.tower, args.run)
        print(f"text: the tower of {args.tower}; nothing to train")
        return 0
    if args.model == "text" and not args.from_scratch:
        from server.training.distill import DistillConfig, run_distillation

        distillation = DistillConfig()
        distillation = dataclasses.replace(
            distillation,
            seed=given.get("seed", distillation.seed),
            train=dataclasses.replace(distillation.train, **given),
        )
        source = (args.data / "captions.jsonl", args.data / "clips.csv")
        run_distillation(*source, args.run / "text", distillation, captions, args.fresh)
        return 0
    if args.model == "text":
        from server.training.text_contrastive import CONTRASTIVE_TRAINING, train_from_scratch

        config = dataclasses.replace(CONTRASTIVE_TRAINING, **given)
        result = train_from_scratch(args.data, args.run, config, EMBEDDED, args.fresh)
    elif args.model == "evaluator":
        from server.training.evaluator import EVALUATOR_TRAINING, train_evaluator

        own = args.run / "text" / "export"
        tower = own if own.is_dir() else EMBEDDED
        config = dataclasses.replace(EVALUATOR_TRAINING, **given)
        result = train_evaluator(args.data, args.run, config, tower, stages.text_encoder(tower), args.fresh)
    elif args.model == "rvq":
        result = stages.train_rvq(
            args.data, args.run, dataclasses.replace(stages.RVQ_TRAINING, **given), stage, args.fresh
        )
    elif args.model == "decoder":
        from server.training.decoder import DECODER_TRAINING, train_decoder

        result = train_decoder(args.data, args.run, dataclasses.replace(DECODER_TRAINING, **given), stage, args.fresh)
    else:
        config = dataclasses.replace(stages.TOKEN_TRAINING, **given)
        encode = stages.text_encoder(args.run / "text" / "export")
        result = stages.train_tokens(args.model, args.data, args.run, config, stage, encode, args.fresh)
    print(f"{args.model}: step {result.step}, {'finished' if result.finished else 'stopped; the same command goes on'}")
    return 0 if result.finished else STOPPED


def evaluate(args: argparse.Namespace) -> int:
    """``motionbridge evaluate``: figures, curves, confusions and checks of bodies of a model, as a report."""
    from server.evaluation.command import evaluate as run

    return run(args)


def export(args: argparse.Namespace) -> int:
    """``motionbridge export``: the trained models of a run as one bundle folder for ``serve --model``."""
    from server.models.checkpoint import Sampling
    from server.training.stages import export_run

    names = (field.name for field in dataclasses.fields(Sampling))
    sampling = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    export_run(args.run, args.data, args.target, args.name, args.licence, sampling, args.weights)
    print(f"wrote {args.target}; try: motionbridge generate 'a person walks' --model {args.target} -o walk.bvh")
    return 0


def generate(args: argparse.Namespace) -> int:
    """``motionbridge generate``: a sentence (or a file of them) to motion files."""
    _check_generate(args)
    texts = [check_text(args.text)] if args.prompts is None else _read_prompts(args.prompts)
    character = None
    if args.rig is not None:
        from server.export.character import read_character

        character = read_character(args.rig)
    engine = _load(args)
    if args.edit is not None:
        return _edit(args, texts[0], engine)
    ending = ".npz" if character is None else ".glb"
    targets = [args.output] if args.prompts is None else [args.output / f"{n:03d}{ending}" for n in range(len(texts))]
    from server.export.take import Take

    for at in range(0, len(texts), _BATCH):
        motions = _generate_batch(engine, texts[at : at + _BATCH], args, at)
        for text, motion, target in zip(texts[at:], motions, targets[at : at + _BATCH], strict=False):
            formats.write(
                target, Take(motion.root, motion.rotations, motion.contacts, engine.fps, ((0, text),)), character
            )
            print(f"{target}  {len(motion) / engine.fps:.1f} s  {text}")
    return 0


def _load(args: argparse.Namespace) -> Engine:
    """The model, after a word to whoever watches: importing torch and loading take seconds."""
    if sys.stderr.isatty():
        print(f"loading {args.model.name} ...", file=sys.stderr, flush=True)
    from server.engine import load_engine

    return load_engine(args.model, args.device, precision=args.precision)


def _check_generate(args: argparse.Namespace) -> None:
    if (args.text is None) == (args.prompts is None):
        raise UsageError('give either one sentence, such as "a person bows", or --prompts FILE')
    if (args.edit is None) != (args.range is None):
        raise UsageError("--edit SOURCE.npz and --range START:END belong together")
    if args.edit is not None and (args.prompts is not None or args.seconds is not None):
        raise UsageError("--edit takes one sentence, and the length of its source: leave out --prompts and --seconds")
    if args.edit is not None and args.rig is not None:
        raise UsageError("--edit writes an .npz, which has no room for a character: leave out --rig")
    check_within("--seconds", args.seconds, limits.MIN_SECONDS, limits.MAX_SECONDS)
    check_within("--steps", args.steps, 1, limits.MAX_STEPS)
    check_within("--guidance", args.guidance, 0, limits.MAX_GUIDANCE)
    check_within("--seed", args.seed, 0, limits.MAX_SEED)
    if args.prompts is None:
        endings = formats.ENDINGS if args.rig is None else formats.CHARACTER_ENDINGS
        check_target(args.output, endings if args.edit is None else (".npz",))
    elif args.output.exists() and not args.output.is_dir():
        raise UsageError(f"{args.output} is a file; with --prompts, -o names a folder")


def _read_prompts(path: Path) -> list[str]:
    """The sentences of a text file, one a line; empty lines are skipped."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    texts = [check_text(line, f"{path}, line {n}:") for n, line in enumerate(lines, start=1) if line.strip()]
    if not texts:
        raise UsageError(f"{path} holds no sentences; write one on each line")
    return texts


def _generate_batch(engine: Engine, texts: Sequence[str], args: argparse.Namespace, first: int) -> list[Motion]:
    from server.motion.foot_lock import lock_clip
    from server.motion.in_turn import generate_in_turn
    from server.motion.motion import MotionRequest

    frames = None if args.seconds is None else max(1, round(args.seconds * engine.fps))
    motions = generate_in_turn(
        engine,
        [
            MotionRequest(text, frames, seed=args.seed + first + at, guidance=args.guidance, steps=args.steps)
            for at, text in enumerate(texts)
        ],
    )
    return [lock_clip(motion, engine.skeleton, engine.fps) for motion in motions]


def _edit(args: argparse.Namespace, text: str, engine: Engine) -> int:
    import numpy as np

    from server.export.npz import read_npz, write_npz
    from server.motion import kinematics

    source = read_npz(args.edit, engine.skeleton)
    if abs(source.fps - engine.fps) > 1e-6:
        raise UsageError(f"{args.edit} has {source.fps:g} frames per second; the model edits {engine.fps:g}")
    least, most, frames = engine.token_frames, engine.max_frames, len(source.root)
    if not least <= frames <= most:
        raise UsageError(f"{args.edit} has {frames} frames; {least} to {most} can be edited")
    ranges = [parse_range(part, engine.fps, frames) for part in args.range]
    motion = engine.motion_from_pose(source.root, source.rotations)
    edited = engine.edit(motion, ranges, text, args.seed, guidance=args.guidance, steps=args.steps)
    inside = np.zeros(frames, dtype=bool)
    for start, stop in ranges:
        inside[start:stop] = True
    arrays = {"root": edited.root, "rotations": edited.rotations, "contacts": edited.contacts}
    arrays["positions"] = kinematics.positions(edited.rotations, edited.root, engine.skeleton)
    # Outside the ranges the stored arrays themselves are kept, so that those frames are bit-identical.
    stored = source._asdict()
    changed = {name: stored[name].copy() for name in arrays}
    for name, values in arrays.items():
        changed[name][inside] = values[inside].astype(stored[name].dtype)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_npz(args.output, source._replace(**changed))
    print(f"{args.output}  {int(inside.sum())} of {frames} frames made anew")
    return 0


def parse_range(text: str, fps: float, frames: int) -> tuple[int, int]:
    """``START:END`` in seconds to a half-open frame range; UsageError when it is not within the clip."""
    try:
        start, stop = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"--range is {text!r}; expected START:END in seconds, such as 2.0:4.0") from None
    if not 0 <= start < stop <= frames / fps + 1e-6:
        raise UsageError(f"--range {text} is not within the clip's {frames / fps:.2f} s")
    first, last = round(start * fps), min(round(stop * fps), frames)
    if first >= last:
        raise UsageError(f"--range {text} holds no frame at {fps:g} frames per second; make it {1 / fps:g} s or longer")
    return first, last


def fail(error: BaseException) -> int:
    """Print what went wrong in one line and give the exit status for it."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    print(f"motionbridge: {' '.join(text.split())}", file=sys.stderr)
    return 2
