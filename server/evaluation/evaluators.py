"""The space that metrics are computed in: features and captions to embeddings, by an evaluator trained here or the published one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from server.evaluation.data import TOKEN_FRAMES, Caption
from server.models.checkpoint import CheckpointError
from server.models.evaluator import EVALUATOR_CONFIG, MotionTextEvaluator, load_evaluator_model
from server.models.glove import Glove
from server.models.published_evaluator import MAX_FRAMES, WEIGHTS, PublishedEvaluator, load_published
from server.models.text import CachedTextEncoder, TextEncoder, load_embedded_text
from server.motion.rotation import Array

BATCH = 64
Item = TypeVar("Item")


class Evaluator(Protocol):
    """Embeddings (N, dim) float64 of motions, each features (T, C) as prepared with T whole tokens, and of captions."""

    name: str
    channels: int

    def motions(self, motions: Sequence[Array]) -> Array: ...

    def texts(self, captions: Sequence[Caption]) -> Array: ...


class TrainedEvaluator:
    """An evaluator that ``motionbridge train evaluator`` made."""

    def __init__(self, model: MotionTextEvaluator, mean: Tensor, std: Tensor, text: TextEncoder, name: str) -> None:
        self.name, self.channels = name, model.config.channels
        self._model, self._mean, self._std = model, mean, std
        self._text = CachedTextEncoder(text, capacity=1 << 15)

    @torch.inference_mode()
    def motions(self, motions: Sequence[Array]) -> Array:
        """See :class:`Evaluator`."""
        return _in_batches(motions, self._embed)

    def _embed(self, part: Sequence[Array]) -> Tensor:
        padded, lengths = _padded(part, self._mean, self._std, max(map(len, part)))
        return self._model.motion(padded, lengths)

    @torch.inference_mode()
    def texts(self, captions: Sequence[Caption]) -> Array:
        """See :class:`Evaluator`."""
        device = self._mean.device
        return _in_batches(
            captions, lambda part: self._model.text(self._text.encode([one.text for one in part]).to(device))
        )


class OriginalEvaluator:
    """The published evaluator with its word vectors; captions need their parts of speech."""

    def __init__(self, model: PublishedEvaluator, glove: Glove, name: str) -> None:
        self.name, self.channels = name, len(model.mean)
        self._model, self._glove = model, glove

    @torch.inference_mode()
    def motions(self, motions: Sequence[Array]) -> Array:
        """See :class:`Evaluator`."""
        return _in_batches(motions, self._embed)

    def _embed(self, part: Sequence[Array]) -> Tensor:
        return self._model.motion(*_padded(part, self._model.mean, self._model.std, MAX_FRAMES))

    @torch.inference_mode()
    def texts(self, captions: Sequence[Caption]) -> Array:
        """See :class:`Evaluator`. ValueError for a caption without parts of speech."""
        for caption in captions:
            if not caption.tokens:
                raise ValueError(
                    f"the caption {caption.text!r} has no parts of speech, which the published evaluator needs; prepare the "
                    "HumanML3D or KIT-ML folder again, or use an evaluator trained here"
                )
        return _in_batches(captions, self._embed_texts)

    def _embed_texts(self, part: Sequence[Caption]) -> Tensor:
        words, tags, lengths = self._glove.encode([caption.tokens for caption in part])
        device = self._model.mean.device
        return self._model.text(torch.from_numpy(words).to(device), torch.from_numpy(tags).to(device), lengths)


def load_evaluator(folder: Path, channels: int, device: torch.device | str = "cpu") -> Evaluator:
    """The evaluator in ``folder``: one trained here, or the authors' ``checkpoints/t2m`` or ``checkpoints/kit``.

    ``channels`` are those of the data. CheckpointError when there is none or it is of other features.
    """
    evaluator: Evaluator
    if (folder / EVALUATOR_CONFIG).is_file():
        model, mean, std = load_evaluator_model(folder, device)
        text = load_embedded_text(folder, device)
        if text.dim != model.config.text_dim:
            raise CheckpointError(
                f"{folder}: the text tower gives {text.dim} values, the evaluator takes {model.config.text_dim}"
            )
        evaluator = TrainedEvaluator(model, mean, std, text, f"trained here ({model.config.dim} dimensions)")
    elif (folder / WEIGHTS).is_file():
        evaluator = OriginalEvaluator(load_published(folder, device), Glove.load(_glove_folder(folder)), "published")
    else:
        raise CheckpointError(
            f"{folder} holds no evaluator ({EVALUATOR_CONFIG} or {WEIGHTS.as_posix()}); train one with 'motionbridge train "
            "evaluator DATA RUN' and give RUN/evaluator/export, or give the authors' checkpoints/t2m or checkpoints/kit"
        )
    if evaluator.channels != channels:
        raise CheckpointError(f"the evaluator in {folder} takes {evaluator.channels} channels, the data has {channels}")
    return evaluator


def _glove_folder(folder: Path) -> Path:
    above = folder.resolve().parents
    places = [folder / "glove", *(parent / "glove" for parent in above[:2])]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise CheckpointError(
            f"no glove folder at {', '.join(str(place) for place in places)}; copy the authors' there"
        )
    return found


def _padded(motions: Sequence[Array], mean: Tensor, std: Tensor, frames: int) -> tuple[Tensor, list[int]]:
    """Normalised motions (B, frames, C), zeros beyond their lengths, and the lengths in frames."""
    lengths = [len(motion) for motion in motions]
    if any(length % TOKEN_FRAMES or not 0 < length <= frames for length in lengths):
        raise ValueError(f"motions of {lengths} frames; each must be whole tokens of {TOKEN_FRAMES}, at most {frames}")
    padded = torch.zeros(len(motions), frames, len(mean), device=mean.device)
    for row, motion in enumerate(motions):
        values = torch.tensor(motion, dtype=torch.float32, device=mean.device)
        padded[row, : len(motion)] = (values - mean) / std
    return padded, lengths


def _in_batches(items: Sequence[Item], embed: Callable[[Sequence[Item]], Tensor]) -> Array:
    parts = [embed(items[at : at + BATCH]) for at in range(0, len(items), BATCH)]
    return torch.cat(parts).double().cpu().numpy()
