"""The text/motion evaluator that HumanML3D and KIT-ML figures are computed with, from its authors' files.

Source: Guo et al., *Generating Diverse and Natural 3D Human Motions from Text*, CVPR 2022 (``text_mot_match``). Layout of
what the authors publish for MoMask, whose ``checkpoints`` and ``glove`` folders lie side by side:

=====================================================  ==========================================================
``checkpoints/<t2m|kit>/text_mot_match/model/``        ``finest.tar``, a ``torch.save`` file: three state dicts
``checkpoints/<t2m|kit>/Comp_v6_KLD005/meta/``         ``mean.npy`` and ``std.npy`` (C,) of its features
``glove/``                                             see :mod:`server.models.glove`
=====================================================  ==========================================================
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from server.models.checkpoint import CheckpointError, check_state

WEIGHTS = Path("text_mot_match") / "model" / "finest.tar"
META = Path("Comp_v6_KLD005") / "meta"
DOWNSAMPLE = 4
MAX_FRAMES = 196  # every motion is padded to this with zeros before the convolutions
CONTACTS = 4  # channels at the end that the movement encoder does not see
_SLOPE = 0.2


class MovementEncoder(nn.Module):
    """Features without contacts (B, T, C - 4), normalised, to movement codes (B, T / 4, latent)."""

    def __init__(self, channels: int, hidden: int, latent: int) -> None:
        super().__init__()
        # The published state dict names these 0 and 3: dropout and activation stand between.
        self.main = nn.Sequential(
            nn.Conv1d(channels, hidden, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(_SLOPE),
            nn.Conv1d(hidden, latent, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(_SLOPE),
        )
        self.out_net = nn.Linear(latent, latent)

    def forward(self, motion: Tensor) -> Tensor:
        return self.out_net(self.main(motion.transpose(1, 2)).transpose(1, 2))


class SequenceEncoder(nn.Module):
    """A bidirectional GRU with a learnt first state over (B, N, inputs); its two last states become (B, dim)."""

    def __init__(self, inputs: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.input_emb = nn.Linear(inputs, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(_SLOPE), nn.Linear(hidden, dim)
        )
        self.hidden = nn.Parameter(torch.zeros(2, 1, hidden))

    def forward(self, inputs: Tensor, lengths: Sequence[int]) -> Tensor:
        start = self.hidden.expand(-1, len(inputs), -1).contiguous()
        embedded = self.input_emb(inputs)
        packed = pack_padded_sequence(embedded, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed, start)
        return self.output_net(torch.cat([last[0], last[1]], dim=-1))


class TextSequenceEncoder(SequenceEncoder):
    """The same over words: GloVe vectors (B, N, 300) plus a projection of part-of-speech one-hots (B, N, 15)."""

    def __init__(self, words: int, tags: int, hidden: int, dim: int) -> None:
        super().__init__(words, hidden, dim)
        self.pos_emb = nn.Linear(tags, words)

    def embed(self, words: Tensor, tags: Tensor, lengths: Sequence[int]) -> Tensor:
        return self(words + self.pos_emb(tags), lengths)


class PublishedEvaluator(nn.Module):
    """The three networks in evaluation mode, and ``mean``, ``std`` (C,) of the features they take."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, movement: MovementEncoder, motion: SequenceEncoder, text: TextSequenceEncoder, channels: int
    ) -> None:
        super().__init__()
        self.movement_encoder, self.motion_encoder, self.text_encoder = movement, motion, text
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def motion(self, features: Tensor, lengths: Sequence[int]) -> Tensor:
        """Embeddings (B, dim) of normalised features (B, 196, C), zero from each one's length in frames on."""
        return self.motion_encoder(
            self.movement_encoder(features[..., :-CONTACTS]), [length // DOWNSAMPLE for length in lengths]
        )

    def text(self, words: Tensor, tags: Tensor, lengths: Sequence[int]) -> Tensor:
        """Embeddings (B, dim) of word vectors (B, N, 300) and one-hots (B, N, 15) with ``lengths`` in words."""
        return self.text_encoder.embed(words, tags, lengths)


def build_published(states: Mapping[str, Mapping[str, Tensor]], source: Path) -> PublishedEvaluator:
    """The networks whose sizes and weights are in ``states``; CheckpointError when they are not the published layout."""
    try:
        movement, motion, text = (states[f"{name}_encoder"] for name in ("movement", "motion", "text"))
        hidden, channels, _ = movement["main.0.weight"].shape
        latent = movement["out_net.weight"].shape[0]
        words, tags = text["pos_emb.weight"].shape
        sizes = [
            (state["input_emb.weight"].shape[0], state["output_net.3.weight"].shape[0]) for state in (motion, text)
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{source} is not a text_mot_match checkpoint: {error} is missing or of another form"
        ) from None
    model = PublishedEvaluator(
        MovementEncoder(channels, hidden, latent),
        SequenceEncoder(latent, *sizes[0]),
        TextSequenceEncoder(words, tags, *sizes[1]),
        channels + CONTACTS,
    )
    for name, state in (("movement", movement), ("motion", motion), ("text", text)):
        network: nn.Module = getattr(model, f"{name}_encoder")
        check_state(source, state, {key: tuple(value.shape) for key, value in network.state_dict().items()})
        network.load_state_dict({key: value.float() for key, value in state.items()})
    return model.eval().requires_grad_(False)


def load_published(folder: Path, device: torch.device | str = "cpu") -> PublishedEvaluator:
    """The evaluator in ``folder`` (``checkpoints/t2m`` or ``checkpoints/kit``); CheckpointError names what is wrong."""
    path = folder / WEIGHTS
    states = _read(path)
    model = build_published(states, path)
    for name in ("mean", "std"):
        meta = folder / META / f"{name}.npy"
        try:
            values = np.load(meta, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{meta} cannot be read ({error}); copy the authors' Comp_v6_KLD005 folder") from None
        if values.shape != getattr(model, name).shape or not np.isfinite(values).all():
            raise CheckpointError(
                f"{meta} has shape {values.shape}; {len(getattr(model, name))} finite values are needed"
            )
        getattr(model, name).copy_(torch.from_numpy(values).float())
    return model.to(device)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        # torch's own words on a file it will not trust advise loading it unsafely.
        reason = error.strerror if isinstance(error, OSError) else "damaged, or holds more than tensors"
        raise CheckpointError(f"{path} cannot be read ({reason}); copy the authors' text_mot_match again") from None
    if not isinstance(states, dict):
        raise CheckpointError(f"{path} holds a {type(states).__name__}; a text_mot_match checkpoint is a dictionary")
    return states
