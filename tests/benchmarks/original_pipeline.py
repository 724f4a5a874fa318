"""Sampling as the original implementation does it, on our weights: the yardstick of the generation benchmark.

Guidance takes two passes one after the other over all tokens, the encoder is torch's own (sequence first), the steps are
made on the host, top-k and softmax are taken over every place, and the residual tables are assembled anew in each layer.
Draws are arg max. Source: the behaviour of the published MoMask code (CVPR 2024), described beside its golden arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.models.masked import MaskedTransformer
from server.models.residual import ResidualTransformer
from server.models.sampling import padding_mask
from server.models.transformer import TokenEncoder

KEPT_SCORE = 1e5


def torch_encoder(encoder: TokenEncoder, heads: int, ff: int) -> nn.TransformerEncoder:
    """``nn.TransformerEncoder`` (sequence first, post-norm, exact GELU) with the weights of ``encoder``."""
    latent = encoder.positions.shape[1]
    layer = nn.TransformerEncoderLayer(latent, heads, ff, activation="gelu")
    stack = nn.TransformerEncoder(layer, len(encoder.layers), enable_nested_tensor=False)
    for own, theirs in zip(encoder.layers, stack.layers, strict=True):
        state = own.state_dict()
        names = {
            "self_attn.in_proj_weight": "attention.qkv.weight",
            "self_attn.in_proj_bias": "attention.qkv.bias",
            "self_attn.out_proj.weight": "attention.out.weight",
            "self_attn.out_proj.bias": "attention.out.bias",
            "linear1.weight": "up.weight",
            "linear1.bias": "up.bias",
            "linear2.weight": "down.weight",
            "linear2.bias": "down.bias",
        }
        names |= {f"{norm}.{part}": f"{norm}.{part}" for norm in ("norm1", "norm2") for part in ("weight", "bias")}
        theirs.load_state_dict({name: state[own_name] for name, own_name in names.items()})
    return stack.to(encoder.positions.device).eval()


def keep_top_k(logits: Tensor, threshold: float) -> Tensor:
    """Logits (B, N, K) with all but the best ceil((1 - threshold) K) set to -inf."""
    values, indices = logits.topk(math.ceil((1 - threshold) * logits.shape[-1]), dim=-1)
    return torch.full_like(logits, -math.inf).scatter(-1, indices, values)


def two_passes(forward: Callable[[Tensor], Tensor], cond: Tensor, scale: float) -> Tensor:
    """Guided logits from a conditional pass and then an unconditional one."""
    conditional = forward(cond)
    unconditional = forward(torch.zeros_like(cond))
    return unconditional + (conditional - unconditional) * scale


class OriginalPipeline:
    """Base and residual tokens by arg max, as the original samples them."""

    def __init__(self, masked: MaskedTransformer, residual: ResidualTransformer, top_k_threshold: float = 0.9) -> None:
        self.masked, self.residual, self.threshold = masked, residual, top_k_threshold
        self.masked_encoder = torch_encoder(masked.encoder, masked.config.heads, masked.config.ff)
        self.residual_encoder = torch_encoder(residual.encoder, residual.config.heads, residual.config.ff)

    def masked_logits(self, ids: Tensor, padding: Tensor, cond: Tensor) -> Tensor:
        """Logits (B, K, N) of ids (B, N)."""
        model = self.masked
        tokens = model.token_projection(model.token_embedding(ids).permute(1, 0, 2))  # (N, B, L)
        tokens = tokens + model.encoder.positions[: len(tokens)].unsqueeze(1)
        sequence = torch.cat([model.cond_projection(cond).unsqueeze(0), tokens])  # (1 + N, B, L)
        hidden = self.masked_encoder(sequence, src_key_padding_mask=F.pad(padding, (1, 0)))[1:]
        return model.head(hidden).permute(1, 2, 0)

    @torch.no_grad()
    def base(self, cond: Tensor, lengths: Sequence[int], steps: int, guidance: float) -> Tensor:
        """Base tokens (B, N), -1 at pads."""
        model, tokens = self.masked, max(lengths)
        counts = torch.tensor(list(lengths), device=cond.device)
        padding = padding_mask(lengths, tokens, cond.device)
        ids = torch.where(padding, model.pad_id, model.mask_id)
        scores = torch.where(padding, KEPT_SCORE, 0.0)
        for time in torch.linspace(0, 1, steps):
            count = torch.round(torch.cos(time * math.pi * 0.5) * counts).clamp(min=1)
            ranks = scores.argsort(dim=1, stable=True).argsort(dim=1)
            masked = ranks < count.unsqueeze(-1)
            ids = torch.where(masked, model.mask_id, ids)
            inputs = ids
            logits = two_passes(lambda c, inputs=inputs: self.masked_logits(inputs, padding, c), cond, guidance)
            logits = logits.permute(0, 2, 1)  # (B, N, K)
            drawn = keep_top_k(logits, self.threshold).argmax(-1)
            ids = torch.where(masked, drawn, ids)
            scores = logits.softmax(-1).gather(2, drawn.unsqueeze(-1)).squeeze(-1)
            scores = scores.masked_fill(~masked, KEPT_SCORE)
        return torch.where(padding, -1, ids)

    def residual_logits(self, history: Tensor, layer: int, padding: Tensor, cond: Tensor) -> Tensor:
        """Logits (B, K + 1, N) of one layer from summed embeddings (B, N, D)."""
        model = self.residual
        which = F.one_hot(torch.full((len(history),), layer, device=cond.device), model.config.quantizers).float()
        tokens = model.token_projection(history.permute(1, 0, 2))  # (N, B, L)
        tokens = tokens + model.encoder.positions[: len(tokens)].unsqueeze(1)
        prefix = torch.stack([model.cond_projection(cond), model.layer_projection(which)])  # (2, B, L)
        mask = F.pad(padding, (2, 0))
        hidden = model.head(self.residual_encoder(torch.cat([prefix, tokens]), src_key_padding_mask=mask)[2:])
        table = model.output_tables()[torch.full((len(history),), layer - 1)]  # (B, K + 1, D)
        return torch.einsum("bkd,nbd->bkn", table, hidden)

    @torch.no_grad()
    def layers(self, base: Tensor, cond: Tensor, lengths: Sequence[int], guidance: float) -> Tensor:
        """All layers (B, N, Q) from base tokens (B, N); -1 where there is none."""
        model = self.residual
        padding = padding_mask(lengths, base.shape[1], base.device)
        ids = torch.where(padding, model.pad_id, base)
        chosen, history = [ids], torch.zeros((), device=base.device)
        for layer in range(1, model.config.quantizers):
            table = model.embedding_tables()[layer - 1].expand(len(ids), -1, -1)
            history = history + table.gather(1, ids.unsqueeze(-1).expand(-1, -1, table.shape[-1]))
            inputs = history
            logits = two_passes(
                lambda c, inputs=inputs, layer=layer: self.residual_logits(inputs, layer, padding, c), cond, guidance
            )
            drawn = keep_top_k(logits.permute(0, 2, 1), self.threshold).argmax(-1)
            ids = torch.where(padding, model.pad_id, drawn)
            chosen.append(ids)
        indices = torch.stack(chosen, dim=-1)
        return torch.where(indices == model.pad_id, -1, indices)
