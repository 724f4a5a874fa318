"""Feet as a picture: legs seen from the side, drawn over each other along their way, and where each foot joint was over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from protocol.poses import Poses, contact_flags
from protocol.skeleton import default_skeleton
from server.motion import kinematics
from server.motion.rotation import Array

LEFT, RIGHT = "#e07a3f", "#2a6f97"
_STEP_SECONDS = 0.1


def feet_sheet(pairs: Sequence[tuple[Poses, Poses]], path: Path, rate: float) -> None:
    """Write a PNG: for each pair (foot lock off, on) both pairs of legs from the side every 0.1 s, seen across the way that
    the root goes, and below them how far along that way each foot joint is; thick where it is in contact."""
    figure = Figure(figsize=(20, 11.0 * len(pairs)), facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2 * len(pairs), 2, squeeze=False)
    for row, pair in enumerate(pairs):
        way = pair[0].root[-1] - pair[0].root[0]
        way = way * np.array([1.0, 0.0, 1.0])
        along = way / np.linalg.norm(way) if np.linalg.norm(way) > 0.2 else np.array([0.0, 0.0, 1.0])
        for column, (poses, title) in enumerate(zip(pair, ("lock off", "lock on"), strict=True)):
            _draw_legs(axes[2 * row, column], poses, along, rate, title)
            _draw_ways(axes[2 * row + 1, column], poses, pair[1].contacts, along, rate)
    figure.tight_layout()
    canvas.print_png(str(path))


def _joints(poses: Poses) -> Array:
    return kinematics.positions(poses.rotations.astype(float), poses.root.astype(float), default_skeleton())


def _draw_legs(axes: Axes, poses: Poses, along: Array, rate: float, title: str) -> None:
    skeleton, joints = default_skeleton(), _joints(poses)
    for frame in range(0, len(joints), max(1, round(_STEP_SECONDS * rate))):
        for side, colour in (("left", LEFT), ("right", RIGHT)):
            chain = [skeleton.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "foot")]
            leg = joints[frame, chain]
            axes.plot(leg @ along, leg[:, 1], color=colour, lw=1.4, marker=".", ms=4, alpha=0.7)
    axes.axhline(0.0, color="#b8b8b0", lw=1)
    axes.set_aspect("equal")
    axes.set_title(title)


def _draw_ways(axes: Axes, poses: Poses, contacts: Array, along: Array, rate: float) -> None:
    feet = _joints(poses)[:, list(default_skeleton().feet)]
    held = contact_flags(contacts).astype(bool)
    time = np.arange(len(feet)) / rate
    for at, (colour, style) in enumerate(((LEFT, "-"), (LEFT, ":"), (RIGHT, "-"), (RIGHT, ":"))):
        way = feet[:, at] @ along
        axes.plot(time, way, color=colour, ls=style, lw=1.0)
        axes.plot(time, np.where(held[:, at], way, np.nan), color=colour, ls=style, lw=3.5)
    axes.set_xlabel("s")
    axes.set_ylabel("m along the way (solid: heel, dotted: toe)")
    axes.grid(alpha=0.3)
