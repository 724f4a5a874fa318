"""Model bundles: a folder with ``config.json`` and one safetensors file per model.

======================  =======================================================================================
``config.json``         ``BundleConfig``: feature layout, frame rate, text encoder, licence, every model's sizes
``rvq.safetensors``     the RVQ-VAE with its codebooks, and ``mean`` and ``std`` (C,) of the features
``masked.safetensors``  the masked transformer
``residual.safetensors``  the residual transformer
``length.safetensors``  the length estimator, if the configuration has one
``text.safetensors``    the text tower, if ``text_encoder`` is "embedded"; read by ``server.models.text``
======================  =======================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from server.files import write_atomically
from server.models.length import LengthConfig, LengthEstimator
from server.models.masked import MaskedConfig, MaskedTransformer
from server.models.residual import ResidualConfig, ResidualTransformer
from server.models.rvq import RVQVAE, RVQConfig

CONFIG_FILE = "config.json"
NORMALISATION = ("mean", "std")
FEATURE_CHANNELS = {"humanml3d": 263, "kit": 251}


class CheckpointError(ValueError):
    """A checkpoint that is not as it must be; the message names the file, the key and the remedy."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; the defaults are the paper's for HumanML3D (guidance 4 and 5, the best tenth of the codes).

    ``temperature`` is of the base layer, ``residual_temperature`` of the others (0 = the most likely code); of these
    ``residual_layers`` are made, None = all that the model has. ``order_noise``: see :func:`server.models.sampling.refill`.
    """

    steps: int = 10
    guidance: float = 4.0
    residual_guidance: float = 5.0
    temperature: float = 1.0
    residual_temperature: float = 1.0
    residual_layers: int | None = None
    top_k_threshold: float = 0.9
    order_noise: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"sampling.steps is {self.steps}; it must be at least 1")
        for name in ("guidance", "residual_guidance", "temperature", "residual_temperature", "order_noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"sampling.{name} is {getattr(self, name)}; it must not be negative")
        if self.residual_layers is not None and self.residual_layers < 0:
            raise ValueError(f"sampling.residual_layers is {self.residual_layers}; it must not be negative")
        if not 0 <= self.top_k_threshold < 1:
            raise ValueError(
                f"sampling.top_k_threshold is {self.top_k_threshold}; it must be at least 0 and less than 1"
            )


class BundleConfig(BaseModel):
    """Everything about a bundle but its weights. Unknown and missing fields are errors.

    ``features`` names the feature layout, ``frame_rate`` is in frames per second, ``text_encoder`` says where condition
    vectors come from: OpenAI CLIP ViT-B/32, or the text tower in the bundle. ``one_action``: the captions were of one action
    each, so that sentences of several must be taken apart. ``length`` is None without an estimator.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    licence: str
    features: Literal["humanml3d", "kit"]
    frame_rate: float
    text_encoder: Literal["clip", "embedded"]
    one_action: bool = False
    rvq: RVQConfig
    masked: MaskedConfig
    residual: ResidualConfig
    length: LengthConfig | None
    sampling: Sampling = Sampling()

    @model_validator(mode="after")
    def _models_fit(self) -> BundleConfig:
        channels = FEATURE_CHANNELS[self.features]
        if self.rvq.channels != channels:
            raise ValueError(f"rvq.channels is {self.rvq.channels}; {self.features} features have {channels}")
        if not self.frame_rate > 0:
            raise ValueError(f"frame_rate is {self.frame_rate}; it must be above 0")
        if self.residual.quantizers != self.rvq.quantizers:
            raise ValueError(f"residual.quantizers {self.residual.quantizers} is not the rvq's {self.rvq.quantizers}")
        made = self.sampling.residual_layers
        if made is not None and made >= self.residual.quantizers:
            raise ValueError(f"sampling.residual_layers is {made}; the model has {self.residual.quantizers - 1}")
        for name, model in (("masked", self.masked), ("residual", self.residual)):
            if model.codes != self.rvq.codes:
                raise ValueError(f"{name}.codes {model.codes} is not the rvq's {self.rvq.codes}")
        widths = {name: model.cond_dim for name in ("masked", "residual", "length") if (model := getattr(self, name))}
        if len(set(widths.values())) > 1:
            raise ValueError(f"the models disagree on cond_dim: {widths}")
        return self

    @property
    def cond_dim(self) -> int:
        """Width of the condition vector that all models take."""
        return self.masked.cond_dim


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle: modules in evaluation mode on one device, ``mean`` and ``std`` (C,) float32 of the features."""

    config: BundleConfig
    rvq: RVQVAE
    masked: MaskedTransformer
    residual: ResidualTransformer
    length: LengthEstimator | None
    mean: Tensor
    std: Tensor

    def normalise(self, features: Tensor) -> Tensor:
        """Network input (..., C) from features (..., C)."""
        return (features - self.mean) / self.std

    def denormalise(self, motion: Tensor) -> Tensor:
        """Features (..., C) float32 from network output (..., C)."""
        return motion.float() * self.std + self.mean


def save_bundle(folder: Path, bundle: Bundle, dtype: torch.dtype = torch.float32) -> None:
    """Write config and weights (as ``dtype``; mean and std always float32) into ``folder``, each file atomically.

    A text tower of an embedded text encoder is not part of ``bundle``; put its files beside these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    states: dict[str, Mapping[str, Tensor]] = {
        "rvq": bundle.rvq.inference_state(),
        "masked": bundle.masked.state_dict(),
        "residual": bundle.residual.state_dict(),
    }
    if bundle.length is not None:
        states["length"] = bundle.length.state_dict()
    normalisation = {"mean": bundle.mean.float(), "std": bundle.std.float()}
    for name, state in states.items():
        tensors = {key: value.detach().to(dtype) for key, value in state.items()}
        if name == "rvq":
            tensors |= normalisation
        tensors = {key: value.cpu().contiguous() for key, value in tensors.items()}
        write_atomically(folder / f"{name}.safetensors", partial(save_file, tensors))
    config = json.dumps(bundle.config.model_dump(), indent=2) + "\n"
    write_atomically(folder / CONFIG_FILE, lambda path: path.write_text(config, encoding="utf-8"))


def load_bundle(folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Bundle:
    """Load a bundle onto ``device`` with weights as ``dtype``, whatever precision they are stored in.

    CheckpointError when a file, key or field is missing or not known, a shape differs or a weight is not finite.
    """
    config = load_config(folder)
    names = ["rvq", "masked", "residual"] + (["length"] if config.length else [])
    expected = {f"{name}.safetensors" for name in names}
    if config.text_encoder == "embedded":
        expected.add("text.safetensors")
    check_names(folder, "file", {path.name for path in folder.glob("*.safetensors")}, expected)
    rvq, masked, residual = RVQVAE(config.rvq), MaskedTransformer(config.masked), ResidualTransformer(config.residual)
    length = LengthEstimator(config.length) if config.length else None
    state = read_weights(folder / "rvq.safetensors")
    shapes = {key: value.shape for key, value in rvq.inference_state().items()}
    check_state(folder / "rvq.safetensors", state, shapes | dict.fromkeys(NORMALISATION, (config.rvq.channels,)))
    # Copies: as parts of the mapped file they would keep all of it in use, and on Windows nobody could replace it.
    mean, std = (state.pop(key).float().clone().to(device) for key in NORMALISATION)
    if not bool((std > 0).all()):
        raise CheckpointError(f"{folder / 'rvq.safetensors'}: std has entries that are not above 0; export it again")
    rvq.load_inference_state(state)
    others: dict[str, nn.Module] = {"masked": masked, "residual": residual} | ({"length": length} if length else {})
    for name, model in others.items():
        path = folder / f"{name}.safetensors"
        state = read_weights(path)
        check_state(path, state, {key: value.shape for key, value in model.state_dict().items()})
        model.load_state_dict(state, strict=True)
    for model in (rvq, *others.values()):
        model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    return Bundle(config, rvq, masked, residual, length, mean, std)


def load_config(folder: Path) -> BundleConfig:
    """Read ``config.json`` of a bundle; CheckpointError naming the field when it is not as it must be."""
    path = folder / CONFIG_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; {folder} is not a model bundle") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    try:
        config = BundleConfig.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}" for e in error.errors())
        raise CheckpointError(f"{path}: {problems}") from error
    # Defaults serve the trainer; in a stored bundle a field left out would change its meaning with the code.
    check_fields(path, raw, config.model_dump())
    return config


def check_fields(path: Path, raw: Mapping[str, Any], full: Mapping[str, Any], prefix: str = "") -> None:
    """CheckpointError when ``raw`` lacks a field of ``full`` at any level."""
    for key, value in full.items():
        if key not in raw:
            raise CheckpointError(f"{path}: field {prefix}{key} is missing; add it or export the bundle again")
        if isinstance(value, dict):
            check_fields(path, raw[key], value, f"{prefix}{key}.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file; CheckpointError when it cannot be read."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors ({error}); copy or export it again") from error


def check_names(source: Path, kind: str, given: set[str], expected: set[str]) -> None:
    """CheckpointError naming what of ``expected`` is missing in ``given``, or what is there too much."""
    if missing := sorted(expected - given):
        raise CheckpointError(f"{source}: {kind} {listed(missing)} missing; export the model again with its config")
    if extra := sorted(given - expected):
        raise CheckpointError(
            f"{source}: unknown {kind} {listed(extra)}; remove it or load it with the config it is of"
        )


def check_state(path: Path, state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """CheckpointError unless ``state`` has exactly the keys and shapes of ``shapes``, all floating point and finite."""
    check_names(path, "key", set(state), set(shapes))
    for key, value in state.items():
        if tuple(value.shape) != tuple(shapes[key]):
            found, wanted = tuple(value.shape), tuple(shapes[key])
            raise CheckpointError(f"{path}: key {key} has shape {found}, the config says {wanted}; they do not belong")
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise CheckpointError(f"{path}: key {key} ({value.dtype}) must hold finite floats; export the model again")


def listed(names: list[str], limit: int = 5) -> str:
    """Names joined by commas, at most ``limit`` of them."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
