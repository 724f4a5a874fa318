"""How the figures change with how a model is sampled: curves over one setting each, and what each part of the design is worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from server.evaluation.figures import Judge, Row, Size, generated_row
from server.evaluation.generation import FeatureGenerator, Progress
from server.models.checkpoint import Sampling

STEPS = (1, 2, 4, 6, 8, 10, 14, 18)
GUIDANCE = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
CURVES = {"steps": "inference steps", "guidance": "guidance scale", "residual_layers": "residual layers"}
"""Field of :class:`Sampling` -> what the axis of its curve says."""
_BARE = Size(repeats=1, mm_texts=0)


@dataclass(frozen=True)
class Curve:
    """A figure's row for each value of one setting; ``shipped`` is the model's own value."""

    setting: str
    shipped: float
    values: tuple[float, ...]
    rows: tuple[Row, ...]


def shipped_layers(generator: FeatureGenerator) -> int:
    """How many residual layers the model makes as it is sampled by default."""
    made = generator.sampling.residual_layers
    return generator.residual_layers if made is None else made


def shipped_sampling(generator: FeatureGenerator) -> Sampling:
    """How the model is sampled by default, its number of residual layers spelt out."""
    return replace(generator.sampling, residual_layers=shipped_layers(generator))


def curve_samplings(generator: FeatureGenerator) -> dict[str, dict[float, Sampling]]:
    """For each setting of :data:`CURVES` its values, the shipped one among them, with the sampling of each."""
    shipped = shipped_sampling(generator)
    values: dict[str, Iterable[float]] = {
        "steps": {*STEPS, shipped.steps},
        "guidance": {*GUIDANCE, shipped.guidance},
        "residual_layers": range(generator.residual_layers + 1),
    }
    kinds = {"steps": int, "guidance": float, "residual_layers": int}
    return {
        name: {value: replace(shipped, **{name: kinds[name](value)}) for value in sorted(of)}
        for name, of in values.items()
    }


def ablation_samplings(generator: FeatureGenerator) -> dict[str, Sampling]:
    """What each part of the sampling is worth: name of the change -> the sampling."""
    shipped = shipped_sampling(generator)
    changes = {
        "as it is sampled by default": shipped,
        "without residual layers": replace(shipped, residual_layers=0),
        "with all residual layers": replace(shipped, residual_layers=generator.residual_layers),
        "without guidance": replace(shipped, guidance=1.0, residual_guidance=1.0),
        "one shot, no re-masking": replace(shipped, steps=1),
        "re-masking strictly by confidence": replace(shipped, order_noise=0.0),
        "always the most likely code": replace(shipped, temperature=0.0, residual_temperature=0.0),
    }
    return {name: sampling for name, sampling in changes.items() if name.startswith("as it") or sampling != shipped}


class SampledRows:
    """Figures of one repeat on ``count`` clips by sampling, each made once; all see the same examples and seeds."""

    def __init__(self, judge: Judge, generator: FeatureGenerator, count: int, progress: Progress | None = None) -> None:
        self._judge, self._generator, self._count, self._progress = judge, generator, count, progress
        self._rows: dict[Sampling, Row] = {}

    def row(self, sampling: Sampling) -> Row:
        if sampling not in self._rows:
            self._rows[sampling] = generated_row(
                self._judge, self._generator, 0, _BARE, sampling=sampling, count=self._count, progress=self._progress
            )
        return self._rows[sampling]

    def curves(self) -> list[Curve]:
        """One curve for each setting of :data:`CURVES`."""
        curves = []
        for name, samplings in curve_samplings(self._generator).items():
            shipped = (
                shipped_layers(self._generator)
                if name == "residual_layers"
                else getattr(self._generator.sampling, name)
            )
            rows = tuple(self.row(sampling) for sampling in samplings.values())
            curves.append(Curve(name, float(shipped), tuple(samplings), rows))
        return curves

    def ablations(self) -> dict[str, Row]:
        """Name of the change -> its row."""
        return {name: self.row(sampling) for name, sampling in ablation_samplings(self._generator).items()}


def planned(generator: FeatureGenerator, curves: bool, ablations: bool, shipped: bool = False) -> int:
    """How many samplings :class:`SampledRows` will make for these; ``shipped`` is the model's own by itself."""
    samplings = {shipped_sampling(generator)} if shipped else set()
    if curves:
        samplings |= {one for of in curve_samplings(generator).values() for one in of.values()}
    if ablations:
        samplings |= set(ablation_samplings(generator).values())
    return len(samplings)
