"""Random draws from explicit generators."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def device_generator(generator: torch.Generator | None, device: torch.device) -> torch.Generator | None:
    """A generator on ``device``: the given one if it lives there, else a new one seeded by a draw from it."""
    if generator is None or generator.device == device:
        return generator
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    return torch.Generator(device).manual_seed(seed)


def request_uniforms(
    generators: torch.Generator | Sequence[torch.Generator],
    rounds: int,
    lengths: Sequence[int],
    tokens: int,
    device: torch.device,
) -> Tensor:
    """Uniform numbers in [0, 1) of shape (rounds, B, tokens), zero beyond each request's own length.

    Request b draws ``rounds * lengths[b]`` numbers from its own generator, so what it gets depends neither on the
    padding nor on the rest of the batch. A single generator serves the requests one after the other.
    """
    if isinstance(generators, torch.Generator):
        generators = [generators] * len(lengths)
    if len(generators) != len(lengths):
        raise ValueError(f"{len(generators)} generators for {len(lengths)} requests; give one each")
    uniforms = torch.zeros(rounds, len(lengths), tokens)
    for b, (generator, length) in enumerate(zip(generators, lengths, strict=True)):
        uniforms[:, b, :length] = torch.rand(rounds, length, generator=generator, device=generator.device).cpu()
    return uniforms.to(device)
