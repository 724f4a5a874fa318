"""Limits that begin softly."""

from __future__ import annotations

import numpy as np

from server.motion.rotation import Array


def saturate(excess: Array, most: float) -> Array:
    """``excess`` (…) >= 0 squeezed to less than ``most`` > 0; at 0 it has slope 1 and curvature 0."""
    return excess / np.sqrt(1.0 + (excess / most) ** 2)
