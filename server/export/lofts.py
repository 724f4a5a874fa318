"""Tubes along an axis, from which the mannequin is made: each is a distance field and the hold of joints along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from protocol.skeleton import default_skeleton
from server.motion.rotation import Array

_PROFILE_STEP = 0.001  # m, of the tables that lofts are read from


@dataclass(frozen=True)
class Loft:
    """A tube of elliptic sections along axis 0, 1 or 2 with rounded ends.

    A row of ``stations``: place along the axis, then centre and half width along each of the other two axes in the order
    of x, y, z: (s, c1, c2, w1, w2). ``caps``: how far the ends bulge past the first and last station. ``chain``: joints
    along the axis, each with the place from which it takes over and the half width of the transition; the first one's is not used.
    """

    axis: int
    stations: tuple[tuple[float, float, float, float, float], ...]
    caps: tuple[float, float]
    chain: tuple[tuple[str, float, float], ...] = ()

    def distance(self, points: Array) -> Array:
        """About the signed distance (N,) in metres of points (N, 3)."""
        along = points[:, self.axis]
        start, end = self.stations[0][0], self.stations[-1][0]
        within = np.clip(along, start, end)
        first, second, wide, deep = _profile(self.stations, within)
        one, two = (points[:, axis] for axis in range(3) if axis != self.axis)
        cap = np.where(along < start, *self.caps)
        x, y, z = (one - first) / wide, (two - second) / deep, (along - within) / cap
        length = np.sqrt(x * x + y * y + z * z)
        steepness = np.sqrt((x / wide) ** 2 + (y / deep) ** 2 + (z / cap) ** 2)
        return length * (length - 1.0) / np.maximum(steepness, 1e-9)

    def hold(self, points: Array) -> Array:
        """Weights (N, 22) of the chain's joints at points (N, 3)."""
        skeleton = default_skeleton()
        weights = np.zeros((len(points), len(skeleton)))
        ascending = self.chain[-1][1] >= self.chain[0][1]
        along = points[:, self.axis] * (1.0 if ascending else -1.0)
        left: Array = np.ones(len(points))
        for (name, _, _), later in zip(self.chain, (*self.chain[1:], None), strict=True):
            taken: Array = np.zeros(len(points))
            if later is not None:
                place = later[1] if ascending else -later[1]
                taken = smooth_step((along - place) / later[2])
            weights[:, skeleton.index(name)] += left * (1.0 - taken)
            left = left * taken
        return weights


@cache
def _profile_table(stations: tuple[tuple[float, ...], ...]) -> Array:
    """Centres and half widths (N, 4) at even steps from the first station to the last."""
    table = np.array(stations)
    count = int((table[-1, 0] - table[0, 0]) / _PROFILE_STEP) + 2
    return PchipInterpolator(table[:, 0], table[:, 1:])(np.linspace(table[0, 0], table[-1, 0], count))


def _profile(stations: tuple[tuple[float, ...], ...], along: Array) -> Array:
    """Centres and half widths (4, N) at places (N,) between the first station and the last."""
    table = _profile_table(stations)
    place = (along - stations[0][0]) * ((len(table) - 1) / (stations[-1][0] - stations[0][0]))
    low = np.minimum(place.astype(int), len(table) - 2)
    return (table[low] + (place - low)[:, None] * (table[low + 1] - table[low])).T


def smooth_step(x: Array) -> Array:
    """0 below -1, 1 above 1, and smooth between."""
    t = np.clip(0.5 * (x + 1.0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def smooth_min(a: Array, b: Array, seam: float) -> Array:
    """The smaller of two fields (N,), the edge where they meet rounded over ``seam`` metres (quadratic)."""
    return np.minimum(a, b) - np.maximum(seam - np.abs(a - b), 0.0) ** 2 / (4.0 * seam)


def union(lofts: Sequence[Loft], seam: float, points: Array) -> Array:
    """The lofts as one field, hollows between them filled over ``seam`` metres."""
    total = lofts[0].distance(points)
    for loft in lofts[1:]:
        total = smooth_min(total, loft.distance(points), seam)
    return total
