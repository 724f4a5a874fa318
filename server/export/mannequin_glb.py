"""The mannequin in motion as binary glTF: a skinned mesh on the wire's 22 joints, which any glTF viewer plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from protocol.skeleton import default_skeleton
from server.export.gltf import Gltf
from server.export.mannequin import PART_COLOURS, mannequin
from server.motion.rotation import Array

_VERTICES, _INDICES = 34962, 34963


def write_mannequin(path: Path, rotations: Array, root: Array, fps: float, name: str) -> None:
    """Write local rotations (T, 22, 4) xyzw and root positions (T, 3) metres; ``name`` is the animation's.

    glTF's frame of reference is the wire's: right-handed, +Y up, facing +Z, metres. The rest pose is the T-pose.
    """
    gltf = Gltf({"asset": {"version": "2.0", "generator": "MotionBridge"}}, bytearray())
    skeleton = default_skeleton()
    for joint, title in enumerate(skeleton.names):
        children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
        node: dict[str, Any] = {"name": title, "translation": skeleton.offsets[joint].tolist()}
        gltf.add("nodes", {**node, "children": children} if children else node)
    mesh = gltf.add("nodes", {"name": "mannequin", "mesh": _add_mesh(gltf), "skin": _add_skin(gltf)})
    gltf.add("scenes", {"nodes": [0, mesh]})
    gltf.tree["scene"] = 0
    turns = {joint: rotations[:, joint] for joint in range(len(skeleton))}
    gltf.add_animation(name, fps, turns, {0: root})
    gltf.write(path)


def _add_mesh(gltf: Gltf) -> int:
    body = mannequin()
    attributes = {
        "POSITION": gltf.add_accessor(body.vertices, target=_VERTICES, bounds=True),
        "NORMAL": gltf.add_accessor(body.normals, target=_VERTICES),
        "JOINTS_0": gltf.add_accessor(body.joints.astype(np.uint8), target=_VERTICES),
        "WEIGHTS_0": gltf.add_accessor(body.weights, target=_VERTICES),
    }
    primitives = []
    for part, (name, colour) in enumerate(PART_COLOURS.items()):
        surface = {"baseColorFactor": [*_linear(colour), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.7}
        faces = body.faces[body.parts[body.faces[:, 0]] == part]
        primitives.append(
            {
                "attributes": attributes,
                "indices": gltf.add_accessor(faces.reshape(-1).astype(np.uint16), target=_INDICES),
                "material": gltf.add("materials", {"name": name, "pbrMetallicRoughness": surface}),
            }
        )
    return gltf.add("meshes", {"name": "mannequin", "primitives": primitives})


def _add_skin(gltf: Gltf) -> int:
    inverse_bind = np.tile(np.eye(4), (len(default_skeleton()), 1, 1))
    inverse_bind[:, :3, 3] = -default_skeleton().rest_positions()
    matrices = gltf.add_accessor(inverse_bind.astype(np.float32))
    joints = list(range(len(inverse_bind)))
    return gltf.add("skins", {"inverseBindMatrices": matrices, "joints": joints, "skeleton": 0})


def _linear(colour: tuple[int, int, int]) -> list[float]:
    """sRGB bytes as linear values from 0 to 1."""
    srgb = np.array(colour) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).round(6).tolist()
