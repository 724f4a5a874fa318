"""The residual transformer: residual-layer tokens from the layers before and a condition vector.

Source: MoMask, CVPR 2024, section 3.3. Sampling is in ``server.models.sampling``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.models.draws import device_generator
from server.models.masked import TokenLoss, token_loss
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
class ResidualConfig:
    """Sizes of the residual transformer; the defaults are those of the released models.

    ``codes`` K, ``code_dim`` D and ``quantizers`` Q (base layer included, at least 2) are the RVQ-VAE's.
    """

    codes: int = 512
    code_dim: int = 512
    quantizers: int = 6
    latent: int = 384
    heads: int = 6
    layers: int = 8
    ff: int = 1024
    cond_dim: int = 512
    dropout: float = 0.2
    cond_drop: float = 0.2
    max_tokens: int = 49

    def __post_init__(self) -> None:
        if self.quantizers < 2:
            raise ValueError(f"{self.quantizers} quantiser layers leave none to predict; at least 2 are needed")


class ResidualTransformer(nn.Module):
    """Predicts layer j in 1..Q-1 of every token from the summed embeddings of layers 0..j-1.

    The embedding of layer j in 1..Q-2 is the output matrix that predicts layer j. K + 1 classes are scored: the last is
    the pad, which stands for "nothing more in this layer" and decodes to a zero vector.
    """

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        self.config = config
        self.first_embedding = nn.Parameter(torch.empty(1, config.codes + 1, config.code_dim))
        self.shared = nn.Parameter(torch.empty(config.quantizers - 2, config.codes + 1, config.code_dim))
        self.last_output = nn.Parameter(torch.empty(1, config.codes + 1, config.code_dim))
        self.token_projection = nn.Linear(config.code_dim, config.latent)
        self.layer_projection = nn.Linear(config.quantizers, config.latent)
        self.cond_projection = nn.Linear(config.cond_dim, config.latent)
        self.encoder = TokenEncoder(
            config.latent, config.heads, config.layers, config.ff, config.dropout, config.max_tokens
        )
        self.head = OutputHead(config.latent, config.code_dim)
        self.apply(init_weights)
        look_at_neighbours(self.encoder, (self.token_projection, self.layer_projection, self.cond_projection))
        for table in (self.first_embedding, self.shared, self.last_output):
            nn.init.normal_(table, std=1.0)
        # The tables are as loud as their sum must be, so what they are multiplied with to score classes starts low.
        nn.init.normal_(self.head.output.weight, std=(config.latent * config.code_dim) ** -0.5)

    @torch.no_grad()
    def embed_codes(self, codebooks: Tensor) -> None:
        """Start training with the codes embedded as the RVQ-VAE's codebooks (Q, K, D) arrange them, pads as zero.

        A history is then the latent vector as far as it is known. ValueError when D is more than ``code_dim``.
        """
        tables = F.pad(code_tables(codebooks, self.config.code_dim), (0, 0, 0, 1))  # (Q, K + 1, code_dim)
        self.first_embedding.copy_(tables[:1])
        self.shared.copy_(tables[1:-1])
        self.last_output.copy_(tables[-1:])

    @property
    def pad_id(self) -> int:
        """Token id of a place beyond the motion's length, and of an empty layer."""
        return self.config.codes

    def embedding_tables(self) -> Tensor:
        """Token embeddings (Q-1, K+1, D) of layers 0..Q-2."""
        return torch.cat([self.first_embedding, self.shared])

    def output_tables(self) -> Tensor:
        """Output matrices (Q-1, K+1, D) that predict layers 1..Q-1."""
        return torch.cat([self.shared, self.last_output])

    def embed(self, ids: Tensor, layer: int) -> Tensor:
        """Embeddings (B, N, D) of ids (B, N) in 0..K of ``layer`` in 0..Q-2."""
        return F.embedding(ids, self.first_embedding[0] if layer == 0 else self.shared[layer - 1])

    def output_table(self, layer: int) -> Tensor:
        """The output matrix (K+1, D) that predicts ``layer`` in 1..Q-1."""
        return self.last_output[0] if layer == self.config.quantizers - 1 else self.shared[layer - 1]

    def history(self, indices: Tensor, layers: Tensor) -> Tensor:
        """Summed embeddings (B, N, D) of the layers before ``layers`` (B,), from indices (B, N, Q) in 0..K."""
        total: Tensor | None = None
        for q in range(self.config.quantizers - 1):
            before = (layers > q)[:, None, None]  # (B, 1, 1)
            term = self.embed(indices[..., q], q) * before
            total = term if total is None else total + term
        assert total is not None
        return total

    def forward(
        self,
        history: Tensor,
        layers: Tensor | int,
        cond: Tensor,
        padding: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, N, K+1) of layer ``layers`` in 1..Q-1 from history (B, N, D) and cond (B, cond_dim).

        ``layers`` is one number, or one for each condition vector (B,) int64. padding (B, N) bool, True = pad, or None if
        there is none; a zero condition vector is the unconditional case. Cond of (G B, cond_dim) and places (B, M) as
        for the masked transformer.
        """
        cond = cond.to(self.cond_projection.weight.dtype)
        projected = self.layer_projection.weight.T[layers] + self.layer_projection.bias  # (L,) or (B, L)
        prefix = torch.stack([self.cond_projection(cond), projected.expand(len(cond), -1).to(cond)], dim=1)  # (B, 2, L)
        hidden = self.head(self.encoder(prefix, self.token_projection(history), padding, places))  # (B, N, D)
        if isinstance(layers, int):
            return F.linear(hidden, self.output_table(layers).to(hidden.dtype))
        return hidden @ self.output_tables()[layers - 1].mT.to(hidden.dtype)


def drawn_layers(uniform: Tensor, quantizers: int) -> Tensor:
    """Layers in 1..Q-1 (B,) int64 from uniform numbers (B,), biased to the low ones: 1 + round((1 - cos)(Q - 2))."""
    return ((1 - cosine_schedule(uniform)) * (quantizers - 2)).round().long() + 1


def residual_targets_loss(
    model: ResidualTransformer,
    indices: Tensor,
    layers: Tensor,
    cond: Tensor,
    padding: Tensor,
    context: Tensor | None = None,
) -> TokenLoss:
    """Loss of predicting layer ``layers`` (B,) of indices (B, N, Q) (anything at pads); no drop of the condition.

    Places of ``context`` (B, N) bool count in none.
    """
    indices = torch.where(padding.unsqueeze(-1) | (indices < 0), model.pad_id, indices)
    logits = model(model.history(indices, layers), layers, cond, padding)
    labels = indices.gather(2, layers[:, None, None].expand(-1, indices.shape[1], 1)).squeeze(2)  # (B, N)
    targets = labels != model.pad_id
    return token_loss(logits, labels, targets if context is None else targets & ~context)


def residual_loss(
    model: ResidualTransformer,
    indices: Tensor,
    cond: Tensor,
    padding: Tensor,
    generator: torch.Generator | None = None,
    context: Tensor | None = None,
) -> TokenLoss:
    """One training step's loss on tokens indices (B, N, Q), cond (B, cond_dim), padding (B, N) bool, True = pad.

    Places of ``context`` (B, N) bool are no target.
    ``generator`` (on any device) draws each sample's layer and the condition drop; dropout has none.
    """
    generator = device_generator(generator, indices.device)
    uniform = torch.rand(len(indices), generator=generator, device=indices.device)
    layers = drawn_layers(uniform, model.config.quantizers)
    cond = drop_condition(cond, model.config.cond_drop, generator)
    return residual_targets_loss(model, indices, layers, cond, padding, context)
