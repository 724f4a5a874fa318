"""Triangles to pixels with a depth buffer, all triangles at once."""

from __future__ import annotations

import numpy as np

from server.motion.rotation import Array


def rasterize(
    points: Array, depth: Array, faces: np.ndarray, values: Array, size: tuple[int, int], *, both_sides: bool = False
) -> tuple[np.ndarray, Array]:
    """Which pixels the triangles cover, as sorted flat indices (P,), and the nearest triangle's ``values`` there (P, C).

    ``points`` (V, 2) are in pixels, right and down, the first pixel's middle at 0.5; ``depth`` (V,) grows away from the
    viewer; ``faces`` (F, 3) are counter-clockwise on the side that is seen, unless ``both_sides``; ``values`` (V, C) are
    interpolated linearly; ``size`` is (width, height).
    """
    width, height = size
    corners = points[faces]  # (F, 3, 2)
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k].T for k in range(3))
    area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)  # above 0 when seen from its front: y runs down
    low = np.clip(np.ceil(corners.min(axis=1) - 0.5), 0, size).astype(int)
    high = np.clip(np.floor(corners.max(axis=1) - 0.5) + 1, 0, size).astype(int)
    spans = np.maximum(high - low, 0)
    drawn = np.flatnonzero((np.abs(area) if both_sides else area) > 1e-9)
    counts = spans[drawn].prod(axis=1)
    face = np.repeat(drawn, counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    column = low[face, 0] + place % spans[face, 0]
    row = low[face, 1] + place // spans[face, 0]
    x, y = column + 0.5, row + 0.5
    share_b = ((cx - ax)[face] * (y - ay[face]) - (x - ax[face]) * (cy - ay)[face]) / area[face]
    share_c = ((x - ax[face]) * (by - ay)[face] - (bx - ax)[face] * (y - ay[face])) / area[face]
    inside = (share_b >= 0) & (share_c >= 0) & (share_b + share_c <= 1)
    face, pixel = face[inside], (row * width + column)[inside]
    shares = np.stack([1.0 - share_b - share_c, share_b, share_c], axis=-1)[inside]
    far = (depth[faces[face]] * shares).sum(-1)
    # Of several values written to one place the last one stays: the nearest.
    order = np.argsort(-far, kind="stable")
    nearest = np.full(width * height, -1)
    nearest[pixel[order]] = order
    covered = np.flatnonzero(nearest >= 0)
    chosen = nearest[covered]
    return covered, np.einsum("pk,pkc->pc", shares[chosen], values[faces[face[chosen]]])
