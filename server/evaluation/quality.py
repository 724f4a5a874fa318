"""How clean a motion is, whatever it shows: foot sliding, floor, jerk. Positions (T, 22, 3) metres, +Y up, floor at y = 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protocol.skeleton import Skeleton, default_skeleton
from server.motion.rotation import Array

_LOW = 0.03  # m over a toe's resting height under which it is on the ground


@dataclass(frozen=True)
class Quality:
    """``foot_slide``: mean horizontal speed of a toe while it is on the ground, m/s (0 where none ever is);
    ``penetration``: mean depth of the lowest joint under the floor, m; ``floating``: height over the floor of the lowest
    joint in the lowest twentieth of the frames, m, negative when under it; ``jerk``: mean third derivative of the joints, m/s³."""

    foot_slide: float
    penetration: float
    floating: float
    jerk: float


def quality(positions: Array, fps: float, skeleton: Skeleton | None = None) -> Quality:
    """Measure a clip of T >= 4 frames. ValueError when shorter."""
    if len(positions) < 4:
        raise ValueError(f"{len(positions)} frames: the jerk needs at least 4")
    skeleton = skeleton or default_skeleton()
    positions = np.asarray(positions, dtype=np.float64)
    toes = positions[:, [skeleton.index("left_foot"), skeleton.index("right_foot")]]  # (T, 2, 3)
    low = toes[..., 1] < np.percentile(toes[..., 1], 5, axis=0) + _LOW
    grounded = low[1:] & low[:-1]
    slide = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=0), axis=-1) * fps
    lowest = positions[..., 1].min(axis=1)
    return Quality(
        foot_slide=float(slide[grounded].mean()) if grounded.any() else 0.0,
        penetration=float(np.maximum(-lowest, 0.0).mean()),
        floating=float(np.percentile(lowest, 5)),
        jerk=float(np.linalg.norm(np.diff(positions, n=3, axis=0), axis=-1).mean() * fps**3),
    )
