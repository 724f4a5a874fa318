"""What the mannequin looks like: its lofts on the T-pose of ``protocol/skeleton.json``, metres, and the parts they make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from server.export.isosurface import Field
from server.export.lofts import Loft, smooth_min, union
from server.motion.rotation import Array

_SEAM = 0.035  # m within which two lofts of the body run into each other

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
            (0.83, 0.0, -0.008, 0.138, 0.092),
            (0.90, 0.0, -0.012, 0.163, 0.108),
            (0.96, 0.0, -0.009, 0.157, 0.106),
            (1.03, 0.0, -0.002, 0.138, 0.095),
            (1.10, 0.0, 0.002, 0.128, 0.089),
            (1.19, 0.0, 0.002, 0.143, 0.097),
            (1.28, 0.0, 0.004, 0.163, 0.109),
            (1.34, 0.0, 0.001, 0.166, 0.104),
            (1.39, 0.0, -0.007, 0.143, 0.086),
            (1.425, 0.0, -0.012, 0.100, 0.068),
            (1.445, 0.0, -0.011, 0.074, 0.060),
        ),
        (0.03, 0.02),
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
        (0.05, 1.372, -0.006, 0.062, 0.070),
        (0.11, 1.384, -0.006, 0.060, 0.068),
        (0.16, 1.391, -0.004, 0.058, 0.063),
        (0.20, 1.396, -0.002, 0.053, 0.057),
        (0.26, 1.399, 0.0, 0.047, 0.050),
        (0.33, 1.399, 0.0, 0.044, 0.048),
        (0.40, 1.400, -0.001, 0.038, 0.041),
        (0.45, 1.400, -0.003, 0.036, 0.038),
        (0.51, 1.400, 0.0, 0.039, 0.042),
        (0.58, 1.400, 0.0, 0.034, 0.038),
        (0.65, 1.400, 0.0, 0.026, 0.031),
        (0.71, 1.400, 0.0, 0.023, 0.028),
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
        (0.22, 0.082, -0.013, 0.044, 0.047),
        (0.32, 0.084, -0.019, 0.054, 0.057),
        (0.40, 0.082, -0.006, 0.048, 0.053),
        (0.465, 0.080, 0.006, 0.047, 0.052),
        (0.53, 0.082, 0.007, 0.054, 0.058),
        (0.64, 0.088, 0.006, 0.068, 0.074),
        (0.75, 0.090, 0.000, 0.080, 0.086),
        (0.83, 0.088, -0.008, 0.083, 0.094),
        (0.875, 0.084, -0.012, 0.074, 0.088),
    ),
    (0.015, 0.06),
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
NOSE = Loft(1, ((1.583, 0.0, 0.122, 0.016, 0.024), (1.622, 0.0, 0.112, 0.010, 0.014)), (0.011, 0.022))
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


def _left_half(field: Field) -> Field:
    """The field mirrored at the plane x = 0."""
    return lambda points: field(np.concatenate([np.abs(points[:, :1]), points[:, 1:]], axis=1))


def _both(a: Array, b: Array, seam: float) -> Array:
    """What lies within both fields, the edge rounded over ``seam`` metres."""
    return -smooth_min(-a, -b, seam)


def _body(points: Array) -> Array:
    return union((*TRUNK, LEG, ARM), _SEAM, points)


def _head(points: Array) -> Array:
    return union((*HEAD, NOSE, EAR), 0.012, points)


def _shoe(points: Array) -> Array:
    return _both(union(SHOE, 0.03, points), _SOLE - points[:, 1], 0.008)


def _visor(points: Array) -> Array:
    """A band around the front of the head, lifted off it, with rounded corners and edges."""
    angle = np.arctan2(points[:, 0], points[:, 2] - 0.02)
    across, up = angle / _VISOR_HALF_ANGLE, (points[:, 1] - _VISOR_HEIGHT) / _VISOR_HALF_HEIGHT
    edge = ((across**4 + up**4) ** 0.25 - 1.0) * _VISOR_HALF_HEIGHT
    shell = np.abs(union(HEAD, 0.012, points)) - 0.008
    return _both(edge, shell, 0.004)


@dataclass(frozen=True)
class Part:
    """A closed surface, its bounds and grid in metres, the lofts that hold it; the left one of a pair where ``paired``."""

    name: str
    field: Field
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    cell: float
    lofts: tuple[Loft, ...]
    paired: bool = False


PARTS: Final = (
    Part("body", _left_half(_body), (-0.76, 0.02, -0.16), (0.76, 1.64, 0.16), 0.0175, (*TRUNK, LEG, ARM)),
    Part("head", _left_half(_head), (-0.11, 1.47, -0.12), (0.11, 1.76, 0.17), 0.0125, HEAD),
    Part("visor", _visor, (-0.11, 1.60, -0.02), (0.11, 1.68, 0.15), 0.0075, HEAD),
    Part("hand", partial(union, HAND, 0.008), (0.64, 1.34, -0.07), (0.90, 1.45, 0.10), 0.0065, HAND[:1], True),
    Part("shoe", _shoe, (0.01, -0.03, -0.10), (0.16, 0.14, 0.23), 0.012, SHOE[:1], True),
)
