"""Blender as a second opinion on the files that are written: a separate Python with ``bpy``, which is GPL, never a dependency.

``MOTIONBRIDGE_BLENDER`` names that Python; without it, the one that runs the tests is used if it has bpy.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BLENDER = os.environ.get("MOTIONBRIDGE_BLENDER") or (sys.executable if importlib.util.find_spec("bpy") else None)
BOUND_S = 600


def heads_in_blender(files: Sequence[tuple[Path, int, float]]) -> list[dict[str, np.ndarray]]:
    """For each file (path, frames, fps) the positions (T, 3) of its bones' heads by name, metres, in the file's axes."""
    with tempfile.TemporaryDirectory() as folder:
        listed, target = Path(folder) / "files.json", Path(folder) / "heads.npz"
        table = [{"path": str(path), "frames": frames, "fps": fps} for path, frames, fps in files]
        listed.write_text(json.dumps(table), encoding="utf-8")
        script = Path(__file__).with_name("in_blender.py")
        command = [str(BLENDER), str(script), str(listed), str(target)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S)
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]
        with np.load(target) as arrays:
            return [
                dict(zip(arrays[f"names{n}"].tolist(), arrays[f"heads{n}"].swapaxes(0, 1), strict=True))
                for n in range(len(files))
            ]
