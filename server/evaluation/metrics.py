"""The figures of text-to-motion papers, from embeddings: FID, R-precision, MM-Dist, Diversity, MultiModality; and MPJPE.

Source: Guo et al., *Generating Diverse and Natural 3D Human Motions from Text*, CVPR 2022, and the protocol of MoMask,
CVPR 2024. Embeddings are rows (N, D) in the shared space of a text and a motion encoder; distances are Euclidean. What is
drawn is drawn from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.motion.rotation import Array

Indices = NDArray[np.integer]

BATCH = 32  # texts and motions that are matched against each other
TOP = 3
DIVERSITY_PAIRS, FEW_DIVERSITY_PAIRS = 300, 100  # above 300 samples, and up to there
MULTIMODALITY_PAIRS = 10


@dataclass(frozen=True)
class Interval:
    """Mean of repeats and half the width of its 95 % interval, 1.96 std / sqrt(repeats), as the papers give it."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """ValueError when there is no value."""
        if not values:
            raise ValueError("an interval needs the value of at least one repeat")
        return cls(float(np.mean(values)), float(1.96 * np.std(values) / np.sqrt(len(values))))


def gaussian(embeddings: Array) -> tuple[Array, Array]:
    """Mean (D,) and covariance (D, D), divided by N - 1, of embeddings (N, D); N at least 2."""
    embeddings = _rows(embeddings, least=2)
    return embeddings.mean(axis=0), np.atleast_2d(np.cov(embeddings, rowvar=False))


def frechet_distance(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 sqrt(C1 C2)) of two Gaussians, each a mean (D,) and a covariance (D, D).

    tr sqrt(C1 C2) is the sum of the roots of the eigenvalues of sqrt(C1) C2 sqrt(C1), which is symmetric: no complex
    numbers and no offsets where a covariance is singular, as those of fewer samples than dimensions are.
    """
    (mean1, cov1), (mean2, cov2) = first, second
    if mean1.shape != mean2.shape or cov1.shape != cov2.shape:
        raise ValueError(f"Gaussians of {len(mean1)} and {len(mean2)} dimensions cannot be compared")
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov2 @ root), 0.0)).sum()
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2.0 * overlap)


def fid(real: Array, made: Array) -> float:
    """Fréchet distance of two sets of embeddings (N, D), (M, D)."""
    return frechet_distance(gaussian(real), gaussian(made))


def distances(rows: Array, columns: Array) -> Array:
    """Euclidean distances (N, M) of rows (N, D) to columns (M, D)."""
    rows, columns = _rows(rows), _rows(columns)
    squares = (rows**2).sum(1)[:, None] - 2.0 * rows @ columns.T + (columns**2).sum(1)
    return np.sqrt(np.maximum(squares, 0.0))


def matching_hits(texts: Array, motions: Array, top: int = TOP) -> NDArray[np.bool_]:
    """(N, top) bool: whether motion i is among the k + 1 motions nearest to text i, for embeddings (N, D) of both."""
    own = distances(texts, motions)
    order = np.argsort(own, axis=1, kind="stable")[:, :top]
    return np.cumsum(order == np.arange(len(own))[:, None], axis=1) > 0


def matching(texts: Array, motions: Array, batch: int = BATCH) -> tuple[Array, float]:
    """R-precision top-1 to top-3 (3,) and MM-Dist of embeddings (N, D), row i of both belonging together.

    Consecutive batches of ``batch`` are matched within themselves; an incomplete last one is left out, as in the
    papers. ValueError when there is no complete batch.
    """
    texts, motions = _rows(texts), _rows(motions)
    if texts.shape != motions.shape:
        raise ValueError(f"texts {texts.shape} and motions {motions.shape} must be pairs")
    if len(texts) < batch:
        raise ValueError(f"{len(texts)} pairs; R-precision matches batches of {batch}, so at least {batch} are needed")
    starts = range(0, len(texts) - batch + 1, batch)
    parts = [(texts[at : at + batch], motions[at : at + batch]) for at in starts]
    hits = np.concatenate([matching_hits(*part) for part in parts])
    apart = np.concatenate([np.linalg.norm(text - motion, axis=1) for text, motion in parts])
    return hits.mean(axis=0), float(apart.mean())


def diversity(embeddings: Array, random: np.random.Generator) -> float:
    """Mean distance of random pairs of embeddings (N, D): 300 pairs above 300 samples, else 100, or N - 1 if fewer."""
    count = len(_rows(embeddings, least=2))
    pairs = DIVERSITY_PAIRS if count > DIVERSITY_PAIRS else min(FEW_DIVERSITY_PAIRS, count - 1)
    first, second = (random.choice(count, pairs, replace=False) for _ in range(2))
    return pair_distance(embeddings, first, second)


def multimodality(embeddings: Array, random: np.random.Generator) -> float:
    """Mean distance of random pairs of motions of one text, embeddings (texts, samples, D): 10 pairs, or samples - 1 if fewer."""
    if embeddings.ndim != 3 or embeddings.shape[1] < 2:
        raise ValueError(f"embeddings {embeddings.shape}; expected (texts, samples >= 2, D)")
    pairs = min(MULTIMODALITY_PAIRS, embeddings.shape[1] - 1)
    first, second = (random.choice(embeddings.shape[1], pairs, replace=False) for _ in range(2))
    return pair_distance(embeddings.swapaxes(0, 1), first, second)


def pair_distance(embeddings: Array, first: Indices, second: Indices) -> float:
    """Mean Euclidean distance of ``embeddings[first]`` to ``embeddings[second]`` along the last axis."""
    apart = np.asarray(embeddings, np.float64)[first] - np.asarray(embeddings, np.float64)[second]
    return float(np.linalg.norm(apart, axis=-1).mean())


def mpjpe(real: Array, made: Array) -> Array:
    """Mean distance (T,) of joints (T, J, 3) after bringing the roots (joint 0) together, in the unit of the positions."""
    if real.shape != made.shape:
        raise ValueError(f"positions {real.shape} and {made.shape} must be of the same frames and joints")
    return np.linalg.norm((made - made[:, :1]) - (real - real[:, :1]), axis=-1).mean(axis=-1)


def _rows(embeddings: Array, least: int = 1) -> Array:
    embeddings = np.asarray(embeddings, dtype=np.float64)
    if embeddings.ndim != 2 or len(embeddings) < least:
        raise ValueError(f"embeddings {embeddings.shape}; expected (N >= {least}, D)")
    return embeddings
