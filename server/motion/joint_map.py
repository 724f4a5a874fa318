"""Which joints of a foreign skeleton stand for the 22 of ours.

A joint map is a JSON file: ``metres_per_unit`` and, for each of our joints, a joint name of the source or a weighted mix
``{"Hips": 0.35, "Spine": 0.65}`` (weights sum to 1). ``NAME.end`` is the End Site of NAME. Presets lie in
``joint_maps/``; a map of one's own is passed by path.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from protocol.skeleton import default_skeleton
from server.motion.bvh import BvhClip
from server.motion.rotation import Array

PRESET_FOLDER = Path(__file__).with_name("joint_maps")


class JointMapError(ValueError):
    """A joint map that is malformed, or that does not fit the skeleton it is used on."""


class _JointMapFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    description: str = ""
    metres_per_unit: float
    joints: dict[str, str | dict[str, float]]


@dataclass(frozen=True)
class JointMap:
    """Mix of source joints, ``weights[ours][source name]``, in the order of the default skeleton."""

    name: str
    metres_per_unit: float
    weights: tuple[dict[str, float], ...]

    @property
    def sources(self) -> set[str]:
        return {source for mix in self.weights for source in mix}

    def fits(self, names: tuple[str, ...]) -> bool:
        return self.sources <= set(names)

    def apply(self, clip: BvhClip, start: int = 0, stop: int | None = None) -> Array:
        """Positions (T, 22, 3) in metres of frames start..stop; JointMapError naming the joints that are missing."""
        missing = sorted(self.sources - set(clip.names))
        if missing:
            raise JointMapError(f"joint map {self.name!r} needs joints the file does not have: {', '.join(missing)}")
        matrix = np.zeros((len(self.weights), len(clip.names)))
        for row, mix in enumerate(self.weights):
            for source, weight in mix.items():
                matrix[row, clip.names.index(source)] = weight
        positions, _ = clip.forward(start, stop)
        return np.einsum("js,tsd->tjd", matrix, positions) * self.metres_per_unit


def load_joint_map(path: Path) -> JointMap:
    """Read and check a joint map; JointMapError names the file and the entry."""
    try:
        table = _JointMapFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise JointMapError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise JointMapError(f"{path}: {problems}") from error
    except ValueError as error:
        raise JointMapError(f"{path} is not JSON: {error}") from error
    names = default_skeleton().names
    if set(table.joints) != set(names):
        raise JointMapError(
            f"{path}: missing {sorted(set(names) - set(table.joints))}, unknown {sorted(set(table.joints) - set(names))}"
        )
    if not table.metres_per_unit > 0:
        raise JointMapError(f"{path}: metres_per_unit is {table.metres_per_unit}; it must be positive")
    weights = tuple({entry: 1.0} if isinstance(entry := table.joints[name], str) else entry for name in names)
    for name, mix in zip(names, weights, strict=True):
        if abs(sum(mix.values()) - 1.0) > 1e-6:
            raise JointMapError(f"{path}: the weights of {name} sum to {sum(mix.values()):g}, not 1")
    return JointMap(path.stem, table.metres_per_unit, weights)


@cache
def presets() -> tuple[JointMap, ...]:
    """The joint maps that come with the project."""
    return tuple(load_joint_map(path) for path in sorted(PRESET_FOLDER.glob("*.json")))


def detect(clip: BvhClip) -> JointMap:
    """The preset whose joints the file has; JointMapError if there is none."""
    for joint_map in presets():
        if joint_map.fits(clip.names):
            return joint_map
    raise JointMapError(
        f"no preset joint map ({', '.join(m.name for m in presets())}) fits joints {', '.join(clip.names[:8])}, ...; "
        "write one as server/motion/README.md shows and pass it with --joint-map"
    )
