"""What every way to a text tower shares: where a run keeps it, what is written there, and taking that of another model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from server.models.text import (
    TEXT_CONFIG,
    TEXT_TOKENIZER,
    TEXT_WEIGHTS,
    EmbeddedTextEncoder,
    Standard,
    embed_tokens,
    encode_all,
    load_embedded_text,
    save_embedded_text,
)

EXPORT_FOLDER = "export"


def embed_for_training(tower: nn.Module, ids: Tensor) -> Tensor:
    """Unit-length sentence vectors (B, dim) float32 of token ids (B, L), to be differentiated."""
    # On the CPU the fused attention's backward pass is 5 times as slow as the plain one at 14 tokens.
    with sdpa_kernel(SDPBackend.MATH):
        return embed_tokens(tower, ids)


def export_tower(work: Path, encoder: EmbeddedTextEncoder, captions: Sequence[str]) -> None:
    """Write the tower of ``encoder``, which has no standard yet, into ``work``; ``captions`` give its standard."""
    standard = Standard.of(encode_all(encoder, captions))
    save_embedded_text(work / EXPORT_FOLDER, encoder.config, encoder.tower, encoder.tokenizer, standard)


def take_tower(model: Path, run: Path) -> None:
    """Put the embedded text tower of the bundle ``model`` where ``train text`` would leave one in ``run``.

    CheckpointError when the model has none, as the published ones that use CLIP.
    """
    load_embedded_text(model)
    target = run / "text" / EXPORT_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for name in (TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS):
        shutil.copyfile(model / name, target / name)
