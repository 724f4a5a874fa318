"""The encoder-only transformer that the masked and the residual transformer share.

Source: MoMask, CVPR 2024, section 3.2; layers after Vaswani et al. 2017 (post-norm) with exact GELU. Batch first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_OFFSETS = (-1, 1, -2, 2)
_SHARPNESS = 6.0  # a head of 16 pairs gives the place it looks at about 16 times the weight of the ones beside it


def sinusoidal_positions(tokens: int, width: int) -> Tensor:
    """Sine and cosine position table (tokens, width), interleaved; Vaswani et al. 2017, section 3.5."""
    position = torch.arange(tokens, dtype=torch.float32).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    angles = position * frequency
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)  # (N, L)


class LinearGelu(nn.Linear):
    """A linear layer with exact GELU after it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(super().forward(x))


class SelfAttention(nn.Module):
    """Multi-head self-attention with one fused projection; queries, keys, values are rows 0:L, L:2L, 2L:3L of it."""

    def __init__(self, latent: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(latent, 3 * latent)
        self.out = nn.Linear(latent, latent)

    def forward(self, x: Tensor, attend: Tensor | None, places: Tensor | None = None) -> Tensor:
        """x (B, S, L) to the same; with places (B, M) int64 only there: (B, M, L).

        attend (B, 1, 1, S) bool is True where a position may be looked at; None for everywhere.
        """
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        if places is not None:
            query = rows_at(query, places)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attend, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Attention, then feed-forward, each with dropout, residual sum and layer norm after it.

    (B, S, L) to the same; with places (B, M) int64 only there, though every position is still looked at: (B, M, L).
    """

    def __init__(self, latent: int, heads: int, ff: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(latent, heads, dropout)
        self.norm1 = nn.LayerNorm(latent)
        self.up = LinearGelu(latent, ff)
        self.down = nn.Linear(ff, latent)
        self.norm2 = nn.LayerNorm(latent)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, attend: Tensor | None, places: Tensor | None = None) -> Tensor:
        mixed = self.attention(x, attend, places)
        x = self.norm1((x if places is None else rows_at(x, places)) + self.dropout(mixed))
        hidden = self.dropout(self.up(x))
        return self.norm2(x + self.dropout(self.down(hidden)))


def rows_at(x: Tensor, places: Tensor) -> Tensor:
    """Rows (B, M, L) of x (B, S, L) at places (B, M) int64."""
    return x.gather(1, places.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


class TokenEncoder(nn.Module):
    """Encoder layers over motion tokens preceded by prefix tokens; only the motion tokens have positions."""

    positions: Tensor

    def __init__(self, latent: int, heads: int, layers: int, ff: int, dropout: float, max_tokens: int) -> None:
        super().__init__()
        if latent % heads or latent % 2:
            raise ValueError(f"latent width {latent} must be even and a multiple of the {heads} heads")
        self.register_buffer("positions", sinusoidal_positions(max_tokens, latent), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(EncoderLayer(latent, heads, ff, dropout) for _ in range(layers))

    def encoder_layers(self) -> list[EncoderLayer]:
        """The layers, from input to output."""
        return [layer for layer in self.layers if isinstance(layer, EncoderLayer)]

    def forward(self, prefix: Tensor, tokens: Tensor, padding: Tensor | None, places: Tensor | None = None) -> Tensor:
        """Encoded tokens (G B, N, L) from prefix (G B, P, L), tokens (B, N, L), padding (B, N) bool with True = pad.

        The prefixes are G groups of B: a sample's tokens are encoded after each of its G prefixes. With places (B, M)
        int64 only these tokens come out, (G B, M, L). ValueError when there are more than ``max_tokens``.
        """
        count, limit = tokens.shape[1], self.positions.shape[0]
        if count > limit:
            raise ValueError(f"{count} motion tokens; the model's limit is {limit}")
        groups, skipped = len(prefix) // len(tokens), prefix.shape[1]
        tokens = (tokens + self.positions[:count]).repeat(groups, 1, 1)
        x = torch.cat([prefix, self.dropout(tokens)], dim=1)  # (G B, P + N, L)
        attend = None
        if padding is not None:
            attend = F.pad(~padding, (skipped, 0), value=True).repeat(groups, 1)[:, None, None]  # (G B, 1, 1, P + N)
        *first, last = self.layers
        for layer in first:
            x = layer(x, attend)
        if places is None:
            return last(x, attend)[:, skipped:]
        # Nobody looks at the last layer's other positions, so only what is asked for goes through it.
        return last(x, attend, places.repeat(groups, 1) + skipped)


class OutputHead(nn.Module):
    """Dense, GELU, layer norm, linear: (B, N, L) to (B, N, classes)."""

    def __init__(self, latent: int, classes: int) -> None:
        super().__init__()
        self.dense = LinearGelu(latent, latent)
        self.norm = nn.LayerNorm(latent, eps=1e-12)
        self.output = nn.Linear(latent, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.norm(self.dense(x)))


def init_weights(module: nn.Module) -> None:
    """Unit-variance start for :meth:`torch.nn.Module.apply`: embeddings normal of 1, linear layers of fan_in ** -0.5, no biases.

    Tokens must start as loud as the positions that are added to them. With the usual 0.02 for both, embedding and
    projection make a token's share a hundredth of the position's, and a short training never learns to tell tokens apart.
    """
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=1.0)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        nn.init.zeros_(module.bias)
    if isinstance(module, TokenEncoder):
        # What each layer adds is turned down with depth, or post-norm layers are unstable at a useful learning rate: Wang et
        # al. 2022, DeepNet, table 2.
        for layer in module.encoder_layers():
            for linear in (layer.attention.out, layer.down):
                nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * (8 * len(module.layers)) ** -0.25)


@torch.no_grad()
def look_at_neighbours(encoder: TokenEncoder, inputs: Sequence[nn.Linear]) -> None:
    """Start some heads of the first half of the layers as looking at the tokens one and two places before and after.

    Motion tokens are all but given by their neighbours, yet from a random start a training at random mask ratios needs
    many thousands of steps to look there at all. As the sinusoidal code of a place turns by a fixed angle from one place to
    the next, a query turned by ``offset`` places finds the key there; d'Ascoli et al. 2021 (ConViT) start vision
    transformers so. ``inputs`` are the projections whose outputs enter the encoder: they, and what these layers add, start
    without the values in which the heads read the places.
    """
    layers = encoder.encoder_layers()
    width, heads = encoder.positions.shape[1], layers[0].attention.heads
    size = width // heads
    pairs = size // 2
    angles = torch.exp(torch.arange(pairs) * (-2 * math.log(10000.0) / width))  # radians a place, the fastest first
    for linear in inputs:
        linear.weight[: 2 * pairs] = 0
    for layer in layers[: (len(layers) + 1) // 2]:
        attention = layer.attention
        for linear in (attention.out, layer.down):
            linear.weight[: 2 * pairs] = 0
        for head, offset in zip(range(heads * 2 // 3), _OFFSETS, strict=False):
            turns = torch.stack([(angles * offset).cos(), (angles * offset).sin()])
            query, key = (attention.qkv.weight[part * width + head * size :][:size] for part in (0, 1))
            for rows in (query, key):
                rows.zero_()
            pair = torch.arange(pairs) * 2
            query[pair, pair] = query[pair + 1, pair + 1] = turns[0] * _SHARPNESS
            query[pair, pair + 1] = turns[1] * _SHARPNESS
            query[pair + 1, pair] = -turns[1] * _SHARPNESS
            key[pair, pair] = key[pair + 1, pair + 1] = 1.0


def code_tables(codebooks: Tensor, width: int) -> Tensor:
    """Embeddings (Q, K, width) to start from: where codes (Q, K, D) lie near each other, so do these.

    The first D columns are the codes, each layer's centred, all in the scale that gives the first layer's unit variance;
    what is left is zero. ValueError when D > width.
    """
    dim = codebooks.shape[-1]
    if dim > width:
        raise ValueError(f"the codes have {dim} values, the embedding only {width}; it must have at least as many")
    centred = codebooks.float() - codebooks.float().mean(1, keepdim=True)
    scale = (width / dim) ** 0.5 / centred[0].square().mean().sqrt().clamp_min(1e-12)
    return F.pad(centred * scale, (0, width - dim))


def drop_condition(cond: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Condition vectors (B, cond_dim) with whole rows zeroed at random, for classifier-free guidance."""
    if probability <= 0:
        return cond
    device = generator.device if generator else cond.device
    keep = torch.rand(len(cond), 1, generator=generator, device=device) >= probability
    return cond * keep.to(cond)
