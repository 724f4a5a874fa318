from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import conditions, generators, masked_model, residual_model
from torch import Tensor

from server.models.draws import request_uniforms
from server.models.length import LengthConfig, LengthEstimator, length_loss, sample_length
from server.models.sampling import (
    draw,
    edit_base,
    generate_base,
    generate_residual,
    guided,
    kept_classes,
    mask_counts,
    padding_mask,
    top_k_filter,
)

VARIED: dict[str, Any] = {"guidance": 2.0, "top_k_threshold": 0.0}


def test_schedule_goes_from_all_to_one() -> None:
    counts = mask_counts(torch.tensor([49, 10, 1]), 10)
    assert counts.shape == (10, 3)
    assert counts[0].tolist() == [49, 10, 1]
    assert counts[-1].tolist() == [1, 1, 1]
    assert counts[6].tolist() == [24, 5, 1]
    assert bool((counts.diff(dim=0) <= 0).all())
    assert mask_counts(torch.tensor([7]), 1).tolist() == [[7]]
    with pytest.raises(ValueError, match="0 sampling steps"):
        mask_counts(torch.tensor([7]), 0)


def test_top_k_keeps_the_best() -> None:
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    filtered = top_k_filter(logits, 0.9)
    assert (filtered > -torch.inf).sum(-1).tolist() == [4, 4, 4]
    assert torch.equal(filtered.argmax(-1), logits.argmax(-1))
    assert torch.equal(top_k_filter(logits, 0.0), logits)
    assert kept_classes(512, 0.9) == 52
    with pytest.raises(ValueError, match="threshold is 1"):
        kept_classes(10, 1.0)


def test_draw_follows_the_softmax() -> None:
    logits = torch.tensor([1.0, 3.0, -torch.inf, 2.0])
    uniforms = torch.rand(1, 20000, generator=torch.Generator().manual_seed(0))
    for temperature in (1.0, 0.5):
        drawn = draw(logits.expand(1, 20000, 4), uniforms, temperature)
        shares = drawn.flatten().bincount(minlength=4) / 20000
        torch.testing.assert_close(shares, (logits / temperature).softmax(0), atol=0.01, rtol=0)


def test_draw_never_takes_a_rejected_class() -> None:
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]).expand(1, 2, 5)
    almost_one = 1 - torch.finfo(torch.float32).eps / 2
    assert draw(logits, torch.tensor([[0.0, almost_one]]), 1.0).tolist() == [[1, 3]]


def test_temperature_per_sample() -> None:
    logits = torch.randn(1, 50, 12, generator=torch.Generator().manual_seed(0)).repeat(2, 1, 1)
    uniforms = torch.rand(2, 50, generator=torch.Generator().manual_seed(1))
    drawn = draw(logits, uniforms, torch.tensor([0.0, 1.0]))
    assert torch.equal(drawn[0], logits[0].argmax(-1))
    assert torch.equal(drawn[1], draw(logits[1:], uniforms[1:], 1.0)[0])
    assert not torch.equal(drawn[0], drawn[1])


def test_guidance_mixes_and_can_differ_per_sample() -> None:
    model, cond = masked_model(), conditions(2)
    ids = torch.full((2, 6), model.mask_id)
    conditional, unconditional = model(ids, cond), model(ids, torch.zeros_like(cond))
    torch.testing.assert_close(guided(model, cond, None, 1)(ids), conditional)
    torch.testing.assert_close(guided(model, cond, None, 0.0)(ids), unconditional)
    mixed = guided(model, cond, None, torch.tensor([1.0, 3.0]))(ids)
    torch.testing.assert_close(mixed[0], conditional[0])
    torch.testing.assert_close(mixed[1], unconditional[1] + 3 * (conditional[1] - unconditional[1]))


def test_base_has_tokens_at_valid_places_only() -> None:
    ids = generate_base(masked_model(), conditions(3), [9, 4, 1], steps=5, generators=generators(0, 1, 2))
    assert ids.shape == (3, 9)
    assert torch.equal(ids < 0, padding_mask([9, 4, 1], 9))
    assert int(ids.max()) < 12


def test_generation_repeats_by_seed() -> None:
    first, second, other = (
        generate_base(masked_model(), conditions(1), [12], generators=generators(seed), **VARIED) for seed in (5, 5, 6)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def sampled(cond: Tensor, lengths: list[int], seeds: list[int], **options: Any) -> Tensor:
    """All layers of a seeded generation."""
    base = generate_base(
        masked_model(), cond, lengths, steps=6, generators=(g := generators(*seeds)), **VARIED, **options
    )
    return generate_residual(residual_model(), base, cond, lengths, generators=g, **VARIED)


@pytest.mark.parametrize("order_noise", [0.0, 2.0])
def test_a_request_does_not_see_its_batch_or_its_padding(order_noise: float) -> None:
    cond = conditions(3)
    together = sampled(cond, [7, 12, 3], [1, 2, 3], order_noise=order_noise)
    assert len(together.unique()) > 6
    for b, (length, seed) in enumerate([(7, 1), (12, 2), (3, 3)]):
        alone = sampled(cond[b : b + 1], [length], [seed], order_noise=order_noise)
        assert torch.equal(together[b, :length], alone[0])
        padded = sampled(cond[b : b + 1], [length], [seed], pad_to=20, order_noise=order_noise)
        assert torch.equal(together[b, :length], padded[0, :length])
    reordered = sampled(cond.flip(0), [3, 12, 7], [3, 2, 1], order_noise=order_noise)
    assert torch.equal(reordered.flip(0), together)


@pytest.mark.parametrize(
    "edited", [[0, 1, 2], [4, 5], [8, 9], [1, 2, 7, 9], [], list(range(10))], ids=lambda e: "-".join(map(str, e))
)
def test_edit_leaves_fixed_tokens(edited: list[int]) -> None:
    cond, lengths = conditions(2), [10, 6]
    source = sampled(cond, lengths, [1, 2])
    mask = torch.zeros(2, 10, dtype=torch.bool)
    mask[:, edited] = True
    other = conditions(2, seed=9)
    base = edit_base(masked_model(), source[..., 0], mask, other, lengths, generators=generators(3, 4), **VARIED)
    indices = generate_residual(
        residual_model(), base, other, lengths, generators=generators(5, 6), keep=source, keep_mask=~mask
    )
    assert torch.equal(base[~mask], source[..., 0][~mask])
    assert torch.equal(indices[~mask], source[~mask])
    valid = mask & ~padding_mask(lengths, 10)
    assert bool((indices[..., 0][valid] >= 0).all())
    if len(edited) >= 3:
        assert not torch.equal(indices, source)


def test_edit_does_not_depend_on_what_it_replaces() -> None:
    cond, mask = conditions(1), torch.zeros(1, 8, dtype=torch.bool)
    mask[:, 3:6] = True
    source = torch.randint(12, (1, 8), generator=torch.Generator().manual_seed(0))
    results = [
        edit_base(masked_model(), torch.where(mask, fill, source), mask, cond, [8], generators=generators(1))
        for fill in (-1, 0)
    ]
    assert torch.equal(results[0], results[1])


def test_residual_keeps_base_and_can_stop_early() -> None:
    cond = conditions(1)
    base = generate_base(masked_model(), cond, [8], temperature=0)
    whole = generate_residual(residual_model(), base, cond, [8], temperature=0)
    assert torch.equal(whole[..., 0], base)
    one = generate_residual(residual_model(), base, cond, [8], temperature=0, layers=1)
    assert torch.equal(one, whole[..., :2])
    with pytest.raises(ValueError, match="3 residual layers"):
        generate_residual(residual_model(), base, cond, [8], temperature=0, layers=3)


def test_a_pad_drawn_in_a_residual_layer_is_minus_one() -> None:
    model = residual_model()
    with torch.no_grad():
        model.last_output[0, model.pad_id] = 0
        model.head.output.weight.zero_()
        model.head.output.bias.fill_(1.0)
        model.last_output[0, : model.pad_id] = -1
    indices = generate_residual(model, torch.zeros(1, 4, dtype=torch.int64), conditions(1), [4], temperature=0)
    assert indices[0, :, 2].tolist() == [-1] * 4


def test_bad_requests_are_named() -> None:
    model, cond = masked_model(), conditions(2)
    with pytest.raises(ValueError, match="1 lengths for 2"):
        generate_base(model, cond, [4], temperature=0)
    with pytest.raises(ValueError, match="between 1 and 4"):
        generate_base(model, cond, [4, 0], temperature=0)
    with pytest.raises(ValueError, match="needs generators"):
        generate_base(model, cond, [4, 4])
    with pytest.raises(ValueError, match="1 generators for 2"):
        generate_base(model, cond, [4, 4], generators=generators(1))
    with pytest.raises(ValueError, match="edit_mask"):
        edit_base(model, torch.zeros(2, 4).long(), torch.zeros(2, 3).bool(), cond, [4, 4], temperature=0)
    with pytest.raises(ValueError, match="keep_mask"):
        generate_residual(
            residual_model(), torch.zeros(2, 4).long(), cond, [4, 4], temperature=0, keep=torch.zeros(2, 4, 3).long()
        )


def test_uniforms_depend_on_generator_and_length_only() -> None:
    cpu = torch.device("cpu")
    wide = request_uniforms(generators(1, 2), 3, [4, 6], 9, cpu)
    narrow = request_uniforms(generators(2), 3, [6], 6, cpu)
    assert torch.equal(wide[:, 1, :6], narrow[:, 0])
    assert bool((wide[:, 0, 4:] == 0).all())


def test_length_is_learnt_and_drawn() -> None:
    torch.manual_seed(0)
    model = LengthEstimator(LengthConfig(cond_dim=10, classes=12, width=32, dropout=0.0))
    cond, lengths = conditions(4), torch.tensor([2, 5, 9, 0])
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        length_loss(model, cond, lengths).backward()
        optimiser.step()
    model.eval()
    assert sample_length(model, cond, temperature=0).tolist() == [2, 5, 9, 1]
    drawn = sample_length(model, cond, generators=generators(1, 2, 3, 4))
    assert torch.equal(drawn[1:2], sample_length(model, cond[1:2], generators=generators(2)))
    with pytest.raises(ValueError, match="needs generators"):
        sample_length(model, cond)


def test_static_shapes_change_nothing() -> None:
    cond, lengths = conditions(3), [7, 12, 3]
    results = []
    for static in (False, True):
        g = generators(1, 2, 3)
        options: dict[str, Any] = {"generators": g, "static_shapes": static, **VARIED}
        base = generate_base(masked_model(), cond, lengths, steps=6, **options)
        whole = generate_residual(residual_model(), base, cond, lengths, **options)
        mask = torch.zeros(3, 12, dtype=torch.bool)
        mask[:, 2:6] = True
        edited = edit_base(masked_model(), base, mask, conditions(3, seed=4), lengths, **options)
        again = generate_residual(residual_model(), edited, cond, lengths, keep=whole, keep_mask=~mask, **options)
        results.append((base, whole, edited, again))
    for fitted, static_ in zip(*results, strict=True):
        assert torch.equal(fitted, static_)
    assert not torch.equal(results[0][1], results[0][3])


def test_the_same_batch_twice_is_the_same_bit_for_bit() -> None:
    model, cond = masked_model(), conditions(2)
    ids = torch.randint(12, (2, 9), generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(ids, cond), model(ids, cond))
    assert torch.equal(sampled(cond, [9, 4], [1, 2]), sampled(cond, [9, 4], [1, 2]))


class SurestAtOneEnd(torch.nn.Module):
    """A masked transformer in the ways that sampling knows one: always code 0, the surer the further to the left."""

    mask_id, pad_id = 4, 5

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, ids: Tensor, cond: Tensor, padding: Tensor | None, places: Tensor | None = None) -> Tensor:
        self.seen.append(ids)
        sure = torch.linspace(9.0, 1.0, ids.shape[1]).expand(len(ids), -1)
        logits = torch.zeros(*ids.shape, 4)
        logits[..., 0] = sure
        return logits if places is None else logits.gather(1, places.unsqueeze(-1).expand(-1, -1, 4))


def kept_first(order_noise: float, seed: int) -> set[int]:
    """Which of 40 places are filled for good by round 5 of 10."""
    model = SurestAtOneEnd()
    cond, options = torch.zeros(1, 2), {"generators": generators(seed), "guidance": 1.0, "order_noise": order_noise}
    generate_base(model, cond, [40], steps=10, **options)  # type: ignore[arg-type]
    return set((model.seen[5][0] != model.mask_id).nonzero().flatten().tolist())


def test_places_are_kept_by_confidence_or_in_noisy_order() -> None:
    strict = kept_first(0.0, 1)
    assert strict == kept_first(0.0, 2) == set(range(len(strict)))
    noisy = kept_first(50.0, 1)
    assert noisy == kept_first(50.0, 1), "the noise is the request's own"
    assert noisy != kept_first(50.0, 2)
    assert len(noisy) == len(strict)
    assert max(noisy) > 30
