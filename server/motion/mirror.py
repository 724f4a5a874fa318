"""Left/right mirroring of motion and of the sentences that describe it."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from protocol.skeleton import Skeleton
from server.motion.rotation import Array

MIRRORED: Final = "_mirrored"
"""Ends the ids of mirrored clips."""

# "right" as an adverb of time or emphasis is no direction.
_SIDE = re.compile(
    r"\b(counter-?\s?clockwise|anti-?\s?clockwise|clockwise|lefts?|rights?|leftwards?|rightwards?|leftmost|rightmost)\b"
    r"(?!\s+(?:away|now|after|before)\b)",
    re.IGNORECASE,
)
# "No strength left" is what remains.
_REMAINING = re.compile(
    r"\b(?:energy|strength|power|breath|life|force|time|nothing|none|anything|much|little)\s+$", re.IGNORECASE
)


def mirror_positions(positions: Array, skeleton: Skeleton) -> Array:
    """Joint positions (…, J, 3) reflected at x = 0, left and right joints swapped by name."""
    swap = {"left_": "right_", "right_": "left_"}
    order = []
    for name in skeleton.names:
        side = next((prefix for prefix in swap if name.startswith(prefix)), "")
        order.append(skeleton.index(swap[side] + name[len(side) :] if side else name))
    return positions[..., order, :] * np.array([-1.0, 1.0, 1.0])


def mirror_caption(text: str) -> str:
    """The sentence with left and right, clockwise and counter-clockwise swapped; letter case kept."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        lower = word.lower()
        if lower == "left" and _REMAINING.search(match.string, 0, match.start()):
            return word
        if lower.startswith(("counter", "anti")):
            other = "clockwise"
        elif lower == "clockwise":
            other = "counterclockwise"
        elif lower.startswith("left"):
            other = "right" + lower[4:]
        else:
            other = "left" + lower[5:]
        return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other

    return _SIDE.sub(swap, text)
