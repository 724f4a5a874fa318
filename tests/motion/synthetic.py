"""Motion made in code: smooth, bent and turning, on the default skeleton."""

from __future__ import annotations

import numpy as np

from protocol.skeleton import default_skeleton
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.legs import Legs

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


def stepper(frames: int = 120, heading: float = 0.0, speed: float = 1.0, fps: float = 20.0):
    """Local rotations (T, 22, 4), root (T, 3) and contacts (T, 4) of a walk with bent knees whose feet stand still in stance."""
    rotations = rot.identity(frames, 22)
    for side in ("left", "right"):
        for joint, degrees in (("hip", -25.0), ("knee", 50.0), ("ankle", -25.0)):
            angle = np.full(frames, np.radians(degrees))
            rotations[:, SKELETON.index(f"{side}_{joint}")] = rot.from_axis_angle(np.array(rot.AXES["X"]), angle)
    root = np.arange(frames)[:, None] / fps * speed * np.array([0.0, 0.0, 1.0])
    legs = Legs(SKELETON)
    rest = legs.pose(root, rotations)
    root[:, 1] = 0.08 - rest.ankles[0, 0, 1]
    rest = legs.pose(root, rotations)

    period, stance = 1.2, 0.6  # seconds; share of it on the ground
    cycle = np.arange(frames)[:, None] / fps / period + np.array([0.0, 0.5])  # (T, 2)
    phase = cycle % 1.0
    swing = np.clip((phase - stance) / (1.0 - stance), 0.0, 1.0)
    travel = (np.floor(cycle) + swing * swing * (3.0 - 2.0 * swing) - np.array([0.0, 0.5])) * period * speed
    ankles = rest.ankles.copy()
    ankles[..., 2] = rest.ankles[:1, :, 2] + travel + (stance / 2) * period * speed
    ankles[..., 1] += 0.1 * np.sin(np.pi * swing) ** 2
    drop = legs.drop(rest, ankles)
    rotations = legs.solve(rest, rotations, ankles, ankles + rest.toes - rest.ankles, drop)
    root[:, 1] -= drop
    turn = rot.about_y(np.array(heading))
    rotations[:, 0] = rot.mul(turn, rotations[:, 0])
    return rotations, rot.mul_vec(turn, root), np.repeat(phase < stance, 2, axis=1)
