"""What was shown, as the bytes of a motion file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from protocol.poses import Poses, contact_flags
from server.export import formats
from server.export.take import Take
from server.motion.rotation import unroll

KINDS: Final = ("BVH", "GLB", "NPZ")
_NAME_CHARACTERS: Final = 48


def take_of(frames: Sequence[tuple[Poses, str]], fps: float) -> Take:
    """Frames as they were shown, one `Poses` of length 1 with its sentence each. ValueError when there is none."""
    if not frames:
        raise ValueError("nothing has been shown yet")
    texts = [text for _, text in frames]
    starts = [0, *(at for at, (before, text) in enumerate(pairwise(texts), start=1) if text != before)]
    # Frames on both sides of a lost stretch may be in different hemispheres.
    rotations = unroll(np.concatenate([poses.rotations for poses, _ in frames]).astype(np.float64))
    root = np.concatenate([poses.root for poses, _ in frames]).astype(np.float64)
    contacts = contact_flags(np.concatenate([poses.contacts for poses, _ in frames]))
    return Take(root, rotations, contacts, fps, tuple((at, texts[at]) for at in starts))


def motion_file(kind: str, take: Take) -> bytes:
    """A take as one of ``KINDS``."""
    with tempfile.TemporaryDirectory(prefix="motionbridge") as folder:
        path = Path(folder) / f"motion.{kind.lower()}"
        formats.write(path, take)
        return path.read_bytes()


def file_name(kind: str, text: str) -> str:
    """A name that every file system takes, made of the words of a sentence."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_NAME_CHARACTERS].rstrip("_")
    return f"{words or 'motion'}.{kind.lower()}"
