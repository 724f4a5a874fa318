"""Ours against arrays computed with the original MoMask code (``shared/golden/momask_tiny``), both feature layouts.

``edit_free_*`` is not compared: its first step has all scores tied, so it depends on the order of a sort. Nor are the margins
of the sampled tokens (``*_margin``), which say how clear decisions are that are compared themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from server.models.checkpoint import Bundle, load_bundle
from server.models.length import length_loss
from server.models.masked import corrupt, token_loss, training_mask
from server.models.original import convert_original, load_original
from server.models.original_names import masked_names, residual_names, rvq_names
from server.models.quantizer import Codebook, perplexity
from server.models.residual import drawn_layers, residual_targets_loss
from server.models.rvq import RVQVAE, rvq_loss
from server.models.sampling import (
    cosine_schedule,
    edit_base,
    generate_base,
    generate_residual,
    guided,
    kept_classes,
    layer_forward,
    mask_counts,
    padding_mask,
    top_k_filter,
)
from server.motion.features import HUMANML3D, KIT, recover_positions

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "momask_tiny"
EXPECTED = {"t2m": "expected.npz", "kit": "expected_kit.npz"}
LAYOUTS = {"t2m": HUMANML3D, "kit": KIT}

pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden arrays are not at {GOLDEN}")


@dataclass(frozen=True)
class Golden:
    """The arrays of one tree and the models loaded from it."""

    arrays: Any
    bundle: Bundle
    dataset: str

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.arrays[name]))

    @property
    def joints(self) -> int:
        return LAYOUTS[self.dataset].joints

    @property
    def lengths(self) -> list[int]:
        return self["mt_lens"].tolist()

    def train(self) -> Golden:
        """The same with parameters that take gradients, on a fresh copy."""
        bundle = load_original(GOLDEN / "checkpoints" / self.dataset)
        for model in (bundle.rvq, bundle.masked, bundle.residual):
            model.requires_grad_(True)
        return replace(self, bundle=bundle)


@pytest.fixture(scope="module", params=sorted(EXPECTED))
def golden(request: pytest.FixtureRequest) -> Golden:
    with np.load(GOLDEN / EXPECTED[request.param]) as arrays:
        return Golden(dict(arrays), load_original(GOLDEN / "checkpoints" / request.param), request.param)


def close(ours: Tensor, wanted: Tensor, rtol: float = 1e-4, atol: float = 2e-5) -> None:
    torch.testing.assert_close(ours.detach(), wanted.to(ours.dtype), rtol=rtol, atol=atol)


def close_guided(ours: Tensor, wanted: Tensor, scale: float) -> None:
    """Guided logits: u + s (c - u) multiplies the rounding of both passes by about s.

    The arrays themselves are up to 4e-5 away from a float64 evaluation at s = 5.
    """
    close(ours, wanted, atol=2e-5 * scale)


def close_features(ours: Tensor, wanted: Tensor, std: Tensor) -> None:
    """Unnormalised features: the tolerance of the network's output times the unit of each channel."""
    close(ours / std, wanted / std)


def exact(ours: Tensor, wanted: Tensor) -> None:
    """Scalars such as losses and schedules."""
    close(ours, wanted, rtol=0, atol=1e-6)


def equal(ours: Tensor, wanted: Tensor) -> None:
    assert torch.equal(ours, wanted.to(ours.dtype))


class Recorder:
    """What a model's forward was given and gave, first positional argument and result, call by call."""

    def __init__(self, model: nn.Module) -> None:
        self.inputs: list[Tensor] = []
        self.handle = model.register_forward_pre_hook(lambda _, args: self.inputs.append(args[0].detach().clone()))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()

    def stacked(self) -> Tensor:
        """The inputs of all calls, which conditional and unconditional pass share."""
        return torch.stack(self.inputs)


def gradients(model: nn.Module, names: dict[str, str], golden: Golden, prefix: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of our gradient and the expected one, for every expected parameter of ``model``."""
    ours = dict(model.named_parameters())
    expected = [name for name in golden.arrays if name.startswith(prefix) and name[len(prefix) :] in names]
    assert len(expected) >= 4
    for name in expected:
        gradient = ours[names[name[len(prefix) :]]].grad
        assert gradient is not None
        yield gradient, golden[name]


def test_rvq_encodes(golden: Golden) -> None:
    rvq, motion = golden.bundle.rvq, golden["rvq_motion"]
    close(rvq.encode_latent(motion).transpose(1, 2), golden["rvq_encoder_out"])
    codes = rvq.encode(motion)
    equal(codes.indices, golden["rvq_code_idx"])
    close(codes.codes.transpose(2, 3), golden["rvq_all_codes"])
    close(codes.latent.transpose(1, 2), golden["rvq_quantized"])


def test_decisions_between_codes_are_as_clear(golden: Golden) -> None:
    """The gap in squared distance between the two nearest codes: equal indices with other distances would be luck."""
    rvq = golden.bundle.rvq
    residual = rvq.encode_latent(golden["rvq_motion"]).flatten(0, 1).double()
    codes = rvq.encode(golden["rvq_motion"]).codes.flatten(1, 2)
    margins = []
    for layer, chosen in zip(rvq.quantizer.codebooks, codes, strict=True):
        nearest = torch.cdist(residual, layer.codebook.double()).square().topk(2, largest=False).values
        margins.append((nearest[:, 1] - nearest[:, 0]).min())
        residual = residual - chosen
    close(torch.stack(margins), golden["rvq_index_margin"], atol=2e-4)


def test_rvq_decodes(golden: Golden) -> None:
    rvq, indices = golden.bundle.rvq, golden["rvq_code_idx"]
    close(rvq.quantizer.lookup(indices), golden["rvq_codes_from_indices"])
    close(rvq.quantizer.lookup(indices).sum(0).transpose(1, 2), golden["rvq_codebook_entry"])
    close(rvq.decode(indices), golden["rvq_decoded"])
    close_features(golden.bundle.denormalise(rvq.decode(indices)), golden["rvq_decoded_denorm"], golden.bundle.std)
    close(rvq.decode(indices[..., :1]), golden["rvq_decoded_first1"])
    close(rvq.decode(indices[..., :3]), golden["rvq_decoded_first3"])
    close(rvq.decode(golden["rvq_holes_idx"]), golden["rvq_holes_decoded"])


def test_rvq_forward(golden: Golden) -> None:
    output = golden.bundle.rvq(golden["rvq_motion"])
    close(output.reconstruction, golden["rvq_forward_out"])
    exact(output.commit_loss, golden["rvq_forward_commit"])
    close(output.perplexity, golden["rvq_forward_perplexity"])


def test_rvq_with_dropped_layers(golden: Golden) -> None:
    rvq = golden.bundle.rvq
    dropped = rvq.quantize(rvq.encode_latent(golden["rvq_motion"]), layers=3)
    close(dropped.latent.transpose(1, 2), golden["rvq_drop2_quantized"])
    equal(dropped.indices, golden["rvq_drop2_idx"])
    exact(dropped.commit_loss, golden["rvq_drop2_commit"])
    close(dropped.perplexity, golden["rvq_drop2_perplexity"])


def test_rvq_with_frames_over(golden: Golden) -> None:
    indices = golden.bundle.rvq.encode(golden["rvq_odd_motion"]).indices
    equal(indices, golden["rvq_odd_idx"])
    close(golden.bundle.rvq.decode(indices), golden["rvq_odd_decoded"])


@pytest.mark.parametrize("kind", ["l1_smooth", "l1"])
def test_rvq_losses(golden: Golden, kind: Any) -> None:
    motion = golden["rvq_motion"]
    output = golden.bundle.rvq(motion)
    loss = rvq_loss(output, motion, golden.joints, kind)
    ours = {
        "total": loss.total,
        "rec": loss.reconstruction,
        "local_pos": loss.local_position,
        "commit": loss.commit,
    }
    for name, value in ours.items():
        exact(value, golden[f"rvqloss_{kind}_{name}"])
    close(output.perplexity, golden[f"rvqloss_{kind}_perplexity"])


def test_rvq_gradients(golden: Golden) -> None:
    golden = golden.train()
    rvq, motion = golden.bundle.rvq, golden["rvq_motion"]
    rvq_loss(rvq(motion), motion, golden.joints).total.backward()
    for ours, wanted in gradients(rvq, rvq_names(rvq.config), golden, "rvqgrad_"):
        close(ours, wanted)
    latent = rvq.encode_latent(motion).detach().requires_grad_()
    rvq.quantize(latent).latent.sum().backward()
    assert latent.grad is not None
    close(latent.grad.transpose(1, 2), golden["rvqgrad_straight_through"])


def test_codebook_ema(golden: Golden) -> None:
    layer = Codebook(golden.bundle.config.rvq)
    layer.start(layer.spare_rows(golden["ema_init_x"], None))
    close(layer.codebook, golden["ema_init_codebook"])
    rows, indices = golden["ema_x"], golden["ema_idx"]
    for step in (1, 2):
        close(perplexity(indices, layer.config.codes), golden[f"ema_perplexity_{step}"])
        layer.update(rows, indices, layer.spare_rows(rows, None))
        close(layer.codebook, golden[f"ema_codebook_{step}"])
        close(layer.ema_sum, golden[f"ema_sum_{step}"])
        close(layer.ema_count, golden[f"ema_count_{step}"])


def test_rvq_training_step(golden: Golden) -> None:
    config = replace(golden.bundle.config.rvq, dropout=0.0, quantize_dropout=0.0, gumbel_temperature=0.0)
    rvq = RVQVAE(config)
    rvq.load_inference_state(golden.bundle.rvq.inference_state())
    for layer, count in zip(rvq.quantizer.codebooks, golden["rvqstep_count0"], strict=True):
        layer.ema_count.copy_(count)
        layer.ema_sum.copy_(layer.codebook * count.unsqueeze(1))
    output = rvq.train()(golden["rvqstep_motion"])
    close(output.reconstruction, golden["rvqstep_out"])
    exact(output.commit_loss, golden["rvqstep_commit"])
    close(output.perplexity, golden["rvqstep_perplexity"])
    close(torch.stack([layer.codebook for layer in rvq.quantizer.codebooks]), golden["rvqstep_codebooks"])
    close(torch.stack([layer.ema_count for layer in rvq.quantizer.codebooks]), golden["rvqstep_counts"])


def test_schedules(golden: Golden) -> None:
    exact(cosine_schedule(golden["misc_t"]), golden["misc_cosine"])
    exact(cosine_schedule(torch.linspace(0, 1, 10)), golden["misc_linspace10_cosine"])
    equal(mask_counts(torch.arange(1, 50), 10), golden["misc_mask_counts10"])
    equal(~padding_mask(golden["misc_lens"].tolist(), 7), golden["misc_lengths_to_mask"])
    quantizers = golden.bundle.config.rvq.quantizers
    equal(drawn_layers(golden["misc_q_noise"], quantizers), golden["misc_q_schedule"])


def test_top_k(golden: Golden) -> None:
    equal(top_k_filter(golden["misc_topk_in"], 0.9), golden["misc_topk_09"])
    equal(top_k_filter(golden["misc_topk_in"], 0.5), golden["misc_topk_05"])
    kept = [kept_classes(size, 0.9) for size in golden["misc_topk_sizes"].tolist()]
    assert kept == golden["misc_topk_kept_09"].tolist()


def test_length_estimator(golden: Golden) -> None:
    length = golden.bundle.length
    assert length is not None
    close(length(golden["len_cond"]), golden["len_logits"])
    exact(length_loss(length, golden["len_cond"], golden["len_motion_lens"] // 4), golden["len_loss"])


def test_hyper_parameters(golden: Golden) -> None:
    wanted, ours = json.loads(str(golden.arrays["config_json"])), golden.bundle.config
    read = {
        "width": ours.rvq.width,
        "code_dim": ours.rvq.code_dim,
        "nb_code": ours.rvq.codes,
        "num_quantizers": ours.rvq.quantizers,
        "down_t": ours.rvq.down_t,
        "depth": ours.rvq.depth,
        "dilation_growth_rate": ours.rvq.dilation_growth,
        "dim_pose": ours.rvq.channels,
        "qdp": ours.rvq.quantize_dropout,
        "joints": LAYOUTS[golden.dataset].joints,
    }
    for transformer in (ours.masked, ours.residual):
        read |= {
            "latent_dim": transformer.latent,
            "ff_size": transformer.ff,
            "n_layers": transformer.layers,
            "n_heads": transformer.heads,
        }
        assert read == {name: wanted[name] for name in read}


def test_statistics(golden: Golden) -> None:
    equal(golden.bundle.mean, golden["meta_mean"])
    equal(golden.bundle.std, golden["meta_std"])


def test_masked_logits(golden: Golden) -> None:
    model, ids, cond = golden.bundle.masked, golden["mt_ids"], golden["mt_cond"]
    padding = golden["mt_padding"]
    equal(padding_mask(golden.lengths, ids.shape[1]), padding)
    close(model(ids, cond, padding).transpose(1, 2), golden["mt_logits"])
    close(model(ids, torch.zeros_like(cond), padding).transpose(1, 2), golden["mt_logits_uncond"])
    for scale in (4, 1):
        logits = guided(model, cond, padding, scale)(ids)
        close(logits.transpose(1, 2), golden[f"mt_logits_cfg{scale}"])


@pytest.mark.parametrize(("name", "steps"), [("mtgen", 10), ("mtgen18", 18), ("mtgen_uncond", 10)])
def test_base_generation(golden: Golden, name: str, steps: int) -> None:
    cond = torch.zeros_like(golden["mt_cond"]) if name == "mtgen_uncond" else golden["mt_cond"]
    with Recorder(golden.bundle.masked) as recorder:
        ids = generate_base(
            golden.bundle.masked, cond, golden.lengths, steps=steps, guidance=4.0, temperature=0, pad_to=16
        )
    equal(ids, golden[f"{name}_ids"])
    equal(recorder.stacked(), golden[f"{name}_step_ids_in"])


@pytest.mark.parametrize("name", ["middle", "prefix", "suffix", "two"])
def test_base_edit(golden: Golden, name: str) -> None:
    with Recorder(golden.bundle.masked) as recorder:
        ids = edit_base(
            golden.bundle.masked,
            golden["edit_tokens"],
            golden[f"edit_{name}_mask"],
            golden["mt_cond"],
            golden["edit_lens"].tolist(),
            guidance=4.0,
            temperature=0,
        )
    equal(ids, golden[f"edit_{name}_ids"])
    equal(recorder.stacked(), golden[f"edit_{name}_step_ids_in"])


def test_masked_training_step(golden: Golden) -> None:
    golden = golden.train()
    model, tokens = golden.bundle.masked, golden["mttrain_ids"]
    padding = padding_mask(golden["mttrain_lens"].tolist(), tokens.shape[1])
    targets = training_mask(padding, golden["mttrain_rand_time"], golden["mttrain_rand_order"])
    labels = torch.where(padding, model.pad_id, tokens)
    equal(torch.where(targets, labels, model.mask_id), golden["mttrain_labels"])
    logits = model(golden["mttrain_x_ids"], golden["mt_cond"], padding)
    close(logits.transpose(1, 2), golden["mttrain_logits"])
    equal(torch.where(targets, logits.argmax(-1), 0), torch.where(targets, golden["mttrain_pred"], 0))
    result = token_loss(logits, labels, targets)
    exact(result.loss, golden["mttrain_loss"])
    exact(result.accuracy, golden["mttrain_acc"])
    result.loss.backward()
    for ours, wanted in gradients(model, masked_names(model.config), golden, "mtgrad_"):
        close(ours, wanted)


def test_corruption_leaves_other_tokens(golden: Golden) -> None:
    """The original's input differs from the tokens only at targets, as ours does."""
    model, tokens = golden.bundle.masked, golden["mttrain_ids"]
    padding = padding_mask(golden["mttrain_lens"].tolist(), tokens.shape[1])
    targets = golden["mttrain_labels"] != model.mask_id
    ids = torch.where(padding, model.pad_id, tokens)
    equal(golden["mttrain_x_ids"][~targets], ids[~targets])
    ours = corrupt(ids, targets, model.config.codes, model.mask_id, torch.Generator().manual_seed(0))
    equal(ours[~targets], ids[~targets])
    assert bool((ours[targets] == model.mask_id).any())


@pytest.mark.parametrize(("name", "guidance", "layers"), [("5", 5.0, 5), ("2", 2.0, 5), ("5_two_layers", 5.0, 2)])
def test_residual_generation(golden: Golden, name: str, guidance: float, layers: int) -> None:
    model, cond = golden.bundle.residual, golden["mt_cond"]
    with Recorder(model) as recorder:
        indices = generate_residual(
            model, golden["mtgen_ids"], cond, golden.lengths, layers=layers, guidance=guidance, temperature=0
        )
    equal(indices, golden[f"rtgen{name}_ids"])
    histories = recorder.stacked()
    close(histories, golden[f"rtgen{name}_history_sum"])
    for layer, (history, wanted) in enumerate(zip(histories, golden[f"rtgen{name}_logits"], strict=True), start=1):
        logits = guided(layer_forward(model, layer), cond, golden["mt_padding"], guidance)(history)
        close_guided(logits.transpose(1, 2), wanted, guidance)


def test_residual_tables(golden: Golden) -> None:
    equal(golden.bundle.residual.embedding_tables(), golden["rt_token_embed_weight"])
    equal(golden.bundle.residual.output_tables(), golden["rt_output_proj_weight"])


def test_residual_training_step(golden: Golden) -> None:
    golden = golden.train()
    model, tokens, layers = golden.bundle.residual, golden["rttrain_idx"], golden["rttrain_layers"]
    cond = golden["mt_cond"][golden["rttrain_cond_rows"]]
    padding = padding_mask(golden["rttrain_lens"].tolist(), tokens.shape[1])
    padded = torch.where(padding.unsqueeze(-1), model.pad_id, tokens)
    history = model.history(padded, layers)
    close(history, golden["rttrain_history_sum"])
    labels = torch.stack([padded[b, :, layer] for b, layer in enumerate(layers.tolist())])
    equal(labels, golden["rttrain_labels"])
    logits = model(history, layers, cond, padding)
    close(logits.transpose(1, 2), golden["rttrain_logits"])
    equal(torch.where(padding, 0, logits.argmax(-1)), torch.where(padding, 0, golden["rttrain_pred"]))
    result = residual_targets_loss(model, tokens, layers, cond, padding)
    exact(result.loss, golden["rttrain_loss"])
    exact(result.accuracy, golden["rttrain_acc"])
    result.loss.backward()
    for ours, wanted in gradients(model, residual_names(model.config), golden, "rtgrad_"):
        close(ours, wanted)


def test_pipeline(golden: Golden) -> None:
    motion = golden.bundle.rvq.decode(golden["rtgen5_ids"])
    close(motion, golden["pipe_motion"])
    features = golden.bundle.denormalise(motion)
    close_features(features, golden["pipe_features"], golden.bundle.std)
    joints = recover_positions(features.numpy(), LAYOUTS[golden.dataset])
    # KIT-ML's unit is the millimetre, so that the same relative error is larger there.
    atol = 2e-5 if golden.dataset == "t2m" else 2e-2
    close(torch.from_numpy(np.asarray(joints, dtype=np.float32)), golden["pipe_joints"], atol=atol)


def test_inpainting_pipeline(golden: Golden) -> None:
    bundle, cond = golden.bundle, golden["mt_cond"][:1]
    source = golden["inpaint_source"]
    length = golden["inpaint_token_len"].tolist()
    padded = torch.zeros(1, 196, source.shape[1])
    padded[0, : len(source)] = bundle.normalise(source)
    tokens = bundle.rvq.encode(padded).indices
    equal(tokens, golden["inpaint_source_idx"])
    with Recorder(bundle.masked) as recorder:
        base = edit_base(
            bundle.masked, tokens[..., 0], golden["inpaint_mask"], cond, length, guidance=4.0, temperature=0
        )
    equal(base, golden["inpaint_ids"])
    equal(recorder.stacked(), golden["inpaint_step_ids_in"])
    with Recorder(bundle.residual) as recorder:
        indices = generate_residual(bundle.residual, base, cond, length, guidance=2.0, temperature=0)
    equal(indices, golden["inpaint_res_ids"])
    padding = padding_mask(length, base.shape[1])
    for layer, (history, wanted) in enumerate(
        zip(recorder.stacked(), golden["inpaint_res_logits"], strict=True), start=1
    ):
        close(history, golden["inpaint_res_history_sum"][layer - 1])
        logits = guided(layer_forward(bundle.residual, layer), cond, padding, 2.0)(history)
        close_guided(logits.transpose(1, 2), wanted, 2.0)
    close(bundle.rvq.decode(indices), golden["inpaint_motion"])
    close(bundle.rvq.decode(base.unsqueeze(-1)), golden["inpaint_motion_base_only"])


def test_converted_bundle_is_the_same_model(golden: Golden, tmp_path: Path) -> None:
    convert_original(GOLDEN / "checkpoints" / golden.dataset, tmp_path)
    bundle = load_bundle(tmp_path)
    assert bundle.config == golden.bundle.config
    ids = generate_base(bundle.masked, golden["mt_cond"], golden.lengths, temperature=0)
    indices = generate_residual(bundle.residual, ids, golden["mt_cond"], golden.lengths, temperature=0)
    equal(indices, golden["rtgen5_ids"])
    close_features(bundle.denormalise(bundle.rvq.decode(indices)), golden["pipe_features"], bundle.std)
