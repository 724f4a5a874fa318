"""The curves of a training run as a picture: ``python -m tests.benchmarks.training_curves RUN OUT.png``.

Reads the TensorBoard logs that ``motionbridge train`` leaves in each model's folder: the loss of the training batches
as a line, that of the validation split as points.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from server.training.trainer import LOG_FOLDER

# Per panel: model, tag of the training curve, tag of the validation curve, unit.
PANELS = (
    ("rvq", "train/reconstruction", "", "reconstruction loss"),
    ("masked", "train/loss", "validation/loss", "cross-entropy"),
    ("residual", "train/loss", "validation/loss", "cross-entropy"),
)


def read(folder: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of every scalar in a log folder; empty without one."""
    if not folder.is_dir():
        return {}
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: ([event.step for event in events.Scalars(tag)], [event.value for event in events.Scalars(tag)])
        for tag in events.Tags()["scalars"]
    }


def draw(run: Path, out: Path) -> None:
    """One row of panels."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(3.1 * len(PANELS), 2.6), layout="constrained")
    for axis, (model, train, validation, unit) in zip(axes, PANELS, strict=True):
        scalars = read(run / model / LOG_FOLDER)
        if train in scalars:
            axis.plot(*scalars[train], label="training")
        if validation in scalars:
            axis.plot(*scalars[validation], "o", label="validation")
        axis.set_title(model, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        axis.set_ylabel(unit, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.savefig(out, dpi=80)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the curves of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    args = parser.parse_args(argv)
    draw(args.run, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
