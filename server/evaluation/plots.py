"""The pictures of an evaluation report, with matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from server.evaluation.confusion import Confusion
from server.evaluation.sweeps import CURVES, Curve
from server.export.contact_sheet import contact_sheet
from server.files import write_atomically

if TYPE_CHECKING:
    from server.evaluation.report import Report

_POSES = 9  # of a row in a contact sheet
_FID, _APART, _SHIPPED = "#2a6f97", "#e07a3f", "#8a8a82"


def draw_pictures(report: Report, folder: Path) -> list[str]:
    """Write the pictures that there is something for; their file names."""
    names = []
    for curve in report.curves:
        if len(curve.values) > 1:
            names.append(f"{curve.setting}.png")
            draw_curve(curve, folder / names[-1])
    if report.confusion is not None:
        names.append("actions.png")
        draw_confusion(report.confusion, folder / names[-1])
    for name, sheet in report.sheets.items():
        names.append(f"{name}.png")
        contact_sheet(sheet.motions, sheet.titles, folder / names[-1], sheet.fps, _POSES)
    return names


def draw_curve(curve: Curve, path: Path) -> None:
    """FID and MM-Dist against one setting; a line marks the model's own value."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    for axes, key, label, colour in ((left, "fid", "FID", _FID), (right, "mm_dist", "MM-Dist", _APART)):
        axes.plot(curve.values, [row[key] for row in curve.rows], marker="o", color=colour)
        axes.set_ylabel(label, color=colour)
        axes.tick_params(axis="y", labelcolor=colour)
    left.axvline(curve.shipped, color=_SHIPPED, linestyle=":", linewidth=1.2)
    left.set_ylim(0.0, 1.1 * max(row["fid"] for row in curve.rows))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlabel(CURVES[curve.setting])
    left.grid(alpha=0.25)
    _save(figure, path)


def draw_confusion(table: Confusion, path: Path) -> None:
    """Shares of each row, what was asked for, that show each action; generated beside recorded motion."""
    size = 1.8 + 0.34 * len(table.classes)
    figure = Figure(figsize=(2 * size, size), layout="constrained")
    for place, (counts, title) in enumerate(((table.made, "generated"), (table.real, "recorded")), start=1):
        axes = figure.add_subplot(1, 2, place)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        for row, column in np.argwhere(shares >= 0.005):
            colour = "white" if shares[row, column] > 0.6 else "#333333"
            text = f"{100 * shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        ticks = range(len(table.classes))
        axes.set_xticks(ticks, table.classes, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(ticks, table.classes if place == 1 else [""] * len(table.classes), fontsize=8)
        axes.set_title(f"{title}: what is shown, % of what was asked for", fontsize=9)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    canvas: Any = FigureCanvasAgg(figure)
    write_atomically(path, canvas.print_png)
