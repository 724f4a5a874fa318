"""Loader for the checkpoint folders that the authors of MoMask publish, HumanML3D and KIT-ML.

Layout of ``checkpoints/<t2m|kit>/``: one folder each for the RVQ-VAE, the masked and the residual transformer, with an
``opt.txt`` and ``model/*.tar`` (torch.save files), the RVQ-VAE's with ``meta/mean.npy`` and ``meta/std.npy``, and
``length_estimator/model/finest.tar``, which KIT-ML's release lacks. Sizes come from ``opt.txt``, never from names.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from server.models.checkpoint import (
    Bundle,
    BundleConfig,
    CheckpointError,
    Sampling,
    check_names,
    check_state,
    listed,
    save_bundle,
)
from server.models.length import LengthConfig, LengthEstimator
from server.models.masked import MaskedConfig, MaskedTransformer
from server.models.original_names import length_names, masked_names, residual_names, rvq_names
from server.models.residual import ResidualConfig, ResidualTransformer
from server.models.rvq import RVQVAE, RVQConfig
from server.models.transformer import sinusoidal_positions

Option = str | int | float | bool

CLIP_WIDTH = 512
LICENCE = "MoMask weights: research use, under the licence of the data set they were trained on"


@dataclass(frozen=True)
class Dataset:
    """What the dataset name in ``opt.txt`` stands for; ``frame_rate`` in frames per second, the paper's ``guidance``."""

    features: Literal["humanml3d", "kit"]
    channels: int
    frame_rate: float
    guidance: float


DATASETS = {"t2m": Dataset("humanml3d", 263, 20.0, 4.0), "kit": Dataset("kit", 251, 12.5, 2.0)}
RVQ_KEYS = ("vq_model", "net")
MASKED_KEYS = ("t2m_transformer", "trans")
RESIDUAL_KEYS = ("res_transformer",)
LENGTH_KEYS = ("estimator",)
TRANSFORMER_FILES = ("latest.tar", "net_best_fid.tar")


def read_options(path: Path) -> dict[str, Option]:
    """The ``key: value`` lines of an ``opt.txt``: booleans, integers and decimals are parsed, the rest is text."""
    options: dict[str, Option] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("----"):
            continue
        key, separator, text = line.partition(":")
        if not separator:
            raise CheckpointError(f"{path}, line {number}: {line!r} is not of the form 'key: value'")
        options[key.strip()] = parse_option(text.strip())
    return options


def parse_option(text: str) -> Option:
    """One value of an ``opt.txt``."""
    if text in ("True", "False"):
        return text == "True"
    if re.fullmatch(r"[-+]?\d+\.\d+", text):
        return float(text)
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else text


def option(path: Path, options: Mapping[str, Option], key: str, kind: type) -> Any:
    """One option of the expected type (an int passes for a float); CheckpointError otherwise."""
    if key not in options:
        raise CheckpointError(f"{path}: option {key} is missing; take the opt.txt that belongs to the weights")
    value = options[key]
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise CheckpointError(f"{path}: option {key} is {value!r}; expected {kind.__name__}")
    return value


def require(path: Path, options: Mapping[str, Option], key: str, wanted: Option) -> None:
    """CheckpointError unless the option has the one value that is supported."""
    if (value := option(path, options, key, type(wanted))) != wanted:
        raise CheckpointError(f"{path}: option {key} is {value!r}; only {wanted!r} is supported")


def rvq_config(path: Path, options: Mapping[str, Option], channels: int) -> RVQConfig:
    """The RVQ-VAE's configuration from its options."""
    require(path, options, "vq_norm", "None")
    require(path, options, "stride_t", 2)
    require(path, options, "shared_codebook", False)
    code_dim = option(path, options, "code_dim", int)
    require(path, options, "output_emb_width", code_dim)
    return valid(
        path,
        RVQConfig,
        channels=channels,
        width=option(path, options, "width", int),
        code_dim=code_dim,
        codes=option(path, options, "nb_code", int),
        quantizers=option(path, options, "num_quantizers", int),
        down_t=option(path, options, "down_t", int),
        depth=option(path, options, "depth", int),
        dilation_growth=option(path, options, "dilation_growth_rate", int),
        activation=option(path, options, "vq_act", str),
        ema_decay=option(path, options, "mu", float),
        quantize_dropout=option(path, options, "quantize_dropout_prob", float),
        reset="first_rows",
    )


def transformer_sizes(path: Path, options: Mapping[str, Option], rvq: RVQConfig) -> dict[str, Any]:
    """What the masked and the residual configuration have in common."""
    frames, unit = option(path, options, "max_motion_length", int), option(path, options, "unit_length", int)
    return {
        "codes": rvq.codes,
        "code_dim": rvq.code_dim,
        "latent": option(path, options, "latent_dim", int),
        "heads": option(path, options, "n_heads", int),
        "layers": option(path, options, "n_layers", int),
        "ff": option(path, options, "ff_size", int),
        "cond_dim": CLIP_WIDTH,
        "dropout": option(path, options, "dropout", float),
        "cond_drop": option(path, options, "cond_drop_prob", float),
        "max_tokens": max(frames // unit, frames // rvq.downsample),
    }


def valid(path: Path, build: type, *args: Any, **values: Any) -> Any:
    """Build a configuration or model; CheckpointError naming ``path`` when it refuses a value."""
    try:
        return build(*args, **values)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_torch(path: Path) -> dict[str, Any]:
    """The dictionary in a torch.save file, read without running code from it; CheckpointError when it is none."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; copy the whole published folder") from None
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} is not a plain weights file and is not loaded, for safety ({reason})") from error
    except (OSError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); copy it again") from error
    if not isinstance(stored, dict):
        raise CheckpointError(f"{path} holds a {type(stored).__name__}; expected a dictionary of states")
    return stored


def state_of(path: Path, stored: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Tensor]:
    """The state dictionary under one of ``keys``, without CLIP's weights; CheckpointError when there is none."""
    for key in keys:
        if isinstance(stored.get(key), dict):
            state = {name: value for name, value in stored[key].items() if not name.startswith("clip_model.")}
            if strange := [name for name, value in state.items() if not isinstance(value, Tensor)]:
                raise CheckpointError(f"{path}: {listed(strange)} in {key} must be tensors; copy the file again")
            return state
    raise CheckpointError(f"{path}: none of the keys {', '.join(keys)}; it has {', '.join(map(str, stored))}")


def renamed(
    path: Path, state: Mapping[str, Tensor], names: Mapping[str, str], shapes: Mapping[str, torch.Size]
) -> dict[str, Tensor]:
    """``state`` under our names; CheckpointError in their names for a missing or extra key, a wrong shape or dtype."""
    check_state(path, state, {theirs: tuple(shapes[ours]) for theirs, ours in names.items()})
    return {ours: state[theirs].float() for theirs, ours in names.items()}


def without_positions(path: Path, state: dict[str, Tensor], latent: int, max_tokens: int) -> dict[str, Tensor]:
    """``state`` without the stored position table, which must be the sinusoidal one that is computed here anyway."""
    key = "position_enc.pe"
    check_names(path, "key", {key} & set(state), {key})
    table = state[key]
    if table.ndim != 3 or tuple(table.shape[1:]) != (1, latent) or len(table) < max_tokens:
        raise CheckpointError(f"{path}: key {key} has shape {tuple(table.shape)}; expected (5000, 1, {latent})")
    if not torch.allclose(table[:max_tokens, 0].float(), sinusoidal_positions(max_tokens, latent), atol=1e-4):
        raise CheckpointError(f"{path}: key {key} is not the sinusoidal table; such a model is not supported")
    return {name: value for name, value in state.items() if name != key}


def read_transformer(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The weights file of a transformer folder and what it holds, or None when it has none of the known files."""
    for name in TRANSFORMER_FILES:
        if (path := folder / "model" / name).is_file():
            return path, read_torch(path)
    return None


@dataclass(frozen=True)
class Part:
    """One transformer on disk: its weights file, state and options."""

    path: Path
    state: dict[str, Tensor]
    options_path: Path
    options: dict[str, Option]


def find_transformer(root: Path, keys: tuple[str, ...], what: str, name: str | None) -> Part:
    """The one folder under ``root`` (or the one called ``name``) whose weights file has one of ``keys``."""
    found: list[Part] = []
    for opt in sorted(root.glob("*/opt.txt" if name is None else f"{name}/opt.txt")):
        options = read_options(opt)
        if "vq_name" not in options or "n_heads" not in options:
            continue
        stored = read_transformer(opt.parent)
        if stored and any(key in stored[1] for key in keys):
            found.append(Part(stored[0], state_of(stored[0], stored[1], keys), opt, options))
    if len(found) != 1:
        names = ", ".join(part.options_path.parent.name for part in found) or "none"
        raise CheckpointError(f"{root}: one {what} transformer folder is needed, found {names}; name the one to load")
    return found[0]


def read_statistics(path: Path, channels: int) -> Tensor:
    """A mean or std array (C,) float32; CheckpointError when it is missing, of another shape or not finite."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if values.shape != (channels,) or not np.isfinite(values).all():
        raise CheckpointError(f"{path} has shape {values.shape}; expected ({channels},), finite")
    return torch.from_numpy(values.astype(np.float32))


def load_original(
    root: Path, *, masked: str | None = None, residual: str | None = None, licence: str = LICENCE
) -> Bundle:
    """Load ``checkpoints/t2m`` or ``checkpoints/kit`` in evaluation mode on the CPU.

    ``masked`` and ``residual`` name the folders when there are several. CheckpointError when a file is missing or
    unsafe, a key is missing or extra (CLIP's ``clip_model.*`` excepted), or an option is not supported.
    """
    if not root.is_dir():
        raise CheckpointError(f"{root} is not a folder; give the path to checkpoints/t2m or checkpoints/kit")
    base = find_transformer(root, MASKED_KEYS, "masked", masked)
    rest = find_transformer(root, RESIDUAL_KEYS, "residual", residual)
    name = option(base.options_path, base.options, "vq_name", str)
    require(rest.options_path, rest.options, "vq_name", name)
    require(rest.options_path, rest.options, "share_weight", True)
    opt = root / name / "opt.txt"
    options = read_options(opt)
    dataset_name = option(opt, options, "dataset_name", str)
    if dataset_name not in DATASETS:
        raise CheckpointError(f"{opt}: dataset_name is {dataset_name!r}; it must be one of {', '.join(DATASETS)}")
    dataset = DATASETS[dataset_name]

    rvq_sizes = rvq_config(opt, options, dataset.channels)
    rvq = RVQVAE(rvq_sizes)
    path = root / name / "model" / "net_best_fid.tar"
    state = state_of(path, read_torch(path), RVQ_KEYS)
    rvq.load_inference_state(renamed(path, state, rvq_names(rvq_sizes), shapes_of(rvq.inference_state())))

    masked_sizes = valid(
        base.options_path, MaskedConfig, **transformer_sizes(base.options_path, base.options, rvq_sizes)
    )
    masked_model = valid(base.options_path, MaskedTransformer, masked_sizes)
    load_transformer(masked_model, base, masked_names(masked_sizes))
    sizes = transformer_sizes(rest.options_path, rest.options, rvq_sizes)
    residual_sizes = valid(rest.options_path, ResidualConfig, quantizers=rvq_sizes.quantizers, **sizes)
    residual_model = valid(rest.options_path, ResidualTransformer, residual_sizes)
    load_transformer(residual_model, rest, residual_names(residual_sizes))

    length = None
    path = root / "length_estimator" / "model" / "finest.tar"
    if path.exists():
        length = LengthEstimator(LengthConfig(cond_dim=CLIP_WIDTH))
        state = state_of(path, read_torch(path), LENGTH_KEYS)
        length.load_state_dict(renamed(path, state, length_names(), shapes_of(length.state_dict())))

    for model in (rvq, masked_model, residual_model, length):
        if model is not None:
            model.eval().requires_grad_(False)
    config = BundleConfig(
        name=f"momask-{dataset_name}",
        licence=licence,
        features=dataset.features,
        frame_rate=dataset.frame_rate,
        text_encoder="clip",
        rvq=rvq_sizes,
        masked=masked_sizes,
        residual=residual_sizes,
        length=length.config if length else None,
        sampling=Sampling(guidance=dataset.guidance),
    )
    mean, std = (read_statistics(root / name / "meta" / f"{key}.npy", dataset.channels) for key in ("mean", "std"))
    return Bundle(config, rvq, masked_model, residual_model, length, mean, std)


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """The shape of every tensor."""
    return {key: value.shape for key, value in state.items()}


def load_transformer(model: MaskedTransformer | ResidualTransformer, part: Part, names: Mapping[str, str]) -> None:
    """Fill a transformer from its published state."""
    state = without_positions(part.path, part.state, model.config.latent, model.config.max_tokens)
    model.load_state_dict(renamed(part.path, state, names, shapes_of(model.state_dict())))


def convert_original(
    source: Path,
    target: Path,
    dtype: torch.dtype = torch.float32,
    name: str | None = None,
) -> Bundle:
    """Write the published folder ``source`` as a bundle, called ``name`` if given, into ``target`` and return it unrounded."""
    bundle = load_original(source)
    if name is not None:
        bundle = replace(bundle, config=bundle.config.model_copy(update={"name": name}))
    save_bundle(target, bundle, dtype)
    return bundle
