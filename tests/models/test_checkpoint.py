from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from published_folder import write_published
from safetensors.torch import load_file, save_file
from tiny_models import tiny_bundle
from torch import Tensor

from server.models.checkpoint import Bundle, CheckpointError, Sampling, load_bundle, save_bundle
from server.models.original import convert_original, load_original, parse_option


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "bundle", tiny_bundle())
    return tmp_path / "bundle"


def states(bundle: Bundle) -> dict[str, Tensor]:
    assert bundle.length is not None
    models: dict[str, dict[str, Tensor]] = {
        "rvq": bundle.rvq.inference_state(),
        "masked": bundle.masked.state_dict(),
        "residual": bundle.residual.state_dict(),
        "length": bundle.length.state_dict(),
    }
    return {f"{name}.{key}": value for name, state in models.items() for key, value in state.items()}


def same(first: Bundle, second: Bundle) -> bool:
    a, b = states(first), states(second)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_bundle_round_trip(folder: Path) -> None:
    source, loaded = tiny_bundle(), load_bundle(folder)
    assert loaded.config == source.config
    assert same(loaded, source)
    assert torch.equal(loaded.mean, source.mean)
    assert not any(model.training for model in (loaded.rvq, loaded.masked, loaded.residual))
    features = torch.randn(2, 5, 263)
    torch.testing.assert_close(loaded.denormalise(loaded.normalise(features)), features)


def test_half_precision_file_loads_as_float32(tmp_path: Path) -> None:
    source = tiny_bundle()
    save_bundle(tmp_path, source, torch.float16)
    assert load_file(tmp_path / "masked.safetensors")["cond_projection.weight"].dtype == torch.float16
    loaded = load_bundle(tmp_path)
    assert loaded.masked.cond_projection.weight.dtype == torch.float32
    assert torch.equal(loaded.std, source.std)
    torch.testing.assert_close(states(loaded), states(source), rtol=1e-3, atol=1e-6)
    assert load_bundle(tmp_path, dtype=torch.bfloat16).masked.cond_projection.weight.dtype == torch.bfloat16


def change_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def change_weights(folder: Path, name: str, change: Callable[[dict[str, Tensor]], Any]) -> None:
    path = folder / f"{name}.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)


CONFIG_FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "extra": (lambda c: c.update(colour="red"), "colour"),
    "extra nested": (lambda c: c["masked"].update(colour="red"), r"masked.*colour"),
    "missing": (lambda c: c.pop("licence"), "licence"),
    "missing nested": (lambda c: c["rvq"].pop("width"), r"rvq\.width is missing"),
    "type": (lambda c: c["residual"].update(layers="many"), r"residual\.layers"),
    "layout": (lambda c: c.update(features="kit"), "263.*251"),
    "unknown encoder": (lambda c: c.update(text_encoder="bert"), "text_encoder"),
    "codes": (lambda c: c["masked"].update(codes=13), "masked.codes 13"),
    "condition": (lambda c: c["length"].update(cond_dim=11), "disagree on cond_dim"),
    "value": (lambda c: c["rvq"].update(dropout=2.0), "dropout is 2.0"),
    "rate": (lambda c: c.update(frame_rate=0), "frame_rate is 0"),
    "format": (lambda c: c.update(format=2), "format"),
}


@pytest.mark.parametrize("fault", CONFIG_FAULTS)
def test_config_faults_are_named(folder: Path, fault: str) -> None:
    change, message = CONFIG_FAULTS[fault]
    change_config(folder, change)
    with pytest.raises(CheckpointError, match=r"config\.json.*" + message):
        load_bundle(folder)


WEIGHT_FAULTS: dict[str, tuple[str, Callable[[dict[str, Tensor]], Any], str]] = {
    "missing": ("masked", lambda s: s.pop("head.norm.bias"), r"key head\.norm\.bias missing"),
    "extra": ("residual", lambda s: s.update(more=torch.zeros(1)), "unknown key more"),
    "shape": ("length", lambda s: s.update({"output.bias": torch.zeros(3)}), r"output\.bias has shape \(3,\).*\(21,\)"),
    "codebook": ("rvq", lambda s: s.pop("quantizer.layers.1.codebook"), r"layers\.1\.codebook missing"),
    "statistics": ("rvq", lambda s: s.pop("std"), "key std missing"),
    "zero std": ("rvq", lambda s: s["std"].zero_(), "std has entries"),
    "nan": ("masked", lambda s: s["head.output.bias"].fill_(torch.nan), r"head\.output\.bias.*finite"),
    "integers": ("masked", lambda s: s.update({"head.output.bias": torch.zeros(12).long()}), "int64.*finite floats"),
}


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_weight_faults_are_named(folder: Path, fault: str) -> None:
    name, change, message = WEIGHT_FAULTS[fault]
    change_weights(folder, name, change)
    with pytest.raises(CheckpointError, match=rf"{name}\.safetensors.*" + message):
        load_bundle(folder)


def test_missing_extra_and_broken_files(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="not a model bundle"):
        load_bundle(folder / "nowhere")
    (folder / "other.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"unknown file other\.safetensors"):
        load_bundle(folder)
    (folder / "other.safetensors").unlink()
    path = folder / "masked.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"masked.*copy or export it again"):
        load_bundle(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"file masked\.safetensors missing"):
        load_bundle(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_bundle(folder)


def test_an_embedded_text_tower_must_be_there(folder: Path) -> None:
    change_config(folder, lambda c: c.update(text_encoder="embedded"))
    with pytest.raises(CheckpointError, match=r"file text\.safetensors missing"):
        load_bundle(folder)
    save_file({"any": torch.zeros(1)}, folder / "text.safetensors")
    assert load_bundle(folder).config.text_encoder == "embedded"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("512", 512),
        ("-3", -3),
        ("0.2", 0.2),
        ("1e-05", "1e-05"),
        ("None", "None"),
        ("[50000]", "[50000]"),
    ],
)
def test_option_values(text: str, value: object) -> None:
    parsed = parse_option(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_published(tmp_path / "t2m", tiny_bundle(cond_dim=512))


def test_published_folder_loads_and_converts(published: Path, tmp_path: Path) -> None:
    source = tiny_bundle(cond_dim=512)
    bundle = convert_original(published, tmp_path / "converted")
    assert bundle.config.masked == source.config.masked
    assert bundle.config.frame_rate == 20.0
    wanted = {key: value for key, value in states(source).items() if not key.startswith("length.")}
    assert all(torch.equal(states(bundle)[key], value) for key, value in wanted.items())
    assert torch.equal(bundle.mean, source.mean)
    assert same(load_bundle(tmp_path / "converted"), bundle)


def test_length_estimator_is_optional(published: Path, tmp_path: Path) -> None:
    (published / "length_estimator" / "model" / "finest.tar").unlink()
    assert convert_original(published, tmp_path / "converted").length is None
    assert load_bundle(tmp_path / "converted").length is None


def edit_tar(path: Path, key: str, change: Callable[[dict[str, Tensor]], Any]) -> None:
    content = torch.load(path, weights_only=True)
    change(content[key])
    torch.save(content, path)


def test_published_keys_are_strict_but_for_clip(published: Path) -> None:
    masked = published / "base" / "model" / "latest.tar"
    edit_tar(masked, "trans", lambda s: s.update({"clip_model.logit_scale": torch.zeros(1)}))
    load_original(published)
    edit_tar(masked, "trans", lambda s: s.update(more=torch.zeros(1)))
    with pytest.raises(CheckpointError, match=r"latest\.tar: unknown key more"):
        load_original(published)
    edit_tar(masked, "trans", lambda s: (s.pop("more"), s.pop("token_emb.weight")))
    with pytest.raises(CheckpointError, match=r"latest\.tar: key token_emb\.weight missing"):
        load_original(published)


def test_a_strange_position_table_is_refused(published: Path) -> None:
    path = published / "rest" / "model" / "net_best_fid.tar"
    edit_tar(path, "res_transformer", lambda s: s["position_enc.pe"].add_(0.1))
    with pytest.raises(CheckpointError, match=r"position_enc\.pe is not the sinusoidal"):
        load_original(published)


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("vq", "vq_norm: None", "vq_norm: LN", "vq_norm is 'LN'"),
        ("vq", "width: 16", "width: 17", r"has shape \(16,.*\(17,"),
        ("vq", "width: 16", "width: wide", "width is 'wide'; expected int"),
        ("vq", "depth: 2\n", "", "depth is missing"),
        ("vq", "vq_act: relu", "vq_act: tanh", "activation is 'tanh'"),
        ("vq", "dataset_name: t2m", "dataset_name: aist", "dataset_name is 'aist'"),
        ("rest", "share_weight: True", "share_weight: False", "share_weight is False"),
        ("rest", "vq_name: vq", "vq_name: vq2", "vq_name is 'vq2'"),
        ("base", "n_heads: 2", "n_heads: 3", "latent width 16"),
    ],
)
def test_option_faults_are_named(published: Path, file: str, before: str, after: str, message: str) -> None:
    path = published / file / "opt.txt"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(CheckpointError, match=message):
        load_original(published)


class Trap:
    """What a pickle must not be able to do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_weights_file_is_not_run(published: Path, tmp_path: Path) -> None:
    torch.save({"trans": {}, "trap": Trap(tmp_path / "sprung")}, published / "base" / "model" / "latest.tar")
    with pytest.raises(CheckpointError, match="not a plain weights file"):
        load_original(published)
    assert not (tmp_path / "sprung").exists()


def test_published_folders_that_do_not_suffice(published: Path) -> None:
    with pytest.raises(CheckpointError, match="not a folder"):
        load_original(published / "nowhere")
    (published / "vq" / "meta" / "mean.npy").unlink()
    with pytest.raises(CheckpointError, match=r"mean\.npy cannot be read"):
        load_original(published)
    (published / "base" / "model" / "latest.tar").write_bytes(b"not torch")
    with pytest.raises(CheckpointError, match=r"latest\.tar"):
        load_original(published)
    (published / "base" / "opt.txt").unlink()
    with pytest.raises(CheckpointError, match="one masked transformer folder is needed, found none"):
        load_original(published)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("guidance", -1.0),
        ("temperature", float("nan")),
        ("residual_layers", -1),
        ("top_k_threshold", 1.0),
    ],
)
def test_sampling_that_cannot_be_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"sampling.{name} is"):
        Sampling(**{name: value})


def test_sampling_travels_with_the_bundle_and_fits_its_layers(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    layers = bundle.config.residual.quantizers
    sampling = Sampling(guidance=2.5, residual_temperature=0.0, residual_layers=layers - 1)
    save_bundle(tmp_path, replace(bundle, config=bundle.config.model_copy(update={"sampling": sampling})))
    assert load_bundle(tmp_path).config.sampling == sampling
    config = json.loads((tmp_path / "config.json").read_text())
    config["sampling"]["residual_layers"] = layers
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"residual_layers is {layers}; the model has {layers - 1}"):
        load_bundle(tmp_path)
