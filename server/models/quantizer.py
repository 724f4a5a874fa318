"""Residual vector quantisation with exponential-moving-average codebooks.

Source: MoMask, CVPR 2024, section 3.1; EMA codebooks after van den Oord et al. 2017, appendix A.1, with the dead-code
reset of Dhariwal et al. 2020 (*Jukebox*).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["relu", "silu", "gelu"]

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu}
TRAINING_BUFFERS = ("ema_sum", "ema_count", "initialised")


@dataclass(frozen=True)
class RVQConfig:
    """Sizes and training behaviour of the RVQ-VAE; the defaults are those of the released HumanML3D model.

    ``channels`` C is the feature width (263 for HumanML3D, 251 for KIT-ML); one token stands for ``2 ** down_t``
    frames. ``dead_code_threshold`` is the EMA count (rows per batch) under which a code is replaced by a row of the
    batch. ``reset="random_rows"`` takes random rows and restarts their averages at twice the threshold, so that a new
    code has time to be used; ``"first_rows"`` takes row i for code i and leaves the averages, as the original does.
    ``gumbel_temperature`` 0 turns the training-time noise on the code choice off.
    """

    channels: int
    width: int = 512
    code_dim: int = 512
    codes: int = 512
    quantizers: int = 6
    down_t: int = 2
    depth: int = 3
    dilation_growth: int = 3
    activation: Activation = "relu"
    dropout: float = 0.2
    ema_decay: float = 0.99
    quantize_dropout: float = 0.2
    gumbel_temperature: float = 0.5
    dead_code_threshold: float = 1.0
    reset: Literal["random_rows", "first_rows"] = "random_rows"

    def __post_init__(self) -> None:
        for name in ("channels", "width", "code_dim", "codes", "quantizers", "depth", "dilation_growth"):
            if getattr(self, name) < 1:
                raise ValueError(f"RVQConfig.{name} is {getattr(self, name)}; it must be at least 1")
        if self.down_t < 0:
            raise ValueError(f"RVQConfig.down_t is {self.down_t}; it must be at least 0")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"RVQConfig.activation is {self.activation!r}; it must be one of {', '.join(ACTIVATIONS)}")
        for name in ("dropout", "quantize_dropout", "ema_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"RVQConfig.{name} is {getattr(self, name)}; it must lie between 0 and 1")

    @property
    def downsample(self) -> int:
        """Frames per token."""
        return 2**self.down_t


class QuantizerOutput(NamedTuple):
    """``latent`` (B, N, D) straight-through sum, ``codes`` (Q, B, N, D), ``indices`` (B, N, Q), two scalars."""

    latent: Tensor
    codes: Tensor
    indices: Tensor
    commit_loss: Tensor
    perplexity: Tensor


def perplexity(indices: Tensor, codes: int) -> Tensor:
    """Exponential of the entropy of code use by indices (R,) >= 0: 1 (one code) to ``codes`` (all alike)."""
    # scatter_add of ones is exact in any order, and unlike bincount does not make a GPU wait.
    counts = torch.zeros(codes, device=indices.device).scatter_add_(
        0, indices, torch.ones(1, device=indices.device).expand(len(indices))
    )
    share = counts / len(indices)
    return torch.exp(-(share * torch.log(share + 1e-7)).sum())


def gumbel_noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard Gumbel noise of the shape of ``like``."""
    return -torch.empty_like(like).exponential_(generator=generator).clamp_min(1e-20).log()


class Codebook(nn.Module):
    """One quantisation layer: K codes of width D that follow the exponential moving average of their rows.

    Training state beside ``codebook`` (K, D): ``ema_sum`` (K, D), ``ema_count`` (K,), ``initialised`` (bool scalar).
    They are buffers so that a resumed run goes on exactly; inference checkpoints leave them out.
    """

    codebook: Tensor
    ema_sum: Tensor
    ema_count: Tensor
    initialised: Tensor

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("codebook", torch.zeros(config.codes, config.code_dim))
        self.register_buffer("ema_sum", torch.zeros(config.codes, config.code_dim))
        self.register_buffer("ema_count", torch.ones(config.codes))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    def choose(self, rows: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
        """Index (R,) of the nearest code of each row (R, D); Gumbel noise on -distance² / temperature if above 0."""
        # |x|² is the same for every code of a row, so it never changes the choice.
        codes = self.codebook.float()
        closeness = 2 * rows.float() @ codes.T - codes.square().sum(1)  # (R, K)
        if temperature > 0:
            closeness = closeness / temperature + gumbel_noise(closeness, generator)
        return closeness.argmax(1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes (..., D) float32 of indices (...); the zero vector for -1."""
        return F.embedding(indices.clamp_min(0), self.codebook).float().masked_fill((indices < 0).unsqueeze(-1), 0.0)

    def spare_rows(self, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """K rows of the batch (R, D) to start or restart codes from; fewer than K are repeated with slight noise."""
        if self.config.reset == "random_rows":
            rows = rows[torch.randperm(len(rows), generator=generator, device=rows.device)]
        if len(rows) < self.config.codes:
            rows = rows.repeat(math.ceil(self.config.codes / len(rows)), 1)
            noise = torch.randn(rows.shape, generator=generator, device=rows.device)
            rows = rows + noise * (0.01 / math.sqrt(rows.shape[1]))
        return rows[: self.config.codes]

    @torch.no_grad()
    def start(self, spare: Tensor) -> None:
        """Take the codes from ``spare`` (K, D) unless there are codes already."""
        # torch.where instead of a branch: reading the flag would make a GPU wait in every step.
        self.codebook.copy_(torch.where(self.initialised, self.codebook, spare))
        self.ema_sum.copy_(torch.where(self.initialised, self.ema_sum, spare))
        self.initialised.fill_(True)

    @torch.no_grad()
    def update(self, rows: Tensor, indices: Tensor, spare: Tensor) -> None:
        """One EMA step from rows (R, D) and their codes (R,); dead codes take their row of ``spare`` (K, D)."""
        chosen = F.one_hot(indices, self.config.codes).to(rows.dtype)  # (R, K)
        self.ema_sum.lerp_(chosen.T @ rows, 1 - self.config.ema_decay)
        self.ema_count.lerp_(chosen.sum(0), 1 - self.config.ema_decay)
        alive = self.ema_count >= self.config.dead_code_threshold
        mean = self.ema_sum / self.ema_count.clamp_min(1e-12).unsqueeze(1)
        self.codebook.copy_(torch.where(alive.unsqueeze(1), mean, spare))
        if self.config.reset == "random_rows":
            # Kept averages would pull a code that comes alive to a mixture of the places it was restarted at.
            restart = 2 * self.config.dead_code_threshold
            self.ema_sum.copy_(torch.where(alive.unsqueeze(1), self.ema_sum, spare * restart))
            self.ema_count.copy_(torch.where(alive, self.ema_count, torch.full_like(self.ema_count, restart)))


class ResidualQuantizer(nn.Module):
    """Q codebooks in a row; each quantises what the ones before left over."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Codebook(config) for _ in range(config.quantizers))

    @property
    def codebooks(self) -> list[Codebook]:
        """The layers, first to last."""
        return cast(list[Codebook], list(self.layers))

    def forward(
        self, latent: Tensor, layers: int | None = None, generator: torch.Generator | None = None
    ) -> QuantizerOutput:
        """Quantise latent (B, N, D) float32; in training mode also update the codebooks.

        ``layers`` keeps only the first so many layers; by default all, or in training a random number once per batch
        with probability ``quantize_dropout``. The gradient to ``latent`` is that of the straight-through sum, so it is
        the number of active layers times the decoder's.
        """
        if layers is None:
            layers = self._drawn_layers(generator) if self.training else self.config.quantizers
        if not 1 <= layers <= self.config.quantizers:
            raise ValueError(f"{layers} quantiser layers asked for; there are {self.config.quantizers}")
        temperature = self.config.gumbel_temperature if self.training else 0.0
        residual, total = latent, torch.zeros_like(latent)  # (B, N, D)
        codes, indices, commits, perplexities = [], [], [], []
        for codebook in self.codebooks[:layers]:
            rows = residual.detach().flatten(0, 1)  # (B N, D)
            spare = codebook.spare_rows(rows, generator) if self.training else None
            if spare is not None:
                codebook.start(spare)
            index = codebook.choose(rows, temperature, generator)
            code = codebook.lookup(index).view_as(residual)
            if spare is not None:
                codebook.update(rows, index, spare)
            commits.append(F.mse_loss(residual, code))
            perplexities.append(perplexity(index, self.config.codes))
            straight = residual + (code - residual).detach()
            total = total + straight
            residual = residual - straight.detach()
            codes.append(straight)
            indices.append(index.view(latent.shape[:2]))
        dropped = self.config.quantizers - layers
        codes += [torch.zeros_like(latent)] * dropped
        indices += [torch.full_like(indices[0], -1)] * dropped
        return QuantizerOutput(
            latent=total,
            codes=torch.stack(codes),
            indices=torch.stack(indices, dim=-1),
            commit_loss=torch.stack(commits).mean(),
            perplexity=torch.stack(perplexities).mean(),
        )

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes (Q', B, N, D) float32 of indices (B, N, Q'), Q' <= Q; -1 gives the zero vector."""
        if not 1 <= indices.shape[-1] <= self.config.quantizers:
            raise ValueError(f"indices have {indices.shape[-1]} layers; the model has {self.config.quantizers}")
        return torch.stack([self.codebooks[q].lookup(indices[..., q]) for q in range(indices.shape[-1])])

    def _drawn_layers(self, generator: torch.Generator | None) -> int:
        drop, last = torch.rand(2, generator=generator, device=generator.device if generator else None).tolist()
        return int(last * self.config.quantizers) + 1 if drop < self.config.quantize_dropout else self.config.quantizers
