"""The masked and the residual transformer against arrays computed with the original code.

``edit_free_*`` is not compared: its first step has all scores tied, so it depends on the order of a sort. Nor are the margins
of the sampled tokens (``*_margin``), which say how clear decisions are that are compared themselves.
"""

from __future__ import annotations

import pytest
import torch
from golden_momask import Golden, Recorder, close, close_guided, equal, exact, gradients

from server.models.masked import corrupt, token_loss, training_mask
from server.models.original_names import masked_names, residual_names
from server.models.residual import drawn_layers, residual_targets_loss
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
