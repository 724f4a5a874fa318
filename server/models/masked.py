"""The masked transformer: base-layer motion tokens from a condition vector.

Source: MoMask, CVPR 2024, section 3.2. Sampling is in ``server.models.sampling``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.models.draws import device_generator
from server.models.sampling import cosine_schedule
from server.models.transformer import (
    OutputHead,
    TokenEncoder,
    code_tables,
    drop_condition,
    init_weights,
    look_at_neighbours,
)


@dataclass(frozen=True)
class MaskedConfig:
    """Sizes of the masked transformer; the defaults are those of the released models.

    ``codes`` K and ``code_dim`` D are the RVQ-VAE's; ``cond_dim`` is the width of the text encoder (512 for CLIP
    ViT-B/32); ``cond_drop`` is the share of condition vectors zeroed in training; ``max_tokens`` the longest motion.
    """

    codes: int = 512
    code_dim: int = 512
    latent: int = 384
    heads: int = 6
    layers: int = 8
    ff: int = 1024
    cond_dim: int = 512
    dropout: float = 0.2
    cond_drop: float = 0.1
    max_tokens: int = 49


class TokenLoss(NamedTuple):
    """Scalars: mean cross entropy over the target tokens, and the share of them that the arg max gets right."""

    loss: Tensor
    accuracy: Tensor


class MaskedTransformer(nn.Module):
    """Predicts every base token from the visible ones and a condition vector."""

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.codes + 2, config.code_dim)
        self.token_projection = nn.Linear(config.code_dim, config.latent)
        self.cond_projection = nn.Linear(config.cond_dim, config.latent)
        self.encoder = TokenEncoder(
            config.latent, config.heads, config.layers, config.ff, config.dropout, config.max_tokens
        )
        self.head = OutputHead(config.latent, config.codes)
        self.apply(init_weights)
        look_at_neighbours(self.encoder, (self.token_projection, self.cond_projection))

    @torch.no_grad()
    def embed_codes(self, codebooks: Tensor) -> None:
        """Start training with the codes embedded as the first of the RVQ-VAE's codebooks (Q, K, D) arranges them.

        ValueError when D is more than ``code_dim``.
        """
        self.token_embedding.weight[: self.config.codes] = code_tables(codebooks[:1], self.config.code_dim)[0]

    @property
    def mask_id(self) -> int:
        """Token id of a place to be filled."""
        return self.config.codes

    @property
    def pad_id(self) -> int:
        """Token id of a place beyond the motion's length."""
        return self.config.codes + 1

    def forward(self, ids: Tensor, cond: Tensor, padding: Tensor | None = None, places: Tensor | None = None) -> Tensor:
        """Logits (B, N, K) for ids (B, N) int64 in 0..K+1, cond (B, cond_dim), padding (B, N) bool, True = pad.

        A zero condition vector is the unconditional case. ``padding=None`` says that there is none (faster). With cond
        (G B, cond_dim) every sample is predicted under G conditions, those of cond[g * B + b] at g * B + b; with places
        (B, M) int64 only there: (G B, M, K).
        """
        tokens = self.token_projection(self.token_embedding(ids))  # (B, N, L)
        prefix = self.cond_projection(cond.to(self.cond_projection.weight.dtype)).unsqueeze(1)  # (B, 1, L)
        return self.head(self.encoder(prefix, tokens, padding, places))


def training_mask(padding: Tensor, time: Tensor, order: Tensor) -> Tensor:
    """The tokens (B, N) bool to predict in a training step.

    ``padding`` (B, N) True = pad; uniform numbers ``time`` (B,) give the mask ratio cos(pi t / 2) of the padded length,
    at least one token; ``order`` (B, N) says which. A sample whose draws all fall on pads has no target.
    """
    count = (padding.shape[1] * cosine_schedule(time)).round().clamp_min(1)  # (B,)
    return (order.argsort(dim=1) < count.unsqueeze(1)) & ~padding


def corrupt(ids: Tensor, targets: Tensor, codes: int, mask_id: int, generator: torch.Generator | None) -> Tensor:
    """Input ids (B, N): of the targets 10 % become a random code, 88 % of the rest the mask id, the others stay."""
    draws = torch.rand(2, *ids.shape, generator=generator, device=ids.device)
    random_codes = torch.randint(codes, ids.shape, generator=generator, device=ids.device)
    randomised = targets & (draws[0] < 0.1)
    masked = targets & ~randomised & (draws[1] < 0.88)
    return torch.where(masked, mask_id, torch.where(randomised, random_codes, ids))


def token_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> TokenLoss:
    """Cross entropy and accuracy of logits (B, N, K) against labels (B, N) where targets (B, N) is True."""
    logits = logits.float()
    weight = targets.to(logits.dtype)
    count = weight.sum().clamp_min(1)
    losses = F.cross_entropy(logits.flatten(0, 1), torch.where(targets, labels, 0).flatten(), reduction="none")
    correct = (logits.argmax(-1) == labels).to(logits.dtype)
    return TokenLoss((losses.view_as(weight) * weight).sum() / count, (correct * weight).sum() / count)


def masked_loss(
    model: MaskedTransformer,
    ids: Tensor,
    cond: Tensor,
    padding: Tensor,
    generator: torch.Generator | None = None,
    context: Tensor | None = None,
) -> TokenLoss:
    """One training step's loss on base tokens ids (B, N) (anything at pads), cond (B, cond_dim), padding (B, N) bool.

    Places of ``context`` (B, N) bool are seen as they are and never a target.
    ``generator`` (on any device) draws mask ratio, places, replacements and condition drop; dropout has none.
    """
    generator = device_generator(generator, ids.device)
    time = torch.rand(len(ids), generator=generator, device=ids.device)
    order = torch.rand(ids.shape, generator=generator, device=ids.device)
    targets = training_mask(padding, time, order)
    if context is not None:
        targets &= ~context
    ids = torch.where(padding, model.pad_id, ids)
    inputs = corrupt(ids, targets, model.config.codes, model.mask_id, generator)
    cond = drop_condition(cond, model.config.cond_drop, generator)
    return token_loss(model(inputs, cond, padding), ids, targets)
