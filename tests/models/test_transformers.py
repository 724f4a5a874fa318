from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_models import MASKED, RESIDUAL, conditions, masked_model, residual_model

from server.models.masked import MaskedConfig, MaskedTransformer, corrupt, masked_loss, token_loss, training_mask
from server.models.residual import ResidualConfig, ResidualTransformer, drawn_layers, residual_loss
from server.models.sampling import padding_mask


def test_padding_is_invisible() -> None:
    model, cond = masked_model(), conditions(2)
    ids = torch.randint(12, (2, 9), generator=torch.Generator().manual_seed(0))
    padding = padding_mask([9, 5], 9)
    logits = model(ids, cond, padding)
    alone = model(ids[1:, :5], cond[1:])
    torch.testing.assert_close(logits[1:, :5], alone)
    other = torch.where(padding, 3, ids)
    torch.testing.assert_close(model(other, cond, padding)[~padding], logits[~padding])


def test_condition_and_position_matter() -> None:
    model, cond = masked_model(), conditions(2)
    ids = torch.full((2, 6), model.mask_id)
    logits = model(ids, cond)
    assert not torch.allclose(logits[0], logits[1])
    assert not torch.allclose(logits[0, 0], logits[0, 1])


def test_too_many_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="21 motion tokens; the model's limit is 20"):
        masked_model()(torch.zeros(1, 21, dtype=torch.int64), conditions(1))
    with pytest.raises(ValueError, match="latent width 15"):
        MaskedTransformer(replace(MASKED, latent=15))
    with pytest.raises(ValueError, match="at least 2"):
        ResidualConfig(quantizers=1)


def test_training_mask_covers_the_drawn_ratio_and_no_pads() -> None:
    padding = padding_mask([10, 4], 10)
    order = torch.rand(2, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(training_mask(padding, torch.zeros(2), order), ~padding)
    half = training_mask(padding, torch.full((2,), 2 / 3), order)
    assert half.sum(1)[0] == 5
    assert not (half & padding).any()
    assert training_mask(padding[:1], torch.ones(1), order[:1]).sum() == 1


def test_corruption_shares() -> None:
    ids = torch.full((100, 100), 7)
    targets = torch.zeros_like(ids, dtype=torch.bool)
    targets[:, :50] = True
    inputs = corrupt(ids, targets, 1000, 1000, torch.Generator().manual_seed(0))
    assert torch.equal(inputs[~targets], ids[~targets])
    changed = inputs[targets]
    masked = (changed == 1000).float().mean()
    kept = (changed == 7).float().mean()
    assert masked == pytest.approx(0.9 * 0.88, abs=0.03)
    assert kept == pytest.approx(0.9 * 0.12, abs=0.03)


def test_token_loss_looks_at_targets_only() -> None:
    logits = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    labels = logits.argmax(-1)
    targets = torch.tensor([[True, True, False, False]] * 2)
    wrong_elsewhere = torch.where(targets, labels, (labels + 1) % 5)
    assert token_loss(logits, wrong_elsewhere, targets).accuracy == 1
    assert token_loss(logits, (labels + 1) % 5, targets).accuracy == 0
    assert token_loss(logits, labels, torch.zeros_like(targets)).loss == 0


def test_masked_training_learns_and_repeats() -> None:
    def run() -> list[float]:
        torch.manual_seed(0)
        model = MaskedTransformer(replace(MASKED, dropout=0.0, latent=32))
        optimiser = torch.optim.Adam(model.parameters(), 5e-3)
        generator = torch.Generator().manual_seed(0)
        cond = conditions(8)
        ids = torch.arange(8).unsqueeze(1).expand(8, 10) + torch.arange(10) % 3
        losses = []
        for _ in range(60):
            loss = masked_loss(model, ids, cond, padding_mask([10] * 8, 10), generator).loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses

    losses = run()
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10])
    assert run() == losses


def test_pads_in_training_may_hold_anything() -> None:
    model, cond = masked_model(), conditions(2)
    padding = padding_mask([6, 3], 6)
    ids = torch.randint(12, (2, 6), generator=torch.Generator().manual_seed(0))
    losses = [
        masked_loss(model, torch.where(padding, pad, ids), cond, padding, torch.Generator().manual_seed(1)).loss
        for pad in (-1, 5)
    ]
    assert losses[0] == losses[1]


def test_condition_drop_is_seeded_and_complete() -> None:
    config = replace(MASKED, cond_drop=1.0)
    torch.manual_seed(0)
    model = MaskedTransformer(config).eval()
    ids, padding = torch.zeros(3, 5, dtype=torch.int64), padding_mask([5] * 3, 5)
    losses = [masked_loss(model, ids, conditions(3, s), padding, torch.Generator().manual_seed(0)).loss for s in (1, 2)]
    assert losses[0] == losses[1]


def test_residual_history_sums_the_layers_before() -> None:
    model = residual_model()
    indices = torch.randint(12, (2, 4, 3), generator=torch.Generator().manual_seed(0))
    history = model.history(indices, torch.tensor([1, 2]))
    torch.testing.assert_close(history[0], model.embed(indices[0, :, 0], 0))
    torch.testing.assert_close(history[1], model.embed(indices[1, :, 0], 0) + model.embed(indices[1, :, 1], 1))


def test_residual_tables_share_their_middle() -> None:
    model = residual_model()
    assert torch.equal(model.embedding_tables()[1:], model.output_tables()[:-1])
    assert model.output_tables().shape == (2, 13, 8)


def test_two_quantisers_are_enough() -> None:
    model = ResidualTransformer(replace(RESIDUAL, quantizers=2)).eval()
    indices = torch.zeros(1, 4, 2, dtype=torch.int64)
    loss = residual_loss(model, indices, conditions(1), padding_mask([4], 4), torch.Generator().manual_seed(0))
    assert loss.loss > 0


def test_residual_layers_are_drawn_from_all_and_low_ones_more_often() -> None:
    layers = drawn_layers(torch.rand(4000, generator=torch.Generator().manual_seed(0)), 6)
    counts = layers.bincount(minlength=6)
    assert counts[0] == 0
    assert (counts[1:] > 0).all()
    assert counts[1] > counts[5]


def test_residual_training_learns() -> None:
    torch.manual_seed(0)
    model = ResidualTransformer(replace(RESIDUAL, dropout=0.0, latent=32))
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)
    cond = conditions(8)
    base = torch.randint(12, (8, 10), generator=generator)
    indices = torch.stack([base, (base + 3) % 12, (base + 5) % 12], dim=-1)
    losses = []
    for _ in range(60):
        loss = residual_loss(model, indices, cond, padding_mask([10] * 8, 10), generator).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


@pytest.mark.parametrize("make", [masked_model, residual_model])
def test_only_some_places_of_several_conditions_are_as_in_whole_passes(make) -> None:
    model, generator = make(), torch.Generator().manual_seed(0)
    masked = isinstance(model, MaskedTransformer)
    inputs = torch.randint(12, (2, 9), generator=generator) if masked else torch.randn(2, 9, 8, generator=generator)
    layer = () if masked else (1,)
    cond, padding = conditions(4), torch.arange(9) >= torch.tensor([[9], [6]])
    places = torch.tensor([[8, 0, 3], [5, 1, 2]])
    some = model(inputs, *layer, cond, padding, places)
    for group in range(2):
        whole = model(inputs, *layer, cond[2 * group : 2 * group + 2], padding)
        for b in range(2):
            torch.testing.assert_close(some[2 * group + b], whole[b, places[b]])


def test_training_starts_with_tokens_as_loud_as_positions() -> None:
    torch.manual_seed(0)
    model = MaskedTransformer(MaskedConfig(codes=64, code_dim=32, latent=64, heads=4, layers=1, ff=64, cond_dim=16))
    tokens = model.token_projection(model.token_embedding.weight)
    assert 0.8 < tokens.std() < 1.2
    assert model.encoder.positions.std() < tokens.std()
    logits = model(torch.arange(48)[None], torch.randn(1, 16))
    assert 0.3 < logits.std() < 2, "no class may be a certainty before training"


def test_codes_are_embedded_as_the_codebooks_arrange_them() -> None:
    generator = torch.Generator().manual_seed(0)
    codebooks = torch.randn(3, 12, 8, generator=generator) * torch.tensor([5.0, 2.0, 1.0])[:, None, None] + 7.0
    torch.manual_seed(0)
    masked, residual = MaskedTransformer(MASKED), ResidualTransformer(replace(RESIDUAL, code_dim=10))
    masked.embed_codes(codebooks)
    residual.embed_codes(codebooks)
    embedded = masked.token_embedding.weight.detach()[:12]
    assert embedded.square().mean() == pytest.approx(1.0, rel=1e-5)
    distances = torch.cdist(codebooks[0], codebooks[0])
    ratio = torch.cdist(embedded, embedded)[0, 1:] / distances[0, 1:]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    tables = torch.cat([residual.embedding_tables(), residual.last_output]).detach()
    assert (tables[:, -1] == 0).all(), "a pad adds nothing"
    assert (tables[..., 8:] == 0).all()
    spread = tables[:, :-1].square().mean((1, 2)).sqrt()
    torch.testing.assert_close(spread / spread[0], codebooks.std((1, 2)) / codebooks[0].std(), rtol=0.1, atol=0)
    with pytest.raises(ValueError, match="8 values, the embedding only 4"):
        ResidualTransformer(replace(RESIDUAL, code_dim=4)).embed_codes(codebooks)


@pytest.mark.parametrize(("offset", "head"), [(-1, 0), (1, 1), (-2, 2), (2, 3)])
def test_heads_start_looking_at_their_neighbours(offset: int, head: int) -> None:
    torch.manual_seed(0)
    config = MaskedConfig(codes=64, code_dim=48, latent=192, heads=6, layers=2, ff=64, cond_dim=16)
    model = MaskedTransformer(config)
    tokens = model.token_projection(model.token_embedding(torch.randint(64, (1, 30)))) + model.encoder.positions[:30]
    query, key, _ = model.encoder.encoder_layers()[0].attention.qkv(tokens)[0].chunk(3, dim=-1)
    part = slice(32 * head, 32 * (head + 1))
    weights = (query[:, part] @ key[:, part].T / 32**0.5).softmax(-1)
    inner = torch.arange(3, 27)
    assert (weights[inner, inner + offset] > 0.8).all()
