"""Arrays computed with the original MoMask code (``shared/golden/momask_tiny``), both feature layouts, and how ours are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from server.models.checkpoint import Bundle
from server.models.original import load_original
from server.motion.features import HUMANML3D, KIT

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "momask_tiny"
EXPECTED = {"t2m": "expected.npz", "kit": "expected_kit.npz"}
LAYOUTS = {"t2m": HUMANML3D, "kit": KIT}


@dataclass(frozen=True)
class Golden:
    """The arrays of one tree and the models loaded from it."""

    arrays: Any
    bundle: Bundle
    dataset: str

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.arrays[name]))

    @property
    def joints(self) -> int:
        return LAYOUTS[self.dataset].joints

    @property
    def lengths(self) -> list[int]:
        return self["mt_lens"].tolist()

    def train(self) -> Golden:
        """The same with parameters that take gradients, on a fresh copy."""
        bundle = load_original(GOLDEN / "checkpoints" / self.dataset)
        for model in (bundle.rvq, bundle.masked, bundle.residual):
            model.requires_grad_(True)
        return replace(self, bundle=bundle)


def load_golden(dataset: str) -> Golden:
    """The tree of one of `LAYOUTS`; skips the test that asks where there is none."""
    if not GOLDEN.is_dir():
        pytest.skip(f"golden arrays are not at {GOLDEN}")
    with np.load(GOLDEN / EXPECTED[dataset]) as arrays:
        return Golden(dict(arrays), load_original(GOLDEN / "checkpoints" / dataset), dataset)


def close(ours: Tensor, wanted: Tensor, rtol: float = 1e-4, atol: float = 2e-5) -> None:
    torch.testing.assert_close(ours.detach(), wanted.to(ours.dtype), rtol=rtol, atol=atol)


def close_guided(ours: Tensor, wanted: Tensor, scale: float) -> None:
    """Guided logits: u + s (c - u) multiplies the rounding of both passes by about s.

    The arrays themselves are up to 4e-5 away from a float64 evaluation at s = 5.
    """
    close(ours, wanted, atol=2e-5 * scale)


def close_features(ours: Tensor, wanted: Tensor, std: Tensor) -> None:
    """Unnormalised features: the tolerance of the network's output times the unit of each channel."""
    close(ours / std, wanted / std)


def exact(ours: Tensor, wanted: Tensor) -> None:
    """Scalars such as losses and schedules."""
    close(ours, wanted, rtol=0, atol=1e-6)


def equal(ours: Tensor, wanted: Tensor) -> None:
    assert torch.equal(ours, wanted.to(ours.dtype))


class Recorder:
    """What a model's forward was given and gave, first positional argument and result, call by call."""

    def __init__(self, model: nn.Module) -> None:
        self.inputs: list[Tensor] = []
        self.handle = model.register_forward_pre_hook(lambda _, args: self.inputs.append(args[0].detach().clone()))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()

    def stacked(self) -> Tensor:
        """The inputs of all calls, which conditional and unconditional pass share."""
        return torch.stack(self.inputs)


def gradients(model: nn.Module, names: dict[str, str], golden: Golden, prefix: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of our gradient and the expected one, for every expected parameter of ``model``."""
    ours = dict(model.named_parameters())
    expected = [name for name in golden.arrays if name.startswith(prefix) and name[len(prefix) :] in names]
    assert len(expected) >= 4
    for name in expected:
        gradient = ours[names[name[len(prefix) :]]].grad
        assert gradient is not None
        yield gradient, golden[name]
