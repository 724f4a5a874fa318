"""Taking the text tower of another model: for a small dataset, one that has read many sentences already."""

from __future__ import annotations

import shutil
from pathlib import Path

from server.models.text import TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS, load_embedded_text
from server.training.distill import EXPORT_FOLDER


def take_tower(model: Path, run: Path) -> None:
    """Put the embedded text tower of the bundle ``model`` where ``train text`` would leave one in ``run``.

    CheckpointError when the model has none, as the published ones that use CLIP.
    """
    load_embedded_text(model)
    target = run / "text" / EXPORT_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for name in (TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS):
        shutil.copyfile(model / name, target / name)
