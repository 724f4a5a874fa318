"""What a training run is set to: its config, its learning-rate schedule and which weights decay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import nn

# What may change between a stop and a resume: none of these alters what a step computes from its weights,
# except `steps`, which only stretches the learning-rate schedule.
RESUMABLE_FIELDS = frozenset(
    {"steps", "threads", "device", "checkpoint_every_s", "validate_every", "log_every", "best_metric"}
)


Precision = Literal["auto", "fp32", "bf16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything about a training run that is not the model or the data.

    Attributes:
        steps: optimiser steps of the whole run; also the length of the learning-rate schedule.
        batch_size: examples a step; read by whoever builds the batches.
        lr, lr_final, warm_up: peak and last learning rate, and steps of linear warm-up before the cosine (a tenth of
            the run at most).
        weight_decay: AdamW decay of weight matrices; norms, biases and embeddings are not decayed.
        grad_clip: largest gradient norm; 0 = no clipping.
        ema_decay: decay per step of the averaged weights, which validation and export use; 0 = off.
        precision: "bf16" runs the forward pass under autocast; "auto" does where the device is fast at it, as a GPU
            or a CPU with AMX is. A CPU without is twenty times slower at it than at fp32.
        threads: torch threads; 0 = leave as they are.
        checkpoint_every_s: most seconds of work a kill can lose.
        validate_every, log_every: steps between validations (0 = only at the end) and between log lines.
        best_metric: the validation metric, lower is better, that chooses `best.safetensors`.
    """

    steps: int = 10_000
    batch_size: int = 64
    lr: float = 2e-4
    lr_final: float = 1e-5
    warm_up: int = 500
    weight_decay: float = 0.01
    grad_clip: float = 1.0
    ema_decay: float = 0.0
    seed: int = 0
    precision: Precision = "auto"
    device: str = "auto"
    threads: int = 0
    checkpoint_every_s: float = 120.0
    validate_every: int = 1000
    log_every: int = 50
    best_metric: str = "loss"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")
        for name in ("lr_final", "warm_up", "weight_decay", "grad_clip", "threads", "validate_every", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must not be negative")
        if not self.lr > 0:
            raise ValueError(f"lr is {self.lr}, must be positive")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}, must be in [0, 1)")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}, must be one of {', '.join(PRECISIONS)}")


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up to `lr`, then a cosine to `lr_final` at the last step. `step` counts from 0.

    The warm-up takes a tenth of the steps at most, so that a short run learns at all.
    """
    warm_up = min(config.warm_up, max(config.steps // 10, 1))
    if step < warm_up:
        return config.lr * (step + 1) / warm_up
    progress = min(1.0, (step - warm_up) / max(1, config.steps - 1 - warm_up))
    return config.lr_final + (config.lr - config.lr_final) * 0.5 * (1 + math.cos(math.pi * progress))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """AdamW groups: matrices are decayed; vectors (norms, biases), embeddings and whatever is named so are not."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            plain = parameter.ndim < 2 or id(parameter) in embeddings or "embed" in name.rsplit(".", 1)[-1]
            (free if plain else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
