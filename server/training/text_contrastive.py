"""Training the text tower from scratch: ``motionbridge train text DATA RUN --from-scratch``.

No teacher, and no sentence but the captions of the training split: tower and the evaluator's motion encoder learn together to
tell which caption belongs to which motion (Petrovich et al., TMR, ICCV 2023). What no caption says, such a tower does not know;
the distilled one has its teacher's word for it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from server.models.evaluator import EvaluatorConfig, MotionTextEvaluator
from server.models.text import PAD_ID, EmbeddedTextEncoder, build_tower, load_embedded_text
from server.training.dataset import MotionDataset
from server.training.evaluator import CaptionTable, PairBatch, PairBatches, fixed_batches, pair_loss
from server.training.text_corpus import misspell
from server.training.tower import embed_for_training, export_tower
from server.training.train_config import TrainConfig
from server.training.trainer import Trainer, TrainResult, load_weights, mean_losses

CONTRASTIVE_TRAINING = TrainConfig(
    steps=600,
    batch_size=128,
    lr=1e-3,
    lr_final=1e-5,
    warm_up=100,
    weight_decay=0.05,
    validate_every=100,
    ema_decay=0.99,
)
MISSPELT = 0.15  # of the captions get a misspelt twin, as in the distillation


class TowerAndMotion(nn.Module):
    """A text tower, and the encoders of motion and of the tower's vectors that it is trained with."""

    def __init__(self, tower: nn.Module, pair: MotionTextEvaluator) -> None:
        super().__init__()
        self.tower, self.pair = tower, pair


def contrastive_tower_loss(model: TowerAndMotion, batch: PairBatch, generator: Generator) -> Mapping[str, Tensor]:
    """:func:`~server.training.evaluator.pair_loss` of a batch whose ``texts`` (B, L) are token ids."""
    ids = batch.texts[:, : int((batch.texts != PAD_ID).sum(dim=1).max())]
    return pair_loss(model.pair, batch._replace(texts=embed_for_training(model.tower, ids)), generator)


def train_from_scratch(data: Path, run: Path, config: TrainConfig, pattern: Path, fresh: bool = False) -> TrainResult:
    """Train in ``run``/text/training on the prepared dataset ``data``; the tower lies in ``run``/text/export at the end.

    Sizes and tokenizer are those of the embedded tower in ``pattern``; of its weights nothing is taken. Clips of one group,
    mirror images apart, are no negatives of each other.
    """
    train, validation = MotionDataset(data, "train"), MotionDataset(data, "val")
    like = load_embedded_text(pattern)

    def token_ids(texts: list[str]) -> Tensor:
        return torch.tensor([encoding.ids for encoding in like.tokenizer.encode_batch(texts)])

    def batches(dataset: MotionDataset, captions: Sequence[Sequence[str]]) -> PairBatches:
        names = [(clip.group, clip.mirrored) for clip in dataset.clips]
        number = {name: at for at, name in enumerate(dict.fromkeys(names))}
        kinds = torch.tensor([number[name] for name in names])
        return PairBatches(dataset, CaptionTable.of(captions, token_ids), config.batch_size, kinds)

    torch.manual_seed(config.seed)
    pair_config = EvaluatorConfig(
        features="kit" if train.layout.name == "kit" else "humanml3d",
        channels=train.layout.channels,
        text_dim=like.dim,
    )
    model = TowerAndMotion(build_tower(like.config), MotionTextEvaluator(pair_config))
    held_out = fixed_batches(batches(validation, [clip.captions for clip in validation.clips]), len(validation.clips))

    def validate(model: TowerAndMotion) -> Mapping[str, float]:
        return mean_losses(contrastive_tower_loss, model, held_out)

    identity = {"tower": like.config.model_dump(), "pair": pair_config.model_dump()}
    work = run / "text"
    drawn = batches(train, with_twins([clip.captions for clip in train.clips], random.Random(config.seed)))
    folder = work / "training"
    result = Trainer(
        model, contrastive_tower_loss, drawn, config, folder, validate, identity=identity, fresh=fresh
    ).run()
    if result.finished:
        model.load_state_dict(load_weights(folder))
        captions = sorted({text for clip in train.clips for text in clip.captions})
        export_tower(work, EmbeddedTextEncoder(like.config, model.tower, like.tokenizer, "cpu"), captions)
    return result


def with_twins(captions: Sequence[Sequence[str]], rng: random.Random) -> list[list[str]]:
    """Each clip's captions and, of a share :data:`MISSPELT` of them, a misspelt twin."""
    return [[*own, *(misspell(text, rng) for text in own if rng.random() < MISSPELT)] for own in captions]
