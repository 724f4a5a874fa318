"""Refining the RVQ-VAE's decoder: ``motionbridge train decoder``, once its codes are settled.

Encoder and codebooks stay as they are, and so do the tokens that the transformers learn. The decoder alone learns to make
the most of few layers, as most motion of a small model is decoded from its base layer: what that leaves open of a rare
movement, such as a kick, it can know from the codes around.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Generator, Tensor

from server.models.rvq import RVQVAE, Decoder, RVQOutput
from server.training.dataset import LayeredWindows, MotionDataset
from server.training.devices import resolve_device
from server.training.stages import StageConfig, layered_batches, load_rvq, reconstruction_error, reconstruction_loss
from server.training.train_config import TrainConfig
from server.training.trainer import Trainer, TrainResult, load_weights

FOLDER = "decoder"
DECODER_TRAINING = TrainConfig(
    steps=2000, batch_size=32, lr=4e-4, lr_final=1e-5, warm_up=100, weight_decay=0.0, ema_decay=0.998
)
BASE_SHARE = 0.7  # of the batches that are decoded from the base layer alone; the others have two layers to all


def train_decoder(data: Path, run: Path, config: TrainConfig, stage: StageConfig, fresh: bool = False) -> TrainResult:
    """Train the decoder of the RVQ-VAE in ``run`` on; validation is root-relative MPJPE (mm) of the base layer alone."""
    train, validation = MotionDataset(data, "train"), MotionDataset(data, "val")
    # The trainer moves and switches the decoder alone; encoder and quantiser stay in evaluation mode, so nothing updates them.
    rvq = load_rvq(run, train.layout.channels, stage.sizes).to(resolve_device(config.device))
    measure = reconstruction_loss(train.layout, stage)

    def loss(decoder: Decoder, batch: LayeredWindows, generator: Generator) -> Mapping[str, Tensor]:
        codes = rvq.encode(batch.motion, batch.layers)
        reconstruction = decoder(codes.latent.transpose(1, 2)).transpose(1, 2)
        zero = torch.zeros((), device=reconstruction.device)
        losses = measure(RVQOutput(reconstruction, zero, zero, codes.indices), batch.motion)
        return {"loss": losses.total, "reconstruction": losses.reconstruction}

    def validate(decoder: Decoder) -> Mapping[str, float]:
        errors = {layers: reconstruction_error(rvq, validation, layers) for layers in (1, stage.sizes.quantizers)}
        return {f"mpjpe_mm_{layers}": error for layers, error in errors.items()} | {"loss": errors[1]}

    batches = layered_batches(train, config, stage, BASE_SHARE, range(2, stage.sizes.quantizers + 1))
    identity = {"model": asdict(rvq.config), "windows": stage.windows}
    return Trainer(rvq.decoder, loss, batches, config, run / FOLDER, validate, identity=identity, fresh=fresh).run()


def load_refined(run: Path, rvq: RVQVAE) -> None:
    """Give ``rvq`` the decoder that was refined in ``run``; without one it keeps its own."""
    if (run / FOLDER).is_dir():
        rvq.decoder.load_state_dict(load_weights(run / FOLDER))
