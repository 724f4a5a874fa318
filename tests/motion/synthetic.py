"""Motion made in code: smooth, bent and turning, on the default skeleton."""

from __future__ import annotations

import numpy as np

from protocol.skeleton import default_skeleton
from server.motion import kinematics
from server.motion import rotation as rot

SKELETON = default_skeleton()


def walker(frames: int = 120, heading: float = 0.0, turn: float = 0.0, speed: float = 1.2, fps: float = 20.0):
    """Local rotations (T, 22, 4) and root (T, 3) of a figure that walks along its heading and turns by ``turn`` in all."""
    t = np.arange(frames) / fps
    swing = np.sin(2 * np.pi * t)
    rotations = rot.identity(frames, 22)

    def bend(joint: str, axis: str, angle) -> None:
        index = SKELETON.index(joint)
        rotations[:, index] = rot.mul(rotations[:, index], rot.from_axis_angle(np.array(rot.AXES[axis]), angle + 0 * t))

    yaw = heading + turn * t / t[-1]
    bend("pelvis", "Y", yaw)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bend(f"{side}_hip", "X", -0.45 * sign * swing)
        bend(f"{side}_knee", "X", 0.35 + 0.3 * np.cos(2 * np.pi * t))
        bend(f"{side}_shoulder", "Z", -1.2 * sign)
        bend(f"{side}_shoulder", "Y", 0.3 * swing)
        bend(f"{side}_elbow", "Y", -sign * (0.6 + 0.2 * swing))
    bend("spine2", "X", 0.1 + 0.05 * swing)
    bend("neck", "X", 0.1)
    steps = np.stack([np.sin(yaw), np.zeros(frames), np.cos(yaw)], axis=-1) * speed / fps
    root = np.concatenate([np.zeros((1, 3)), np.cumsum(steps[:-1], axis=0)])
    root[:, 1] = 0.92 + 0.02 * np.cos(4 * np.pi * t)
    return rotations, root


def positions_of(**kwargs) -> np.ndarray:
    """Joint positions (T, 22, 3) of :func:`walker`."""
    rotations, root = walker(**kwargs)
    return kinematics.positions(rotations, root, SKELETON)
