"""Do feet slide? Foot slide before and after locking, what the lock changes for it, and what it costs.

Each line shows the same motion as a client gets it with the foot lock off and on. Real motion is the yardstick; with its root
sped up it slides by a known amount; spliced at random moments its feet are carried along while the difference decays. With a
model come its reconstructions of real motion and what it makes of sentences.

    motionbridge bench feet --data FOLDER [--model FOLDER] [--clips 60] [--sheet feet.png]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from protocol.poses import Poses, contact_flags
from protocol.skeleton import default_skeleton
from server.cache import EMBEDDED
from server.engine import Engine, load_engine
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.foot_lock import FootLock
from server.motion.motion import Motion, MotionRequest
from server.motion.rotation import Array
from server.track import Track
from tests.benchmarks.feet_sheet import feet_sheet
from tests.benchmarks.mocap import RATE, clips_of_test_split, joint_speeds, motion_of, root_accelerations, stored_limits
from tests.benchmarks.transitions import PROMPTS

HALF_LIFE = 0.1  # s, the server's default
AROUND_SECONDS = 0.5
SPLICES = 200
TIMED_FRAMES = 196
SHEET_SECONDS = 2.0
LOW = (0.13, 0.07)  # m, heel and toe joints under this are at the ground


@dataclass(frozen=True)
class Shown:
    """The same client frames with the foot lock off and on."""

    off: Poses
    on: Poses


@dataclass(frozen=True)
class Row:
    """One line: share of foot joints held; slide of held ones, m/s, off and on and its 99th percentile on; ``flagged``: slide
    of all that are low and that the motion itself flags, held or not, off and on; knee changes (99th
    percentile, largest) and that of any joint but hips, knees and ankles, degrees; pelvis lowered (mean, most), m; the
    largest step of a foot joint, m, leg joint speed, degrees/s, and root acceleration, m/s² (99.9th percentiles), on / off.
    """

    name: str
    clips: int
    contact: float
    slide_off: float
    slide_on: float
    slide_on_p99: float
    flagged_off: float
    flagged_on: float
    knee_p99: float
    knee_max: float
    others_max: float
    lowered_mean: float
    lowered_max: float
    step_ratio: float
    speed_ratio: float
    acceleration_ratio: float


def both(play: Callable[[Track], None], fps: float) -> tuple[Track, Track]:
    """What ``play`` does to a track, with the foot lock off and on."""
    tracks = tuple(Track(fps, RATE, HALF_LIFE, foot_lock=on) for on in (False, True))
    for track in tracks:
        play(track)
    return tracks[0], tracks[1]


def whole(motion: Motion, fps: float) -> Shown:
    """All client frames of one motion."""
    off, on = both(lambda track: track.splice(0, motion), fps)
    end = min(track.reach(math.ceil(len(motion) * RATE / fps)) for track in (off, on))
    return Shown(off.poses(0, end), on.poses(0, end))


def sped_up(motion: Motion, factor: float) -> Motion:
    """Travels ``factor`` times as far with the same steps."""
    return replace(motion, root=motion.root * np.array([factor, 1.0, factor]))


def splices(clips: Sequence[Motion], fps: float, count: int, seed: int) -> Iterator[Shown]:
    """The frames within 0.5 s of splices from one clip into another, placed where the character stands."""
    rng = np.random.default_rng(seed)
    around = round(AROUND_SECONDS * RATE)
    long_enough = [clip for clip in clips if len(clip) > 2.5 * fps]
    for _ in range(count):
        first, second = (long_enough[at] for at in rng.choice(len(long_enough), 2))
        at = int(rng.integers(round(fps), len(first)))

        def play(track: Track, first: Motion = first, second: Motion = second, at: int = at) -> None:
            track.splice(0, first)
            track.splice(at, second, place=True)

        off, on = both(play, fps)
        frame = off.first_frame(at)
        end = min(track.reach(frame + around) for track in (off, on))
        yield Shown(off.poses(frame - around, end), on.poses(frame - around, end))


def reconstructions(engine: Engine, clips: Sequence[Motion]) -> Iterator[Motion]:
    """Real motion through the model's RVQ-VAE and back."""
    import torch

    bundle = engine.bundle
    with torch.inference_mode():
        for clip in clips:
            frames = len(clip) // bundle.rvq.config.downsample * bundle.rvq.config.downsample
            features = torch.from_numpy(clip.features[:frames].astype(np.float32)).to(bundle.mean.device)
            indices = bundle.rvq.encode(bundle.normalise(features)[None]).indices
            decoded = bundle.denormalise(bundle.rvq.decode(indices)[0]).double().cpu().numpy()
            yield motion_of(decoded, engine.layout)


def generations(engine: Engine, count: int, seed: int) -> list[Motion]:
    """What the model makes of the prompts of the transitions benchmark, 6 s each."""
    texts = [PROMPTS[at % len(PROMPTS)] for at in range(count)]
    return engine.generate([MotionRequest(text, round(6.0 * engine.fps), seed + at) for at, text in enumerate(texts)])


def feet(poses: Poses) -> Array:
    """Heels and toes (T, 4, 3)."""
    skeleton = default_skeleton()
    joints = kinematics.positions(poses.rotations.astype(np.float64), poses.root.astype(np.float64), skeleton)
    return joints[:, list(skeleton.feet)]


def measure(name: str, shown: Sequence[Shown]) -> Row:
    """One line of the table."""
    names = default_skeleton().names
    legs = [at for at, joint in enumerate(names) if joint.split("_")[-1] in ("hip", "knee", "ankle")]
    knees = [at for at, joint in enumerate(names) if joint.endswith("knee")]
    others = [at for at in range(len(names)) if at not in legs]
    columns: dict[str, list[Array]] = {}

    def collect(**values: Array) -> None:
        for key, value in values.items():
            columns.setdefault(key, []).append(np.ravel(value))

    for pair in shown:
        contacts = contact_flags(pair.on.contacts).astype(bool)
        planted = contacts[1:] & contacts[:-1]
        places = [feet(poses) for poses in (pair.off, pair.on)]
        # The held feet are the lock's own choice; these are not.
        low = contact_flags(pair.off.contacts).astype(bool) & (places[0][..., 1] < np.tile(LOW, 2))
        flagged = low[1:] & low[:-1]
        moves = [np.diff(place, axis=0) for place in places]
        speeds = [np.linalg.norm(move[..., [0, 2]], axis=-1) * RATE for move in moves]
        turned = np.degrees(rot.angle_between(pair.off.rotations.astype(float), pair.on.rotations.astype(float)))
        collect(contact=contacts, slide_off=speeds[0][planted], slide_on=speeds[1][planted])
        collect(flagged_off=speeds[0][flagged], flagged_on=speeds[1][flagged])
        collect(knees=turned[:, knees], others=turned[:, others], lowered=pair.off.root[:, 1] - pair.on.root[:, 1])
        for suffix, poses, move in (("off", pair.off, moves[0]), ("on", pair.on, moves[1])):
            collect(
                **{
                    f"step_{suffix}": np.linalg.norm(move, axis=-1),
                    f"speed_{suffix}": joint_speeds(poses, RATE)[:, legs],
                    f"acceleration_{suffix}": root_accelerations(poses, RATE),
                }
            )
    c = {key: np.concatenate(values) for key, values in columns.items()}

    def ratio(key: str) -> float:
        return float(np.percentile(c[f"{key}_on"], 99.9) / np.percentile(c[f"{key}_off"], 99.9))

    return Row(
        name,
        len(shown),
        float(c["contact"].mean()),
        float(c["slide_off"].mean()),
        float(c["slide_on"].mean()),
        float(np.percentile(c["slide_on"], 99)),
        float(c["flagged_off"].mean()),
        float(c["flagged_on"].mean()),
        float(np.percentile(c["knees"], 99)),
        float(c["knees"].max()),
        float(c["others"].max()),
        float(c["lowered"].mean()),
        float(c["lowered"].max()),
        ratio("step"),
        ratio("speed"),
        ratio("acceleration"),
    )


def milliseconds(clips: Sequence[Motion], fps: float, repeats: int = 40) -> tuple[float, float]:
    """Processor and wall time (medians) of locking 196 frames of sliding motion, ms."""
    parts = [sped_up(clip, 1.1) for clip in clips if len(clip) >= 60][:4]
    joined = [np.concatenate([getattr(part, key) for part in parts]) for key in ("root", "rotations", "contacts")]
    root, rotations, contacts = (np.resize(array, (TIMED_FRAMES, *array.shape[1:])) for array in joined)
    lock = FootLock(default_skeleton(), fps)
    spent = []
    for _ in range(repeats):
        start = time.process_time(), time.perf_counter()
        lock.lock(root, rotations, contacts)
        spent.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    processor, wall = np.median(spent, axis=0) * 1e3
    return float(processor), float(wall)


def table(rows: Sequence[Row]) -> str:
    """The rows as text, with what the columns mean."""
    head = (
        f"{'motion':<26}{'clips':>6}{'held':>6}{'slide off':>11}{'on':>8}{'p99':>7}{'flagged off':>13}{'on':>8}{'knee p99':>10}{'max':>6}"
        f"{'others':>8}{'lowered':>9}{'max':>7}{'foot step':>11}{'leg speed':>11}{'root acc.':>11}"
    )
    lines = [head]
    for r in rows:
        lines.append(
            f"{r.name:<26}{r.clips:>6}{r.contact:>6.0%}{r.slide_off:>11.4f}{r.slide_on:>8.4f}{r.slide_on_p99:>7.3f}"
            f"{r.flagged_off:>13.4f}{r.flagged_on:>8.4f}"
            f"{r.knee_p99:>10.1f}{r.knee_max:>6.1f}{r.others_max:>8.3f}{r.lowered_mean * 100:>9.2f}{r.lowered_max * 100:>7.1f}"
            f"{r.step_ratio:>11.2f}{r.speed_ratio:>11.2f}{r.acceleration_ratio:>11.2f}"
        )
    return "\n".join(
        [
            *lines,
            "",
            "slide: mean horizontal speed of held heel and toe joints, m/s, lock off and on, and the 99th percentile on; flagged:",
            "the same of all low ones that the motion itself flags as contacts, also those that are too fast or too far to hold;",
            "knee, others: change of a knee, and of any joint but hips, knees and ankles, degrees; lowered: the pelvis, cm, mean",
            "and most; foot step, leg speed, root acc.: 99.9th percentiles of a foot's step between frames, of leg joints'",
            "angular velocity and of the root's acceleration, on as a ratio of off.",
        ]
    )


def real_motion(data: Path, engine: Engine, count: int, seed: int) -> dict[str, list[Shown]]:
    """Clips of the test split as they are, made to slide, joined, and through the model's RVQ-VAE and back."""
    fps = float(json.loads((data / "dataset.json").read_text(encoding="utf-8"))["fps"])
    found = list(clips_of_test_split(data))
    clips = [found[at] for at in islice(np.random.default_rng(seed).permutation(len(found)), count)]
    return {
        "real motion": [whole(clip, fps) for clip in clips],
        "root x 1.1": [whole(sped_up(clip, 1.1), fps) for clip in clips],
        "root x 1.3": [whole(sped_up(clip, 1.3), fps) for clip in clips],
        f"splices ±{AROUND_SECONDS} s": list(splices(clips, fps, SPLICES, seed)),
        "reconstructions": [whole(motion, engine.fps) for motion in reconstructions(engine, clips)],
    }


def main(argv: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="motionbridge bench feet", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=None, help="a folder made by motionbridge prepare, for real motion"
    )
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="a model folder (default: the embedded one)")
    parser.add_argument("--clips", type=int, default=60, help="of the test split, and generations (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sheet", type=Path, default=None, metavar="FILE.png", help="draw some feet, lock off and on")
    args = parser.parse_args(argv)
    engine = load_engine(args.model, args.device)
    made = generations(engine, args.clips, args.seed)
    shown = {} if args.data is None else real_motion(args.data, engine, args.clips, args.seed)
    shown["generations"] = [whole(motion, engine.fps) for motion in made]
    print(table([measure(name, pairs) for name, pairs in shown.items()]))
    print(f"\nreal motion's slide of held feet, unlocked: {stored_limits().foot_slide:.3f} m/s (24 minutes of mocap)")
    processor, wall = milliseconds(made, engine.fps)
    print(f"\nlocking {TIMED_FRAMES} frames takes {processor:.1f} ms of processor time ({wall:.1f} ms on the clock)")
    if args.sheet is not None:
        far = sorted(shown["generations"], key=lambda pair: -float(np.ptp(pair.off.root[:, [0, 2]], axis=0).max()))
        drawn = far[:3]
        frames = slice(0, round(SHEET_SECONDS * RATE))
        feet_sheet([(pair.off[frames], pair.on[frames]) for pair in drawn], args.sheet, RATE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
