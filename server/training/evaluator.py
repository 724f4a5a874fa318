"""Training the text/motion evaluator of a dataset: ``motionbridge train evaluator DATA RUN``.

It sees clips and captions of the training split only, so that figures on the other splits are of motion it does not know.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from server.models.evaluator import (
    DOWNSAMPLE,
    EvaluatorConfig,
    MotionTextEvaluator,
    contrastive_loss,
    save_evaluator,
)
from server.training.dataset import Balance, MotionDataset
from server.training.prepare import MAX_FRAMES
from server.training.train_config import TrainConfig
from server.training.trainer import Trainer, TrainResult, load_weights, mean_losses

EVALUATOR_TRAINING = TrainConfig(
    steps=1600,
    batch_size=64,
    lr=1e-3,
    lr_final=1e-5,
    warm_up=100,
    weight_decay=0.05,
    validate_every=250,
    ema_decay=0.99,
)
_BALANCE = Balance(group=0.1, family=0.5)
_NO_CAPTION = -1
_MAX_SCALE = 100.0


class PairBatch(NamedTuple):
    """``motion`` (B, T, C) normalised, zeros beyond ``lengths`` (B,) frames; ``texts`` (B, E): one caption each.

    ``same`` (B, B) bool: text i is among the captions of motion j, or their clips are of one kind.
    """

    motion: Tensor
    lengths: Tensor
    texts: Tensor
    same: Tensor


@dataclass(frozen=True)
class CaptionTable:
    """The distinct captions of a split, encoded, and for each clip its rows (clips, most), -1 at the end.

    ``texts`` (captions, E) are sentence vectors, or the token ids of which a text tower in training makes them.
    """

    texts: Tensor
    rows: Tensor

    @classmethod
    def of(cls, captions: Sequence[Sequence[str]], encode: Callable[[list[str]], Tensor]) -> CaptionTable:
        """Of each clip's captions, every text encoded once."""
        texts = sorted({text for of_clip in captions for text in of_clip})
        row = {text: at for at, text in enumerate(texts)}
        rows = torch.full((len(captions), max(map(len, captions))), _NO_CAPTION)
        for at, of_clip in enumerate(captions):
            rows[at, : len(of_clip)] = torch.tensor([row[text] for text in of_clip])
        return cls(encode(texts), rows)


class PairBatches:
    """Random clips, cut to a random 75 to 100 % of whole tokens as captions describe all of them, with a random caption each.

    ``kinds`` (clips,) are numbers; clips of one number are no negatives of each other. Default: every clip of its own.
    """

    def __init__(
        self, dataset: MotionDataset, captions: CaptionTable, batch_size: int, kinds: Tensor | None = None
    ) -> None:
        self._dataset, self._captions, self._batch_size = dataset, captions, batch_size
        self._kinds = torch.arange(len(dataset.clips)) if kinds is None else kinds
        self._weights = torch.from_numpy(dataset.weights(_BALANCE, by_frames=False))

    def draw(self, step: int, generator: Generator) -> PairBatch:
        chosen = torch.multinomial(self._weights, self._batch_size, replacement=True, generator=generator)
        return self.pairs(chosen, torch.rand(self._batch_size, 3, generator=generator))

    def pairs(self, chosen: Tensor, uniforms: Tensor) -> PairBatch:
        """The batch of clips ``chosen`` (B,); ``uniforms`` (B, 3) choose length, start and caption."""
        parts, rows = [], []
        for index, (u_length, u_start, u_caption) in zip(chosen.tolist(), uniforms.tolist(), strict=True):
            motion = self._dataset.motion(index)[:MAX_FRAMES]
            length = max(1, round(len(motion) * (0.75 + 0.25 * u_length)) // DOWNSAMPLE) * DOWNSAMPLE
            start = int(u_start * (len(motion) - length + 1))
            parts.append(motion[start : start + length])
            own = self._captions.rows[index]
            own = own[own != _NO_CAPTION]
            rows.append(int(own[int(u_caption * len(own))]))
        texts = torch.tensor(rows)
        lengths = torch.tensor([len(part) for part in parts])
        motion = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        same = (self._captions.rows[chosen].unsqueeze(0) == texts[:, None, None]).any(-1)
        kinds = self._kinds[chosen]
        same |= kinds[:, None] == kinds
        return PairBatch(motion, lengths, self._captions.texts[texts], same)


def pair_loss(model: MotionTextEvaluator, batch: PairBatch, generator: Generator) -> Mapping[str, Tensor]:
    """Loss and share of texts whose own motion (or one that they describe too) is the nearest of the batch."""
    texts = model.text(batch.texts)
    motions = model.motion(batch.motion, batch.lengths.tolist())
    loss = contrastive_loss(texts, motions, model.log_scale.exp().clamp(max=_MAX_SCALE), batch.same)
    nearest = (texts @ motions.T).argmax(dim=1, keepdim=True)
    return {"loss": loss, "top1": batch.same.gather(1, nearest).float().mean()}


def train_evaluator(
    data: Path,
    run: Path,
    config: TrainConfig,
    text_folder: Path,
    encode: Callable[[list[str]], Tensor],
    fresh: bool = False,
) -> TrainResult:
    """Train in ``run``/evaluator and write the folder that ``motionbridge evaluate`` takes into ``run``/evaluator/export.

    ``encode`` gives the sentence vectors of the text tower in ``text_folder``, whose files are copied beside the weights.
    """
    train, validation = MotionDataset(data, "train"), MotionDataset(data, "val")
    captions = CaptionTable.of([clip.captions for clip in train.clips], encode)
    model_config = EvaluatorConfig(
        features="kit" if train.layout.name == "kit" else "humanml3d",
        channels=train.layout.channels,
        text_dim=captions.texts.shape[1],
    )
    torch.manual_seed(config.seed)
    model = MotionTextEvaluator(model_config)
    own = CaptionTable.of([clip.captions for clip in validation.clips], encode)
    held_out = fixed_batches(PairBatches(validation, own, config.batch_size), len(validation.clips))

    def validate(model: MotionTextEvaluator) -> Mapping[str, float]:
        return mean_losses(pair_loss, model, held_out)

    batches = PairBatches(train, captions, config.batch_size)
    identity = {"model": model_config.model_dump()}
    folder = run / "evaluator"
    result = Trainer(model, pair_loss, batches, config, folder, validate, identity=identity, fresh=fresh).run()
    if result.finished:
        model.load_state_dict(load_weights(folder))
        save_evaluator(folder / "export", model, train.mean, train.std)
        for path in sorted(text_folder.glob("text*")):
            shutil.copyfile(path, folder / "export" / path.name)
    return result


def fixed_batches(source: PairBatches, clips: int, size: int = 64) -> list[PairBatch]:
    """All clips of a split in a fixed random order with fixed cuts and captions, in equal batches of about ``size``."""
    generator = Generator().manual_seed(0)
    order = torch.randperm(clips, generator=generator)
    parts = order.tensor_split(max(1, round(clips / size)))
    return [source.pairs(part, torch.rand(len(part), 3, generator=generator)) for part in parts]
