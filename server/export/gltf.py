"""Binary glTF 2.0 files as their JSON tree and binary chunk: what is not touched is written back as it was read.

Source: Khronos glTF 2.0 specification, sections 3.6 (buffers, accessors), 3.11 (animations) and 4.4 (GLB).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from server.files import write_atomically
from server.motion.rotation import Array, unroll

MAX_FILE_BYTES: Final = 512 * 1024 * 1024

_MAGIC, _VERSION = 0x46546C67, 2
_JSON_CHUNK, _BIN_CHUNK = 0x4E4F534A, 0x004E4942
_COMPONENTS: Final = {
    np.dtype(np.int8): 5120,
    np.dtype(np.uint8): 5121,
    np.dtype(np.int16): 5122,
    np.dtype(np.uint16): 5123,
    np.dtype(np.uint32): 5125,
    np.dtype(np.float32): 5126,
}
_LISTS: Final = ("accessors", "animations", "buffers", "bufferViews", "meshes", "nodes", "scenes", "skins")
_SHAPES: Final = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


class GltfError(ValueError):
    """A file that is no binary glTF 2.0, or is damaged; the message names the file and the fault."""


@dataclass
class Gltf:
    """``tree``: the JSON as nested dicts and lists; ``binary``: the buffer with index 0."""

    tree: dict[str, Any]
    binary: bytearray

    def items(self, kind: str) -> list[Any]:
        """The nodes, skins, meshes, accessors ... of the tree, none if it has no such list."""
        return self.tree.get(kind, [])

    def add(self, kind: str, item: dict[str, Any]) -> int:
        """Append to one of those lists; the new item's index."""
        self.tree.setdefault(kind, []).append(item)
        return len(self.items(kind)) - 1

    def add_accessor(self, values: np.ndarray, *, target: int | None = None, bounds: bool = False) -> int:
        """Append an array (N, *shape) to the binary chunk; the index of its accessor.

        ``target`` is the buffer view's (34962 vertices, 34963 indices); ``bounds`` adds min and max. Matrices are stored
        column by column, as glTF wants them.
        """
        shape = values.shape[1:]
        packed = np.ascontiguousarray(values.swapaxes(-1, -2) if len(shape) == 2 else values)
        self.binary += b"\0" * (-len(self.binary) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": packed.nbytes}
        if target is not None:
            view["target"] = target
        self.binary += packed.tobytes()
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view),
            "componentType": _COMPONENTS[values.dtype],
            "count": len(values),
            "type": _SHAPES[shape],
        }
        if bounds:
            accessor["min"] = np.atleast_1d(values.min(axis=0)).tolist()
            accessor["max"] = np.atleast_1d(values.max(axis=0)).tolist()
        return self.add("accessors", accessor)

    def read_matrices(self, accessor: int) -> Array:
        """A MAT4 float accessor (N, 4, 4); GltfError when it is another one or does not lie in the binary chunk."""
        entry = self.items("accessors")[accessor]
        if entry["type"] != "MAT4" or entry["componentType"] != 5126 or "sparse" in entry or "bufferView" not in entry:
            raise GltfError(f"accessor {accessor} does not hold plain 4 x 4 float matrices")
        view = self.items("bufferViews")[entry["bufferView"]]
        if view["buffer"] != 0 or "uri" in self.items("buffers")[0] or view.get("byteStride", 64) != 64:
            raise GltfError(f"accessor {accessor} does not lie in the file's own binary chunk")
        start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        block = bytes(self.binary[start : start + 64 * entry["count"]])
        if len(block) != 64 * entry["count"]:
            raise GltfError(f"accessor {accessor} reaches past the end of the file's binary chunk")
        return np.frombuffer(block, dtype="<f4").reshape(-1, 4, 4).swapaxes(-1, -2).astype(float)

    def add_animation(self, name: str, fps: float, rotations: dict[int, Array], translations: dict[int, Array]) -> None:
        """Put an animation before the others, which makes it the one that viewers play.

        For node indices, local ``rotations`` (T, 4) xyzw and ``translations`` (T, 3), linear between frames; the first
        frame is at 0 s.
        """
        frames = len(next(iter((rotations or translations).values())))
        times = self.add_accessor((np.arange(frames) / fps).astype(np.float32), bounds=True)
        tracks = [(node, "rotation", unroll(turns)) for node, turns in rotations.items()]
        tracks += [(node, "translation", places) for node, places in translations.items()]
        samplers = [
            {"input": times, "output": self.add_accessor(values.astype(np.float32)), "interpolation": "LINEAR"}
            for _, _, values in tracks
        ]
        channels = [
            {"sampler": sampler, "target": {"node": node, "path": path}}
            for sampler, (node, path, _) in enumerate(tracks)
        ]
        self.tree.setdefault("animations", []).insert(0, {"name": name, "samplers": samplers, "channels": channels})

    def write(self, path: Path) -> None:
        """Write the file; one that is there stays whole until the end."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        buffers = self.tree.setdefault("buffers", [])
        buffers[:1] = [{**(buffers[0] if buffers else {}), "byteLength": len(self.binary)}]
        text = json.dumps(self.tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), _JSON_CHUNK) + text
        chunks += struct.pack("<II", len(self.binary), _BIN_CHUNK) + bytes(self.binary)
        data = struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks
        write_atomically(path, lambda temporary: temporary.write_bytes(data))


def read_glb(path: Path) -> Gltf:
    """Read a .glb; GltfError when it is none, is damaged, or keeps its first buffer in another file."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise GltfError(f"{path} has {path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are read")
        data = path.read_bytes()
    except OSError as error:
        raise GltfError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) < 20 or struct.unpack_from("<I", data)[0] != _MAGIC:
        raise GltfError(f"{path} is not a binary glTF file; export the character as .glb")
    version, length = struct.unpack_from("<II", data, 4)
    if version != _VERSION:
        raise GltfError(f"{path} is glTF {version}; only glTF {_VERSION} is read")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= min(length, len(data)):
        size, kind = struct.unpack_from("<II", data, at)
        chunks.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if length > len(data) or at != length or _JSON_CHUNK not in chunks:
        raise GltfError(f"{path} is damaged: {len(data)} bytes, its header says {length}, its chunks end at {at}")
    try:
        tree = json.loads(chunks[_JSON_CHUNK])
    except ValueError as error:
        raise GltfError(f"{path} is damaged: its JSON cannot be read ({error})") from error
    if not isinstance(tree, dict):
        raise GltfError(f"{path} is damaged: its JSON is no object")
    for kind in _LISTS:
        items = tree.get(kind, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise GltfError(f"{path} is damaged: its {kind} are no list of objects")
    if any("uri" in buffer for buffer in tree.get("buffers", [])[:1]):
        raise GltfError(f"{path} keeps its data in another file; export the character as one .glb file")
    return Gltf(tree, bytearray(chunks.get(_BIN_CHUNK, b"")))
