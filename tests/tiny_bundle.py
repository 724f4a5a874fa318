"""A complete bundle folder with small random networks: everything runs, nothing means anything."""

from __future__ import annotations

from pathlib import Path

import torch

from server.models.checkpoint import Bundle, BundleConfig, save_bundle
from server.models.length import LengthConfig, LengthEstimator
from server.models.masked import MaskedConfig, MaskedTransformer
from server.models.residual import ResidualConfig, ResidualTransformer
from server.models.rvq import RVQVAE, RVQConfig
from server.models.text import (
    SPECIAL_TOKENS,
    TextTowerConfig,
    build_tokenizer,
    build_tower,
    save_embedded_text,
)

COND = 8


def write_tiny_bundle(folder: Path) -> Path:
    """Write it into ``folder``; the same weights every time."""
    torch.manual_seed(0)
    rvq = RVQConfig(channels=263, width=16, code_dim=8, codes=16, quantizers=3, depth=1)
    masked = MaskedConfig(codes=16, code_dim=8, latent=16, heads=2, layers=1, ff=16, cond_dim=COND)
    residual = ResidualConfig(codes=16, code_dim=8, quantizers=3, latent=16, heads=2, layers=1, ff=16, cond_dim=COND)
    config = BundleConfig(
        name="tiny",
        licence="none",
        features="humanml3d",
        frame_rate=20.0,
        text_encoder="embedded",
        one_action=True,
        rvq=rvq,
        masked=masked,
        residual=residual,
        length=LengthConfig(cond_dim=COND),
    )
    model = RVQVAE(rvq)
    for layer in model.quantizer.codebooks:
        layer.codebook.normal_()
    mean, std = torch.zeros(263), torch.full((263,), 0.01)
    mean[3] = 0.95
    # Joints far enough apart for the solver: a rough standing figure in the local positions.
    from protocol.skeleton import default_skeleton

    mean[4:67] = torch.from_numpy(default_skeleton().rest_positions()[1:]).reshape(-1).float()
    models = (model, MaskedTransformer(masked), ResidualTransformer(residual), LengthEstimator(config.length))
    save_bundle(folder, Bundle(config, *models, mean, std))
    words = [*SPECIAL_TOKENS, *["a", "person", "walks", "waves", "then", "stands", "still", "bows"]]
    tower = TextTowerConfig(vocab_size=len(words), context=16, width=8, heads=2, layers=1, dim=COND)
    save_embedded_text(folder, tower, build_tower(tower), build_tokenizer(words, tower.context))
    return folder
