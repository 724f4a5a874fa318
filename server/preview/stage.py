"""The scene: ground, characters, their trails, foot contacts and way-points, and a view that goes with one of them."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
import viser

from protocol.poses import Poses, contact_flags
from protocol.rotation import Array
from protocol.skeleton import default_skeleton
from server.export.mannequin import mannequin
from server.preview.body import Body
from server.preview.character import Character

ROOT: Final = "/stage"
_TRAIL_POINTS: Final = 160
_TRAIL_STEP_FRAMES: Final = 6
_JUMP_M: Final = 3.0  # farther than anyone runs in a step of the trail: the character began anew
_FOLLOW_HALF_LIFE_S: Final = 0.25
_ON_GROUND_M: Final = 0.006  # marks lie this far above the ground, so that the grid does not shine through
_LABEL_M: Final = 0.28  # above the head joint
_MARK_RADIUS_M: Final = 0.055
_PICK_RADIUS_M: Final = 0.35
_PICK_HEIGHT_M: Final = 1.8
_SIDES: Final = (
    (224, 122, 63),
    (224, 122, 63),
    (42, 111, 151),
    (42, 111, 151),
)  # of the contact bits: left, left, right, right


class Stage:
    """All 3-D objects of a viser server; every method is called from its event loop."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._scene = server.scene
        self.body = Body(mannequin(), default_skeleton())
        self.follow = True
        self._figures: dict[str, _Figure] = {}
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
            self._figures[name] = _Figure(self._scene, self.body, characters[name], hidden)

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
        origin = np.asarray(origin, dtype=float) + np.array([self._centre[0], 0.0, self._centre[1]])
        direction = np.asarray(direction, dtype=float)
        met = [
            (distance, name)
            for name, figure in self._figures.items()
            if (distance := _meets(figure.place, origin, direction))
        ]
        ground = None
        if direction[1] < 0.0:
            point = origin - direction * (origin[1] / direction[1])
            ground = (float(point[0]), float(point[2]))
        return (min(met)[1] if met else None), ground


class _Figure:
    """One character on the stage."""

    def __init__(self, scene: viser.SceneApi, body: Body, character: Character, hidden: set[str]) -> None:
        self._spawn = np.array(character.spawn)
        self.place = self._spawn.copy()
        """Where it stands (x, z) on the stage, metres."""
        base = f"{ROOT}/{character.name}"
        self._base = scene.add_frame(base, show_axes=False, position=(character.spawn[0], 0.0, character.spawn[1]))
        self._parts = [
            (
                part.rows,
                scene.add_mesh_simple(
                    f"{base}/{part.name}", body.rest_vertices[part.rows], part.faces, color=part.colour
                ),
            )
            for part in body.parts
        ]
        self._label = scene.add_label(f"{base}/label", character.name, position=(0.0, 2.0, 0.0), anchor="bottom-center")
        self._track: deque[Array] = deque(maxlen=_TRAIL_POINTS)
        self._trail = scene.add_line_segments(
            f"{base}/trail", np.zeros((_TRAIL_POINTS - 1, 2, 3)), character.accent, thickness=0.012
        )
        self._contacts = 0
        self._marks = [
            scene.add_cylinder(
                f"{base}/contact{n}", _MARK_RADIUS_M, 0.004, colour, wxyz=_FLAT, visible=False, cast_shadow=False
            )
            for n, colour in enumerate(_SIDES)
        ]
        self._markers: list[viser.SceneNodeHandle] = []
        self._route: list[tuple[float, float]] = []
        self._scene, self._name, self._accent = scene, base, character.accent
        self._frames = 0
        self._hidden = set(hidden)
        for what in hidden:
            self.set_visible(what, False)

    def remove(self) -> None:
        self._base.remove()

    def set_visible(self, what: str, visible: bool) -> None:
        (self._hidden.discard if visible else self._hidden.add)(what)
        if what == "contacts":
            self._mark(self._contacts, None)
        else:
            {"trail": self._trail, "label": self._label}[what].visible = visible

    def draw(self, vertices: Array, joints: Array, contacts: int, character: Character) -> None:
        for rows, mesh in self._parts:
            mesh.vertices = vertices[rows]
        root = joints[0, [0, 2]]
        self.place = self._spawn + root
        playing = character.playing()
        self._label.text = character.name if playing is None else playing.text
        self._label.position = (joints[0, 0], joints[:, 1].max() + _LABEL_M, joints[0, 2])
        self._mark(contacts, joints)
        if self._frames % _TRAIL_STEP_FRAMES == 0:
            self._draw_trail(root)
        self._frames += 1
        if character.path != self._route:
            self._draw_route(character.path)

    def _mark(self, contacts: int, joints: Array | None) -> None:
        """Marks feet where they touch down; a mark stays where it is until the foot lifts."""
        before, flags = contact_flags(np.uint8(self._contacts)), contact_flags(np.uint8(contacts))
        for foot, (was, now) in enumerate(zip(before, flags, strict=True)):
            if now and not was and joints is not None:
                x, _, z = joints[default_skeleton().feet[foot]]
                self._marks[foot].position = (x, _ON_GROUND_M, z)
            self._marks[foot].visible = bool(now) and "contacts" not in self._hidden
        self._contacts = contacts

    def _draw_trail(self, root: Array) -> None:
        point = np.array([root[0], _ON_GROUND_M, root[1]])
        if self._track and np.linalg.norm(point - self._track[-1]) > _JUMP_M:
            self._track.clear()
        self._track.append(point)
        points = np.stack([self._track[0]] * (_TRAIL_POINTS - len(self._track)) + list(self._track))
        self._trail.points = np.stack([points[:-1], points[1:]], axis=1)

    def _draw_route(self, path: list[tuple[float, float]]) -> None:
        for marker in self._markers:
            marker.remove()
        self._route = list(path)
        self._markers = [
            self._scene.add_cylinder(
                f"{self._name}/waypoint{n}", 0.12, 0.012, self._accent, position=(x, _ON_GROUND_M, z), wxyz=_FLAT
            )
            for n, (x, z) in enumerate(path)
        ]


def _meets(place: Array, origin: Array, direction: Array) -> float | None:
    """Distance along a ray at which it passes an upright cylinder around ``place`` (x, z); None when it does not."""
    flat = direction[[0, 2]]
    square = float(flat @ flat)
    along = float((place - origin[[0, 2]]) @ flat) / square if square > 1e-12 else 0.0
    point = origin + along * direction
    near = np.hypot(*(point[[0, 2]] - place)) <= _PICK_RADIUS_M
    return along if near and along > 0.0 and 0.0 <= point[1] <= _PICK_HEIGHT_M else None


_FLAT = (float(np.sqrt(0.5)), float(np.sqrt(0.5)), 0.0, 0.0)  # viser's cylinders stand along z: lay the axis along y
