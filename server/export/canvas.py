"""Pictures of bodies on the ground: a camera, and a canvas of pixels that meshes, lines and discs are put on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from server.export.raster import rasterize
from server.motion import rotation as rot
from server.motion.rotation import Array

Colour = tuple[int, int, int]

PAPER: Final[Colour] = (250, 250, 248)
INK: Final[Colour] = (34, 34, 34)
FAINT: Final[Colour] = (138, 138, 130)

_SUPERSAMPLING = 2
_LIGHT = rot.normalize(
    np.array([0.35, 0.85, 0.55])
)  # to the light, as the viewer has it: right, up, towards the viewer
_AMBIENT, _DIFFUSE, _SKY = 0.54, 0.46, 0.08
_NEAR = 0.2  # m


@dataclass(frozen=True)
class Camera:
    """Looks at ``target`` (3,) from ``azimuth`` radians about +Y, counted from +Z towards +X, and ``elevation`` above the ground.

    ``scale``: pixels a metre at the target. ``distance`` metres from it; None for parallel lines that stay parallel.
    ``centre``: where the target is in the picture, as shares of its width and height.
    """

    target: Array
    azimuth: float
    elevation: float
    scale: float
    distance: float | None = None
    centre: tuple[float, float] = (0.5, 0.5)

    def turn(self, vectors: Array) -> Array:
        """World vectors (…, 3) as the viewer has them: to the right, up, towards the viewer."""
        down = rot.from_axis_angle(np.asarray(rot.AXES["X"]), np.array(self.elevation))
        return rot.mul_vec(rot.mul(down, rot.about_y(np.array(-self.azimuth))), vectors)

    def project(self, points: Array, size: tuple[int, int]) -> tuple[Array, Array]:
        """World points (…, 3) to pixels (…, 2), right and down, in a picture of ``size``, and to depth (…)."""
        seen = self.turn(points - self.target)
        nearer = seen[..., 2]
        flat = seen[..., :2] * np.array([self.scale, -self.scale])
        if self.distance is not None:
            # The reciprocal of depth, unlike depth itself, is linear across a triangle in the picture.
            nearer = self.distance / np.maximum(self.distance - nearer, _NEAR)
            flat = flat * nearer[..., None]
        return flat + np.array(self.centre) * np.array(size), -nearer


@dataclass
class Canvas:
    """A picture of ``size`` (width, height) pixels, drawn larger inside so that edges come out smooth."""

    size: tuple[int, int]
    image: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", self._inner, PAPER)

    @property
    def _inner(self) -> tuple[int, int]:
        return self.size[0] * _SUPERSAMPLING, self.size[1] * _SUPERSAMPLING

    def mesh(self, camera: Camera, vertices: Array, normals: Array, faces: np.ndarray, colours: np.ndarray) -> None:
        """A smoothly shaded mesh: vertices and normals (V, 3), faces (F, 3), sRGB colours (V, 3)."""
        points, depth = self._project(camera, vertices)
        values = np.concatenate([camera.turn(normals), colours], axis=-1)
        covered, drawn = rasterize(points, depth, faces, values, self._inner)
        normal = rot.normalize(drawn[:, :3])
        light = _AMBIENT + _DIFFUSE * np.maximum(normal @ _LIGHT, 0.0) + _SKY * normal[:, 1]
        self._put(covered, drawn[:, 3:] * light[:, None])

    def shadow(self, camera: Camera, vertices: Array, faces: np.ndarray, strength: float = 0.2) -> None:
        """What vertices (V, 3) keep the light from above off on the floor."""
        flat = vertices * np.array([1.0, 0.0, 1.0])
        points, depth = self._project(camera, flat)
        covered, _ = rasterize(points, depth, faces, np.empty((len(flat), 0)), self._inner, both_sides=True)
        pixels = np.asarray(self.image).reshape(-1, 3)[covered]
        self._put(covered, pixels * (1.0 - strength))

    def lines(self, camera: Camera, points: Array, colour: Colour, width: float) -> None:
        """A line of ``width`` pixels through world points (N, 3), round at its ends and corners."""
        self.stroke(camera.project(points, self.size)[0], colour, width)

    def stroke(self, points: Array, colour: Colour, width: float) -> None:
        """The same through pixels (N, 2)."""
        draw, thick = ImageDraw.Draw(self.image), width * _SUPERSAMPLING
        flat = points * _SUPERSAMPLING
        draw.line([(x, y) for x, y in flat], fill=colour, width=max(1, round(thick)), joint="curve")
        for x, y in flat[[0, -1]]:
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=colour)

    def disc(self, camera: Camera, centre: Array, radius: float, colour: Colour, *, flat: bool = False) -> None:
        """A disc of ``radius`` metres around a world point (3,), facing the viewer or ``flat`` on the ground."""
        angles = np.linspace(0.0, 2.0 * np.pi, 33)[:-1]
        ring = np.stack([np.cos(angles), np.zeros(32), np.sin(angles)], axis=-1) * radius
        if flat:
            points, _ = self._project(camera, centre + ring)
        else:
            middle, _ = self._project(camera, centre)
            points = middle + ring[:, [0, 2]] * camera.scale * _SUPERSAMPLING
        ImageDraw.Draw(self.image).polygon([(x, y) for x, y in points], fill=colour)

    def text(
        self, place: tuple[float, float], text: str, points: float, colour: Colour = INK, anchor: str = "la"
    ) -> None:
        """Text at a place in pixels; ``anchor`` as Pillow has it. What is too wide for the picture goes on below."""
        letters = _font(points * _SUPERSAMPLING)
        room = (self.size[0] - place[0]) * _SUPERSAMPLING if anchor[0] == "l" else np.inf
        x, y = (value * _SUPERSAMPLING for value in place)
        for number, line in enumerate(_wrap(text, letters, float(room) - points * _SUPERSAMPLING)):
            below = number * 1.3 * points * _SUPERSAMPLING
            ImageDraw.Draw(self.image).text((x, y + below), line, fill=colour, font=letters, anchor=anchor)

    def finished(self) -> Image.Image:
        """The picture in its own size."""
        return self.image.reduce(_SUPERSAMPLING)

    def _project(self, camera: Camera, points: Array) -> tuple[Array, Array]:
        flat, depth = camera.project(points, self.size)
        return flat * _SUPERSAMPLING, depth

    def _put(self, covered: np.ndarray, colours: Array) -> None:
        pixels = np.array(self.image).reshape(-1, 3)
        pixels[covered] = np.clip(colours, 0.0, 255.0)
        self.image = Image.fromarray(pixels.reshape(self._inner[1], self._inner[0], 3))


@cache
def _font(points: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(points)


def _wrap(text: str, letters: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and letters.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
