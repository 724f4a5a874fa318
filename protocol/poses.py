"""Pose blocks: the packed little-endian arrays of `frames`, `clip` and `edit`.

Frame of reference of every array: right-handed, +Y up, characters face +Z, +X is the character's left; metres; local
rotations relative to the T-pose, xyzw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from protocol.limits import JOINT_COUNT, MAX_ROOT_METRES, UNIT_TOLERANCE

Encoding = Literal["float32", "int16"]

INT16_SCALE: Final = 32767.0
ROOT_BYTES: Final = 12
CONTACT_BITS: Final = 4
ROTATION_TYPES: Final[dict[str, str]] = {"float32": "<f4", "int16": "<i2"}
_ROTATION_BYTES: Final = {name: JOINT_COUNT * 4 * np.dtype(kind).itemsize for name, kind in ROTATION_TYPES.items()}


class PoseError(ValueError):
    """A pose array or block of the wrong size, or with values that are not poses."""


@dataclass(frozen=True, eq=False)
class Poses:
    """n consecutive frames of one character.

    ``root`` (n, 3) float32: pelvis position, metres. ``rotations`` (n, 22, 4) float32: local rotations xyzw, unit
    length. ``contacts`` (n,) uint8: bit 0 left heel, 1 left toe, 2 right heel, 3 right toe.
    """

    root: np.ndarray
    rotations: np.ndarray
    contacts: np.ndarray

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, frames: slice) -> Poses:
        """A run of frames, sharing memory."""
        return Poses(self.root[frames], self.rotations[frames], self.contacts[frames])


class PoseBlocks(NamedTuple):
    """``frames`` consecutive frames of one character in an encoding, as messages carry them."""

    frames: int
    encoding: Encoding
    root: bytes
    rotations: bytes
    contacts: bytes

    @classmethod
    def of(cls, poses: Poses, encoding: Encoding) -> PoseBlocks:
        """Frames encoded. PoseError on wrong shapes or values."""
        return cls(len(poses), encoding, *pack_poses(poses, encoding))

    def run(self, first: int, end: int) -> PoseBlocks:
        """Frames ``first``..``end`` (end excluded) of these."""
        size = rotation_bytes(self.encoding)
        return PoseBlocks(
            end - first,
            self.encoding,
            self.root[first * ROOT_BYTES : end * ROOT_BYTES],
            self.rotations[first * size : end * size],
            self.contacts[first:end],
        )

    def poses(self) -> Poses:
        """The frames, decoded."""
        return unpack_poses(self.frames, self.encoding, self.root, self.rotations, self.contacts)


def contact_bits(flags: np.ndarray) -> np.ndarray:
    """(..., 4) flags in the order left heel, left toe, right heel, right toe -> (...) uint8 bits."""
    return np.packbits(np.asarray(flags, dtype=bool), axis=-1, bitorder="little")[..., 0]


def contact_flags(bits: np.ndarray) -> np.ndarray:
    """(...) uint8 bits -> (..., 4) uint8 flags; the upper four bits are reserved and ignored."""
    bits = np.asarray(bits, dtype=np.uint8)[..., None]
    return np.unpackbits(bits, axis=-1, count=CONTACT_BITS, bitorder="little")


def rotation_bytes(encoding: str) -> int:
    """Bytes that one frame's rotations take in an encoding."""
    return _ROTATION_BYTES[encoding]


def encode_root(root: np.ndarray) -> np.ndarray:
    """(..., 3) metres -> the same as little-endian float32, C order. PoseError when not finite or out of range."""
    packed = _float32(root)
    _check_root(packed)
    return packed


def encode_rotations(rotations: np.ndarray, encoding: str) -> np.ndarray:
    """(..., 22, 4) unit quaternions xyzw -> the same shape in the encoding's type, C order.

    `int16` stores round(32767 · component). PoseError when a quaternion is not finite or not of unit length.
    """
    rotations = _float32(rotations)
    _check_unit(rotations)
    if encoding == "int16":
        return np.rint(np.clip(rotations, -1.0, 1.0) * np.float32(INT16_SCALE)).astype("<i2")
    return rotations


def encode_contacts(contacts: np.ndarray) -> np.ndarray:
    """(...) contact bits -> uint8, C order. PoseError for values that are not four bits."""
    contacts = np.asarray(contacts)
    if contacts.dtype.kind not in "ui" or (contacts.size and not 0 <= contacts.min() <= contacts.max() < 16):
        raise PoseError(f"contacts must be integers of four bits, got {contacts.dtype} {contacts.tolist()[:4]}")
    return np.ascontiguousarray(contacts, dtype=np.uint8)


def pack_poses(poses: Poses, encoding: str) -> tuple[bytes, bytes, bytes]:
    """The `root`, `rotations` and `contacts` blocks of a run of frames. PoseError on wrong shapes or values."""
    count = len(poses)
    shapes = (poses.root.shape, poses.rotations.shape, poses.contacts.shape)
    wanted = ((count, 3), (count, JOINT_COUNT, 4), (count,))
    if shapes != wanted:
        raise PoseError(f"poses have shapes {shapes}, must be {wanted}")
    return (
        encode_root(poses.root).tobytes(),
        encode_rotations(poses.rotations, encoding).tobytes(),
        encode_contacts(poses.contacts).tobytes(),
    )


def unpack_root(block: bytes, count: int) -> np.ndarray:
    """`root` block -> (count, 3) float32 metres. PoseError on a wrong length or values out of range."""
    root = _read(block, "<f4", (count, 3))
    _check_root(root)
    return root


def unpack_rotations(block: bytes, count: int, encoding: str) -> np.ndarray:
    """`rotations` block -> (count, 22, 4) float32 xyzw. `int16` is divided by 32767 and brought to unit length.

    PoseError on a wrong length, or a quaternion whose length differs from 1 by more than 0.001.
    """
    rotations = _read(block, ROTATION_TYPES[encoding], (count, JOINT_COUNT, 4))
    if encoding != "int16":
        _check_unit(rotations)
        return rotations
    rotations = rotations.astype(np.float32) / np.float32(INT16_SCALE)
    length = _check_unit(rotations)
    return rotations / length[..., None]


def unpack_contacts(block: bytes, count: int) -> np.ndarray:
    """`contacts` block -> (count,) uint8 with the four contact bits; reserved bits are cleared."""
    return _read(block, "|u1", (count,)) & np.uint8(0b1111)


def unpack_poses(count: int, encoding: str, root: bytes, rotations: bytes, contacts: bytes) -> Poses:
    """The three blocks of a message -> Poses, which may be read-only. PoseError on a bad block."""
    return Poses(
        unpack_root(root, count), unpack_rotations(rotations, count, encoding), unpack_contacts(contacts, count)
    )


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, dtype="<f4")


def _read(block: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if len(block) != wanted:
        raise PoseError(f"block has {len(block)} bytes, {shape[0]} frames need {wanted}")
    return np.frombuffer(block, dtype=dtype).reshape(shape)


def _check_root(root: np.ndarray) -> None:
    if not (np.abs(root) <= MAX_ROOT_METRES).all():
        raise PoseError(f"root positions must be finite and within {MAX_ROOT_METRES:g} m of the origin")


def _check_unit(rotations: np.ndarray) -> np.ndarray:
    """Lengths (..., 22) of the quaternions, after making sure that they are close to 1; a NaN is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sqrt(np.einsum("...i,...i->...", rotations, rotations))
        good = np.abs(length - np.float32(1.0)) <= UNIT_TOLERANCE
    if not good.all():
        bad = length[~good].flat[0]
        raise PoseError(f"quaternions must have length 1 within {UNIT_TOLERANCE:g}, one has {bad:.4g}")
    return length
