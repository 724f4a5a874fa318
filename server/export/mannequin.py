"""A mannequin on the wire's skeleton, made in code: a smooth closed body, head, visor, gloves and shoes, with skinning weights.

Each part is the surface of a field: lofts along the axes of the T-pose, united with soft seams. The lofts' own joints,
blended along each loft and across the seams, give the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from protocol.skeleton import default_skeleton
from server.export import isosurface
from server.export.lofts import Loft, smooth_step
from server.export.mannequin_shape import PARTS
from server.motion.rotation import Array

INFLUENCES: Final = 4
"""Joints that move one vertex, at most."""

PART_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "body": (201, 203, 206),
    "head": (214, 215, 217),
    "visor": (38, 42, 51),
    "left": (224, 122, 63),
    "right": (42, 111, 151),
}
"""sRGB of each part; glove and shoe of one side are one part."""

FOOT_COLOURS: Final = tuple(
    PART_COLOURS[default_skeleton().names[joint].split("_")[0]] for joint in default_skeleton().feet
)
"""sRGB for each of ``Skeleton.feet``, by its side."""

_SHARE = 0.012  # m of distance to a loft over which its joints lose most of their hold
_WEIGHT_FLOOR = 0.02


@dataclass(frozen=True, eq=False)
class Mannequin:
    """A mesh in the T-pose of ``protocol/skeleton.json``, in its frame of reference, metres.

    ``vertices`` and ``normals`` (V, 3) float32; ``faces`` (F, 3) int32, counter-clockwise from outside; ``joints`` (V, 4)
    int32 indices of the skeleton and ``weights`` (V, 4) float32, which sum to 1, largest first, joint 0 where the weight is
    0; ``parts`` (V,) int32 indices of ``PART_COLOURS``. No triangle has vertices of two parts.
    """

    vertices: Array
    normals: Array
    faces: np.ndarray
    joints: np.ndarray
    weights: Array
    parts: np.ndarray

    def colours(self) -> np.ndarray:
        """sRGB (V, 3) uint8."""
        return np.array(list(PART_COLOURS.values()), dtype=np.uint8)[self.parts]


@cache
def mannequin() -> Mannequin:
    """The mannequin; made once a process, in a fraction of a second, the same every time."""
    pieces = []
    for part in PARTS:
        vertices, faces = isosurface.extract(part.field, np.array(part.low), np.array(part.high), part.cell)
        normals = isosurface.normals(part.field, vertices)
        if part.paired:
            flip = np.array([-1.0, 1.0, 1.0])
            pieces.append((vertices, normals, faces, _weights(part.lofts, vertices), "left"))
            pieces.append(
                (vertices * flip, normals * flip, faces[:, ::-1], _weights(part.lofts, vertices * flip), "right")
            )
        else:
            pieces.append((vertices, normals, faces, _weights(part.lofts, vertices), part.name))
    first = np.cumsum([0] + [len(piece[0]) for piece in pieces])
    joints, weights = _strongest(np.concatenate([piece[3] for piece in pieces]))
    names = list(PART_COLOURS)
    return Mannequin(
        vertices=np.concatenate([piece[0] for piece in pieces]).astype(np.float32),
        normals=np.concatenate([piece[1] for piece in pieces]).astype(np.float32),
        faces=np.concatenate([piece[2] + start for piece, start in zip(pieces, first, strict=False)]).astype(np.int32),
        joints=joints,
        weights=weights,
        parts=np.concatenate([np.full(len(piece[0]), names.index(piece[4])) for piece in pieces]).astype(np.int32),
    )


def _weights(lofts: tuple[Loft, ...], vertices: Array) -> Array:
    """Weights (V, 22): those of each loft, the nearest counting most; limbs by the side that the vertex lies on."""
    mirrored = np.concatenate([np.abs(vertices[:, :1]), vertices[:, 1:]], axis=1)
    distances = np.stack([loft.distance(mirrored) for loft in lofts], axis=-1)  # (V, lofts)
    share = np.exp(-(distances - distances.min(-1, keepdims=True)) / _SHARE)
    share /= share.sum(-1, keepdims=True)
    total = np.zeros((len(vertices), len(default_skeleton())))
    # On the middle plane both sides hold alike, and either side fades as the other begins.
    left = smooth_step(vertices[:, 0] / 0.02)
    for side, part in (("left", left), ("right", 1.0 - left)):
        for column, loft in enumerate(lofts):
            chain = tuple((name.format(side=side), place, width) for name, place, width in loft.chain)
            own = Loft(loft.axis, loft.stations, loft.caps, chain)
            total += (part * share[:, column])[:, None] * own.hold(mirrored)
    return total


def _strongest(weights: Array) -> tuple[np.ndarray, Array]:
    """Weights (V, 22) to the joints (V, 4) and weights (V, 4) of the largest."""
    order = np.argsort(-weights, axis=-1, kind="stable")[:, :INFLUENCES]
    kept = np.take_along_axis(weights, order, axis=-1)
    kept = np.where(kept < _WEIGHT_FLOOR, 0.0, kept)
    kept /= kept.sum(-1, keepdims=True)
    return np.where(kept > 0.0, order, 0).astype(np.int32), kept.astype(np.float32)
