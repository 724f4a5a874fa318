"""A mannequin on the wire's skeleton, made in code: a smooth closed body, head, visor, gloves and shoes, with skinning weights.

Each part is the surface of a field: lofts along the axes of the T-pose, united with soft seams. The lofts' own joints,
blended along each loft and across the seams, give the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

import numpy as np
from scipy.interpolate import PchipInterpolator

from protocol.skeleton import default_skeleton
from server.export import isosurface
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

_SEAM = 0.035  # m within which two lofts of the body run into each other
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
        table = np.array(self.stations)
        within = np.clip(along, table[0, 0], table[-1, 0])
        first, second, wide, deep = _profile(self.stations)(within).T
        one, two = (points[:, axis] for axis in range(3) if axis != self.axis)
        cap = np.where(along < table[0, 0], *self.caps)
        ratio = np.stack([(one - first) / wide, (two - second) / deep, (along - within) / cap])
        length = np.linalg.norm(ratio, axis=0)
        steepness = np.linalg.norm(ratio / np.stack([wide, deep, cap]), axis=0)
        return length * (length - 1.0) / np.maximum(steepness, 1e-9)

    def hold(self, points: Array) -> Array:
        """Weights (N, 22) of the chain's joints at points (N, 3)."""
        skeleton = default_skeleton()
        weights = np.zeros((len(points), len(skeleton)))
        ascending = self.chain[-1][1] >= self.chain[0][1]
        along = points[:, self.axis] * (1.0 if ascending else -1.0)
        left = np.ones(len(points))
        for (name, _, _), later in zip(self.chain, (*self.chain[1:], None), strict=True):
            taken = np.zeros(len(points))
            if later is not None:
                place = later[1] if ascending else -later[1]
                taken = _smooth_step((along - place) / later[2])
            weights[:, skeleton.index(name)] += left * (1.0 - taken)
            left = left * taken
        return weights


@cache
def _profile(stations: tuple[tuple[float, ...], ...]) -> PchipInterpolator:
    table = np.array(stations)
    return PchipInterpolator(table[:, 0], table[:, 1:])


def _smooth_step(x: Array) -> Array:
    t = np.clip(0.5 * (x + 1.0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


_TRUNK_CHAIN = (
    ("pelvis", 0.95, 0.0),
    ("spine1", 1.05, 0.06),
    ("spine2", 1.18, 0.06),
    ("spine3", 1.26, 0.05),
    ("neck", 1.45, 0.035),
    ("head", 1.55, 0.04),
)
TRUNK = (
    Loft(
        1,
        (
            (0.845, 0.0, -0.005, 0.105, 0.085),
            (0.90, 0.0, -0.012, 0.158, 0.108),
            (0.96, 0.0, -0.008, 0.160, 0.108),
            (1.05, 0.0, 0.0, 0.136, 0.094),
            (1.12, 0.0, 0.002, 0.130, 0.090),
            (1.21, 0.0, 0.002, 0.146, 0.100),
            (1.29, 0.0, 0.004, 0.160, 0.110),
            (1.36, 0.0, -0.002, 0.155, 0.100),
            (1.415, 0.0, -0.010, 0.115, 0.075),
            (1.45, 0.0, -0.012, 0.066, 0.060),
        ),
        (0.04, 0.02),
        _TRUNK_CHAIN,
    ),
    Loft(
        1,
        (
            (1.40, 0.0, -0.012, 0.062, 0.062),
            (1.45, 0.0, -0.006, 0.054, 0.057),
            (1.50, 0.0, 0.004, 0.050, 0.054),
            (1.57, 0.0, 0.014, 0.048, 0.052),
        ),
        (0.03, 0.03),
        _TRUNK_CHAIN,
    ),
)
ARM = Loft(
    0,
    (
        (0.06, 1.378, -0.004, 0.058, 0.066),
        (0.14, 1.390, -0.004, 0.062, 0.066),
        (0.19, 1.398, -0.002, 0.061, 0.062),
        (0.25, 1.400, 0.0, 0.050, 0.052),
        (0.32, 1.398, 0.0, 0.047, 0.049),
        (0.40, 1.400, 0.0, 0.041, 0.042),
        (0.45, 1.400, -0.003, 0.038, 0.040),
        (0.51, 1.400, 0.0, 0.041, 0.043),
        (0.58, 1.400, 0.0, 0.036, 0.038),
        (0.65, 1.400, 0.0, 0.028, 0.032),
        (0.71, 1.400, 0.0, 0.024, 0.029),
    ),
    (0.03, 0.015),
    (
        ("spine3", 0.0, 0.0),
        ("{side}_collar", 0.075, 0.045),
        ("{side}_shoulder", 0.185, 0.055),
        ("{side}_elbow", 0.45, 0.045),
        ("{side}_wrist", 0.70, 0.035),
    ),
)
LEG = Loft(
    1,
    (
        (0.07, 0.080, -0.004, 0.033, 0.036),
        (0.13, 0.080, -0.006, 0.034, 0.037),
        (0.22, 0.082, -0.012, 0.043, 0.047),
        (0.32, 0.084, -0.016, 0.053, 0.058),
        (0.40, 0.082, -0.006, 0.049, 0.054),
        (0.465, 0.080, 0.004, 0.050, 0.055),
        (0.53, 0.082, 0.004, 0.056, 0.060),
        (0.64, 0.088, 0.002, 0.069, 0.074),
        (0.76, 0.092, -0.002, 0.081, 0.087),
        (0.86, 0.092, -0.008, 0.085, 0.096),
        (0.91, 0.090, -0.008, 0.078, 0.094),
    ),
    (0.015, 0.05),
    (
        ("pelvis", 0.95, 0.0),
        ("{side}_hip", 0.872, 0.065),
        ("{side}_knee", 0.465, 0.055),
        ("{side}_ankle", 0.085, 0.03),
    ),
)
HEAD = (
    Loft(
        1,
        (
            (1.535, 0.0, 0.058, 0.050, 0.052),
            (1.575, 0.0, 0.040, 0.064, 0.076),
            (1.62, 0.0, 0.026, 0.074, 0.094),
            (1.66, 0.0, 0.020, 0.077, 0.097),
        ),
        (0.036, 0.075),
        (("head", 0.0, 0.0),),
    ),
)
EAR = Loft(1, ((1.60, 0.074, 0.012, 0.010, 0.014), (1.628, 0.077, 0.008, 0.011, 0.017)), (0.014, 0.014))
NOSE = Loft(1, ((1.582, 0.0, 0.124, 0.012, 0.016), (1.612, 0.0, 0.114, 0.008, 0.012)), (0.009, 0.02))
HAND = (
    Loft(
        0,
        (
            (0.675, 1.400, 0.0, 0.031, 0.036),
            (0.70, 1.400, 0.0, 0.027, 0.032),
            (0.73, 1.400, 0.004, 0.020, 0.038),
            (0.77, 1.399, 0.002, 0.016, 0.042),
            (0.79, 1.398, 0.001, 0.013, 0.040),
        ),
        (0.010, 0.012),
        (("{side}_elbow", 0.0, 0.0), ("{side}_wrist", 0.70, 0.025)),
    ),
    *(
        Loft(
            0,
            (
                (0.775, 1.398, z * 0.95, 0.0095, 0.0098),
                (tip - 0.03, 1.393, z, 0.0085, 0.0088),
                (tip, 1.388, z, 0.0070, 0.0072),
            ),
            (0.01, 0.007),
        )
        for z, tip in ((0.033, 0.862), (0.0115, 0.874), (-0.0105, 0.864), (-0.0315, 0.842))
    ),
    Loft(
        0,
        (
            (0.712, 1.396, 0.024, 0.013, 0.016),
            (0.745, 1.390, 0.052, 0.011, 0.013),
            (0.775, 1.386, 0.066, 0.0095, 0.010),
            (0.80, 1.383, 0.071, 0.008, 0.008),
        ),
        (0.01, 0.008),
    ),
)
SHOE = (
    Loft(
        2,
        (
            (-0.045, 0.080, 0.034, 0.034, 0.036),
            (0.0, 0.080, 0.042, 0.037, 0.046),
            (0.05, 0.081, 0.038, 0.038, 0.042),
            (0.10, 0.083, 0.030, 0.046, 0.034),
            (0.14, 0.084, 0.026, 0.048, 0.029),
            (0.175, 0.083, 0.023, 0.041, 0.025),
        ),
        (0.032, 0.030),
        (("{side}_ankle", 0.0, 0.0), ("{side}_foot", 0.125, 0.03)),
    ),
    Loft(1, ((0.04, 0.080, -0.004, 0.038, 0.044), (0.105, 0.080, -0.006, 0.041, 0.045)), (0.02, 0.010)),
)
_SOLE = 0.003  # m above the floor
_VISOR_HEIGHT, _VISOR_HALF_HEIGHT, _VISOR_HALF_ANGLE = 1.642, 0.024, np.radians(62.0)


def _union(lofts: Sequence[Loft], seam: float, points: Array) -> Array:
    """The lofts as one field, hollows between them filled over ``seam`` metres (quadratic smooth minimum)."""
    total = lofts[0].distance(points)
    for loft in lofts[1:]:
        other = loft.distance(points)
        total = np.minimum(total, other) - np.maximum(seam - np.abs(total - other), 0.0) ** 2 / (4.0 * seam)
    return total


def _left_half(field: isosurface.Field) -> isosurface.Field:
    """The field mirrored at the plane x = 0."""
    return lambda points: field(np.concatenate([np.abs(points[:, :1]), points[:, 1:]], axis=1))


def _body(points: Array) -> Array:
    return _union((*TRUNK, LEG, ARM), _SEAM, points)


def _head(points: Array) -> Array:
    return _union((*HEAD, NOSE, EAR), 0.012, points)


def _shoe(points: Array) -> Array:
    field = _union(SHOE, 0.03, points)
    sole = _SOLE - points[:, 1]
    return np.maximum(field, sole) + np.maximum(0.008 - np.abs(field - sole), 0.0) ** 2 / (4.0 * 0.008)


def _visor(points: Array) -> Array:
    """A band around the front of the head, lifted off it, with rounded corners and edges."""
    angle = np.arctan2(points[:, 0], points[:, 2] - 0.02)
    across, up = angle / _VISOR_HALF_ANGLE, (points[:, 1] - _VISOR_HEIGHT) / _VISOR_HALF_HEIGHT
    edge = ((across**4 + up**4) ** 0.25 - 1.0) * _VISOR_HALF_HEIGHT
    shell = np.abs(_union(HEAD, 0.012, points)) - 0.005
    return np.maximum(edge, shell) + np.maximum(0.004 - np.abs(edge - shell), 0.0) ** 2 / (4.0 * 0.004)


@dataclass(frozen=True)
class _Part:
    """A closed surface, its bounds and grid in metres, the lofts that hold it; the left one of a pair where ``paired``."""

    name: str
    field: isosurface.Field
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    cell: float
    lofts: tuple[Loft, ...]
    paired: bool = False


_PARTS = (
    _Part("body", _left_half(_body), (-0.76, 0.02, -0.16), (0.76, 1.64, 0.16), 0.0165, (*TRUNK, LEG, ARM)),
    _Part("head", _left_half(_head), (-0.11, 1.47, -0.12), (0.11, 1.76, 0.17), 0.0125, HEAD),
    _Part("visor", _visor, (-0.11, 1.60, -0.02), (0.11, 1.68, 0.15), 0.006, HEAD),
    _Part("hand", partial(_union, HAND, 0.008), (0.64, 1.34, -0.07), (0.90, 1.45, 0.10), 0.007, HAND[:1], True),
    _Part("shoe", _shoe, (0.01, -0.03, -0.10), (0.16, 0.14, 0.23), 0.011, SHOE[:1], True),
)


@cache
def mannequin() -> Mannequin:
    """The mannequin; made once a process, in a fraction of a second, the same every time."""
    pieces = []
    for part in _PARTS:
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
    left = _smooth_step(vertices[:, 0] / 0.02)
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
