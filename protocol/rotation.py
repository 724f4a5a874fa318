"""Unit quaternions, xyzw, active rotations, vectorised over leading axes (numpy, float64 or float32).

Arrays end in 4 (quaternions), 3 (vectors) or (3, 3) (matrices acting on column vectors). ``mul(a, b)`` rotates by b
first, then by a. Angles are radians unless a name says degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AXES",
    "Array",
    "about_y",
    "angle_between",
    "between",
    "cross",
    "dot",
    "from_6d",
    "from_axis_angle",
    "from_euler",
    "from_matrix",
    "from_two_axes",
    "from_vector",
    "identity",
    "inv",
    "inv_mul",
    "length",
    "mul",
    "mul_vec",
    "normalize",
    "slerp",
    "to_6d",
    "to_euler_zxy",
    "to_matrix",
    "to_vector",
    "unroll",
]

Array = NDArray[np.floating]

_EPS = 1e-12
AXES = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}


def identity(*shape: int) -> Array:
    """Identity quaternions of shape (\\*shape, 4)."""
    q = np.zeros((*shape, 4))
    q[..., 3] = 1.0
    return q


def normalize(v: Array) -> Array:
    """Scale the last axis to unit length; zero vectors stay zero."""
    return v / np.maximum(length(v)[..., None], _EPS)


def dot(a: Array, b: Array) -> Array:
    """Dot product (…) over a last axis of a few components, for which np.sum takes up to six times as long."""
    products = a * b
    total: Array = products[..., 0] + products[..., 1]
    for k in range(2, products.shape[-1]):
        total += products[..., k]
    return total


def length(v: Array) -> Array:
    """Length (…) of vectors or quaternions."""
    return np.sqrt(dot(v, v))


def cross(a: Array, b: Array) -> Array:
    """Cross product of vectors (…, 3); np.cross takes twice as long."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return _joined(ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)


def mul(a: Array, b: Array) -> Array:
    """Hamilton product: the rotation b followed by a."""
    ax, ay, az, aw = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bx, by, bz, bw = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return _joined(
        aw * bx + bw * ax + (ay * bz - az * by),
        aw * by + bw * ay + (az * bx - ax * bz),
        aw * bz + bw * az + (ax * by - ay * bx),
        aw * bw - (ax * bx + ay * by + az * bz),
    )


def _joined(*components: Array) -> Array:
    """Components (…) of one shape and type along a new last axis; np.stack, which checks them, takes twice as long."""
    joined = np.empty((*components[0].shape, len(components)), components[0].dtype)
    for k, component in enumerate(components):
        joined[..., k] = component
    return joined


def inv(q: Array) -> Array:
    """Inverse of unit quaternions."""
    return q * np.array([-1.0, -1.0, -1.0, 1.0])


def inv_mul(a: Array, b: Array) -> Array:
    """inv(a) · b: what turns frame a into frame b, seen from a."""
    return mul(inv(a), b)


def mul_vec(q: Array, v: Array) -> Array:
    """Rotate vectors."""
    t = 2.0 * cross(q[..., :3], v)
    return v + q[..., 3:] * t + cross(q[..., :3], t)


def between(a: Array, b: Array) -> Array:
    """Shortest rotation from direction a to direction b; half a turn about any normal where they are opposite."""
    a, b = normalize(a), normalize(b)
    cosine = dot(a, b)
    q = np.concatenate([cross(a, b), 1.0 + cosine[..., None]], axis=-1)
    opposite = cosine < -1.0 + 1e-9
    if np.any(opposite):
        least = np.eye(3)[np.abs(np.broadcast_to(a, q.shape[:-1] + (3,))[opposite]).argmin(-1)]
        normal = np.cross(np.broadcast_to(a, q.shape[:-1] + (3,))[opposite], least)
        q[opposite] = np.concatenate([normal, np.zeros_like(normal[..., :1])], axis=-1)
    return normalize(q)


def from_axis_angle(axis: Array, angle: Array) -> Array:
    """Rotation by ``angle`` (…) about unit ``axis`` (…, 3)."""
    half = 0.5 * np.asarray(angle)[..., None]
    return np.concatenate([axis * np.sin(half), np.cos(half) * np.ones_like(axis[..., :1])], axis=-1)


def about_y(angle: Array) -> Array:
    """Rotation about +Y by ``angle`` (…); a positive angle turns +Z toward +X, the character to its left."""
    half = 0.5 * np.asarray(angle)
    zero = np.zeros_like(half)
    return np.stack([zero, np.sin(half), zero, np.cos(half)], axis=-1)


def from_euler(angles: Array, order: str) -> Array:
    """Intrinsic Euler angles (…, 3) in the order of their columns, as BVH channels list them: R = R0 · R1 · R2."""
    q = from_axis_angle(np.asarray(AXES[order[0]]), angles[..., 0])
    for k in (1, 2):
        q = mul(q, from_axis_angle(np.asarray(AXES[order[k]]), angles[..., k]))
    return q


def to_euler_zxy(q: Array) -> Array:
    """Intrinsic Z, X, Y angles (…, 3), the usual BVH channels; X lies in ±90°. At ±90° of X, Y is set to 0."""
    m = to_matrix(q)
    sin_x = np.clip(m[..., 2, 1], -1.0, 1.0)
    locked = np.abs(sin_x) > 1.0 - 1e-9
    z = np.where(locked, np.arctan2(m[..., 1, 0], m[..., 0, 0]), np.arctan2(-m[..., 0, 1], m[..., 1, 1]))
    y = np.where(locked, 0.0, np.arctan2(-m[..., 2, 0], m[..., 2, 2]))
    return np.stack([z, np.arcsin(sin_x), y], axis=-1)


def to_matrix(q: Array) -> Array:
    """Rotation matrices (…, 3, 3)."""
    x, y, z, w = (q[..., k] for k in range(4))
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(m: Array) -> Array:
    """Quaternions of rotation matrices (…, 3, 3), by the largest of the four components (Shepperd)."""
    d = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    trace = d.sum(-1)
    squares = np.stack([1 + 2 * d[..., k] - trace for k in range(3)] + [1 + trace], axis=-1)
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    xw, yw, zw = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    candidates = np.stack(
        [
            np.stack([squares[..., 0], xy, xz, xw], axis=-1),
            np.stack([xy, squares[..., 1], yz, yw], axis=-1),
            np.stack([xz, yz, squares[..., 2], zw], axis=-1),
            np.stack([xw, yw, zw, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = squares.argmax(-1)[..., None, None]
    return normalize(np.take_along_axis(candidates, best, axis=-2)[..., 0, :])


def from_two_axes(primary: Array, secondary: Array) -> Array:
    """Rotation whose x axis is ``primary`` and whose y axis is ``secondary`` made perpendicular to it."""
    x = normalize(primary)
    z = normalize(np.cross(x, secondary))
    return from_matrix(np.stack([x, np.cross(z, x), z], axis=-1))


def to_6d(q: Array) -> Array:
    """First two columns of the matrix, one after the other (…, 6): the HumanML3D layout (Zhou et al. 2019)."""
    m = to_matrix(q)
    return np.concatenate([m[..., :, 0], m[..., :, 1]], axis=-1)


def from_6d(v: Array) -> Array:
    """Inverse of :func:`to_6d` for any two independent columns; the first keeps its direction."""
    x = normalize(v[..., :3])
    z = normalize(np.cross(x, v[..., 3:]))
    return from_matrix(np.stack([x, np.cross(z, x), z], axis=-1))


def to_vector(q: Array) -> Array:
    """Rotation vectors (…, 3), axis times angle, of the shorter arc."""
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = length(q[..., :3])[..., None]
    return q[..., :3] / np.maximum(sine, _EPS) * 2.0 * np.arctan2(sine, q[..., 3:])


def from_vector(v: Array) -> Array:
    """Inverse of :func:`to_vector`."""
    angle = length(v)
    return from_axis_angle(v / np.maximum(angle[..., None], _EPS), angle)


def slerp(a: Array, b: Array, t: Array) -> Array:
    """Shortest-arc interpolation; ``t`` (…) in 0..1."""
    cosine = dot(a, b)[..., None]
    b = np.where(cosine < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    t = np.asarray(t)[..., None]
    small = angle < 1e-4
    sine = np.where(small, 1.0, np.sin(angle))
    wa = np.where(small, 1.0 - t, np.sin((1.0 - t) * angle) / sine)
    wb = np.where(small, t, np.sin(t * angle) / sine)
    return normalize(wa * a + wb * b)


def unroll(q: Array) -> Array:
    """Flip signs along axis 0 so that neighbouring frames lie in the same hemisphere."""
    flips = np.where(dot(q[1:], q[:-1]) < 0, -1.0, 1.0)
    signs = (
        np.concatenate([np.ones_like(flips[:1]), np.cumprod(flips, axis=0)]) if len(q) > 1 else np.ones(q.shape[:-1])
    )
    return q * signs[..., None]


def angle_between(a: Array, b: Array) -> Array:
    """Angle (…) in 0..π of the rotation between two unit quaternions."""
    d = inv_mul(a, b)
    return 2.0 * np.arctan2(length(d[..., :3]), np.abs(d[..., 3]))
