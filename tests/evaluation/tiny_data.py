"""A prepared dataset of walks that turn and stand, with captions that say so: small, but enough for every metric."""

from __future__ import annotations

import json
from pathlib import Path

import bodies
import numpy as np

from server.motion.features import HUMANML3D, extract

SPLITS = {"train": 48, "val": 8, "test": 40}
CAPTIONS = {
    "walk": ("a person walks", "a person walks then stands still"),
    "bow": ("a person bows", "a person bows then stands still"),
    "wave-left-hand": ("a person waves the left hand", "a person stands and waves the left hand"),
}
CLIPS = {
    "walk": lambda speed: bodies.walk(speed=speed),
    "bow": lambda speed: bodies.bow(),
    "wave-left-hand": lambda speed: bodies.raise_hands("left", wave=0.4),
}


def write_tiny_data(folder: Path, frames: int = 48) -> Path:
    """Write it into ``folder``; clips of 41 to ``frames`` frames, every second one of each kind in another style."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows, parts, at = [], [], 0
    for split, count in SPLITS.items():
        for number in range(count):
            action = list(CAPTIONS)[number % len(CAPTIONS)]
            whole = extract(CLIPS[action](float(random.uniform(0.8, 1.4))), HUMANML3D).features
            length = min(int(random.integers(41, frames + 1)), len(whole))
            part = whole[:length] + 0.002 * random.normal(size=(length, whole.shape[1]))
            group = f"{action}_{'calm' if number % 2 else 'lively'}"
            row = {"clip_id": f"{split}_{number}", "split": split, "group": group, "start": at, "frames": length}
            rows.append(row | {"captions": list(CAPTIONS[action])})
            parts.append(part.astype(np.float32))
            at += length
    features = np.concatenate(parts)
    np.save(folder / "features.npy", features)
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    meta = {"format": 1, "layout": "humanml3d", "fps": 20.0, "contact_threshold": 0.002, "source": "bvh"}
    meta |= {"mean": features.mean(0).tolist(), "std": (features.std(0) + 0.05).tolist()}
    (folder / "dataset.json").write_text(json.dumps(meta), encoding="utf-8")
    return folder
