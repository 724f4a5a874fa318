"""A pair of encoders, one of motion and one of text, into one space where what belongs together is near.

Metrics of generated motion are computed in it. Trained here on any prepared dataset (``motionbridge train evaluator``); the
published pair is in :mod:`server.models.published_evaluator`. An evaluator folder stands alone, so that figures of one
model and of the next are of the same space:

==============================  =========================================================================
``evaluator.json``              :class:`EvaluatorConfig`
``evaluator.safetensors``       weights, and ``mean`` and ``std`` (C,) of the features it was trained on
``text*``                       the text tower whose sentence vectors it takes (see :mod:`server.models.text`)
==============================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from server.files import write_atomically
from server.models.checkpoint import CheckpointError, check_state, read_weights

EVALUATOR_CONFIG = "evaluator.json"
EVALUATOR_WEIGHTS = "evaluator.safetensors"
DOWNSAMPLE = 4


class EvaluatorConfig(BaseModel):
    """Sizes: ``channels`` of the features, ``text_dim`` of a sentence vector, ``dim`` of the common space."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    features: Literal["humanml3d", "kit"] = "humanml3d"
    channels: int = Field(ge=1)
    text_dim: int = Field(ge=1)
    width: int = Field(default=192, ge=1)
    hidden: int = Field(default=96, ge=1)
    text_width: int = Field(default=256, ge=1)
    dim: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class MotionTextEvaluator(nn.Module):
    """Patches of 4 frames, a convolution and a bidirectional GRU for motion; a small MLP for sentence vectors.

    Embeddings are of unit length: the Euclidean distances of the metrics order pairs as the cosine does that it is trained by.
    """

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.config = config
        self.patches = nn.Linear(DOWNSAMPLE * config.channels, config.width)
        self.conv = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.gru = nn.GRU(config.width, config.hidden, batch_first=True, bidirectional=True)
        self.motion_head = _head(2 * config.hidden, config.text_width, config)
        self.text_head = _head(config.text_dim, config.text_width, config)
        self.dropout = nn.Dropout(config.dropout)
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())

    def motion(self, motion: Tensor, lengths: Sequence[int]) -> Tensor:
        """Embeddings (B, dim) of normalised features (B, T, C); T and ``lengths``, in frames, are whole tokens of 4.

        What a motion is padded with beyond its length has no effect.
        """
        counts = torch.tensor([length // DOWNSAMPLE for length in lengths])
        hidden = F.gelu(self.patches(motion.reshape(len(motion), -1, DOWNSAMPLE * motion.shape[2])))  # (B, N, width)
        known = torch.arange(hidden.shape[1]) < counts[:, None]  # (B, N)
        hidden = (self.dropout(hidden) * known.to(hidden.device).unsqueeze(-1)).transpose(1, 2)
        hidden = self.dropout(F.gelu(self.conv(hidden))).transpose(1, 2)
        packed = pack_padded_sequence(hidden, counts, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)  # (2, B, hidden)
        return F.normalize(self.motion_head(torch.cat([last[0], last[1]], dim=-1)).float(), dim=-1)

    def text(self, vectors: Tensor) -> Tensor:
        """Embeddings (B, dim) of sentence vectors (B, text_dim)."""
        return F.normalize(self.text_head(vectors).float(), dim=-1)


def _head(inputs: int, width: int, config: EvaluatorConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LayerNorm(width),
        nn.GELU(),
        nn.Dropout(config.dropout),
        nn.Linear(width, config.dim),
    )


def contrastive_loss(texts: Tensor, motions: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE (scalar) of embeddings (B, D), row i of both belonging together.

    ``same`` (B, B) bool is True where text i also describes motion j: such a pair is no negative. Source: van den Oord et
    al. 2018; symmetric as in CLIP (Radford et al. 2021); leaving out equal texts as in TMR (Petrovich et al., ICCV 2023).
    """
    logits = scale * texts @ motions.T
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(same & ~own, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def save_evaluator(folder: Path, model: MotionTextEvaluator, mean: Tensor, std: Tensor) -> None:
    """Write config and weights (fp16; mean and std float32) into ``folder``, each file atomically; not the text tower."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in model.state_dict().items()}
    tensors |= {"mean": mean.cpu().float().contiguous(), "std": std.cpu().float().contiguous()}
    config = model.config.model_dump_json(indent=1) + "\n"
    write_atomically(folder / EVALUATOR_CONFIG, lambda path: path.write_text(config, encoding="utf-8"))
    write_atomically(folder / EVALUATOR_WEIGHTS, partial(save_file, tensors))


def load_evaluator_model(
    folder: Path, device: torch.device | str = "cpu"
) -> tuple[MotionTextEvaluator, Tensor, Tensor]:
    """The pair in ``folder`` in evaluation mode, float32, and mean and std (C,) of its features.

    CheckpointError when a file, key or field is missing or not known, or a shape is not the config's.
    """
    path = folder / EVALUATOR_CONFIG
    try:
        config = EvaluatorConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); train one: motionbridge train evaluator"
        ) from None
    except ValidationError as error:
        raise CheckpointError(f"{path} is not an evaluator's config: {error}") from error
    model = MotionTextEvaluator(config)
    weights = read_weights(folder / EVALUATOR_WEIGHTS)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    check_state(folder / EVALUATOR_WEIGHTS, weights, shapes | dict.fromkeys(("mean", "std"), (config.channels,)))
    mean, std = (weights.pop(name).float().to(device) for name in ("mean", "std"))
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.to(device).eval().requires_grad_(False), mean, std
