"""The user's own glTF character in motion: its bones recognised by name, the motion retargeted onto them, all else kept."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from protocol import bone_names
from protocol import rotation as rot
from protocol.retarget import Retargeter, Rig
from protocol.rotation import Array
from server.export.gltf import Gltf, GltfError, read_glb

REQUIRED: Final = (
    "pelvis",
    *(f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow", "hip", "knee")),
)
"""Slots without which a character is not animated."""

_ASTRAY = np.radians(0.1)


class CharacterError(ValueError):
    """A character without a skin, or with too few bones that are known by name."""


@dataclass(frozen=True, eq=False)
class Character:
    """A rig found in a file.

    ``nodes``: the glTF node of each bone of ``rig``, whose names are those nodes' indices. The rig stands in glTF's frame,
    turned so that it faces +Z; ``facing`` (4,) xyzw turns it back. ``above`` (4, 4) is the rest transform of what the
    pelvis bone hangs on.
    """

    gltf: Gltf
    rig: Rig
    nodes: tuple[int, ...]
    facing: Array
    above: Array
    convention: str

    def name(self, bone: int) -> str:
        """The name that a bone has in the file."""
        return _title(self.gltf.items("nodes"), self.nodes[bone])


def read_character(path: Path) -> Character:
    """Read a .glb with a skinned character; GltfError or CharacterError name what is missing."""
    gltf = read_glb(path)
    nodes, skins = gltf.items("nodes"), gltf.items("skins")
    if not skins:
        raise CharacterError(f"{path} has no skin: export the character with its armature and skin weights")
    try:
        joints, inverse_bind = _joints(gltf)
        parents = _parents(nodes)
        titles = _humanoid(gltf.tree) or {joint: str(nodes[joint].get("name", "")) for joint in joints}
        listed = list(titles)
        found = bone_names.map_bones([titles[joint] for joint in listed])
        bones = {slot: tuple(str(listed[at]) for at in chain) for slot, chain in found.bones.items()}
        _check_found(found, [_title(nodes, joint) for joint in joints])
        tree = _tree(parents, set(joints) | set(titles), int(bones["pelvis"][0]))
        rest = _rest(nodes, parents, tree, inverse_bind)
        facing = _facing({node: matrix[:3, 3] for node, matrix in rest.items()}, bones)
        rig = _rig(tree, parents, rest, facing, bones)
    except (CharacterError, GltfError) as error:
        raise type(error)(f"{path}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise GltfError(f"{path} is damaged: its nodes or skins do not hang together ({error!r})") from error
    above = rest.get(parents.get(int(bones["pelvis"][0]), -1), np.eye(4))
    return Character(gltf, rig, tuple(tree), facing, above, found.convention.name)


def write_character(path: Path, character: Character, rotations: Array, root: Array, fps: float, name: str) -> None:
    """Write the character with an animation of local rotations (T, 22, 4) xyzw and root positions (T, 3), metres.

    The motion starts from where the character faces in its file; root travel is scaled to its legs. Meshes, materials and
    animations that are there stay as they are; ``name`` is the new animation's, which comes first.
    """
    local, pelvis = Retargeter(character.rig).apply(rotations, root)
    local[:, 0] = rot.mul(character.facing, local[:, 0])
    pelvis = rot.mul_vec(character.facing, pelvis)
    inverse = np.linalg.inv(character.above)
    gltf = copy.deepcopy(character.gltf)
    moved = _moved(character)
    for bone in moved:
        _separate(gltf.items("nodes")[character.nodes[bone]])
    gltf.add_animation(
        name,
        fps,
        {character.nodes[bone]: local[:, bone] for bone in moved},
        {int(character.rig.bones["pelvis"][0]): pelvis @ inverse[:3, :3].T + inverse[:3, 3]},
    )
    gltf.write(path)


def _moved(character: Character) -> list[int]:
    """The bones that the motion turns, and those that do not stand in the file as they were bound."""
    rig, nodes = character.rig, character.gltf.items("nodes")
    driven = {rig.names.index(bone) for chain in rig.bones.values() for bone in chain}
    standing = np.array([_turn(_matrix(nodes[node])) for node in character.nodes])
    standing[0] = rot.mul(rot.inv(character.facing), standing[0])
    astray = np.flatnonzero(rot.angle_between(standing, rig.rotations) > _ASTRAY)
    return sorted(driven | {int(bone) for bone in astray})


def _joints(gltf: Gltf) -> tuple[list[int], dict[int, Array]]:
    """The nodes that any skin moves its mesh by, and their inverse bind matrices (4, 4) by the largest skin."""
    joints: list[int] = []
    inverse_bind: dict[int, Array] = {}
    for skin in sorted(gltf.items("skins"), key=lambda skin: -len(skin["joints"])):
        joints += [joint for joint in skin["joints"] if joint not in joints]
        if not inverse_bind and "inverseBindMatrices" in skin:
            matrices = gltf.read_matrices(skin["inverseBindMatrices"])
            inverse_bind = dict(zip(skin["joints"], matrices, strict=False))
    return joints, inverse_bind


def _title(nodes: list[dict[str, Any]], node: int) -> str:
    return str(nodes[node].get("name", f"node {node}"))


def _parents(nodes: list[dict[str, Any]]) -> dict[int, int]:
    return {child: parent for parent, node in enumerate(nodes) for child in node.get("children", [])}


def _humanoid(tree: dict[str, Any]) -> dict[int, str]:
    """Nodes and names of the human bones that a VRM file lists, 0.x or 1.0."""
    extensions = tree.get("extensions", {})
    listed = extensions.get("VRMC_vrm", extensions.get("VRM", {})).get("humanoid", {}).get("humanBones", {})
    pairs = [(bone["node"], bone["bone"]) for bone in listed] if isinstance(listed, list) else []
    pairs = pairs or [(bone["node"], name) for name, bone in listed.items()]
    return {node: name for node, name in pairs if node >= 0}


def _check_found(found: bone_names.NamedMap, titles: list[str]) -> None:
    missing = [slot for slot in REQUIRED if slot not in found.bones]
    if not missing:
        return
    wanted = ", ".join(f"{slot} ({' '.join(bone_names.bone_names(found.convention, slot)[:1])})" for slot in missing)
    shown = ", ".join(titles[:40]) + (", ..." if len(titles) > 40 else "")
    known = ", ".join(convention.name for convention in bone_names.CONVENTIONS)
    raise CharacterError(
        f"no bone is known by name for {wanted}; found {', '.join(found.bones) or 'none'}. Names are compared "
        f"with those of {known}; the nearest is {found.convention.name}. The bones are {shown}"
    )


def _tree(parents: dict[int, int], joints: set[int], pelvis: int) -> list[int]:
    """The joints that hang together with the pelvis and all nodes above them, parents first."""

    def line(node: int) -> list[int]:
        above = [node]
        while above[0] in parents:
            above.insert(0, parents[above[0]])
            if len(above) > len(parents) + 1:
                raise LookupError("a node is its own parent")
        return above

    lines = [line(joint) for joint in sorted(joints)]
    root = line(pelvis)[0]
    nodes = {node: place for above in lines if above[0] == root for place, node in enumerate(above)}
    return sorted(nodes, key=lambda node: (nodes[node], node))


def _rest(
    nodes: list[dict[str, Any]], parents: dict[int, int], tree: list[int], inverse_bind: dict[int, Array]
) -> dict[int, Array]:
    """Rest transforms (4, 4) of the tree's nodes in the scene: joints as they were bound, the others as they stand.

    A file may have been saved in the middle of a motion; the joints' bind pose is relative to where the topmost one stands.
    """
    rest: dict[int, Array] = {}
    binding: Array | None = None
    for node in tree:
        rest[node] = rest.get(parents.get(node, -1), np.eye(4)) @ _matrix(nodes[node])
        if node in inverse_bind:
            if binding is None:
                binding = rest[node] @ inverse_bind[node]
            rest[node] = binding @ np.linalg.inv(inverse_bind[node])
        if np.linalg.det(rest[node][:3, :3]) <= 0.0:
            raise CharacterError(
                f"{_title(nodes, node)} is mirrored or flat (negative or zero scale): apply the scale before exporting"
            )
    return rest


def _matrix(node: dict[str, Any]) -> Array:
    """A node's local transform (4, 4)."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=float).reshape(4, 4).T
    matrix = np.eye(4)
    turn = rot.to_matrix(rot.normalize(np.array(node.get("rotation", [0.0, 0.0, 0.0, 1.0]))))
    matrix[:3, :3] = turn * np.array(node.get("scale", [1.0, 1.0, 1.0]))
    matrix[:3, 3] = node.get("translation", [0.0, 0.0, 0.0])
    return matrix


def _turn(matrix: Array) -> Array:
    """Rotation (4,) xyzw of a transform (4, 4) that may scale."""
    return rot.from_matrix(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0))


def _separate(node: dict[str, Any]) -> None:
    """Replace a node's matrix by translation, rotation and scale, as an animated node must have it."""
    if "matrix" not in node:
        return
    matrix = np.array(node.pop("matrix"), dtype=float).reshape(4, 4).T
    node["translation"] = matrix[:3, 3].tolist()
    node["rotation"] = _turn(matrix).clip(-1.0, 1.0).tolist()
    node["scale"] = np.linalg.norm(matrix[:3, :3], axis=0).tolist()


def _facing(positions: dict[int, Array], bones: dict[str, tuple[str, ...]]) -> Array:
    """The turn (4,) about +Y from +Z to where the character faces, by where its left side is."""
    pairs = [[positions[int(bones[f"{side}_{part}"][0])] for side in ("left", "right")] for part in ("hip", "shoulder")]
    left = np.sum([start - end for start, end in pairs], axis=0)
    return rot.about_y(np.arctan2(-left[2], left[0]))


def _rig(
    tree: list[int],
    parents: dict[int, int],
    rest: dict[int, Array],
    facing: Array,
    bones: dict[str, tuple[str, ...]],
) -> Rig:
    """The nodes as bones without scale, in metres, turned to face +Z."""
    back = rot.inv(facing)
    turned = np.array([rot.mul(back, _turn(rest[node])) for node in tree])
    places = np.array([rot.mul_vec(back, rest[node][:3, 3]) for node in tree])
    above = [tree.index(parents[node]) if node in parents else -1 for node in tree]
    base = [turned[parent] if parent >= 0 else rot.identity() for parent in above]
    offsets = places - np.array([places[parent] if parent >= 0 else np.zeros(3) for parent in above])
    positions = rot.mul_vec(rot.inv(np.array(base)), offsets)
    local = rot.inv_mul(np.array(base), turned)
    return Rig(tuple(str(node) for node in tree), tuple(above), positions, local, "wire", bones)
