"""The loss, the batches and the validation of each model; ``train_stage`` runs one with the shared trainer.

The order is rvq, text, then masked, residual and length, which need the first two.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from protocol.skeleton import default_skeleton
from server.files import write_atomically
from server.models.checkpoint import Bundle, BundleConfig, Sampling, save_bundle
from server.models.length import LengthConfig, LengthEstimator, length_loss
from server.models.masked import MaskedConfig, MaskedTransformer, masked_loss
from server.models.residual import ResidualConfig, ResidualTransformer, residual_loss
from server.models.rvq import RVQVAE, RVQConfig, RVQLoss, RVQOutput, rvq_loss
from server.motion.features import FeatureLayout
from server.sentences import actions
from server.training.augment import ExtraClip, standing_clips, transition_clips
from server.training.captions import STANDING, CaptionSet, captions_of, check_patterns
from server.training.dataset import (
    Balance,
    LayeredBatches,
    LayeredWindows,
    MotionDataset,
    TokenBatch,
    TokenBatches,
    TokenClips,
    WindowBatches,
    pad_tokens,
    tokenise,
)
from server.training.text_corpus import misspell
from server.training.train_config import TrainConfig
from server.training.trainer import LossFn, Trainer, TrainResult, load_weights, mean_losses

TokenModel = MaskedTransformer | ResidualTransformer | LengthEstimator

_FEW = 0.05  # of the captions
_EXTRAS_A_CLIP = 2  # made examples of a kind for each recorded clip, at most: a small dataset has no use for more
JOINT_WEIGHTS = tuple(
    (f"{side}_{joint}", weight)
    for joint, weight in {"wrist": 4.0, "elbow": 2.0, "ankle": 1.5, "foot": 1.5}.items()
    for side in ("left", "right")
)
_SLIPS = (1, 1, 2, 3)  # of the pen, in the misspelt variants of every caption
FRAME_OFFSETS = 4  # one token's worth: every alignment of frames and tokens is seen


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of the embedded checkpoint's networks; the published ones are in the configs' own defaults."""

    rvq_width: int = 192
    code_dim: int = 192
    codes: int = 512
    quantizers: int = 6
    quantize_dropout: float = 0.2
    latent: int = 192
    heads: int = 6
    layers: int = 4
    ff: int = 768
    residual_layers: int = 4
    residual_code_dim: int = 192
    token_dim: int = 192
    dropout: float = 0.1


@dataclass(frozen=True)
class ExtraConfig:
    """Examples made beside the recordings (see :mod:`server.training.augment`): how many, and their shares of a batch."""

    transitions: int = 2400
    transition_share: float = 0.25
    standing: int = 200
    standing_share: float = 0.06
    seed: int = 0


@dataclass(frozen=True)
class StageConfig:
    """What a stage needs beside :class:`TrainConfig`.

    ``windows`` are the lengths in frames that the RVQ-VAE sees, the shorter for clips that the longer leaves out;
    ``base_share`` of its batches are decoded from the base layer alone. ``joint_weights`` and ``position_weight`` say how
    much more the places of joints count than the other features (1 where no weight is given): a wave is a small movement of
    one hand, but left out it is another action. ``balance`` weighs rare motion up. ``crop``, ``cond_noise``: see
    :class:`~server.training.dataset.TokenBatches`. ``captions`` are further ones, see :mod:`server.training.captions`.
    """

    sizes: ModelSizes = field(default_factory=ModelSizes)
    windows: tuple[int, ...] = (64, 36)
    base_share: float = 0.5
    position_weight: float = 1.5
    joint_weights: tuple[tuple[str, float], ...] = JOINT_WEIGHTS
    balance: Balance = field(default_factory=Balance)
    crop: float = 0.5
    cond_noise: float = 0.3
    captions: tuple[CaptionSet, ...] = ()
    extra: ExtraConfig = field(default_factory=ExtraConfig)
    validation_limit: int = 512


RVQ_TRAINING = TrainConfig(
    steps=4500, batch_size=64, lr=4e-4, lr_final=1e-5, warm_up=300, weight_decay=0.0, ema_decay=0.998
)
# Small batches: for one computing time, 400 steps of 32 came to a validation loss of 3.9 and 200 steps of 64 to 4.4.
TOKEN_TRAINING = TrainConfig(batch_size=32, lr=6e-4, lr_final=1e-5, warm_up=300, ema_decay=0.998)


def rvq_config(channels: int, sizes: ModelSizes) -> RVQConfig:
    """A small RVQ-VAE: less dropout, and no noise on the code choice, which a short training cannot afford."""
    return RVQConfig(
        channels=channels,
        width=sizes.rvq_width,
        code_dim=sizes.code_dim,
        codes=sizes.codes,
        quantizers=sizes.quantizers,
        quantize_dropout=sizes.quantize_dropout,
        dropout=0.0,
        gumbel_temperature=0.0,
        dead_code_threshold=0.5,
    )


def train_rvq(data: Path, run: Path, config: TrainConfig, stage: StageConfig, fresh: bool = False) -> TrainResult:
    """Train the RVQ-VAE on windows of the prepared dataset ``data``; validation is root-relative MPJPE in mm."""
    train, validation = MotionDataset(data, "train"), MotionDataset(data, "val")
    model_config = rvq_config(train.layout.channels, stage.sizes)
    torch.manual_seed(config.seed)
    model = RVQVAE(model_config)
    measure = reconstruction_loss(train.layout, stage)

    def loss(model: RVQVAE, batch: LayeredWindows, generator: Generator) -> Mapping[str, Tensor]:
        output = model(batch.motion, batch.layers, generator)
        losses = measure(output, batch.motion)
        return {
            "loss": losses.total,
            "reconstruction": losses.reconstruction,
            "commit": losses.commit,
            "perplexity": output.perplexity,
        }

    def validate(model: RVQVAE) -> Mapping[str, float]:
        return {
            f"mpjpe_mm_{layers}": reconstruction_error(model, validation, layers)
            for layers in (1, stage.sizes.quantizers)
        } | {"loss": reconstruction_error(model, validation, 1)}

    batches = layered_batches(train, config, stage, stage.base_share, [None])
    identity = {"model": asdict(model_config), "windows": stage.windows}
    return Trainer(model, loss, batches, config, run / "rvq", validate, identity=identity, fresh=fresh).run()


def layered_batches(
    dataset: MotionDataset, config: TrainConfig, stage: StageConfig, base_share: float, others: Sequence[int | None]
) -> LayeredBatches:
    """Batches of windows of the lengths of ``stage`` that some clip has, each of as many frames as ``batch_size`` of the longest.

    DatasetError when no clip is as long as the shortest.
    """
    longest, shortest = max(clip.frames for clip in dataset.clips), min(stage.windows)
    lengths = [window for window in stage.windows if window <= max(longest, shortest)]
    frames = config.batch_size * max(stage.windows)
    windows = [WindowBatches(dataset, frames // window, window, stage.balance) for window in lengths]
    return LayeredBatches(windows, base_share, others)


def reconstruction_loss(layout: FeatureLayout, stage: StageConfig) -> Callable[[RVQOutput, Tensor], RVQLoss]:
    """The loss of the RVQ-VAE's output on motion (B, T, C), joints weighted as in ``stage`` where they are our 22."""
    weights = torch.ones(layout.joints - 1)
    skeleton = default_skeleton()
    if layout.joints == len(skeleton):
        for name, weight in stage.joint_weights:
            weights[skeleton.index(name) - 1] = weight

    def loss(output: RVQOutput, motion: Tensor) -> RVQLoss:
        return rvq_loss(
            output,
            motion,
            layout.joints,
            position_weight=stage.position_weight,
            joint_weights=weights.to(output.reconstruction.device),
        )

    return loss


@torch.no_grad()
def reconstruction_error(model: RVQVAE, dataset: MotionDataset, layers: int) -> float:
    """Mean distance (mm) of root-relative joint positions from those that went in, over all frames of a split."""
    total, count = 0.0, 0
    part = dataset.layout.local_positions
    device = next(model.parameters()).device
    std = dataset.std.to(device)
    for index in range(len(dataset.clips)):
        motion = dataset.motion(index)[None].to(device)
        motion = motion[:, : motion.shape[1] // model.config.downsample * model.config.downsample]
        decoded = model.decode(model.encode(motion, layers).indices).float()
        difference = ((decoded - motion) * std)[..., part]
        distance = difference.reshape(-1, 3).norm(dim=-1)
        total += float(distance.sum())
        count += len(distance)
    return 1000.0 * total / count


def load_rvq(run: Path, channels: int, sizes: ModelSizes) -> RVQVAE:
    """The trained RVQ-VAE of a run folder, in evaluation mode."""
    model = RVQVAE(rvq_config(channels, sizes))
    model.load_state_dict(load_weights(run / "rvq"))
    return model.eval()


def token_clips(
    dataset: MotionDataset,
    rvq: RVQVAE,
    encode: Callable[[list[str]], Tensor],
    offsets: int,
    cache: Path,
    extras: Sequence[ExtraClip] = (),
    caption_sets: Sequence[CaptionSet] = (),
) -> TokenClips:
    """Tokenise a split, or read the tokens of the same motion and weights from ``cache``; encode its distinct captions once.

    ``extras`` come after the split's clips, at one frame offset. ``caption_sets`` are further captions.
    """
    further = [captions_of(clip, caption_sets) for clip in dataset.clips]
    standing = [caption_set.captions for caption_set in caption_sets if STANDING in caption_set.clips]
    captions = [[clip.captions, *more] for clip, more in zip(dataset.clips, further, strict=True)]
    captions += [[clip.captions, *(standing if clip.source is None else further[clip.source])] for clip in extras]
    texts = sorted({text for sets in captions for one_set in sets for text in one_set})
    rng = random.Random(0)
    row = {text: index for index, text in enumerate(texts)}
    digest = hashlib.sha256(repr([(clip.clip_id, clip.frames) for clip in dataset.clips]).encode())
    for value in (*rvq.state_dict().values(), dataset.mean, dataset.std, *(extra.features for extra in extras)):
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    path = cache / f"tokens-{digest.hexdigest()[:16]}-{offsets}.pt"
    if path.is_file():
        tokens = torch.load(path, weights_only=True)
    else:
        tokens = tokenise([dataset.motion(index) for index in range(len(dataset.clips))], rvq, offsets)
        tokens += tokenise([extra.features for extra in extras], rvq, 1)
        cache.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda partial: torch.save(tokens, partial))
    context = [0] * len(dataset.clips) + [extra.context // rvq.config.downsample for extra in extras]
    rows = [[[row[text] for text in one_set] for one_set in sets] for sets in captions]
    conds = encode(texts)
    misspelt = torch.stack([encode([misspell(text, rng, slips) for text in texts]) for slips in _SLIPS])
    return TokenClips(tokens, rows, conds, misspelt, context)


def extra_clips(dataset: MotionDataset, stage: StageConfig, cache: Path) -> list[ExtraClip]:
    """The examples of ``stage.extra``, made once and then read from ``cache``; none for a layout without our 22 joints."""
    if dataset.layout.joints != len(default_skeleton()):
        return []
    extra = stage.extra
    names = [(clip.clip_id, clip.frames) for clip in dataset.clips]
    digest = hashlib.sha256(repr((names, stage.balance, extra, [field.name for field in fields(ExtraClip)])).encode())
    path = cache / f"extras-{digest.hexdigest()[:16]}.pt"
    most = _EXTRAS_A_CLIP * len(dataset.clips)
    if path.is_file():
        return [ExtraClip(*row) for row in torch.load(path, weights_only=True)]
    made = transition_clips(dataset, min(extra.transitions, most), stage.balance, extra.seed)
    made += standing_clips(dataset, min(extra.standing, most), extra.seed)
    cache.mkdir(parents=True, exist_ok=True)
    rows = [(clip.features, clip.context, clip.captions, clip.source) for clip in made]
    write_atomically(path, lambda partial: torch.save(rows, partial))
    return made


def example_weights(
    dataset: MotionDataset, balance: Balance, extra: ExtraConfig, made: Sequence[ExtraClip]
) -> np.ndarray:
    """Probabilities of the split's clips and of the extras after them: those with context share one part, the others another."""
    weights = np.concatenate([dataset.weights(balance, by_frames=False), np.zeros(len(made))])
    joined = np.array([False] * len(dataset.clips) + [clip.context > 0 for clip in made])
    standing = np.array([False] * len(dataset.clips) + [clip.context == 0 for clip in made])
    for share, part in ((extra.transition_share, joined), (extra.standing_share, standing)):
        if part.any():
            weights *= 1.0 - share
            weights[part] = share / part.sum()
    return weights


def train_tokens(
    kind: str,
    data: Path,
    run: Path,
    config: TrainConfig,
    stage: StageConfig,
    encode: Callable[[list[str]], Tensor],
    fresh: bool = False,
) -> TrainResult:
    """Train "masked", "residual" or "length" on the tokens of the RVQ-VAE in ``run`` and condition vectors of ``encode``."""
    train, validation = MotionDataset(data, "train"), MotionDataset(data, "val")
    check_patterns(stage.captions, train.clips)
    rvq = load_rvq(run, train.layout.channels, stage.sizes)
    made = [] if kind == "length" else extra_clips(train, stage, run)
    clips = token_clips(train, rvq, encode, FRAME_OFFSETS, run, made, stage.captions)
    held_out = token_clips(validation, rvq, encode, 1, run)
    held_out_batches = _validation_batches(held_out, stage.validation_limit)
    torch.manual_seed(config.seed)
    model, loss = token_model(kind, stage.sizes, clips.conds.shape[1])
    if not isinstance(model, LengthEstimator):
        model.embed_codes(torch.stack([codebook.codebook for codebook in rvq.quantizer.codebooks]))

    def validate(model: torch.nn.Module) -> Mapping[str, float]:
        return mean_losses(loss, model, held_out_batches)

    crop = 0.0 if kind == "length" else stage.crop
    weights = example_weights(train, stage.balance, stage.extra, made)
    batches = TokenBatches(clips, weights, config.batch_size, crop, stage.cond_noise)
    identity = {"kind": kind, "model": asdict(model.config)}
    return Trainer(model, loss, batches, config, run / kind, validate, identity=identity, fresh=fresh).run()


def token_model(kind: str, sizes: ModelSizes, cond_dim: int) -> tuple[TokenModel, LossFn]:
    """The untrained model of a kind and its loss function."""
    if kind == "length":
        return LengthEstimator(LengthConfig(cond_dim=cond_dim)), _length_stage_loss
    common = {"codes": sizes.codes, "latent": sizes.latent, "heads": sizes.heads, "ff": sizes.ff, "cond_dim": cond_dim}
    if kind == "masked":
        masked = MaskedConfig(**common, code_dim=sizes.token_dim, layers=sizes.layers, dropout=sizes.dropout)
        return MaskedTransformer(masked), _masked_stage_loss
    residual = ResidualConfig(
        **common,
        code_dim=sizes.residual_code_dim,
        layers=sizes.residual_layers,
        quantizers=sizes.quantizers,
        dropout=sizes.dropout,
    )
    return ResidualTransformer(residual), _residual_stage_loss


def _masked_stage_loss(model: MaskedTransformer, batch: TokenBatch, generator: Generator) -> Mapping[str, Tensor]:
    loss, accuracy = masked_loss(model, batch.indices[..., 0], batch.cond, batch.padding, generator, batch.context)
    return {"loss": loss, "accuracy": accuracy}


def _residual_stage_loss(model: ResidualTransformer, batch: TokenBatch, generator: Generator) -> Mapping[str, Tensor]:
    loss, accuracy = residual_loss(model, batch.indices, batch.cond, batch.padding, generator, batch.context)
    return {"loss": loss, "accuracy": accuracy}


def _length_stage_loss(model: LengthEstimator, batch: TokenBatch, generator: Generator) -> Mapping[str, Tensor]:
    return {"loss": length_loss(model, batch.cond, batch.lengths)}


def _validation_batches(clips: TokenClips, limit: int, size: int = 64) -> list[TokenBatch]:
    chosen = range(min(limit, len(clips.tokens)))
    pairs = [(clips.tokens[index][0].long(), clips.captions[index][0][0]) for index in chosen]
    return [
        pad_tokens(
            [tokens for tokens, _ in pairs[at : at + size]], clips.conds[[row for _, row in pairs[at : at + size]]]
        )
        for at in range(0, len(pairs), size)
    ]


def text_encoder(folder: Path) -> Callable[[list[str]], Tensor]:
    """Condition vectors of sentences, from the text tower that ``train text`` left in ``folder``."""
    from server.models.text import encode_all, load_embedded_text

    tower = load_embedded_text(folder, "cpu")
    return lambda texts: encode_all(tower, texts)


def export_run(
    run: Path,
    data: Path,
    target: Path,
    name: str,
    licence: str,
    sampling: Mapping[str, Any],
    which: Literal["best", "last"] = "best",
) -> None:
    """Write the trained models of ``run`` as a bundle (fp16) with the text tower's files beside them.

    ``sampling`` holds the fields of :class:`~server.models.checkpoint.Sampling` that are not the paper's. ``which``: weights of
    the masked transformer by the best validation loss, or the last.
    """
    from server.training.decoder import load_refined

    sizes = StageConfig().sizes
    dataset = MotionDataset(data, "val")
    rvq = load_rvq(run, dataset.layout.channels, sizes)
    load_refined(run, rvq)
    text_folder = run / "text" / "export"
    cond_dim = text_encoder(text_folder)(["a person walks"]).shape[1]
    masked, residual, length = (
        _trained(kind, run, sizes, cond_dim, which if kind == "masked" else "best")
        for kind in ("masked", "residual", "length")
    )
    assert isinstance(masked, MaskedTransformer)
    assert isinstance(residual, ResidualTransformer)
    assert isinstance(length, LengthEstimator)
    config = BundleConfig(
        name=name,
        licence=licence,
        features="kit" if dataset.layout.name == "kit" else "humanml3d",
        frame_rate=dataset.fps,
        text_encoder="embedded",
        one_action=learnt_one_action([caption for clip in dataset.clips for caption in clip.captions]),
        rvq=rvq.config,
        masked=masked.config,
        residual=residual.config,
        length=length.config,
        sampling=Sampling(**sampling),
    )
    bundle = Bundle(config, rvq, masked, residual, length, dataset.mean, dataset.std)
    save_bundle(target, bundle, torch.float16)
    for path in text_folder.iterdir():
        if path.suffix in (".safetensors", ".json"):
            shutil.copyfile(path, target / path.name)


def learnt_one_action(captions: Sequence[str]) -> bool:
    """Whether captions are of one action each, but for a few; who learns from them does not understand sentences of several."""
    return sum(len(actions(caption)) > 1 for caption in captions) < _FEW * len(captions)


def _trained(kind: str, run: Path, sizes: ModelSizes, cond_dim: int, which: Literal["best", "last"]) -> TokenModel:
    model = token_model(kind, sizes, cond_dim)[0]
    model.load_state_dict(load_weights(run / kind, which))
    return model.eval()
