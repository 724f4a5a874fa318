"""The RVQ-VAE against arrays computed with the original code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from golden_momask import Golden, close, close_features, equal, exact, gradients

from server.models.original_names import rvq_names
from server.models.quantizer import Codebook, perplexity
from server.models.rvq import RVQVAE, rvq_loss


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
