"""Tables that turn the wire's frame of reference into a game engine's.

The wire is right-handed, +Y up, characters face +Z, +X is the character's left, metres. A mirrored target turns a
rotation by conjugating it with the axis change, which for signed permutations is a signed permutation of x, y, z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True)
class Axes:
    """Target component i is ``sign[i]`` · source component ``order[i]``; positions also take ``scale``."""

    position_order: tuple[int, int, int]
    position_sign: tuple[int, int, int]
    rotation_order: tuple[int, int, int]
    rotation_sign: tuple[int, int, int]
    scale: float

    def position(self, position: np.ndarray) -> np.ndarray:
        """(..., 3) metres on the wire -> (..., 3) in the target's axes and unit."""
        return self.scale * position[..., self.position_order] * np.array(self.position_sign)

    def rotation(self, rotation: np.ndarray) -> np.ndarray:
        """(..., 4) xyzw on the wire -> (..., 4) xyzw in the target's axes."""
        vector = rotation[..., self.rotation_order] * np.array(self.rotation_sign)
        return np.concatenate([vector, rotation[..., 3:]], axis=-1)


TARGETS: Final[dict[str, Axes]] = {
    "unity": Axes((0, 1, 2), (-1, 1, 1), (0, 1, 2), (1, -1, -1), 1.0),
    "unreal_actor": Axes((2, 0, 1), (1, -1, 1), (2, 0, 1), (-1, 1, -1), 100.0),
    "unreal_mesh": Axes((0, 2, 1), (1, 1, 1), (0, 2, 1), (-1, -1, -1), 100.0),
}
"""SPEC.md, "Frame of reference"."""
