"""The scene: light, ground, the figures of all characters, and a view that goes with one of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import viser

from protocol.poses import Poses
from protocol.rotation import Array
from protocol.skeleton import default_skeleton
from server.export.mannequin import mannequin
from server.preview.body import Body
from server.preview.character import Character
from server.preview.figure import ROOT, Figure

_FOLLOW_HALF_LIFE_S: Final = 0.25
_PICK_RADIUS_M: Final = 0.35
_PICK_HEIGHT_M: Final = 1.8


class Stage:
    """All 3-D objects of a viser server; every method is called from its event loop."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._scene = server.scene
        self.body = Body(mannequin(), default_skeleton())
        self.follow = True
        self._figures: dict[str, Figure] = {}
        self._centre = np.zeros(2)  # x, z on the stage that the view turns about
        self._scene.set_up_direction("+y")
        self._scene.configure_environment_map("studio", environment_intensity=0.35)
        self._scene.configure_default_lights(cast_shadow=True)
        self._scene.configure_fog(14.0, 34.0, color=(246, 247, 249))
        self._root = self._scene.add_frame(ROOT, show_axes=False)
        self._scene.add_grid(
            f"{ROOT}/ground",
            plane="xz",
            infinite_grid=True,
            cell_size=0.5,
            cell_color=(226, 229, 233),
            section_size=2.0,
            section_color=(196, 201, 208),
            fade_distance=36.0,
            shadow_opacity=0.28,
            plane_color=(246, 247, 249),
            plane_opacity=1.0,
        )
        camera = server.initial_camera
        camera.position, camera.look_at, camera.fov = (1.35, 1.5, 3.5), (0.0, 0.95, 0.0), np.radians(42.0)

    def set_visible(self, what: str, visible: bool) -> None:
        """Shows or hides the "trail", "contacts" or "label" of every character."""
        for figure in self._figures.values():
            figure.set_visible(what, visible)

    def update(self, characters: dict[str, Character], hidden: set[str]) -> None:
        """Makes the figures of new characters and takes away those of characters that left."""
        for name in set(self._figures) - set(characters):
            self._figures.pop(name).remove()
        for name in set(characters) - set(self._figures):
            self._figures[name] = Figure(self._scene, self.body, characters[name], hidden)

    def draw(self, shown: list[tuple[Character, Poses]], selected: str, elapsed: float) -> None:
        """Puts characters into the pose of one frame each, and moves the view on by ``elapsed`` seconds."""
        if shown:
            root = np.concatenate([poses.root for _, poses in shown]).astype(np.float64)
            rotations = np.concatenate([poses.rotations for _, poses in shown]).astype(np.float64)
            vertices, joints = self.body.vertices(root, rotations)
            for at, (character, poses) in enumerate(shown):
                self._figures[character.name].draw(vertices[at], joints[at], int(poses.contacts[0]), character)
        figure = self._figures.get(selected)
        if self.follow and figure is not None:
            self._centre += (figure.place - self._centre) * (1.0 - 0.5 ** (elapsed / _FOLLOW_HALF_LIFE_S))
            self._root.position = (-self._centre[0], 0.0, -self._centre[1])

    def pick(self, origin: Array, direction: Array) -> tuple[str | None, tuple[float, float] | None]:
        """What a ray from the camera meets: a character's name, and the point (x, z) of the stage's ground."""
        origin = origin + np.array([self._centre[0], 0.0, self._centre[1]])
        met = [
            (distance, name)
            for name, figure in self._figures.items()
            if (distance := _meets(figure.place, origin, direction)) is not None
        ]
        ground = None
        if direction[1] < 0.0:
            point = origin - direction * (origin[1] / direction[1])
            ground = (float(point[0]), float(point[2]))
        return (min(met)[1] if met else None), ground


def _meets(place: Array, origin: Array, direction: Array) -> float | None:
    """Distance along a ray at which it comes near someone who stands at ``place`` (x, z), metres; None when it does not."""
    heights = np.arange(0.0, _PICK_HEIGHT_M, 0.5 * _PICK_RADIUS_M)
    spine = np.stack([np.full_like(heights, place[0]), heights, np.full_like(heights, place[1])], axis=-1)  # (N, 3)
    along = (spine - origin) @ direction / (direction @ direction)
    apart = np.linalg.norm(origin + along[:, None] * direction - spine, axis=-1)
    met = along[(apart <= _PICK_RADIUS_M) & (along > 0.0)]
    return float(met.min()) if met.size else None
