"""Draws what the alignment A does: `python -m tests.benchmarks.retarget_picture OUT.png`, as the Unity package's README shows it."""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from protocol import kinematics
from protocol.retarget import Retargeter, Rig
from protocol.skeleton import default_skeleton
from protocol.vectors.retarget_cases import source_poses
from protocol.vectors.rigs import DESIGNS, build_rig

POSE = 1


def main(path: str) -> None:
    """Four figures from the front: the stream, the rig at rest, and the rig with the stream's pose without and with A."""
    skeleton, (rotations, root) = default_skeleton(), source_poses()
    root = root[POSE] * np.array([0.0, 1.0, 0.0])
    _, stream = kinematics.forward(rotations[POSE], root, skeleton.parents, skeleton.offsets)
    design = DESIGNS["a_pose"]
    rig = build_rig(type(design)(**{**vars(design), "axes": "wire"}))
    figures = [
        ("the stream", stream, skeleton.parents),
        ("a character at rest", rig.forward(rig.rotations)[1], rig.parents),
        ("without alignment", _posed(Retargeter(rig, align=False), rotations[POSE], root), rig.parents),
        ("with alignment", _posed(Retargeter(rig), rotations[POSE], root), rig.parents),
    ]
    canvas, axes = plt.subplots(1, len(figures), figsize=(10, 3.4), sharey=True)
    for axis, (title, positions, parents) in zip(axes, figures, strict=True):
        for joint, parent in enumerate(parents):
            if parent >= 0:
                # The character's left is +x; seen from the front it is on the right of the picture.
                axis.plot(*positions[[joint, parent]][:, :2].T, color="#2b6cb0", linewidth=3, solid_capstyle="round")
        axis.set_title(title, fontsize=11)
        axis.set_aspect("equal")
        axis.set_xlim(-0.8, 0.8)
        axis.set_ylim(0.0, 1.8)
        axis.axis("off")
    canvas.tight_layout()
    canvas.savefig(path, dpi=80)


def _posed(retargeter: Retargeter, rotations: np.ndarray, root: np.ndarray) -> np.ndarray:
    rig: Rig = retargeter.rig
    return rig.forward(*retargeter.apply(rotations, root))[1]


if __name__ == "__main__":
    main(sys.argv[1])
