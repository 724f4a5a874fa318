"""Residual VQ-VAE: motion features to discrete tokens and back.

Source: Guo et al., *MoMask: Generative Masked Modeling of 3D Human Motions*, CVPR 2024, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.models.draws import device_generator
from server.models.quantizer import (
    ACTIVATIONS,
    TRAINING_BUFFERS,
    Activation,
    QuantizerOutput,
    ResidualQuantizer,
    RVQConfig,
)

__all__ = ["RVQVAE", "RVQCodes", "RVQConfig", "RVQLoss", "RVQOutput", "rvq_loss"]

ReconstructionLoss = Literal["l1", "l1_smooth", "l2"]

RECONSTRUCTION_LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "l1": F.l1_loss,
    "l1_smooth": F.smooth_l1_loss,
    "l2": F.mse_loss,
}


class RVQCodes(NamedTuple):
    """``indices`` (B, N, Q) int64, -1 in dropped layers; ``codes`` (Q, B, N, D); ``latent`` (B, N, D), their sum."""

    indices: Tensor
    codes: Tensor
    latent: Tensor


class RVQOutput(NamedTuple):
    """``reconstruction`` (B, T', C), scalars averaged over the active layers, ``indices`` (B, N, Q)."""

    reconstruction: Tensor
    commit_loss: Tensor
    perplexity: Tensor
    indices: Tensor


class RVQLoss(NamedTuple):
    """Scalars: ``total`` = reconstruction + position weight * local_position + commit weight * commit."""

    total: Tensor
    reconstruction: Tensor
    local_position: Tensor
    commit: Tensor


class ResidualBlock(nn.Module):
    """Pre-activation block on (B, W, T): dilated convolution of 3, convolution of 1, dropout, plus the input."""

    def __init__(self, width: int, dilation: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.dilated = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.dilated(self.activation(x))
        return x + self.dropout(self.pointwise(self.activation(hidden)))


def residual_stack(config: RVQConfig) -> nn.Sequential:
    """``depth`` residual blocks, the widest dilation first: growth^(depth-1), …, growth, 1."""
    dilations = [config.dilation_growth**level for level in reversed(range(config.depth))]
    return nn.Sequential(*(ResidualBlock(config.width, d, config.dropout, config.activation) for d in dilations))


class Down(nn.Module):
    """Halves time with a strided convolution, then a residual stack. (B, W, T) to (B, W, T // 2)."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.conv = nn.Conv1d(config.width, config.width, 4, stride=2, padding=1)
        self.blocks = residual_stack(config)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.conv(x))


class Up(nn.Module):
    """A residual stack, then time doubled by repetition and smoothed by a convolution. (B, W, T) to (B, W, 2 T)."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.blocks = residual_stack(config)
        self.conv = nn.Conv1d(config.width, config.width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(self.blocks(x), scale_factor=2.0, mode="nearest"))


class Encoder(nn.Module):
    """Features (B, C, T) to latents (B, D, N)."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.input = nn.Conv1d(config.channels, config.width, 3, padding=1)
        self.stages = nn.ModuleList(Down(config) for _ in range(config.down_t))
        self.output = nn.Conv1d(config.width, config.code_dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.input(x))
        for stage in self.stages:
            x = stage(x)
        return self.output(x)


class Decoder(nn.Module):
    """Latents (B, D, N) to features (B, C, N * downsample)."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.input = nn.Conv1d(config.code_dim, config.width, 3, padding=1)
        self.stages = nn.ModuleList(Up(config) for _ in range(config.down_t))
        self.hidden = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.output = nn.Conv1d(config.width, config.channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.input(x))
        for stage in self.stages:
            x = stage(x)
        return self.output(F.relu(self.hidden(x)))


class RVQVAE(nn.Module):
    """Convolutional encoder, residual quantiser, convolutional decoder. Motion is normalised features (B, T, C)."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quantizer = ResidualQuantizer(config)
        self.decoder = Decoder(config)

    def encode_latent(self, motion: Tensor) -> Tensor:
        """Continuous latents (B, N, D) of motion (B, T, C), N = T // downsample."""
        if motion.ndim != 3 or motion.shape[2] != self.config.channels:
            raise ValueError(f"motion has shape {tuple(motion.shape)}; expected (B, T, {self.config.channels})")
        if motion.shape[1] < self.config.downsample:
            raise ValueError(f"motion has {motion.shape[1]} frames; one token needs {self.config.downsample}")
        motion = motion.to(self.encoder.input.weight.dtype)
        return self.encoder(motion.transpose(1, 2)).transpose(1, 2)

    def quantize(
        self, latent: Tensor, layers: int | None = None, generator: torch.Generator | None = None
    ) -> QuantizerOutput:
        """Quantise latents (B, N, D) in float32 always, as distances in half precision choose wrong codes."""
        with torch.autocast(latent.device.type, enabled=False):
            return self.quantizer(latent.float(), layers, generator)

    @torch.no_grad()
    def encode(self, motion: Tensor, layers: int | None = None) -> RVQCodes:
        """Tokens of motion (B, T, C); without noise and without codebook updates only in evaluation mode."""
        quantized = self.quantize(self.encode_latent(motion), layers)
        return RVQCodes(quantized.indices, quantized.codes, quantized.latent)

    def decode(self, indices: Tensor) -> Tensor:
        """Motion (B, N * downsample, C) from indices (B, N, Q'), Q' <= Q; -1 is the zero vector."""
        return self.decode_latent(self.quantizer.lookup(indices).sum(0))

    def decode_latent(self, latent: Tensor) -> Tensor:
        """Motion (B, N * downsample, C) from latents (B, N, D)."""
        latent = latent.to(self.decoder.input.weight.dtype)
        return self.decoder(latent.transpose(1, 2)).transpose(1, 2)

    def forward(self, motion: Tensor, layers: int | None = None, generator: torch.Generator | None = None) -> RVQOutput:
        """Reconstruct motion (B, T, C). ``generator`` (on any device) draws everything except dropout."""
        quantized = self.quantize(self.encode_latent(motion), layers, device_generator(generator, motion.device))
        reconstruction = self.decode_latent(quantized.latent)
        return RVQOutput(reconstruction, quantized.commit_loss, quantized.perplexity, quantized.indices)

    def inference_state(self) -> dict[str, Tensor]:
        """The state dictionary without the EMA buffers: what a checkpoint for inference holds."""
        return {k: v for k, v in self.state_dict().items() if not is_training_buffer(k)}

    def load_inference_state(self, state: Mapping[str, Tensor]) -> None:
        """Load what ``inference_state`` gave; RuntimeError on a missing or extra key.

        Training may go on from it: the moving averages start at the loaded codes.
        """
        averages = {k: v for k, v in self.state_dict().items() if is_training_buffer(k)}
        self.load_state_dict({**averages, **state}, strict=True)
        for layer in self.quantizer.codebooks:
            layer.ema_sum.copy_(layer.codebook)
            layer.ema_count.fill_(1.0)
            layer.initialised.fill_(True)


def is_training_buffer(key: str) -> bool:
    """Whether a state key names EMA state, which inference checkpoints leave out."""
    return key.rpartition(".")[2] in TRAINING_BUFFERS


def rvq_loss(
    output: RVQOutput,
    motion: Tensor,
    joints: int,
    kind: ReconstructionLoss = "l1_smooth",
    position_weight: float = 0.5,
    commit_weight: float = 0.02,
    joint_weights: Tensor | None = None,
) -> RVQLoss:
    """The trainer's loss on motion (B, T, C); frames beyond the last whole token are not compared.

    The local positions, channels 4 to 4 + 3 (J - 1) in both feature layouts, count once more; with ``joint_weights``
    (J - 1,), of the joints after the pelvis, some of them more than others.
    """
    reconstruction = output.reconstruction.float()
    target = motion[:, : reconstruction.shape[1]].float()
    compare = RECONSTRUCTION_LOSSES[kind]
    positions = slice(4, 4 + 3 * (joints - 1))
    whole = compare(reconstruction, target)
    if joint_weights is None:
        local = compare(reconstruction[..., positions], target[..., positions])
    else:
        each = compare(reconstruction[..., positions], target[..., positions], reduction="none")
        local = (each * joint_weights.repeat_interleave(3)).mean()
    total = whole + position_weight * local + commit_weight * output.commit_loss
    return RVQLoss(total, whole, local, output.commit_loss)
