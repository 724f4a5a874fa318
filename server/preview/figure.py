"""One character on the stage: its body, the words over its head, its trail, foot contacts and way-points."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
import viser

from protocol.poses import contact_flags
from protocol.rotation import Array
from protocol.skeleton import default_skeleton
from server.export.mannequin import FOOT_COLOURS
from server.preview.body import Body
from server.preview.character import Character

ROOT: Final = "/stage"
"""The scene node that everything stands on."""

_TRAIL_POINTS: Final = 160
_TRAIL_STEP_FRAMES: Final = 6
_JUMP_M: Final = 3.0  # farther than anyone runs in a step of the trail: the character began anew
_ON_GROUND_M: Final = 0.006  # marks lie this far above the ground, so that the grid does not shine through
_LABEL_M: Final = 0.28  # above the head joint
_MARK_RADIUS_M: Final = 0.055
_FLAT = (float(np.sqrt(0.5)), float(np.sqrt(0.5)), 0.0, 0.0)  # viser's cylinders stand along z: lay the axis along y


class Figure:
    """The scene nodes of one character, in a frame of its own on the stage; ``hidden`` as `set_visible` names them."""

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
            for n, colour in enumerate(FOOT_COLOURS)
        ]
        self._markers: list[viser.SceneNodeHandle] = []
        self._route: list[tuple[float, float]] = []
        self._scene, self._name, self._accent = scene, base, character.accent
        self._frames = 0
        self._hidden = set(hidden)
        for what in hidden:
            self.set_visible(what, False)

    def remove(self) -> None:
        """Takes it off the stage."""
        self._base.remove()

    def set_visible(self, what: str, visible: bool) -> None:
        """Shows or hides the "trail", "contacts" or "label"."""
        (self._hidden.discard if visible else self._hidden.add)(what)
        if what == "contacts":
            self._mark(self._contacts, None)
        else:
            {"trail": self._trail, "label": self._label}[what].visible = visible

    def draw(self, vertices: Array, joints: Array, contacts: int, character: Character) -> None:
        """Puts it into a pose: vertices (V, 3) and joints (J, 3) in its own world, metres, and the four contact bits."""
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
        before, flags = contact_flags(np.array([self._contacts, contacts]))
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
