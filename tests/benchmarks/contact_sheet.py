"""Motions as a picture: for each a row of poses along time, seen from the front right, and where the root went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse

from protocol.skeleton import Skeleton, default_skeleton
from server.motion.rotation import Array

LEFT, RIGHT, TRUNK, GROUND = "#e07a3f", "#2a6f97", "#4a4e57", "#b8b8b0"
_FRONT = np.radians(52.0)  # from the viewer's direction to +Z, the facing a motion starts with
_TILT = np.radians(14.0)
_GAP = 0.95  # m between the poses of a row
_BONE_WIDTH = 0.055  # m
_DEPTH = 0.35  # m, the most that a path goes up or down the picture


def contact_sheet(
    motions: Sequence[Array], titles: Sequence[str], path: Path, fps: float = 20.0, poses: int = 11
) -> None:
    """Write a PNG of motions (T, 22, 3), metres, right-handed, +Y up, starting near +Z; one row with its title for each.

    Every row is equally wide: travel across the picture is stretched (standing) or shortened (running) to fill it, evenly
    in time, and the line on the ground is the root's path drawn the same way. A walk backwards goes to the left.
    ValueError when there is no motion or the titles do not match.
    """
    if not motions or len(motions) != len(titles):
        raise ValueError(f"{len(motions)} motions and {len(titles)} titles: need one title for each of at least one")
    width = (poses - 1) * _GAP + 1.9
    figure = Figure(figsize=(width * 1.05, 2.75 * len(motions)), facecolor="white")
    canvas = FigureCanvasAgg(figure)
    for row, (motion, title) in enumerate(zip(motions, titles, strict=True)):
        axes = figure.add_axes((0.0, 1.0 - (row + 1) / len(motions), 1.0, 1.0 / len(motions)))
        _draw_row(axes, np.asarray(motion, dtype=float), title, fps, poses)
    canvas.print_png(str(path))


def _draw_row(axes: Axes, motion: Array, title: str, fps: float, poses: int) -> None:
    skeleton = default_skeleton()
    seen = _project(motion - motion[:1, :1] * np.array([1.0, 0.0, 1.0]))  # (T, 22, 3): right, up, towards the viewer
    ground = _project((motion[:, 0] - motion[0, 0]) * np.array([1.0, 0.0, 1.0]))  # (T, 3)
    placed = _spread(ground, (poses - 1) * _GAP)  # (T,)
    seen[..., 0] += (placed - ground[:, 0])[:, None]
    # Travel toward or away from the viewer stays within the row.
    flatten = min(1.0, _DEPTH / max(float(np.abs(ground[:, 1]).max()), 1e-6)) - 1.0
    seen[..., 1] += (flatten * ground[:, 1])[:, None]
    ground[:, 1] *= 1.0 + flatten
    axes.plot(placed, ground[:, 1], color=GROUND, linewidth=1.6, zorder=0)
    for frame in np.linspace(0, len(motion) - 1, poses).round().astype(int):
        axes.add_patch(
            Ellipse((placed[frame], ground[frame, 1]), 0.55, 0.13, color=GROUND, alpha=0.35, zorder=0.5, lw=0)
        )
        _draw_pose(axes, seen[frame], skeleton)
        axes.text(placed[frame], -0.62, f"{frame / fps:.1f} s", ha="center", va="center", fontsize=8, color="#8a8a82")
    centre = (placed.min() + placed.max()) / 2
    half = (poses - 1) * _GAP / 2 + 0.95
    axes.set_xlim(centre - half, centre + half)
    axes.set_ylim(-0.75, 2.25)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.text(0.012, 0.97, title, transform=axes.transAxes, fontsize=13, va="top", color="#222222")


def _project(points: Array) -> Array:
    """World points (…, 3) as the viewer has them: to the right, up, towards the viewer; parallel lines stay parallel."""
    sine, cosine = np.sin(_FRONT), np.cos(_FRONT)
    right = points[..., 0] * cosine + points[..., 2] * sine
    near = -points[..., 0] * sine + points[..., 2] * cosine
    up = points[..., 1] * np.cos(_TILT) - near * np.sin(_TILT)
    return np.stack([right, up, near * np.cos(_TILT) + points[..., 1] * np.sin(_TILT)], axis=-1)


def _spread(ground: Array, width: float) -> Array:
    """Where along the row (T,) each frame goes: its travel to the right plus an even drift that fills ``width``."""
    travel = ground[:, 0]
    net = travel[-1]
    direction = -1.0 if net < -width / 10 else 1.0
    shrink = min(1.0, width / max(abs(net), 1e-6))
    drift = direction * width - shrink * net
    return shrink * travel + drift * np.linspace(0.0, 1.0, len(travel))


def _draw_pose(axes: Axes, pose: Array, skeleton: Skeleton) -> None:
    bones = [(joint, parent) for joint, parent in enumerate(skeleton.parents) if parent >= 0]
    bones.sort(key=lambda bone: pose[list(bone), 2].mean())
    points_per_metre = 72.0 * 1.02
    colours = [_colour(skeleton.names[joint]) for joint, _ in bones]
    lines = [pose[[parent, joint], :2] for joint, parent in bones]
    axes.add_collection(
        LineCollection(lines, colors=colours, linewidths=_BONE_WIDTH * points_per_metre, capstyle="round", zorder=2)
    )
    head, neck = pose[skeleton.index("head")], pose[skeleton.index("neck")]
    axes.add_patch(Circle((head + (head - neck) * 0.35)[:2], 0.095, color=TRUNK, zorder=3, lw=0))


def _colour(joint: str) -> str:
    return LEFT if joint.startswith("left") else RIGHT if joint.startswith("right") else TRUNK
