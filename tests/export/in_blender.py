"""Runs in a Python that has ``bpy``: where the bones of BVH and GLB files are, frame by frame, once Blender has imported them.

``PYTHON in_blender.py IN.json OUT.npz``: IN.json lists ``{"path": ..., "frames": ..., "fps": ...}``; OUT.npz has for each the
bones' names ``namesN`` and the positions of their heads ``headsN`` (T, B, 3) in metres, in the axes of the files (+Y up).
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np


def heads(path: Path, frames: int, fps: float):
    """Names and head positions (T, B, 3) of the only armature in a file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(fps), round(fps) / fps
    if path.suffix == ".bvh":
        bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, frame_start=0)
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    (armature,) = (item for item in scene.objects if item.type == "ARMATURE")
    first, last = armature.animation_data.action.frame_range
    if round(last - first) + 1 != frames:
        raise SystemExit(f"{path}: Blender has frames {first:g} to {last:g}, there should be {frames}")
    rows = []
    for frame in range(frames):
        scene.frame_set(round(first) + frame)
        rows.append([tuple(armature.matrix_world @ bone.head) for bone in armature.pose.bones])
    # Both importers turn +Y up into Blender's +Z up: (x, y, z) comes as (x, -z, y).
    x, y, z = np.moveaxis(np.array(rows), -1, 0)
    return [bone.name for bone in armature.pose.bones], np.stack([x, z, -y], axis=-1)


def main(listed: str, target: str) -> None:
    arrays = {}
    for number, item in enumerate(json.loads(Path(listed).read_text(encoding="utf-8"))):
        names, positions = heads(Path(item["path"]), item["frames"], item["fps"])
        arrays[f"names{number}"], arrays[f"heads{number}"] = np.array(names), positions
    np.savez(target, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
