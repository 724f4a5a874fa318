"""Whole bundles against arrays computed with the original code: what they are read from, and what they make."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from golden_momask import GOLDEN, LAYOUTS, Golden, Recorder, close, close_features, close_guided, equal, exact

from server.models.checkpoint import load_bundle
from server.models.length import length_loss
from server.models.original import convert_original
from server.models.sampling import edit_base, generate_base, generate_residual, guided, layer_forward, padding_mask
from server.motion.features import recover_positions


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
