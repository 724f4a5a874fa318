"""The one joint table of the project, read from ``skeleton.json`` and validated once.

Frame of reference: right-handed, +Y up, the character faces +Z and its left side is +X; metres.
The rest pose is a T-pose in which every joint rotation is identity.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

SKELETON_PATH = Path(__file__).with_name("skeleton.json")


class SkeletonError(ValueError):
    """A joint table that is not a tree in parent-first order."""


@dataclass(frozen=True)
class Skeleton:
    """An immutable joint tree in rest pose.

    ``names`` has J entries, parents come before children. ``parents[j]`` is -1 for the root only.
    ``offsets`` (J, 3) are metres from the parent, the root's from the floor. ``feet`` are the joint
    indices of left heel, left toe, right heel, right toe: the order of the contact bits.
    """

    name: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    feet: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise SkeletonError("joint names repeat")
        if len(self.parents) != len(self.names) or self.offsets.shape != (len(self.names), 3):
            raise SkeletonError(f"{len(self.names)} names, {len(self.parents)} parents, offsets {self.offsets.shape}")
        if self.parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(self.parents) if j):
            raise SkeletonError("the first joint must be the root, and parents must come before children")
        if not np.isfinite(self.offsets).all():
            raise SkeletonError("rest offsets must be finite")
        self.offsets.setflags(write=False)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of a joint by name; SkeletonError if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise SkeletonError(f"no joint {name!r}; there are {', '.join(self.names)}") from None

    def rest_positions(self) -> np.ndarray:
        """Joint positions (J, 3) of the T-pose, metres, feet on the floor."""
        positions = np.array(self.offsets)
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                positions[joint] += positions[parent]
        return positions


@cache
def default_skeleton() -> Skeleton:
    """The 22-joint skeleton of the wire."""
    table = json.loads(SKELETON_PATH.read_text(encoding="utf-8"))
    names = tuple(joint["name"] for joint in table["joints"])
    parents = tuple(-1 if joint["parent"] is None else names.index(joint["parent"]) for joint in table["joints"])
    offsets = np.array([joint["offset"] for joint in table["joints"]], dtype=np.float64)
    feet = tuple(names.index(table["feet"][key]) for key in ("left_heel", "left_toe", "right_heel", "right_toe"))
    return Skeleton(table["name"], names, parents, offsets, feet)  # type: ignore[arg-type]
