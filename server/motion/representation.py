"""A model's features as motion of our 22 joints, and back, whatever skeleton the model was trained on.

HumanML3D has our joints. KIT-ML has the 21 of the Master Motor Map (Terlemez et al., Humanoids 2014), in millimetres:
root, BP, BT, BLN, BUN (pelvis, spine, chest, neck, head), three an arm, five a leg. What it lacks, spine joints and collars,
is placed between its own; both ways are one matrix, since every joint is a fixed mix of others.

**Left and right of KIT-ML.** By the MMM's names, and by the captions, joints 5-7 and 11-15 are the left arm and leg; the
published features however turn the body so that joint 11 is on the right of what they call facing (+Z). Either the positions
are a mirror image, then the toes point to +Z, or the body is seen from behind, then they point to -Z. The mean pose that
comes with the model tells which; the motion is mirrored back or turned by half a turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np

from protocol.skeleton import Skeleton, default_skeleton
from server.motion.features import (
    HUMANML3D,
    KIT,
    FeatureLayout,
    extract,
    headings,
    recover_root,
    recover_smooth_positions,
)
from server.motion.rotation import Array

Key = TypeVar("Key")

_SIDES = {"left": (5, 11), "right": (8, 16)}  # shoulder and hip, by the MMM's names
_MIDFOOT, _TOE, _ANKLE = 14, 15, 13


class Representation(Protocol):
    """Features (T, C) <-> positions (T, 22, 3) of our joints, +Y up, the floor at y = 0.

    The unit of length of ``positions`` is the representation's own; retargeting by leg length makes it metres.
    """

    layout: FeatureLayout

    def positions(self, features: Array) -> Array:
        """Joint positions (T, 22, 3); the clip starts at x = z = 0."""
        ...

    def headings(self, features: Array) -> Array:
        """Angles (T,), radians about +Y from +Z, of the body in :meth:`positions`; unwrapped."""
        ...

    def contacts(self, features: Array) -> np.ndarray | None:
        """Contacts (T, 4) bool in the order of ``Skeleton.feet``; None: the features do not say."""
        ...

    def features(self, positions: Array) -> tuple[Array, Array]:
        """Features (T-1, C) and headings (T-1,) of positions (T, 22, 3) in metres, wherever they are, T >= 2."""
        ...


class HumanML3DRepresentation:
    """The representation that has our own joints, in metres."""

    layout = HUMANML3D

    def positions(self, features: Array) -> Array:
        """See :class:`Representation`."""
        return recover_smooth_positions(features, self.layout)

    def headings(self, features: Array) -> Array:
        """See :class:`Representation`."""
        return headings(recover_root(features, self.layout)[0])

    def contacts(self, features: Array) -> np.ndarray | None:
        """The model's own."""
        return features[:, self.layout.contacts] > 0.5

    def features(self, positions: Array) -> tuple[Array, Array]:
        """See :class:`Representation`."""
        return _extracted(positions, self.layout)


class KitRepresentation:
    """KIT-ML's 21 joints in millimetres; ``mean`` (251,) are the mean features that the model is normalised with."""

    layout = KIT

    def __init__(self, mean: Array, skeleton: Skeleton | None = None) -> None:
        skeleton = skeleton or default_skeleton()
        pose = np.concatenate([[[0.0, mean[3], 0.0]], mean[KIT.local_positions].reshape(-1, 3)])  # (21, 3)
        self._body = _KitBody.of(pose, skeleton)

    def positions(self, features: Array) -> Array:
        """In millimetres; see :class:`Representation`."""
        return self._body.to_22 @ (recover_smooth_positions(features, self.layout) * self._body.flip)

    def headings(self, features: Array) -> Array:
        """See :class:`Representation`."""
        return self._body.heading(headings(recover_root(features, self.layout)[0]))

    def contacts(self, features: Array) -> np.ndarray | None:
        """None: the published flags mean less than 2.8 mm/s, which a foot in stance seldom is."""
        return None

    def features(self, positions: Array) -> tuple[Array, Array]:
        """Of a body as high as the model's mean; see :class:`Representation`."""
        features, heading = _extracted(self._body.to_21 @ positions * self._body.scale * self._body.flip, self.layout)
        return features, self._body.heading(heading)


def representation(name: str, mean: Array) -> Representation:
    """The representation ``name`` ("humanml3d" or "kit") of a model whose mean features are ``mean`` (C,)."""
    return KitRepresentation(mean) if name == KIT.name else HumanML3DRepresentation()


@dataclass(frozen=True, eq=False)
class _KitBody:
    """``to_22`` (22, 21) and ``to_21`` (21, 22) mix joints; ``flip`` (3,) turns published axes into ours and back.

    ``scale``: millimetres of the model's body per metre of ours.
    """

    to_22: Array
    to_21: Array
    flip: Array
    scale: float

    @classmethod
    def of(cls, pose: Array, skeleton: Skeleton) -> _KitBody:
        """From the model's mean pose (21, 3), millimetres, facing +Z as the features have it."""
        forward = pose[[_TOE, _TOE + 5], 2].sum() - pose[[_ANKLE, _ANKLE + 5], 2].sum()
        flip = np.array([-1.0, 1.0, 1.0] if forward >= 0 else [-1.0, 1.0, -1.0])
        ours, theirs = _spine_places(skeleton), _kit_places(pose)
        up = _mixes_22(ours, theirs, skeleton)
        down = _mixes_21(ours, theirs, pose)
        to_22 = np.zeros((len(skeleton), KIT.joints))
        to_21 = np.zeros((KIT.joints, len(skeleton)))
        for joint, mix in up.items():
            for source, weight in mix.items():
                to_22[skeleton.index(joint), source] += weight
        for index, sources in down.items():
            for name, weight in sources.items():
                to_21[index, skeleton.index(name)] += weight
        height = float(pose[0, 1]) / float(skeleton.rest_positions()[0, 1])
        return cls(to_22, to_21, flip, height if height > 0 else 1000.0)

    def heading(self, published: Array) -> Array:
        """Our heading angles of the published ones, and the other way round."""
        # Seen from behind and turned by half a turn: two half turns.
        return -published if self.flip[2] > 0 else published


def _spine_places(skeleton: Skeleton) -> dict[str, float]:
    """How far up the way from pelvis (0) to neck (1) our spine joints are, in the rest pose."""
    return _along(
        {
            name: skeleton.rest_positions()[skeleton.index(name)]
            for name in ("pelvis", "spine1", "spine2", "spine3", "neck")
        }
    )


def _kit_places(pose: Array) -> dict[int, float]:
    """The same of joints 0 to 3 of the mean pose."""
    return _along({joint: pose[joint] for joint in range(4)})


def _along(points: Mapping[Key, Array]) -> dict[Key, float]:
    steps = [float(np.linalg.norm(after - before)) for before, after in pairwise(points.values())]
    total = max(sum(steps), 1e-9)
    return dict(zip(points, np.concatenate([[0.0], np.cumsum(steps)]) / total, strict=True))


def _between(place: float, places: Mapping[Key, float]) -> dict[Key, float]:
    """The mix of two neighbours among ``places`` (ascending) that lies at ``place``."""
    for (below, low), (above, high) in pairwise(places.items()):
        if place <= high:
            share = (place - low) / max(high - low, 1e-9)
            return {below: 1.0 - share, above: share}
    return {list(places)[-1]: 1.0}


def _mixes_22(
    ours: Mapping[str, float], theirs: Mapping[int, float], skeleton: Skeleton
) -> dict[str, dict[int, float]]:
    """Each of our joints as a mix of theirs."""
    mixes: dict[str, dict[int, float]] = {name: _between(place, theirs) for name, place in ours.items()}
    mixes["head"] = {4: 1.0}
    rest = skeleton.rest_positions()
    chest, neck, collar, shoulder = (
        rest[skeleton.index(name)] for name in ("spine3", "neck", "left_collar", "left_shoulder")
    )
    # The collar of the rest pose in the plane of chest, neck and shoulder.
    out = (collar - chest)[0] / (shoulder - chest)[0]
    up = ((collar - chest)[1] - out * (shoulder - chest)[1]) / (neck - chest)[1]
    for side, (arm, leg) in _SIDES.items():
        mix = {joint: weight * (1.0 - out - up) for joint, weight in mixes["spine3"].items()}
        for joint, weight in ((3, up), (arm, out)):
            mix[joint] = mix.get(joint, 0.0) + weight
        mixes[f"{side}_collar"] = mix
        for step, part in enumerate(("shoulder", "elbow", "wrist")):
            mixes[f"{side}_{part}"] = {arm + step: 1.0}
        for step, part in ((0, "hip"), (1, "knee"), (2, "ankle"), (4, "foot")):
            mixes[f"{side}_{part}"] = {leg + step: 1.0}
    return mixes


def _mixes_21(ours: Mapping[str, float], theirs: Mapping[int, float], pose: Array) -> dict[int, dict[str, float]]:
    """Each of their joints as a mix of ours."""
    mixes: dict[int, dict[str, float]] = {joint: _between(place, ours) for joint, place in theirs.items()}
    mixes[4] = {"head": 1.0}
    lengths = [float(np.linalg.norm(pose[b] - pose[a])) for a, b in ((_ANKLE, _MIDFOOT), (_MIDFOOT, _TOE))]
    midfoot = lengths[0] / max(sum(lengths), 1e-9)
    for side, (arm, leg) in _SIDES.items():
        for step, part in enumerate(("shoulder", "elbow", "wrist")):
            mixes[arm + step] = {f"{side}_{part}": 1.0}
        for step, part in ((0, "hip"), (1, "knee"), (2, "ankle"), (4, "foot")):
            mixes[leg + step] = {f"{side}_{part}": 1.0}
        mixes[leg + 3] = {f"{side}_ankle": 1.0 - midfoot, f"{side}_foot": midfoot}
    return mixes


def _extracted(positions: Array, layout: FeatureLayout) -> tuple[Array, Array]:
    """Features (T-1, C) and headings (T-1,) of positions in the layout's own joints, axes and unit."""
    extracted = extract(positions, layout)
    # extract() turned the clip to +Z by some angle and moved it: measure both from where the hips went.
    left, right = layout.hips
    before, after = (p[0, left] - p[0, right] for p in (positions, extracted.positions))
    turned = np.arctan2(before[0], before[2]) - np.arctan2(after[0], after[2])
    return extracted.features, turned + headings(recover_root(extracted.features, layout)[0])
