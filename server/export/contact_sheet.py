"""Motions as a picture: for each a row of poses along time, seen from the front right, and where the root went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from protocol.skeleton import Skeleton, default_skeleton
from server.export.canvas import FAINT, PAPER, Camera, Canvas, Colour
from server.export.mannequin import PART_COLOURS, mannequin
from server.export.skinning import skin
from server.export.take import Take
from server.files import write_atomically
from server.motion.rotation import Array

POSES: Final = 11

_PATH: Colour = (184, 184, 176)
_SHADE: Colour = (228, 228, 224)
_BONES: Colour = (74, 78, 87)
_FRONT = np.radians(-52.0)  # azimuth of the viewer from +Z, the facing a motion starts with
_TILT = np.radians(14.0)
_GAP, _MARGIN = 0.95, 0.95  # m between the poses of a row, and beside them
_UP, _DOWN = 2.25, 0.75  # m of a row above and below the floor
_SCALE = 105.0  # pixels a metre
_BONE_WIDTH = 0.055  # m
_DEPTH = 0.35  # m, the most that a path goes up or down the picture

Draw = Callable[[Canvas, Camera, int], None]


def contact_sheet(
    motions: Sequence[Array | Take], titles: Sequence[str], path: Path, fps: float = 20.0, poses: int = POSES
) -> None:
    """Write a PNG of motions that start near +Z, one row with its title for each.

    A motion is joint positions (T, 22, 3), metres, right-handed, +Y up, drawn as bones, or a ``Take``, drawn as the
    mannequin. Every row is equally wide: travel across the picture is stretched (standing) or shortened (running) to
    fill it, evenly in time, and the line on the ground is the root's path drawn the same way. A walk backwards goes to
    the left. ValueError when there is no motion or the titles do not match.
    """
    if not motions or len(motions) != len(titles):
        raise ValueError(f"{len(motions)} motions and {len(titles)} titles: need one title for each of at least one")
    rows = [_row(motion, title, fps, poses) for motion, title in zip(motions, titles, strict=True)]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), PAPER)
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * row.height))
    write_atomically(path, lambda temporary: sheet.save(temporary, "PNG"))


def _row(motion: Array | Take, title: str, fps: float, poses: int) -> Image.Image:
    width = (poses - 1) * _GAP
    canvas = Canvas((round((width + 2 * _MARGIN) * _SCALE), round((_UP + _DOWN) * _SCALE)))
    if isinstance(motion, Take):
        root, fps, draw = motion.root, motion.fps, _mannequin(motion)
    else:
        root, draw = motion[:, 0], _bones(np.asarray(motion, dtype=float))
    floor = np.array([1.0, 0.0, 1.0])
    travel = (root - root[0]) * floor
    seen = Camera(np.zeros(3), _FRONT, _TILT, _SCALE).turn(travel)  # (T, 3): right, up, towards the viewer
    across = _spread(seen[:, 0], width)
    across += width / 2 - (across.min() + across.max()) / 2
    # Travel toward or away from the viewer stays within the row.
    up = seen[:, 1] * min(1.0, _DEPTH / max(float(np.abs(seen[:, 1]).max()), 1e-6))
    at = np.stack([(_MARGIN + across) * _SCALE, (_UP - up) * _SCALE], axis=-1)  # (T, 2) pixels

    def camera(frame: int) -> Camera:
        share = (at[frame, 0] / canvas.size[0], at[frame, 1] / canvas.size[1])
        return Camera(root[frame] * floor, _FRONT, _TILT, _SCALE, None, share)

    chosen = np.linspace(0, len(root) - 1, poses).round().astype(int)
    for frame in chosen:
        canvas.disc(camera(frame), root[frame] * floor, 0.26, _SHADE, flat=True)
    canvas.stroke(at, _PATH, 1.6)
    for frame in chosen:
        draw(canvas, camera(frame), frame)
        canvas.text((at[frame, 0], (_UP + 0.62) * _SCALE), f"{frame / fps:.1f} s", 11, FAINT, "mm")
    canvas.text((14, 10), title, 18)
    return canvas.finished()


def _mannequin(take: Take) -> Draw:
    body, colours = mannequin(), mannequin().colours()

    def draw(canvas: Canvas, camera: Camera, frame: int) -> None:
        vertices, normals = skin(body, take.rotations[frame], take.root[frame])
        canvas.mesh(camera, vertices, normals, body.faces, colours)

    return draw


def _bones(motion: Array) -> Draw:
    skeleton = default_skeleton()
    head, neck = skeleton.index("head"), skeleton.index("neck")

    def draw(canvas: Canvas, camera: Camera, frame: int) -> None:
        pose = motion[frame]
        near = camera.turn(pose)[:, 2]
        bones = [(joint, parent) for joint, parent in enumerate(skeleton.parents) if parent >= 0]
        for joint, parent in sorted(bones, key=lambda bone: near[list(bone)].sum()):
            canvas.lines(camera, pose[[parent, joint]], _colour(skeleton, joint), _BONE_WIDTH * _SCALE)
        canvas.disc(camera, pose[head] + (pose[head] - pose[neck]) * 0.35, 0.095, _BONES)

    return draw


def _spread(travel: Array, width: float) -> Array:
    """Where along the row (T,) each frame goes: its travel to the right plus an even drift that fills ``width``."""
    net = travel[-1]
    direction = -1.0 if net < -width / 10 else 1.0
    shrink = min(1.0, width / max(abs(net), 1e-6))
    drift = direction * width - shrink * net
    return shrink * travel + drift * np.linspace(0.0, 1.0, len(travel))


def _colour(skeleton: Skeleton, joint: int) -> Colour:
    side = skeleton.names[joint].split("_")[0]
    return PART_COLOURS[side] if side in ("left", "right") else _BONES


def write_sheet(path: Path, take: Take) -> None:
    """Write one take as a row of the mannequin's poses."""
    contact_sheet([take], [take.text], path)
