"""The yardstick of the generation benchmark does what the models' own sampling does."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_models import conditions, masked_model, residual_model

from server.models.sampling import generate_base, generate_residual

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.original_pipeline import OriginalPipeline


def test_the_originals_way_and_ours_choose_the_same_tokens() -> None:
    masked, residual, cond, lengths = masked_model(), residual_model(), conditions(2), [9, 5]
    original = OriginalPipeline(masked, residual)
    base = original.base(cond, lengths, 10, 4.0)
    assert torch.equal(base, generate_base(masked, cond, lengths, temperature=0))
    assert len(base.unique()) > 3
    whole = original.layers(base, cond, lengths, 5.0)
    assert torch.equal(whole, generate_residual(residual, base, cond, lengths, temperature=0))
