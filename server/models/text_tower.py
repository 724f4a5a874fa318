"""The bidirectional text transformer of the embedded checkpoint, key for key open_clip's ``transformer.TextTransformer``.

Its own few lines because importing open_clip takes longer and more memory than everything else that serving needs.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class ResidualAttentionBlock(nn.Module):
    """Pre-norm attention and feed-forward, each added to its input: (B, L, width) to the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        layers = (("c_fc", nn.Linear(width, 4 * width)), ("gelu", nn.GELU()), ("c_proj", nn.Linear(4 * width, width)))
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        """x (B, L, width), padding (B, L) bool, True where no token may look."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, key_padding_mask=padding, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """The blocks one after the other."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(width, heads) for _ in range(layers))

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        for block in self.resblocks:
            x = block(x, padding)
        return x


class TextTower(nn.Module):
    """Token ids (B, L), padded with ``pad_id``, to token vectors (B, L, dim). L is at most ``context``."""

    def __init__(
        self, vocab_size: int, context: int, width: int, heads: int, layers: int, dim: int, pad_id: int
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(context, width))
        self.transformer = Transformer(width, heads, layers)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, dim))
        self._init_weights(width, layers)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        return self.ln_final(self.transformer(x, ids == self.pad_id)) @ self.text_projection

    def _init_weights(self, width: int, layers: int) -> None:
        """CLIP's (Radford et al. 2021, section 2.4): projections back into the residual stream shrink with its depth."""
        into, back = width**-0.5, (2 * layers * width) ** -0.5
        deviations = {
            "token_embedding.weight": 0.02,
            "positional_embedding": 0.01,
            "in_proj_weight": into,
            "out_proj.weight": back,
            "c_fc.weight": (2 * width) ** -0.5,
            "c_proj.weight": back,
            "text_projection": into,
        }
        for name, parameter in self.named_parameters():
            for ending, deviation in deviations.items():
                if name.endswith(ending):
                    nn.init.normal_(parameter, std=deviation)
