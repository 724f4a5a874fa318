"""What real motion does: the limits that the benchmarks hold streamed motion against.

The numbers are of the test split of a prepared dataset, resampled to the client's frame rate exactly as a stream is. They are
kept in ``mocap_limits.json`` so that the benchmarks need no data; ``python -m tests.benchmarks.mocap DATA`` makes it anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from protocol.poses import Poses, contact_flags
from protocol.skeleton import default_skeleton
from server.motion import kinematics, solver
from server.motion import rotation as rot
from server.motion.features import LAYOUTS, FeatureLayout, recover_positions, recover_root
from server.motion.motion import Motion
from server.motion.resample import sample_times
from server.motion.rotation import Array
from server.track import resample

LIMITS_FILE = Path(__file__).with_name("mocap_limits.json")
RATE = 30.0
PERCENTILE = 99.9


@dataclass(frozen=True)
class MocapLimits:
    """At ``rate`` frames a second: the 99.9th percentile of each joint's angular velocity, degrees/s (J), and of the
    root's acceleration, m/s²; mean horizontal speed of heels and toes in contact, m/s; how much motion they are of."""

    rate: float
    joint_speed: tuple[float, ...]
    root_acceleration: float
    foot_slide: float
    minutes: float


def joint_speeds(poses: Poses, rate: float) -> Array:
    """Angular velocities (T - 1, J) of local rotations, degrees/s."""
    rotations = poses.rotations.astype(np.float64)
    return np.degrees(rot.angle_between(rotations[1:], rotations[:-1])) * rate


def root_accelerations(poses: Poses, rate: float) -> Array:
    """Magnitudes (T - 2,) of the root's second difference, m/s²."""
    return np.linalg.norm(np.diff(poses.root.astype(np.float64), n=2, axis=0), axis=-1) * rate * rate


def foot_slides(poses: Poses, rate: float) -> Array:
    """Horizontal speeds (n,), m/s, of heels and toes from one frame in contact to the next one in contact."""
    skeleton = default_skeleton()
    positions = kinematics.positions(poses.rotations.astype(np.float64), poses.root.astype(np.float64), skeleton)
    feet = positions[:, list(skeleton.feet)]  # (T, 4, 3)
    flags = contact_flags(poses.contacts).astype(bool)  # (T, 4)
    planted = flags[1:] & flags[:-1]
    return np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)[planted] * rate


def clips_of_test_split(data: Path) -> Iterator[Motion]:
    """The clips of the test split of a prepared folder, as motion at the dataset's rate."""
    meta = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    layout = LAYOUTS[meta["layout"]]
    features = np.load(data / "features.npy", mmap_mode="r")
    for line in (data / "clips.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] != "test" or row["clip_id"].endswith("_mirrored"):
            continue
        clip = np.asarray(features[row["start"] : row["start"] + row["frames"]], dtype=np.float64)
        yield motion_of(clip, layout)


def motion_of(features: Array, layout: FeatureLayout) -> Motion:
    """Features (T, C) as motion from the origin; the heading counts from the first frame's."""
    solved = solver.retarget_positions(recover_positions(features, layout), default_skeleton())
    root_to_z = recover_root(features, layout)[0]
    heading = np.unwrap(-2.0 * np.arctan2(root_to_z[:, 1], root_to_z[:, 3]))
    return Motion(solved.root, rot.unroll(solved.local), features[:, layout.contacts] > 0.5, features, heading)


def measure(clips: Iterator[Motion], fps: float, rate: float = RATE) -> MocapLimits:
    """The limits of some motion."""
    poses = [resample(clip, sample_times(len(clip), fps, rate)) for clip in clips]
    speeds = np.concatenate([joint_speeds(clip, rate) for clip in poses])
    acceleration = np.concatenate([root_accelerations(clip, rate) for clip in poses])
    slides = np.concatenate([foot_slides(clip, rate) for clip in poses])
    return MocapLimits(
        rate,
        tuple(float(value) for value in np.percentile(speeds, PERCENTILE, axis=0).round(1)),
        float(np.percentile(acceleration, PERCENTILE).round(2)),
        float(slides.mean().round(4)),
        round(sum(len(clip) for clip in poses) / rate / 60, 1),
    )


def stored_limits() -> MocapLimits:
    """The limits that come with the project."""
    table = json.loads(LIMITS_FILE.read_text(encoding="utf-8"))
    return MocapLimits(**table | {"joint_speed": tuple(table["joint_speed"])})


def main(argv: Sequence[str]) -> int:
    """``python -m tests.benchmarks.mocap DATA``: measure a prepared folder and store the limits."""
    data = Path(argv[0])
    fps = float(json.loads((data / "dataset.json").read_text(encoding="utf-8"))["fps"])
    limits = measure(clips_of_test_split(data), fps)
    LIMITS_FILE.write_text(json.dumps(asdict(limits), indent=1) + "\n", encoding="utf-8")
    print(json.dumps(asdict(limits)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
