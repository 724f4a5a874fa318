"""Sampling tokens from the masked and the residual transformer: pure functions of model, inputs and generators.

Source: MoMask, CVPR 2024, sections 3.2 to 3.4 (iterative confidence re-masking, temporal inpainting); guidance after
Ho and Salimans 2021. Nothing inside the loops waits for the device. Drawing is by inverse transform from one uniform
number per token, which has the same distribution as multinomial drawing and as adding Gumbel noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from server.models.draws import request_uniforms

if TYPE_CHECKING:
    from server.models.masked import MaskedTransformer
    from server.models.residual import ResidualTransformer

Generators = torch.Generator | Sequence[torch.Generator] | None
Forward = Callable[..., Tensor]
FIXED_SCORE = 1e5


def cosine_schedule(time: Tensor) -> Tensor:
    """Mask ratio cos(pi t / 2) of time in 0..1, any shape."""
    return torch.cos(time * math.pi * 0.5)


def mask_counts(lengths: Tensor, steps: int) -> Tensor:
    """Tokens masked at each step: (steps, B) int64, max(1, round(cos(pi t / 2) * length)), from lengths (B,)."""
    if steps < 1:
        raise ValueError(f"{steps} sampling steps; at least 1 is needed")
    ratio = cosine_schedule(torch.linspace(0, 1, steps)).to(lengths.device)
    return (ratio.unsqueeze(1) * lengths).round().clamp_min(1).long()


def padding_mask(lengths: Sequence[int], tokens: int, device: torch.device | None = None) -> Tensor:
    """(B, tokens) bool, True beyond each length."""
    return torch.arange(tokens, device=device) >= torch.tensor(list(lengths), device=device).unsqueeze(1)


def kept_classes(classes: int, threshold: float) -> int:
    """How many of ``classes`` the top-k filter keeps: ceil((1 - threshold) * classes)."""
    if not 0 <= threshold < 1:
        raise ValueError(f"top-k threshold is {threshold}; it must be at least 0 and less than 1")
    return math.ceil((1 - threshold) * classes)


def top_k_filter(logits: Tensor, threshold: float) -> Tensor:
    """Logits (..., K) with all but the best ``kept_classes`` set to -inf."""
    kept = kept_classes(logits.shape[-1], threshold)
    if kept == logits.shape[-1]:
        return logits
    worst = logits.topk(kept, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < worst, -math.inf)


def draw(logits: Tensor, uniforms: Tensor | None, temperature: float | Tensor, top_k_threshold: float = 0.0) -> Tensor:
    """Classes (B, N) int64 drawn from softmax(logits / temperature), logits (B, N, K), uniforms (B, N) in [0, 1).

    Temperature is a number or one for each sample (B,); 0, or no uniforms, takes the arg max. Only classes that
    ``top_k_filter`` keeps are drawn.
    """
    if uniforms is None or (not isinstance(temperature, Tensor) and temperature == 0):
        return logits.argmax(-1)
    logits = top_k_filter(logits, top_k_threshold)
    heat = temperature.reshape(-1, 1, 1).clamp_min(1e-10) if isinstance(temperature, Tensor) else temperature
    mass = (logits / heat).softmax(-1).cumsum(-1)
    # Kept below the whole mass, rounding cannot carry the draw past the last class that has any.
    whole = mass[..., -1]
    level = torch.minimum(uniforms * whole, torch.nextafter(whole, torch.zeros_like(whole)))
    drawn = torch.searchsorted(mass, level.unsqueeze(-1), right=True).squeeze(-1)
    if isinstance(temperature, Tensor):
        return torch.where(temperature.reshape(-1, 1) > 0, drawn, logits.argmax(-1))
    return drawn


def guide(conditional: Tensor, unconditional: Tensor, scale: float | Tensor) -> Tensor:
    """Classifier-free guidance: unconditional + scale * (conditional - unconditional)."""
    return unconditional + scale * (conditional - unconditional)


def guided(
    forward: Forward,
    cond: Tensor,
    padding: Tensor | None,
    guidance: float | Tensor,
) -> Forward:
    """A function from inputs (B, N, ...) to guided float32 logits (B, N, K); with places (B, M) only there: (B, M, K).

    ``forward`` takes inputs, cond, padding, places; both passes are one batch of it. Guidance is a number (1 needs no
    second pass) or one for each sample (B,).
    """
    if not isinstance(guidance, Tensor) and guidance == 1:
        return lambda inputs, places=None: forward(inputs, cond, padding, places).float()
    both = torch.cat([cond, torch.zeros_like(cond)])  # (2 B, cond_dim)
    scale = guidance.reshape(-1, 1, 1) if isinstance(guidance, Tensor) else guidance

    def predict(inputs: Tensor, places: Tensor | None = None) -> Tensor:
        conditional, unconditional = forward(inputs, both, padding, places).float().chunk(2)
        return guide(conditional, unconditional, scale)

    return predict


def generate_base(
    model: MaskedTransformer,
    cond: Tensor,
    lengths: Sequence[int],
    *,
    steps: int = 10,
    guidance: float | Tensor = 4.0,
    temperature: float | Tensor = 1.0,
    top_k_threshold: float = 0.9,
    order_noise: float = 0.0,
    generators: Generators = None,
    pad_to: int | None = None,
    static_shapes: bool = False,
) -> Tensor:
    """Base tokens (B, N) int64 for cond (B, cond_dim) and lengths in tokens (B host integers); -1 at pads.

    N is the longest length, or ``pad_to``. ``generators`` has one generator per request (or one for all); it may be
    None only when temperature is 0, the arg max. Guidance and temperature are numbers or one per request (B,).
    """
    tokens = max(lengths) if pad_to is None else pad_to
    padding = checked_padding(lengths, tokens, cond)
    ids = torch.full_like(padding, model.pad_id, dtype=torch.int64)
    return refill(
        model,
        ids,
        ~padding,
        cond,
        lengths,
        steps=steps,
        guidance=guidance,
        temperature=temperature,
        top_k_threshold=top_k_threshold,
        order_noise=order_noise,
        generators=generators,
        static_shapes=static_shapes,
    )


def edit_base(
    model: MaskedTransformer,
    ids: Tensor,
    edit_mask: Tensor,
    cond: Tensor,
    lengths: Sequence[int],
    *,
    steps: int = 10,
    guidance: float | Tensor = 4.0,
    temperature: float | Tensor = 1.0,
    top_k_threshold: float = 0.9,
    order_noise: float = 0.0,
    generators: Generators = None,
    static_shapes: bool = False,
) -> Tensor:
    """Temporal inpainting: ids (B, N) int64 with the places where edit_mask (B, N) bool is True generated anew.

    Prefix, middle, suffix or any set of ranges are just masks; all other valid places come back as they were, pads
    as -1. Other arguments as for ``generate_base``.
    """
    if ids.shape != edit_mask.shape:
        raise ValueError(f"ids have shape {tuple(ids.shape)} but edit_mask {tuple(edit_mask.shape)}")
    editable = edit_mask & ~checked_padding(lengths, ids.shape[1], cond)
    return refill(
        model,
        torch.where(ids < 0, model.pad_id, ids),
        editable,
        cond,
        lengths,
        steps=steps,
        guidance=guidance,
        temperature=temperature,
        top_k_threshold=top_k_threshold,
        order_noise=order_noise,
        generators=generators,
        static_shapes=static_shapes,
    )


@torch.no_grad()
def refill(
    model: MaskedTransformer,
    ids: Tensor,
    editable: Tensor,
    cond: Tensor,
    lengths: Sequence[int],
    *,
    steps: int,
    guidance: float | Tensor,
    temperature: float | Tensor,
    top_k_threshold: float,
    order_noise: float,
    generators: Generators,
    static_shapes: bool,
) -> Tensor:
    """Fill the editable places (B, N) of ids (B, N) in ``steps`` rounds, each re-masking the least confident.

    Round t masks the ``mask_counts`` lowest scores among the editable, fills all masked places, and scores them by the
    probability (guided, neither filtered nor tempered) of what was drawn. A place once kept stays. Logits are computed
    for as many places as the fullest sample masks in that round, or with ``static_shapes`` for all N.

    A model is surest of what stands still, and what was kept makes its neighbours surer: strictly by confidence a small
    model fills motion with rest. ``order_noise`` adds Gumbel noise of that scale, falling to 0 over the rounds, to the
    logarithm of the probability, as the sampler of MaskGIT does (Chang et al., CVPR 2022); 0 is MoMask's order.
    """
    guidance, temperature = on_device(guidance, ids.device), on_device(temperature, ids.device)
    padding = padding_mask(lengths, ids.shape[1], ids.device)
    predict = guided(model, cond, padding if min(lengths) < ids.shape[1] else None, guidance)
    uniforms = drawn_uniforms(generators, temperature, steps, lengths, ids)
    order = drawn_uniforms(generators, 1.0, steps, lengths, ids) if order_noise > 0 else None
    counts = mask_counts(editable.sum(1), steps)  # (steps, B)
    rows = [ids.shape[1]] * steps if static_shapes else counts.amax(1).tolist()
    scores = torch.where(editable, 0.0, FIXED_SCORE)  # (B, N)
    for step in range(steps):
        places = scores.argsort(dim=1, stable=True)[:, : rows[step]]  # (B, M), the least confident first
        masked = (torch.arange(rows[step], device=ids.device) < counts[step].unsqueeze(1)) & editable.gather(1, places)
        ids = put(ids, places, model.mask_id, masked)
        logits = predict(ids, places)  # (B, M, K)
        uniform = None if uniforms is None else uniforms[step].gather(1, places)
        drawn = draw(logits, uniform, temperature, top_k_threshold)
        ids = put(ids, places, drawn, masked)
        confidence = logits.softmax(-1).gather(2, drawn.unsqueeze(-1)).squeeze(-1)
        if order is not None:
            heat = order_noise * (1.0 - (step + 1) / steps)
            gumbel = -torch.log(-torch.log(order[step].gather(1, places).clamp(1e-9, 1.0 - 1e-7)))
            confidence = confidence.clamp_min(1e-30).log() + heat * gumbel
        scores = put(torch.full_like(scores, FIXED_SCORE), places, confidence, masked)
    return torch.where(padding, -1, ids)


def put(target: Tensor, places: Tensor, values: Tensor | int, where: Tensor) -> Tensor:
    """target (B, N) with values (B, M) at places (B, M), no place twice, as far as ``where`` (B, M) is True."""
    return target.scatter(1, places, torch.where(where, values, target.gather(1, places)))


@torch.no_grad()
def generate_residual(
    model: ResidualTransformer,
    base: Tensor,
    cond: Tensor,
    lengths: Sequence[int],
    *,
    layers: int | None = None,
    static_shapes: bool = False,
    guidance: float | Tensor = 5.0,
    temperature: float | Tensor = 1.0,
    top_k_threshold: float = 0.9,
    generators: Generators = None,
    keep: Tensor | None = None,
    keep_mask: Tensor | None = None,
) -> Tensor:
    """All layers (B, N, 1 + layers) int64 from base tokens (B, N), which come back as layer 0; -1 where there is none.

    ``layers`` residual layers are made, by default all Q - 1. Where keep_mask (B, N) bool is True the residual tokens
    are those of keep (B, N, 1 + layers or more), so that an edit leaves the rest as it was. A pad drawn at a valid
    place is -1, the zero vector. Other arguments as for ``generate_base``.
    """
    layers = model.config.quantizers - 1 if layers is None else layers
    if not 0 <= layers < model.config.quantizers:
        raise ValueError(f"{layers} residual layers asked for; the model has {model.config.quantizers - 1}")
    if (keep is None) != (keep_mask is None):
        raise ValueError("keep and keep_mask belong together: give both or neither")
    guidance, temperature = on_device(guidance, base.device), on_device(temperature, base.device)
    padding = checked_padding(lengths, base.shape[1], cond)
    ids = torch.where(padding | (base < 0), model.pad_id, base)
    uniforms = drawn_uniforms(generators, temperature, layers, lengths, ids)
    padded = padding if min(lengths) < base.shape[1] else None
    places, wanted = None, ~padding
    if keep_mask is not None:
        wanted = wanted & ~keep_mask
        rows = base.shape[1] if static_shapes else max(1, int(wanted.sum(1).max()))
        places = wanted.logical_not().byte().argsort(dim=1, stable=True)[:, :rows]  # (B, M)
    history = torch.zeros(*base.shape, model.config.code_dim, device=base.device, dtype=model.shared.dtype)
    chosen = [ids]
    for layer in range(1, layers + 1):
        history = history + model.embed(ids, layer - 1)
        predict = guided(layer_forward(model, layer), cond, padded, guidance)
        logits = predict(history, places)  # (B, M, K+1)
        uniform = None if uniforms is None else uniforms[layer - 1]
        if keep is None or places is None:
            ids = torch.where(padding, model.pad_id, draw(logits, uniform, temperature, top_k_threshold))
        else:
            uniform = None if uniform is None else uniform.gather(1, places)
            drawn = draw(logits, uniform, temperature, top_k_threshold)
            kept = torch.where(padding | (keep[..., layer] < 0), model.pad_id, keep[..., layer])
            ids = put(kept, places, drawn, wanted.gather(1, places))
        chosen.append(ids)
    indices = torch.stack(chosen, dim=-1)
    return torch.where(indices == model.pad_id, -1, indices)


def layer_forward(model: ResidualTransformer, layer: int) -> Forward:
    """The residual model's forward at one layer, as ``guided`` wants it."""

    def forward(history: Tensor, cond: Tensor, padding: Tensor | None, places: Tensor | None) -> Tensor:
        return model(history, layer, cond, padding, places)

    return forward


def on_device(value: float | Tensor, device: torch.device) -> float | Tensor:
    """A number as it is; one per request (B,) as float32 on ``device``, moved before a loop rather than in it."""
    return value.to(device=device, dtype=torch.float32) if isinstance(value, Tensor) else value


def checked_padding(lengths: Sequence[int], tokens: int, cond: Tensor) -> Tensor:
    """Padding (B, tokens) on cond's device; ValueError for a length outside 1..tokens or another count than cond's."""
    if len(lengths) != len(cond):
        raise ValueError(f"{len(lengths)} lengths for {len(cond)} condition vectors; give one each")
    if not all(1 <= length <= tokens for length in lengths):
        raise ValueError(f"lengths {list(lengths)} must lie between 1 and {tokens} tokens")
    return padding_mask(lengths, tokens, cond.device)


def drawn_uniforms(
    generators: Generators, temperature: float | Tensor, rounds: int, lengths: Sequence[int], ids: Tensor
) -> Tensor | None:
    """Uniform numbers (rounds, B, N) for all rounds at once, or None for the arg max."""
    if not isinstance(temperature, Tensor) and temperature == 0:
        return None
    if generators is None:
        raise ValueError(f"temperature {temperature} needs generators; without them set it to 0, the arg max")
    return request_uniforms(generators, rounds, lengths, ids.shape[1], ids.device)
