"""Are the BVH and GLB files we write the same motion in Blender? ``python -m tests.benchmarks.blender_check [FOREIGN.bvh ...]``.

Needs a Python with ``bpy`` (``tests/export/blender.py`` says how it is found). Written and read back are a figure that walks
and bends while it faces each heading in steps of 45 degrees, two that turn through ±180 degrees either way, and each foreign
BVH, retargeted as ``motionbridge prepare`` does; all as BVH and as GLB. At every frame the heads of Blender's bones must lie
where our forward kinematics puts the joints, to ``LIMIT``; and the left side of the figure must be on the left of where it
faces, which is measured in Blender alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocol.skeleton import Skeleton, default_skeleton
from server.export import formats
from server.export.take import Take
from server.motion import bvh, joint_map, kinematics, resample, solver
from server.motion import rotation as rot
from server.motion.rotation import Array
from tests.export.blender import BLENDER, heads_in_blender
from tests.motion.synthetic import walker

LIMIT = 0.001  # m
FPS = 20.0
ENDINGS = (".bvh", ".glb")


def cases(foreign: list[Path]) -> Iterator[tuple[str, Array, Array]]:
    """Name, local rotations (T, 22, 4) and root positions (T, 3) of every motion that is checked."""
    for degrees in range(0, 360, 45):
        yield f"walk facing {degrees}", *walker(frames=40, heading=np.radians(degrees))
    for turn in (400.0, -400.0):
        yield f"walk turning {turn:g} from 170", *walker(frames=80, heading=np.radians(170), turn=np.radians(turn))
    for path in foreign:
        clip = bvh.read_bvh(path)
        positions = joint_map.detect(clip).apply(clip)
        times = resample.sample_times(len(positions), 1.0 / clip.frame_time, FPS)
        solved = solver.retarget_positions(resample.sample_vectors(positions, times), default_skeleton())
        yield path.name, solved.local, solved.root


def left_is_left(positions: Array, skeleton: Skeleton) -> bool:
    """Whether the left hip, shoulder and foot lie, in the mean, to the left of where the toes point from the heels."""

    def at(name: str) -> Array:
        return positions[:, skeleton.index(name)]

    forward = sum(at(f"{side}_foot") - at(f"{side}_ankle") for side in ("left", "right")) * np.array([1.0, 0.0, 1.0])
    left = np.cross(np.array([0.0, 1.0, 0.0]), rot.normalize(forward))
    return all(
        (((at(f"left_{part}") - at(f"right_{part}")) * left).sum(-1).mean() > 0) for part in ("hip", "shoulder", "foot")
    )


def main() -> int:
    if BLENDER is None:
        print("there is no Blender here: set MOTIONBRIDGE_BLENDER to a Python that has bpy", file=sys.stderr)
        return 2
    skeleton = default_skeleton()
    failures = 0
    print("| motion | file | frames | greatest distance, mm | left is left |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, local, root in cases([Path(argument) for argument in sys.argv[1:]]):
            take = Take(root, local, np.zeros((len(root), 4)), FPS, ((0, name),))
            paths = [Path(folder) / f"motion{ending}" for ending in ENDINGS]
            for path in paths:
                formats.write(path, take)
            ours = kinematics.positions(local, root, skeleton)
            for path, bones in zip(paths, heads_in_blender([(path, len(root), FPS) for path in paths]), strict=True):
                theirs = np.stack([bones[joint] for joint in skeleton.names], axis=1)
                worst, left = np.linalg.norm(theirs - ours, axis=-1).max(), left_is_left(theirs, skeleton)
                failures += not (worst < LIMIT and left)
                print(
                    f"| {name} | {path.suffix} | {len(ours)} | {1000.0 * worst:.4f} | {'yes' if left else 'NO'} |",
                    flush=True,
                )
    print(f"\n{failures} failures" if failures else f"\nall within {1000.0 * LIMIT:g} mm")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
