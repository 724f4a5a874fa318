"""What was shown, as the bytes of a motion file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from protocol.poses import Poses, contact_flags
from protocol.skeleton import default_skeleton
from server.export.mannequin_glb import write_mannequin
from server.export.npz import to_npz_motion, write_npz
from server.motion.bvh import write_bvh
from server.motion.rotation import unroll

_NAME_CHARACTERS: Final = 48


def motion_file(kind: str, poses: Poses, fps: float, text: str) -> bytes:
    """Frames as "BVH", "GLB" or "NPZ"; ``text`` is kept where the format has a place for it."""
    with tempfile.TemporaryDirectory(prefix="motionbridge") as folder:
        path = Path(folder) / f"motion.{kind.lower()}"
        WRITERS[kind](path, poses, fps, text)
        return path.read_bytes()


def file_name(kind: str, text: str) -> str:
    """A name that every file system takes, made of the words of a sentence."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_NAME_CHARACTERS].rstrip("_")
    return f"{words or 'motion'}.{kind.lower()}"


def _write_bvh(path: Path, poses: Poses, fps: float, text: str) -> None:
    write_bvh(path, _rotations(poses), poses.root.astype(float), default_skeleton(), fps)


def _write_glb(path: Path, poses: Poses, fps: float, text: str) -> None:
    write_mannequin(path, _rotations(poses), poses.root.astype(float), fps, text)


def _write_npz(path: Path, poses: Poses, fps: float, text: str) -> None:
    contacts = contact_flags(poses.contacts)
    write_npz(path, to_npz_motion(poses.root, _rotations(poses), contacts, default_skeleton(), fps, text))


def _rotations(poses: Poses) -> np.ndarray:
    """float64, each joint in one hemisphere: frames on both sides of a lost stretch may not be."""
    return unroll(poses.rotations.astype(float))


WRITERS: Final[dict[str, Callable[[Path, Poses, float, str], None]]] = {
    "BVH": _write_bvh,
    "GLB": _write_glb,
    "NPZ": _write_npz,
}
