"""Are the BVH files we write the same motion in Blender? ``python -m tests.benchmarks.blender_check [FOREIGN.bvh ...]``.

Needs ``pip install bpy`` (Blender as a Python module, GPL): a tool for checking by hand, not a dependency of anything here.
Written and read back are a figure that walks and bends while it faces each heading in steps of 45 degrees, two that turn
through ±180 degrees either way, and each foreign BVH, retargeted as ``motionbridge prepare`` does. At every frame the
heads of Blender's bones must lie where our forward kinematics puts the joints, to ``LIMIT``; and the left side of the
figure must be on the left of where it faces, which is measured in Blender alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from protocol.skeleton import Skeleton, default_skeleton
from server.motion import bvh, joint_map, kinematics, resample, solver
from server.motion import rotation as rot
from server.motion.rotation import Array
from tests.motion.synthetic import walker

LIMIT = 0.001  # m
FPS = 20.0


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


def positions_in_blender(path: Path, skeleton: Skeleton) -> Array:
    """Joint positions (T, J, 3) that Blender's importer makes of the file, in our axes and metres.

    The importer turns -Z forward, Y up (as its own files are) into Blender's Z up: our (x, y, z) comes as (x, -z, y).
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, frame_start=0)
    armature = bpy.context.object
    first, last = (int(frame) for frame in armature.animation_data.action.frame_range)
    frames = []
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        heads = (armature.matrix_world @ armature.pose.bones[name].head for name in skeleton.names)
        frames.append([tuple(head) for head in heads])
    x, y, z = np.moveaxis(np.array(frames), -1, 0)
    return np.stack([x, z, -y], axis=-1)


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
    skeleton = default_skeleton()
    failures = 0
    print("| motion | frames | greatest distance, mm | left is left |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, local, root in cases([Path(argument) for argument in sys.argv[1:]]):
            path = Path(folder) / "motion.bvh"
            bvh.write_bvh(path, local, root, skeleton, FPS)
            ours = kinematics.positions(local, root, skeleton)
            theirs = positions_in_blender(path, skeleton)
            same_length = len(theirs) == len(ours)
            worst = np.linalg.norm(theirs - ours, axis=-1).max() if same_length else np.inf
            left = left_is_left(theirs, skeleton)
            failures += not (worst < LIMIT and left)
            print(
                f"| {name} | {len(theirs)} of {len(ours)} | {1000.0 * worst:.4f} | {'yes' if left else 'NO'} |",
                flush=True,
            )
    print(f"\n{failures} failures" if failures else f"\nall within {1000.0 * LIMIT:g} mm")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
