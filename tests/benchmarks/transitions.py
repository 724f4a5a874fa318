"""Do prompt changes pop? Many characters change from one prompt to another at random moments, as a client sees it.

Characters run in lockstep on simulated time with the real engine, timeline and track; every generation is answered
``--latency`` seconds after it was asked for. Around each change (0.5 s before and after) the shown frames are held against the
limits of real motion (``mocap.py``). The controls join the same two motions without any of it: a hard cut, and a cross-fade.

    motionbridge bench transitions [--pairs 200] [--model FOLDER] [--sheet strip.png]
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from protocol.poses import Poses
from server.cache import EMBEDDED
from server.characters import timeline_settings
from server.config import ServeConfig
from server.engine import Engine, load_engine
from server.latency import Latency
from server.model_info import ModelInfo
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.motion import Motion, MotionRequest, concatenate
from server.motion.resample import sample_times
from server.motion.rotation import Array
from server.motion.transition import place_after
from server.planning import TimelineSettings
from server.prompts import Entry
from server.timeline import CharacterTimeline, Pending
from server.track import resample
from tests.benchmarks.mocap import MocapLimits, foot_slides, joint_speeds, root_accelerations, stored_limits

PROMPTS = (
    "a person walks forward",
    "a tired man walks forward",
    "a happy person walks",
    "an old man walks slowly",
    "a person runs forward",
    "a person walks backwards",
    "a person walks and turns left",
    "a person walks and turns right",
    "a person waves with the right hand",
    "a person waves with both hands",
    "a person raises the left hand",
    "a person bows politely",
    "a person kicks",
    "a person throws a punch",
    "a person dances",
    "a person stands still",
)
AROUND_SECONDS = 0.5
BATCH = 16
CROSS_FADE_SECONDS = 0.3


@dataclass
class Change:
    """What was shown of one character (one pose a client frame), and the first frame of the new prompt."""

    first: str
    second: str
    shown: Poses
    frame: int


@dataclass(frozen=True)
class Row:
    """One line of the table: how many samples are over the limits, the worst of them as a ratio, mean foot slide m/s,
    and the largest joint step right at the splice as a ratio of the limit (median and worst over the changes)."""

    name: str
    changes: int
    joints_over: float
    joint_worst: float
    root_over: float
    root_worst: float
    slide: float
    splice_median: float
    splice_worst: float


class Character:
    """A timeline with the client and the network that it is told of: newest frame of each index wins."""

    def __init__(self, settings: TimelineSettings, rng: random.Random, latency: float) -> None:
        self.timeline = CharacterTimeline("main", settings, Latency(0.1), lambda: rng.randint(0, 2**31))
        self.latency = latency
        self.answers: list[tuple[float, Pending, Motion]] = []
        self.buffer: dict[int, tuple[str | None, Array, Array, int]] = {}
        self.shown: list[tuple[str | None, Array, Array, int]] = []

    def prompt(self, prompt_id: str, text: str, seed: int, frames: int) -> None:
        """A client's ``prompt`` with mode replace."""
        self.timeline.play([Entry(prompt_id, text, seed, frames)], "idle", replace=True)

    def receive(self, now: float) -> None:
        """Deliver what the model has ready, then take what is due."""
        while self.answers and self.answers[0][0] <= now:
            _, pending, motion = self.answers.pop(0)
            if self.timeline.pending is pending:  # a newer prompt may have made it unwanted
                self.timeline.deliver(motion, now)
        for run in self.timeline.due(now):
            poses = run.blocks.poses()
            for at in range(len(poses)):
                self.buffer[run.first + at] = (run.prompt, poses.root[at], poses.rotations[at], int(poses.contacts[at]))

    def show(self, now: float) -> None:
        """The client shows its next frame and says so."""
        frame = len(self.shown)
        if frame in self.buffer:
            self.shown.append(self.buffer.pop(frame))
            self.timeline.report(frame, now)


def simulate(
    engine: Engine, pairs: Sequence[tuple[str, str, float]], rate: float, latency: float, seed: int
) -> list[Change]:
    """Play every pair (first text, second text, time of the change in s), all at once."""
    settings = timeline_settings(ServeConfig(), ModelInfo.of(engine), rate)
    rng = random.Random(seed)
    characters = [Character(settings, random.Random(rng.random()), latency) for _ in pairs]
    end = max(at for _, _, at in pairs) + latency + 3.0
    changed = [False] * len(pairs)
    for character, (first, _, _) in zip(characters, pairs, strict=True):
        character.prompt("first", first, rng.randint(0, 2**31), round(6.0 * engine.fps))
    for tick in itertools.count():
        now = tick / rate
        if now > end:
            break
        for at, (character, (_, second, when)) in enumerate(zip(characters, pairs, strict=True)):
            if character.shown and not changed[at] and len(character.shown) / rate >= when:
                character.prompt("second", second, rng.randint(0, 2**31), round(4.0 * engine.fps))
                changed[at] = True
        asked = [(c, request) for c in characters if (request := c.timeline.plan(now)) is not None]
        for start in range(0, len(asked), BATCH):
            batch = asked[start : start + BATCH]
            motions = engine.generate([request for _, request in batch])
            for (character, _), motion in zip(batch, motions, strict=True):
                assert character.timeline.pending is not None
                character.answers.append((now + latency, character.timeline.pending, motion))
        for character in characters:
            character.receive(now)
            character.show(now)
    return [_change(character, pair) for character, pair in zip(characters, pairs, strict=True)]


def _change(character: Character, pair: tuple[str, str, float]) -> Change:
    frame = next(index for index, (prompt, *_) in enumerate(character.shown) if prompt == "second")
    root, rotations, contacts = (np.array([row[part] for row in character.shown]) for part in (1, 2, 3))
    return Change(pair[0], pair[1], Poses(root, rotations, contacts.astype(np.uint8)), frame)


def controls(
    engine: Engine, pairs: Sequence[tuple[str, str, float]], rate: float, seed: int
) -> tuple[list[Change], list[Change]]:
    """The same prompts and moments joined by a hard cut, and by a cross-fade; nothing made to fit."""
    rng = random.Random(seed)
    texts = [text for first, second, _ in pairs for text in (first, second)]
    requests = [MotionRequest(text, round(6.0 * engine.fps), rng.randint(0, 2**31)) for text in texts]
    made: list[Motion] = []
    for start in range(0, len(requests), BATCH):
        made += engine.generate(requests[start : start + BATCH])
    cuts, fades = [], []
    for at, (first, second, when) in enumerate(pairs):
        before, after = made[2 * at], made[2 * at + 1]
        splice = min(round(when * engine.fps), len(before) - round(CROSS_FADE_SECONDS * engine.fps) - 1)
        after = place_after(before[:splice], after)
        frame = int(np.floor((splice - 1) * rate / engine.fps)) + 1
        for joined, into in (
            (concatenate([before[:splice], after]), cuts),
            (cross_fade(before, after, splice, round(CROSS_FADE_SECONDS * engine.fps)), fades),
        ):
            unrolled = replace(joined, rotations=rot.unroll(joined.rotations))
            poses = resample(unrolled, sample_times(len(joined), engine.fps, rate))
            into.append(Change(first, second, poses, frame))
    return cuts, fades


def cross_fade(before: Motion, after: Motion, splice: int, frames: int) -> Motion:
    """``before`` up to ``splice``, then ``after``, blended with what ``before`` would have gone on to over ``frames``."""
    weight = (np.arange(frames) + 1.0) / (frames + 1)
    old, new = before[splice : splice + frames], after[:frames]
    weights = np.broadcast_to(weight[:, None], (frames, old.rotations.shape[1]))
    blend = replace(
        new,
        root=old.root + weight[:, None] * (new.root - old.root),
        rotations=rot.slerp(old.rotations, new.rotations, weights),
    )
    return concatenate([before[:splice], blend, after[frames:]])


def row(name: str, changes: Sequence[Change], rate: float, limits: MocapLimits) -> Row:
    """Measure the frames within 0.5 s of every change against the limits of real motion."""
    around = round(AROUND_SECONDS * rate)
    speed_limit = np.maximum(np.array(limits.joint_speed), 1.0)
    ratios, roots, slides, splices = [], [], [], []
    for change in changes:
        window = change.shown[max(0, change.frame - around) : change.frame + around]
        ratio = joint_speeds(window, rate) / speed_limit  # (T - 1, J)
        ratios.append(ratio)
        roots.append(root_accelerations(window, rate) / limits.root_acceleration)
        slides.append(foot_slides(window, rate))
        splices.append(ratio[min(around, change.frame) - 1].max())
    joints, root, slide = np.concatenate(ratios), np.concatenate(roots), np.concatenate(slides)
    return Row(
        name,
        len(changes),
        float((joints > 1.1).mean()),
        float(joints.max()),
        float((root > 1.1).mean()),
        float(root.max()),
        float(slide.mean()) if len(slide) else 0.0,
        float(np.median(splices)),
        float(np.max(splices)),
    )


def table(rows: Sequence[Row], limits: MocapLimits) -> str:
    """The rows as text, with what the columns mean."""
    lines = [
        f"{'join':<22}{'changes':>8}{'joints over':>13}{'worst':>7}{'root over':>11}{'worst':>7}{'slide':>8}"
        f"{'at splice':>11}{'worst':>7}"
    ]
    for r in rows:
        lines.append(
            f"{r.name:<22}{r.changes:>8}{r.joints_over:>12.3%}{r.joint_worst:>8.2f}{r.root_over:>10.3%}{r.root_worst:>8.2f}"
            f"{r.slide:>8.3f}{r.splice_median:>11.2f}{r.splice_worst:>7.2f}"
        )
    lines += [
        "",
        "over: share of samples within 0.5 s of a change above 1.1 x the 99.9th percentile of real motion, joint by joint;",
        "worst: the largest as a ratio of that percentile; at splice: the same for the step onto the new prompt's first frame",
        f"(median and worst change); slide: mean horizontal speed of feet in contact, m/s (real motion {limits.foot_slide:.3f}).",
    ]
    return "\n".join(lines)


def strip(changes: Sequence[Change], path: Path, rate: float) -> None:
    """A contact sheet of the second around some changes."""
    from protocol.skeleton import default_skeleton
    from server.export.contact_sheet import contact_sheet

    around = round(AROUND_SECONDS * rate)
    motions, titles = [], []
    for change in changes:
        window = change.shown[max(0, change.frame - around) : change.frame + around]
        rotations, root = window.rotations.astype(np.float64), window.root.astype(np.float64)
        motions.append(kinematics.positions(rotations, root, default_skeleton()))
        titles.append(f"{change.first}  →  {change.second}")
    contact_sheet(motions, titles, path, fps=rate)


def main(argv: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="motionbridge bench transitions", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=200, help="prompt changes (default: 200)")
    parser.add_argument("--latency", type=float, default=0.15, help="seconds from request to answer (default: 0.15)")
    parser.add_argument("--rate", type=float, default=30.0, help="client frames per second (default: 30)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=EMBEDDED)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sheet", type=Path, default=None, metavar="FILE.png", help="draw the first eight changes")
    args = parser.parse_args(argv)
    engine = load_engine(args.model, args.device)
    rng = random.Random(args.seed)
    pairs = [(*rng.sample(PROMPTS, 2), rng.uniform(1.5, 5.0)) for _ in range(args.pairs)]
    limits = stored_limits()
    streamed = simulate(engine, pairs, args.rate, args.latency, args.seed)
    cuts, fades = controls(engine, pairs, args.rate, args.seed)
    rows = [
        row(name, changes, args.rate, limits)
        for name, changes in (("stream", streamed), ("control: hard cut", cuts), ("control: cross-fade", fades))
    ]
    print(table(rows, limits))
    if args.sheet is not None:
        strip(streamed[:8], args.sheet, args.rate)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
