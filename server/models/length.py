"""The length estimator: how long a motion a condition vector asks for. Source: MoMask, CVPR 2024, appendix."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.models.draws import request_uniforms
from server.models.sampling import Generators, draw


@dataclass(frozen=True)
class LengthConfig:
    """``classes`` lengths of 0, 1, … tokens from vectors of ``cond_dim``; hidden layers width, width / 2, width / 4."""

    cond_dim: int = 512
    classes: int = 50
    width: int = 512
    dropout: float = 0.2


class LengthEstimator(nn.Module):
    """Scores each length in tokens: class c stands for c tokens, thus c * downsample frames."""

    def __init__(self, config: LengthConfig) -> None:
        super().__init__()
        self.config = config
        widths = (config.cond_dim, config.width, config.width // 2, config.width // 4)
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths[1:])
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(widths[-1], config.classes)

    def forward(self, cond: Tensor) -> Tensor:
        """Logits (B, classes) of cond (B, cond_dim)."""
        hidden = cond.to(self.output.weight.dtype)
        for level, (linear, norm) in enumerate(zip(self.linears, self.norms, strict=True)):
            hidden = F.leaky_relu(norm(linear(hidden)), 0.2)
            if level < len(self.linears) - 1:
                hidden = self.dropout(hidden)
        return self.output(hidden)


def length_loss(model: LengthEstimator, cond: Tensor, lengths: Tensor) -> Tensor:
    """Mean cross entropy (scalar) to lengths (B,) in tokens, cut to the longest class, from cond (B, cond_dim)."""
    return F.cross_entropy(model(cond).float(), lengths.clamp(0, model.config.classes - 1))


@torch.no_grad()
def expected_length(model: LengthEstimator, cond: Tensor) -> Tensor:
    """The mean (B,) float32 in tokens of the lengths that cond (B, cond_dim) makes likely."""
    logits = model(cond).float()
    return logits.softmax(-1) @ torch.arange(logits.shape[-1], dtype=torch.float32, device=logits.device)


@torch.no_grad()
def sample_length(
    model: LengthEstimator, cond: Tensor, *, temperature: float = 1.0, generators: Generators = None
) -> Tensor:
    """Lengths (B,) int64 in tokens, at least 1, drawn from the softmax; with temperature 0 the most likely.

    cond is (B, cond_dim); ``generators`` has one generator per request (or one for all) on any device.
    """
    logits = model(cond).float()
    if temperature == 0:
        return logits.argmax(-1).clamp_min(1)
    if generators is None:
        raise ValueError(
            f"temperature {temperature} needs generators; without them set it to 0, the most likely length"
        )
    uniforms = request_uniforms(generators, 1, [1] * len(cond), 1, cond.device)[0]  # (B, 1)
    return draw(logits.unsqueeze(1), uniforms, temperature).squeeze(1).clamp_min(1)
