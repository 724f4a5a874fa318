"""The report of an evaluation: ``report.json``, ``report.md`` and its pictures in one folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from server.evaluation.body import Check
from server.evaluation.confusion import Confusion
from server.evaluation.figures import COLUMNS, Row
from server.evaluation.metrics import Interval
from server.evaluation.sheets import Sheet
from server.evaluation.sweeps import CURVES, Curve
from server.evaluation.targets import targets
from server.files import write_atomically

JSON_FILE, MARKDOWN_FILE = "report.json", "report.md"
_BETTER = {"fid": "lower", "top3": "higher", "mm_dist": "lower", "diversity": "near real", "mpjpe": "lower"}
_ABLATION_COLUMNS = ("fid", "top1", "top3", "mm_dist", "diversity", "mpjpe")


@dataclass
class Report:
    """What was found; parts that were not asked for are empty. ``setting`` says what was run: shown as a list."""

    setting: dict[str, str]
    figures: dict[str, dict[str, Interval]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    ablations: dict[str, Row] = field(default_factory=dict)
    models: dict[str, Row] = field(default_factory=dict)
    confusion: Confusion | None = None
    body: list[Check] = field(default_factory=list)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values; intervals as [mean, half width]."""
        table = {
            name: {key: [value.mean, value.half] for key, value in row.items()} for name, row in self.figures.items()
        }
        confusion = None
        if self.confusion is not None:
            confusion = {
                "classes": list(self.confusion.classes),
                "generated": self.confusion.made.tolist(),
                "real": self.confusion.real.tolist(),
                "accuracy": self.confusion.accuracy,
                "real_accuracy": self.confusion.real_accuracy,
            }
        return {
            "format": 1,
            "setting": self.setting,
            "figures": table,
            "curves": [asdict(curve) for curve in self.curves],
            "ablations": self.ablations,
            "models": self.models,
            "confusion": confusion,
            "body": [asdict(line) for line in self.body],
            "notes": self.notes,
        }

    def as_markdown(self, pictures: Sequence[str]) -> str:
        """The report as text; ``pictures`` are the files beside it."""
        lines = [f"# Evaluation of {self.setting.get('model', 'a model')}", ""]
        lines += [f"- {name}: {value}" for name, value in self.setting.items()]
        if self.figures:
            lines += [
                "",
                "## Figures",
                "",
                "Mean of the repeats ± half the 95 % interval.",
                "",
                *figure_table(self.figures),
                "",
                *check_table(targets(self.figures), "beside it"),
            ]
        if self.curves:
            lines += ["", "## Against the settings of sampling", "", *curve_table(self.curves)]
        for title, table in (("What each part is worth", self.ablations), ("Beside other models", self.models)):
            if table:
                lines += ["", f"## {title}", "", *row_table(table)]
        if self.confusion is not None:
            lines += ["", "## Actions", "", *confusion_lines(self.confusion)]
        if self.body:
            lines += ["", "## Bodies", "", *check_table(self.body)]
        lines += [line for name in pictures for line in ("", f"![{name.removesuffix('.png')}]({name})")]
        lines += [line for note in self.notes for line in ("", note)]
        return "\n".join(lines) + "\n"


def write_report(report: Report, folder: Path) -> None:
    """Write JSON, Markdown and pictures into ``folder``; without matplotlib a note stands for the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        from server.evaluation.plots import draw_pictures
    except ImportError:
        pictures: list[str] = []
        note = 'No pictures: they need matplotlib (python -m pip install "motionbridge[evaluate]").'
        report = replace(report, notes=[*report.notes, note])
    else:
        pictures = draw_pictures(report, folder)
    texts = {JSON_FILE: json.dumps(report.as_json(), indent=1) + "\n", MARKDOWN_FILE: report.as_markdown(pictures)}
    for name, text in texts.items():
        write_atomically(folder / name, partial(Path.write_text, data=text, encoding="utf-8"))


def figure_table(figures: Mapping[str, Mapping[str, Interval]]) -> list[str]:
    """Markdown rows of mean ± half the interval; columns that no row has are left out."""
    keys = [key for key in COLUMNS if any(key in row for row in figures.values())]
    heads = [COLUMNS[key] + (f" ({_BETTER[key]})" if key in _BETTER else "") for key in keys]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(keys) + 1) + "|"]
    for name, row in figures.items():
        cells = [_interval(row[key]) if key in row else "" for key in keys]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def row_table(rows: Mapping[str, Row]) -> list[str]:
    """Markdown rows of single repeats."""
    keys = [key for key in _ABLATION_COLUMNS if any(key in row for row in rows.values())]
    lines = [f"| | {' | '.join(COLUMNS[key] for key in keys)} |", "|---" * (len(keys) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(_number(row[key]) if key in row else '' for key in keys)} |")
    return lines


def curve_table(curves: Sequence[Curve]) -> list[str]:
    """One Markdown row for each value of each setting; the model's own value is in bold."""
    lines = ["| setting | value | FID | MM-Dist | top-3 | Diversity |", "|---|---|---|---|---|---|"]
    for curve in curves:
        for value, row in zip(curve.values, curve.rows, strict=True):
            shown = f"**{value:g}**" if value == curve.shipped else f"{value:g}"
            cells = " | ".join(_number(row[key]) for key in ("fid", "mm_dist", "top3", "diversity"))
            lines.append(f"| {CURVES[curve.setting]} | {shown} | {cells} |")
    return lines


def confusion_lines(table: Confusion) -> list[str]:
    """Accuracies, and for each action what is shown instead."""
    lines = [
        f"A classifier of recorded training motion names {table.accuracy:.1%} of the generated motions as asked, and "
        f"{table.real_accuracy:.1%} of the recorded test motions.",
        "",
        "| asked for | motions | shown | recorded motion named right | shown instead |",
        "|---|---|---|---|---|",
    ]
    for row, name in enumerate(table.classes):
        count, real = int(table.made[row].sum()), int(table.real[row].sum())
        if count:
            others = sorted((-int(n), table.classes[at]) for at, n in enumerate(table.made[row]) if n and at != row)
            instead = ", ".join(f"{label} {-n}" for n, label in others[:3])
            usual = f"{table.real[row, row] / real:.0%}" if real else ""
            lines.append(f"| {name} | {count} | {table.made[row, row] / count:.0%} | {usual} | {instead} |")
    return lines


def check_table(checks: Sequence[Check], beside: str = "recorded") -> list[str]:
    """Markdown rows of checks; ``beside`` heads the column of what they are held against."""
    said = {True: "yes", False: "**no**", None: ""}
    lines = [f"| | generated | {beside} | asked for | holds |", "|---|---|---|---|---|"]
    return lines + [f"| {c.name} | {c.made} | {c.real} | {c.asked} | {said[c.passed]} |" for c in checks]


def _interval(value: Interval) -> str:
    """A single repeat has no width to show."""
    return _number(value.mean) + (f" ± {_number(value.half)}" if value.half else "")


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 20 else f"{round(value, 3) + 0.0:.3f}"
