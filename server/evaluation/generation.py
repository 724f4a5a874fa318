"""Features of generated motion in batches, as metrics take them: any bundle and layout, no joint rotations solved.

What comes out is what :meth:`server.engine.Engine.generate` makes of the same sentence, length and seed, before it solves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from server.models.checkpoint import Bundle, Sampling
from server.models.sampling import generate_base, generate_residual
from server.models.text import CachedTextEncoder, TextEncoder
from server.motion.rotation import Array

BATCH = 64
Progress = Callable[[int], object]


@dataclass(frozen=True)
class Wanted:
    """A sentence, how many tokens of motion it shall become, and the seed of its draws."""

    text: str
    tokens: int
    seed: int


class FeatureGenerator:
    """A bundle and its text encoder. ``encode`` gives condition vectors (B, cond_dim) of sentences."""

    def __init__(self, bundle: Bundle, text: TextEncoder, batch: int = BATCH) -> None:
        self.bundle = bundle
        self.name = bundle.config.name
        self.sampling = bundle.config.sampling
        self._text = CachedTextEncoder(text, capacity=1 << 15)
        self._batch = batch

    @property
    def residual_layers(self) -> int:
        """How many the model can make."""
        return self.bundle.config.residual.quantizers - 1

    def encode(self, texts: Sequence[str]) -> Tensor:
        parts = [self._text.encode(texts[at : at + self._batch]) for at in range(0, len(texts), self._batch)]
        return torch.cat(parts).to(self.bundle.mean.device)

    @torch.inference_mode()
    def make(
        self, wanted: Sequence[Wanted], sampling: Sampling | None = None, progress: Progress | None = None
    ) -> list[Array]:
        """Features (4 tokens, C) float32 for each, sampled as the bundle is by default.

        Each has its own random stream, so that neither batch nor padding change it but for rounding; those of like length
        go together. ``progress`` is told how many are done.
        """
        sampling = sampling or self.sampling
        made: dict[int, Array] = {}
        order = sorted(range(len(wanted)), key=lambda at: wanted[at].tokens)
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            tokens = self._tokens([wanted[at] for at in places], sampling)
            made |= dict(zip(places, self.decode(tokens), strict=True))
            if progress is not None:
                progress(len(places))
        return [made[at] for at in range(len(wanted))]

    def _tokens(self, wanted: Sequence[Wanted], sampling: Sampling) -> list[Tensor]:
        cond = self.encode([one.text for one in wanted])
        lengths = [one.tokens for one in wanted]
        generators = [torch.Generator().manual_seed(one.seed) for one in wanted]
        base = generate_base(
            self.bundle.masked,
            cond,
            lengths,
            steps=sampling.steps,
            guidance=sampling.guidance,
            temperature=sampling.temperature,
            top_k_threshold=sampling.top_k_threshold,
            order_noise=sampling.order_noise,
            generators=generators,
        )
        indices = generate_residual(
            self.bundle.residual,
            base,
            cond,
            lengths,
            layers=sampling.residual_layers,
            guidance=sampling.residual_guidance,
            temperature=sampling.residual_temperature,
            top_k_threshold=sampling.top_k_threshold,
            generators=generators,
        )
        return [row[:length] for row, length in zip(indices, lengths, strict=True)]

    @torch.inference_mode()
    def reconstruct(
        self, motions: Sequence[Array], layers: int | None = None, progress: Progress | None = None
    ) -> list[Array]:
        """Features (T, C) of motions (T, C), T whole tokens, after the RVQ-VAE with ``layers`` codebooks, by default all."""
        made: dict[int, Array] = {}
        for places in _of_one_length([len(motion) for motion in motions], self._batch):
            batch = torch.from_numpy(np.stack([motions[at] for at in places])).float().to(self.bundle.mean.device)
            indices = self.bundle.rvq.encode(self.bundle.normalise(batch), layers).indices
            made |= dict(zip(places, self._features(indices), strict=True))
            if progress is not None:
                progress(len(places))
        return [made[at] for at in range(len(motions))]

    def decode(self, clips: Sequence[Tensor]) -> list[Array]:
        """Features (T, C) of each clip's tokens (N, Q). Clips of one length go together: padding reaches into the last frames."""
        made: dict[int, Array] = {}
        for places in _of_one_length([len(clip) for clip in clips], self._batch):
            made |= dict(zip(places, self._features(torch.stack([clips[at] for at in places])), strict=True))
        return [made[at] for at in range(len(clips))]

    def _features(self, indices: Tensor) -> Array:
        return self.bundle.denormalise(self.bundle.rvq.decode(indices)).float().cpu().numpy()


def _of_one_length(lengths: Sequence[int], batch: int) -> list[list[int]]:
    """Places of ``lengths`` in groups of equal length, at most ``batch`` in each."""
    groups: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        groups.setdefault(length, []).append(place)
    return [group[at : at + batch] for group in groups.values() for at in range(0, len(group), batch)]
