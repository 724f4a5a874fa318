"""Motion as a NumPy archive: ``positions`` float32 (T, 22, 3) metres, ``rotations`` float32 (T, 22, 4) xyzw local, ``root``
float32 (T, 3), ``contacts`` uint8 (T, 4), ``fps``, ``text``; right-handed, +Y up, facing +Z."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protocol.skeleton import Skeleton
from server.files import write_atomically
from server.motion import kinematics
from server.motion.rotation import Array

_UNIT_TOLERANCE = 1e-3


class NpzError(ValueError):
    """An archive that does not hold such a motion; the message names the file and the array."""


class NpzMotion(NamedTuple):
    """The arrays as stored."""

    positions: Array
    rotations: Array
    root: Array
    contacts: np.ndarray
    fps: float
    text: str


def to_npz_motion(
    root: Array, rotations: Array, contacts: np.ndarray, skeleton: Skeleton, fps: float, text: str
) -> NpzMotion:
    """Arrays in the stored types, with positions by forward kinematics."""
    rotations32, root32 = rotations.astype(np.float32), root.astype(np.float32)
    positions = kinematics.positions(rotations32.astype(float), root32.astype(float), skeleton).astype(np.float32)
    return NpzMotion(positions, rotations32, root32, contacts.astype(np.uint8), float(fps), text)


def write_npz(path: Path, motion: NpzMotion) -> None:
    """Write the archive, uncompressed so that any reader opens it fast; a file that is there stays whole until the end."""

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **motion._asdict())

    write_atomically(path, save)


def read_npz(path: Path, skeleton: Skeleton) -> NpzMotion:
    """Read and check an archive; NpzError names what is wrong."""
    try:
        with path.open("rb") as handle:
            if not zipfile.is_zipfile(handle):
                raise NpzError(f"{path} is not an .npz archive, as 'motionbridge generate -o FILE.npz' writes it")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in NpzMotion._fields if name in archive.files}
    except NpzError:
        raise
    except OSError as error:
        raise NpzError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise NpzError(f"{path} is damaged: {error}") from error
    missing = [name for name in NpzMotion._fields if name not in arrays]
    if missing:
        raise NpzError(f"{path}: arrays {', '.join(missing)} are missing")
    frames, joints = len(np.atleast_1d(arrays["root"])), len(skeleton)
    shapes = {
        "root": (frames, 3),
        "positions": (frames, joints, 3),
        "rotations": (frames, joints, 4),
        "contacts": (frames, 4),
        "fps": (),
    }
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind not in "fiub":
            raise NpzError(f"{path}: {name} is {array.dtype} {array.shape}, expected numbers of shape {shape}")
        if not np.isfinite(array).all():
            raise NpzError(f"{path}: {name} holds values that are not finite")
    if frames < 1 or arrays["fps"] <= 0:
        raise NpzError(f"{path}: {frames} frames at {arrays['fps']:g} frames per second; both must be above 0")
    if np.abs(np.linalg.norm(arrays["rotations"], axis=-1) - 1.0).max() > _UNIT_TOLERANCE:
        raise NpzError(f"{path}: rotations are not unit quaternions (xyzw)")
    positions, rotations, root, contacts = (arrays[name] for name in ("positions", "rotations", "root", "contacts"))
    return NpzMotion(positions, rotations, root, contacts, float(arrays["fps"]), str(arrays["text"]))
