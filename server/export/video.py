"""Films of the mannequin doing what a sentence says, the camera going along: MP4 and GIF."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from protocol.skeleton import default_skeleton
from server.export.canvas import FAINT, Camera, Canvas, Colour
from server.export.mannequin import FOOT_COLOURS, mannequin
from server.export.skinning import skin
from server.export.take import Take
from server.files import write_atomically
from server.motion import kinematics
from server.motion.rotation import Array

MP4_SIZE: Final = (960, 720)
GIF_SIZE: Final = (480, 360)
GIF_MAX_FPS: Final = 25.0
"""Viewers slow a GIF down that wants more."""

_GIF_COLOURS = 128
_AZIMUTH, _ELEVATION = np.radians(35.0), np.radians(12.0)
_DISTANCE = 5.0  # m
_LOOK_AT = 0.92  # m above the ground
_FIGURE = 0.36  # of the picture's height a metre
_FOLLOW_S = 0.6
_GRID_STEP, _GRID_REACH = 0.5, 5.0  # m
_GRID: Colour = (228, 228, 223)
_TRAIL: Colour = (184, 184, 176)


def frames(take: Take, size: tuple[int, int], chosen: np.ndarray) -> Iterator[Image.Image]:
    """A picture of ``size`` (width, height) for each of the ``chosen`` frames: mannequin, trail, foot contacts, the sentence."""
    body, colours = mannequin(), mannequin().colours()
    joints = kinematics.positions(take.rotations, take.root, default_skeleton())
    path = gaussian_filter1d(take.root, _FOLLOW_S * take.fps, axis=0, mode="nearest")
    trail = take.root * np.array([1.0, 0.0, 1.0])
    for frame in chosen:
        target = np.array([path[frame, 0], _LOOK_AT, path[frame, 2]])
        camera = Camera(target, _AZIMUTH, _ELEVATION, _FIGURE * size[1], _DISTANCE, (0.5, 0.54))
        canvas = Canvas(size)
        _floor(canvas, camera, target)
        canvas.lines(camera, trail[: frame + 1], _TRAIL, size[1] / 240)
        vertices, normals = skin(body, take.rotations[frame], take.root[frame])
        canvas.shadow(camera, vertices, body.faces)
        _contacts(canvas, camera, joints[frame], take.contacts[frame])
        canvas.mesh(camera, vertices, normals, body.faces, colours)
        margin = size[1] / 30
        canvas.text((margin, margin), take.caption(frame), size[1] / 24)
        canvas.text((size[0] - margin, size[1] - margin), f"{frame / take.fps:.1f} s", size[1] / 36, FAINT, "rd")
        yield canvas.finished()


def write_mp4(path: Path, take: Take) -> None:
    """Write an H.264 film at the take's rate; needs imageio-ffmpeg."""
    import imageio_ffmpeg

    def save(temporary: Path) -> None:
        tags = ["-metadata", f"title={take.text}", "-movflags", "+faststart", "-f", "mp4"]
        film = imageio_ffmpeg.write_frames(
            str(temporary), MP4_SIZE, fps=take.fps, codec="libx264", quality=7, macro_block_size=2, output_params=tags
        )
        film.send(None)
        try:
            for picture in _shown(take, MP4_SIZE, np.arange(len(take)), path):
                film.send(np.asarray(picture).tobytes())
        finally:
            film.close()

    write_atomically(path, save)


def write_gif(path: Path, take: Take) -> None:
    """Write an endless GIF of at most ``GIF_MAX_FPS`` pictures a second."""
    step = int(np.ceil(take.fps / GIF_MAX_FPS))
    chosen = np.arange(0, len(take), step)
    # GIF counts in hundredths of a second: the rounding must not add up.
    ticks = np.rint(np.append(chosen, len(take)) / take.fps * 100.0).astype(int)
    waits = [10 * (after - before) for before, after in pairwise(ticks.tolist())]

    def save(temporary: Path) -> None:
        pictures = (
            picture.quantize(_GIF_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            for picture in _shown(take, GIF_SIZE, chosen, path)
        )
        first = next(pictures)
        first.save(
            temporary, "GIF", save_all=True, append_images=pictures, duration=waits, loop=0, comment=take.text.encode()
        )

    write_atomically(path, save)


def _shown(take: Take, size: tuple[int, int], chosen: np.ndarray, path: Path) -> Iterator[Image.Image]:
    """The frames with a progress bar where someone watches."""
    pictures = frames(take, size, chosen)
    yield from tqdm(pictures, desc=path.name, total=len(chosen), unit="frame", disable=None)


def _floor(canvas: Canvas, camera: Camera, target: Array) -> None:
    """Grid lines of the world near the target."""
    reach = np.arange(-_GRID_REACH, _GRID_REACH + _GRID_STEP, _GRID_STEP)
    start = np.round(target * np.array([1.0, 0.0, 1.0]) / _GRID_STEP) * _GRID_STEP
    for offset in reach:
        for across, along in (((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))):
            ends = np.outer([-_GRID_REACH, _GRID_REACH], along) + np.array(across) * offset + start
            canvas.lines(camera, ends, _GRID, 1.0)


def _contacts(canvas: Canvas, camera: Camera, joints: Array, contacts: np.ndarray) -> None:
    """A disc on the ground under each heel and toe that stands."""
    for joint, colour, stands in zip(default_skeleton().feet, FOOT_COLOURS, contacts, strict=True):
        if stands:
            canvas.disc(camera, joints[joint] * np.array([1.0, 0.0, 1.0]), 0.06, colour, flat=True)
