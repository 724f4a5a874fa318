"""The zero level of a scalar field as a closed triangle mesh: naive surface nets, pulled onto the surface."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from server.motion.rotation import Array, normalize

Field = Callable[[Array], Array]
"""Points (N, 3) to values (N,): about the signed distance in metres, negative inside."""

_PULLS = 3
_GRADIENT_STEP = 1e-4  # m
_BLOCK = 4  # grid points along the edge of the blocks that are left out when their middle is far from the surface
_FAR = 2.5  # times the half diagonal of a block: how far; the field need not be an exact distance


def extract(field: Field, low: Array, high: Array, cell: float) -> tuple[Array, np.ndarray]:
    """Vertices (V, 3) on the surface and faces (F, 3), counter-clockwise from outside, of what ``field`` is negative in.

    ``low`` and ``high`` (3,) bound the surface, ``cell`` is the edge of the grid's cubes, all in metres. One vertex lies
    in each cube that the surface crosses. ValueError when the surface leaves the bounds or is not there at all.

    Source: Gibson, "Constrained Elastic Surface Nets", 1998.
    """
    counts = np.ceil((high - low) / cell).astype(int) + 1
    # Even about the middle, so that a symmetric field gives a symmetric mesh.
    axes = [
        middle + (np.arange(count) - (count - 1) / 2) * cell
        for middle, count in zip((low + high) / 2, counts, strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)  # (X, Y, Z, 3)
    values = _near_values(field, grid, cell)
    inside: np.ndarray = values < 0.0
    shell = inside.copy()
    shell[1:-1, 1:-1, 1:-1] = False
    if bool(shell.any()) or not inside.any():
        raise ValueError(f"the surface does not lie within {low} to {high}")
    corners = np.stack([inside[_corner(corner, inside.shape)] for corner in product((0, 1), repeat=3)])
    crossed = (corners.sum(axis=0) > 0) & (corners.sum(axis=0) < 8)  # (X-1, Y-1, Z-1)
    number = np.full(crossed.shape, -1)
    number[crossed] = np.arange(crossed.sum())
    vertices = pull(field, _crossings(grid, values, inside, crossed))
    return vertices, _faces(inside, number)


def _near_values(field: Field, grid: Array, cell: float) -> Array:
    """The field on the grid (X, Y, Z); far from the surface, the value at the middle of the block."""
    blocks = [np.arange(size) // _BLOCK for size in grid.shape[:3]]
    half = 0.5 * (_BLOCK - 1) * cell
    middles = grid[::_BLOCK, ::_BLOCK, ::_BLOCK] + half
    coarse = field(middles.reshape(-1, 3)).reshape(middles.shape[:3])
    values = coarse[np.ix_(*blocks)]
    near = np.abs(values) < _FAR * np.sqrt(3.0) * half
    values[near] = field(grid[near])
    return values


def gradient(field: Field, points: Array) -> Array:
    """Gradient (N, 3) of a field by central differences."""
    steps = np.concatenate([np.eye(3), -np.eye(3)])[:, None] * _GRADIENT_STEP
    sides = field((points + steps).reshape(-1, 3)).reshape(6, -1)
    return ((sides[:3] - sides[3:]) / (2 * _GRADIENT_STEP)).T


def pull(field: Field, points: Array) -> Array:
    """Points (N, 3) near the surface moved along the gradient until they lie on it."""
    for _ in range(_PULLS):
        slope = gradient(field, points)
        points = points - field(points)[:, None] * slope / np.maximum((slope**2).sum(-1, keepdims=True), 0.1)
    return points


def normals(field: Field, points: Array) -> Array:
    """Outward unit normals (N, 3) of the surface at points on it."""
    return normalize(gradient(field, points))


def _corner(corner: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(start, size - 1 + start) for start, size in zip(corner, shape, strict=True))


def _crossings(grid: Array, values: Array, inside: np.ndarray, crossed: np.ndarray) -> Array:
    """For each crossed cube the mean (V, 3) of the points where its edges meet the surface."""
    cubes = np.argwhere(crossed)
    total, count = np.zeros((len(cubes), 3)), np.zeros(len(cubes))
    for axis, (i, j) in product(range(3), product((0, 1), repeat=2)):
        ends = []
        for along in (0, 1):
            corner = [i, j]
            corner.insert(axis, along)
            ends.append(tuple((cubes + corner).T))
        a, b = ends
        cut = inside[a] != inside[b]
        share = np.where(cut, values[a] / np.where(cut, values[a] - values[b], 1.0), 0.0)
        total += np.where(cut[:, None], grid[a] + share[:, None] * (grid[b] - grid[a]), 0.0)
        count += cut
    return total / count[:, None]


def _faces(inside: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Two triangles around each edge of the grid that crosses the surface, between the vertices of its four cubes."""
    quads = []
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        low, high = [slice(1, -1)] * 3, [slice(1, -1)] * 3
        low[axis], high[axis] = slice(0, -1), slice(1, None)
        leaving = inside[tuple(low)] & ~inside[tuple(high)]
        entering = ~inside[tuple(low)] & inside[tuple(high)]
        for cut, order in ((leaving, (0, 1, 2, 3)), (entering, (3, 2, 1, 0))):
            at = np.argwhere(cut)
            at[:, [first, second]] += 1
            ring = []
            for back_first, back_second in ((1, 1), (0, 1), (0, 0), (1, 0)):
                cube = at.copy()
                cube[:, first] -= back_first
                cube[:, second] -= back_second
                ring.append(number[tuple(cube.T)])
            quads.append(np.stack([ring[k] for k in order], axis=-1))
    quad = np.concatenate(quads)
    return np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
