"""Small random models that the tests share."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch

from server.models.checkpoint import Bundle, BundleConfig
from server.models.length import LengthConfig, LengthEstimator
from server.models.masked import MaskedConfig, MaskedTransformer
from server.models.residual import ResidualConfig, ResidualTransformer
from server.models.rvq import RVQVAE, RVQConfig

M = TypeVar("M", bound=torch.nn.Module)

RVQ = RVQConfig(channels=263, width=16, code_dim=8, codes=12, quantizers=3, depth=2)
MASKED = MaskedConfig(codes=12, code_dim=8, latent=16, heads=2, layers=2, ff=24, cond_dim=10, max_tokens=20)
RESIDUAL = ResidualConfig(
    codes=12, code_dim=8, quantizers=3, latent=16, heads=2, layers=2, ff=24, cond_dim=10, max_tokens=20
)
LENGTH = LengthConfig(cond_dim=10, classes=21, width=16)


def masked_model(seed: int = 0) -> MaskedTransformer:
    """A masked transformer in evaluation mode whose choices vary with position and condition."""
    torch.manual_seed(seed)
    return enlivened(MaskedTransformer(MASKED))


def residual_model(seed: int = 0) -> ResidualTransformer:
    """A residual transformer in evaluation mode whose choices vary with position and condition."""
    torch.manual_seed(seed)
    return enlivened(ResidualTransformer(RESIDUAL))


def enlivened(model: M) -> M:
    """``model`` in evaluation mode with weights so large that places differ, and a head so small that draws do."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.15 if name.startswith("head.output") else 0.5)
    return model.eval()


def conditions(batch: int, seed: int = 1) -> torch.Tensor:
    """Random condition vectors (batch, cond_dim)."""
    return torch.randn(batch, MASKED.cond_dim, generator=torch.Generator().manual_seed(seed))


def generators(*seeds: int) -> list[torch.Generator]:
    """One CPU generator for each seed."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def tiny_bundle(cond_dim: int = MASKED.cond_dim) -> Bundle:
    """A whole random bundle in the HumanML3D layout."""
    torch.manual_seed(7)
    config = BundleConfig(
        name="tiny",
        licence="CC0",
        features="humanml3d",
        frame_rate=20.0,
        text_encoder="clip",
        rvq=RVQ,
        masked=replace(MASKED, cond_dim=cond_dim),
        residual=replace(RESIDUAL, cond_dim=cond_dim),
        length=replace(LENGTH, cond_dim=cond_dim),
    )
    rvq = RVQVAE(config.rvq)
    rvq(torch.randn(4, 32, RVQ.channels))
    assert config.length is not None
    models = (MaskedTransformer(config.masked), ResidualTransformer(config.residual), LengthEstimator(config.length))
    return Bundle(config, rvq.eval(), *(m.eval() for m in models), torch.randn(263), torch.rand(263) + 0.5)
