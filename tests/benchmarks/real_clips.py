"""The clips of a prepared data folder with the actions and the style that their recordings are known to show.

The labels are of the public motion that the embedded checkpoint is trained on (Bandai Namco, CMU, Mesh2Motion); clips of
other data have none. Mirrored copies are left out: every measure treats left and right alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.evaluation.actions import RULES
from server.motion.features import LAYOUTS, recover_positions
from server.motion.rotation import Array


@dataclass(frozen=True)
class Label:
    """Clips whose id ``pattern`` finds: the rules they must pass (``own``), and those they may pass as well (``also``)."""

    pattern: str
    own: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


# The first that matches counts. Clips that match none may show anything.
LABELS = (
    Label(r"^m2m_idle-listening|_dance-short_normal_001_w0", ("stand",)),
    Label(r"_walk-back_", ("walk backwards",)),
    Label(r"_walk-turn-left_", ("turn left",), ("walk",)),
    Label(r"_walk-turn-right_", ("turn right",), ("walk",)),
    Label(r"_walk-(left|right)_", (), ("walk",)),
    Label(r"dataset-._walk_|^cmu_07_", ("walk",)),
    Label(r"_(run|dash)_", ("run",)),
    Label(r"_(wave-both-hands|byebye)_", ("wave both", "wave")),
    Label(r"_wave-left-hand_", ("wave left", "wave")),
    Label(r"_(wave-right-hand|bye)_", ("wave right", "wave")),
    Label(r"_raise-up-both-hands_", ("raise both", "raise")),
    Label(r"_(raise-up-left-hand|respond)_", ("raise left", "raise")),
    Label(r"_raise-up-right-hand_", ("raise right", "raise")),
    Label(r"_guide_", (), ("raise right", "raise")),
    Label(r"_bow_", ("bow",)),
    Label(r"_kick_|^cmu_135_0[47]_", ("kick",), ("punch",)),
    Label(r"_punch_|-jab_|^cmu_135_0[69]_", ("punch",)),
    Label(r"^cmu_(60|61|94)_|dance-", ("dance",)),
    Label(r"_call_|_slash_|jumping-jacks|throw-ball|head-nod"),
)
_STYLE = re.compile(r"dataset-._(walk|walk-turn-left|walk-turn-right)_([a-z]+)_")
_STYLE_NAMES = {
    "normal": "normal",
    "tired": "tired",
    "exhausted": "tired",
    "old": "old",
    "elderly": "old",
    "happy": "happy",
    "active": "energetic",
}


@dataclass(frozen=True)
class RealClip:
    """A clip: ``positions`` (T, 22, 3) metres, +Y up; ``content`` what was recorded, ``take`` which recording it is cut from.

    ``own`` and ``also`` as in :class:`Label`; ``style`` of a walk as in ``server.evaluation.styles``, or "";
    ``turning`` tells walks around a corner from straight ones.
    """

    clip_id: str
    take: str
    content: str
    positions: Array
    own: frozenset[str]
    also: frozenset[str]
    style: str
    turning: bool


def read_real_clips(folder: Path) -> tuple[float, Iterator[RealClip]]:
    """Frames a second and the clips of a folder that ``motionbridge prepare`` wrote; FileNotFoundError when it is none."""
    meta = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    layout = LAYOUTS[meta["layout"]]
    rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
    features = np.load(folder / "features.npy", mmap_mode="r")

    def clips() -> Iterator[RealClip]:
        for row in rows:
            if not row["clip_id"].endswith("_mirrored"):
                part = np.array(features[row["start"] : row["start"] + row["frames"]])
                yield _clip(row["clip_id"], recover_positions(part, layout))

    return float(meta["fps"]), clips()


def _clip(clip_id: str, positions: Array) -> RealClip:
    label = next((label for label in LABELS if re.search(label.pattern, clip_id)), None)
    own, also = (label.own, label.also) if label else ((), tuple(RULES))
    walk = _STYLE.search(clip_id)
    parts = clip_id.split("_")
    return RealClip(
        clip_id=clip_id,
        take=re.sub(r"_w\d+$", "", clip_id),
        content=parts[2] if len(parts) > 4 else " ".join(parts[:2]),
        positions=positions,
        own=frozenset(own),
        also=frozenset(also),
        style=_STYLE_NAMES.get(walk[2], "") if walk else "",
        turning=bool(walk and walk[1] != "walk"),
    )
