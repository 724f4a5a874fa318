"""What the embedded model is asked for, as lines of a table: its figures beside real motion, its own RVQ-VAE and retrieval."""

from __future__ import annotations

from collections.abc import Mapping

from server.evaluation.body import Check
from server.evaluation.figures import GENERATED, OTHER_REAL, REAL, RECONSTRUCTED, RETRIEVED
from server.evaluation.metrics import Interval

_MPJPE = 35.0  # mm
_FID = 1.5  # times the reconstructions'
_TOP3 = 0.9  # of real motion's own


def targets(figures: Mapping[str, Mapping[str, Interval]]) -> list[Check]:
    """One line for each target; ``real`` is what the figure is held against."""
    real, other, made, again, found = (
        {key: value.mean for key, value in figures[name].items()}
        for name in (REAL, OTHER_REAL, GENERATED, RECONSTRUCTED, RETRIEVED)
    )
    checks = []
    if "mpjpe" in again:
        checks.append(
            Check(
                "MPJPE of reconstructions",
                f"{again['mpjpe']:.1f} mm",
                "",
                f"at most {_MPJPE:g} mm",
                again["mpjpe"] <= _MPJPE,
            )
        )
    checks += [
        Check(
            "FID",
            f"{made['fid']:.3f}",
            f"reconstructed {again['fid']:.3f}; other real clips {other['fid']:.3f}",
            f"at most {_FID:g} times the reconstructions'",
            made["fid"] <= _FID * again["fid"],
        ),
        Check(
            "R-precision top-3",
            f"{made['top3']:.3f}",
            f"real {real['top3']:.3f}",
            f"at least {_TOP3:.0%} of real motion's",
            made["top3"] >= _TOP3 * real["top3"],
        ),
        _beside(made, found, "text agreement: R-precision top-3", "top3"),
        _beside(made, found, "Diversity", "diversity"),
    ]
    if "multimodality" in made:
        checks.append(_beside(made, found, "MultiModality", "multimodality"))
    return checks


def _beside(made: Mapping[str, float], found: Mapping[str, float], name: str, key: str) -> Check:
    return Check(
        f"{name} beside retrieval",
        f"{made[key]:.3f}",
        f"retrieved {found[key]:.3f}",
        "at least that of retrieval",
        made[key] >= found[key],
    )
