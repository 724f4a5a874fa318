"""The published evaluator's files with small random weights, as its authors lay them out."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

WORDS = ("sos", "eos", "unk", "a", "person", "walk", "left", "table")
HIDDEN, LATENT, MOTION, TEXT, DIM = 6, 5, 7, 4, 3


def gru_state(prefix: str, size: int) -> dict[str, Tensor]:
    return {
        f"{prefix}.{kind}_{part}_l0{way}": 0.4 * torch.randn(3 * size, *([size] if kind == "weight" else []))
        for kind in ("weight", "bias")
        for part in ("ih", "hh")
        for way in ("", "_reverse")
    }


def sequence_state(inputs: int, size: int) -> dict[str, Tensor]:
    state = {"hidden": torch.randn(2, 1, size), **gru_state("gru", size)}
    state |= {"input_emb.weight": torch.randn(size, inputs), "input_emb.bias": torch.randn(size)}
    for place, shape in (("0", (size, 2 * size)), ("3", (DIM, size))):
        state |= {f"output_net.{place}.weight": torch.randn(shape), f"output_net.{place}.bias": torch.randn(shape[0])}
    return state | {"output_net.1.weight": torch.randn(size), "output_net.1.bias": torch.randn(size)}


def write_published(root: Path, channels: int = 263, name: str = "t2m") -> Path:
    """``checkpoints/<name>`` and ``glove`` as the authors lay them out, in small."""
    torch.manual_seed(0)
    folder = root / "checkpoints" / name
    (folder / "text_mot_match" / "model").mkdir(parents=True)
    movement = {"main.0.weight": 0.1 * torch.randn(HIDDEN, channels - 4, 4), "main.0.bias": torch.randn(HIDDEN)}
    movement |= {"main.3.weight": torch.randn(LATENT, HIDDEN, 4), "main.3.bias": torch.randn(LATENT)}
    movement |= {"out_net.weight": torch.randn(LATENT, LATENT), "out_net.bias": torch.randn(LATENT)}
    text = sequence_state(300, TEXT) | {"pos_emb.weight": torch.randn(300, 15), "pos_emb.bias": torch.randn(300)}
    states = {"movement_encoder": movement, "motion_encoder": sequence_state(LATENT, MOTION), "text_encoder": text}
    torch.save(states | {"epoch": 7}, folder / "text_mot_match" / "model" / "finest.tar")
    meta = folder / "Comp_v6_KLD005" / "meta"
    meta.mkdir(parents=True)
    np.save(meta / "mean.npy", np.linspace(-1, 1, channels).astype(np.float32))
    np.save(meta / "std.npy", np.linspace(0.5, 2, channels).astype(np.float32))
    write_glove(root / "glove")
    return folder


def write_glove(folder: Path) -> Path:
    folder.mkdir(parents=True)
    np.save(folder / "our_vab_data.npy", np.random.default_rng(0).normal(size=(len(WORDS), 300)))
    for name, value in (("words", list(WORDS)), ("idx", {word: row for row, word in enumerate(WORDS)})):
        (folder / f"our_vab_{name}.pkl").write_bytes(pickle.dumps(value))
    return folder
