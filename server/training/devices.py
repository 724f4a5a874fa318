"""Where a training step runs: device, threads, and the random numbers it is given."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from server.models.packed import cpu_has_bfloat16
from server.training.train_config import Precision, TrainingError


def resolve_device(name: str) -> torch.device:
    """ "auto" -> CUDA if there is one, else the CPU; anything else is torch's own name of a device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise TrainingError(f"device is {name!r}, but torch sees no CUDA device here; use 'auto' or 'cpu'")
    return device


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Whether autocast to bf16 is on: as asked, or by "auto" where the device has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_has_bfloat16()


def to_device(batch: Any, device: torch.device) -> Any:
    """`batch` with every tensor in it on `device`; dicts, lists, (named) tuples and dataclasses are walked."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(value, device) for value in batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = {f.name: to_device(getattr(batch, f.name), device) for f in dataclasses.fields(batch) if f.init}
        return dataclasses.replace(batch, **fields)
    return batch


def step_generator(seed: int, step: int, stream: int, device: torch.device) -> torch.Generator:
    """The random generator of one step, the same whether or not the run was interrupted before it."""
    state = np.random.SeedSequence((seed, step, stream)).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


@contextlib.contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """torch with `count` threads inside the block; 0 leaves it as it is."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
