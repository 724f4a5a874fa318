"""Motion over time: another frame rate (positions linearly, rotations by slerp, flags by the nearest frame), less tremble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from server.motion import rotation as rot
from server.motion.rotation import Array


def sample_times(count: int, source_fps: float, target_fps: float) -> Array:
    """Times of the target's frames in source frames: 0, step, ... up to the last source frame."""
    step = source_fps / target_fps
    return np.arange(int(np.floor((count - 1) / step + 1e-9)) + 1) * step


def sample_vectors(values: Array, times: Array) -> Array:
    """Linear interpolation of (T, …) at fractional frame ``times``, which lie within 0..T-1."""
    low, t = _split(len(values), times)
    t = t.reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1.0 - t) + values[np.minimum(low + 1, len(values) - 1)] * t


def sample_rotations(quaternions: Array, times: Array) -> Array:
    """Slerp of (T, J, 4) at fractional frame ``times``."""
    low, t = _split(len(quaternions), times)
    t = np.broadcast_to(t[:, None], (len(t), quaternions.shape[1]))
    return rot.slerp(quaternions[low], quaternions[np.minimum(low + 1, len(quaternions) - 1)], t)


def sample_nearest(values: Array, times: Array) -> Array:
    """The nearest frame's values."""
    return values[np.clip(np.rint(times).astype(int), 0, len(values) - 1)]


def smooth_rotations(quaternions: Array, joints: Sequence[int], frames: float) -> Array:
    """Rotations (T, J, 4) with those of ``joints`` smoothed over time by a Gaussian of standard deviation ``frames``.

    Without delay. The quaternions' signs may come back changed.
    """
    unrolled = rot.unroll(quaternions)
    joints = list(joints)
    smoothed = gaussian_filter1d(unrolled[:, joints], frames, axis=0, mode="nearest")
    unrolled[:, joints] = rot.normalize(smoothed)
    return unrolled


def _split(count: int, times: Array) -> tuple[np.ndarray, Array]:
    low = np.clip(np.floor(times + 1e-9).astype(int), 0, count - 1)
    return low, np.clip(times - low, 0.0, 1.0)
