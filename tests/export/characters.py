"""Small skinned characters as .glb files, made from the made-up rigs of the retarget vectors, and what a .glb says its bones do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from protocol import rotation as rot
from protocol.retarget import Rig
from protocol.vectors.rigs import DESIGNS, build_rig
from server.export.gltf import Gltf, read_glb

EXTRA = {"extras": {"kept": [1, "é"]}, "extensionsUsed": ["EXT_made_up"], "extensions": {"EXT_made_up": {"a": 1}}}


def rig(design: str) -> Rig:
    """A design in glTF's axes."""
    return build_rig(dataclasses.replace(DESIGNS[design], axes="wire"))


def character(rig: Rig, *, scale: float = 1.0, yaw: float = 0.0, matrices: bool = False, bent: float = 0.0) -> Gltf:
    """A rig below a node of that ``scale``, turned by ``yaw`` radians, with a triangle at each bone.

    ``matrices``: nodes have a matrix instead of translation and rotation. ``bent``: radians by which each bone but the
    topmost stands bent in the file, away from how it was bound.
    """
    gltf = Gltf({"asset": {"version": "2.0"}, **EXTRA}, bytearray())
    turns, places = rig.forward(rig.rotations)
    places, turns = rot.mul_vec(rot.about_y(np.array(yaw)), places), rot.mul(rot.about_y(np.array(yaw)), turns)
    for bone, name in enumerate(rig.names):
        turn, place = rig.rotations[bone], rig.positions[bone] / scale
        if bone:
            turn = rot.mul(turn, rot.from_axis_angle(np.array([0.6, 0.0, 0.8]), np.array(bent)))
        node = {"name": name, "translation": place.tolist(), "rotation": turn.clip(-1.0, 1.0).tolist()}
        if matrices:
            node = {"name": name, "matrix": transform(turn, place).T.reshape(-1).tolist()}
        children = [child for child, parent in enumerate(rig.parents) if parent == bone]
        gltf.add("nodes", {**node, "children": children} if children else node)
    above = {"name": "Above", "rotation": rot.about_y(np.array(yaw)).tolist(), "scale": [scale] * 3, "children": [0]}
    top = gltf.add("nodes", above)
    bind = np.stack([transform(*pair) for pair in zip(turns, places, strict=True)])
    bind[:, :3, :3] *= scale
    matrices_of = gltf.add_accessor(np.linalg.inv(bind).astype(np.float32))
    skin = gltf.add("skins", {"joints": list(range(len(rig.names))), "inverseBindMatrices": matrices_of})
    corners = np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0], [0.0, 0.02, 0.0]])
    joints = np.zeros((3 * len(places), 4), dtype=np.uint8)
    joints[:, 0] = np.repeat(np.arange(len(places)), 3)
    attributes = {
        "POSITION": gltf.add_accessor(
            (places[:, None] + corners).reshape(-1, 3).astype(np.float32), target=34962, bounds=True
        ),
        "JOINTS_0": gltf.add_accessor(joints, target=34962),
        "WEIGHTS_0": gltf.add_accessor(np.tile(np.float32([1, 0, 0, 0]), (len(joints), 1)), target=34962),
    }
    material = gltf.add(
        "materials", {"name": "skin", "pbrMetallicRoughness": {"baseColorFactor": [0.8, 0.5, 0.4, 1.0]}}
    )
    mesh = gltf.add("meshes", {"primitives": [{"attributes": attributes, "material": material}]})
    body = gltf.add("nodes", {"name": "Body", "mesh": mesh, "skin": skin})
    gltf.add("scenes", {"nodes": [top, body]})
    return gltf


def transform(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    """A rotation (4,) and a place (3,) as a matrix (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rot.to_matrix(turn), place
    return matrix


def played(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Transforms (T, 4, 4) of all nodes by name while the first animation plays, and its times (T,).

    Written from the glTF specification and sharing nothing with the writer but the reading of the chunks.
    """
    gltf = read_glb(path)
    nodes, (animation, *_) = gltf.items("nodes"), gltf.items("animations")

    def floats(accessor: int) -> np.ndarray:
        entry = gltf.items("accessors")[accessor]
        view = gltf.items("bufferViews")[entry["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[entry["type"]]
        start = view["byteOffset"] + entry.get("byteOffset", 0)
        block = bytes(gltf.binary[start : start + 4 * width * entry["count"]])
        return np.frombuffer(block, dtype="<f4").reshape(entry["count"], width).astype(float)

    times = floats(animation["samplers"][0]["input"])[:, 0]
    tracks = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        assert sampler["interpolation"] == "LINEAR"
        tracks[channel["target"]["node"], channel["target"]["path"]] = floats(sampler["output"])
    parents = {child: parent for parent, node in enumerate(nodes) for child in node.get("children", [])}

    def local(index: int) -> np.ndarray:
        node = nodes[index]
        if "matrix" in node:
            assert (index, "rotation") not in tracks
            return np.tile(np.array(node["matrix"]).reshape(4, 4).T, (len(times), 1, 1))
        turn = tracks.get((index, "rotation"), np.array([node.get("rotation", [0.0, 0.0, 0.0, 1.0])]))
        matrix = np.tile(np.eye(4), (len(times), 1, 1))
        matrix[:, :3, :3] = rot.to_matrix(turn) * np.array(node.get("scale", [1.0, 1.0, 1.0]))
        matrix[:, :3, 3] = tracks.get((index, "translation"), np.array([node.get("translation", [0.0, 0.0, 0.0])]))
        return matrix

    def scene(index: int) -> np.ndarray:
        return scene(parents[index]) @ local(index) if index in parents else local(index)

    return {node["name"]: scene(index) for index, node in enumerate(nodes)}, times
