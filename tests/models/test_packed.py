from __future__ import annotations

import pytest
import torch
from tiny_models import conditions, masked_model, residual_model
from torch import nn

from server.models import packed
from server.models.packed import PackedLinear, can_pack, use_packed_weights
from server.models.sampling import generate_base, generate_residual
from server.models.transformer import LinearGelu

needs_bfloat16 = pytest.mark.skipif(not can_pack(half=True), reason="this processor has no bfloat16 instructions")
needs_kernels = pytest.mark.skipif(not can_pack(), reason="this torch or processor has no packed kernels")


@needs_kernels
@pytest.mark.parametrize("kind", [nn.Linear, LinearGelu])
@pytest.mark.parametrize("shape", [(24,), (1, 24), (2, 50, 24), (8, 33, 24)])
def test_a_packed_layer_computes_what_the_layer_does(kind: type[nn.Linear], shape: tuple[int, ...]) -> None:
    linear, x = kind(24, 40), torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(PackedLinear(linear)(x), linear(x), rtol=1e-5, atol=1e-5)


@needs_bfloat16
@pytest.mark.parametrize("kind", [nn.Linear, LinearGelu])
def test_half_precision_rounds_to_eight_bits(kind: type[nn.Linear]) -> None:
    linear, x = kind(24, 40), torch.randn(2, 50, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made, exact = PackedLinear(linear, half=True)(x), linear(x)
    assert made.dtype == (torch.bfloat16 if kind is LinearGelu else torch.float32)
    assert 0 < (made - exact).abs().max() < 0.02 * exact.abs().max()


def test_half_precision_is_refused_where_there_are_no_instructions_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(ValueError, match="needs one with bfloat16 instructions"):
        use_packed_weights(masked_model(), half=True)


@needs_kernels
def test_sampling_with_packed_weights_is_the_same() -> None:
    cond, lengths = conditions(2), [9, 4]
    base = generate_base(masked_model(), cond, lengths, temperature=0.0)
    layers = generate_residual(residual_model(), base, cond, lengths, temperature=0.0)
    masked, residual = masked_model(), residual_model()
    for model in (masked, residual):
        use_packed_weights(model)
        assert sum(isinstance(module, PackedLinear) for module in model.modules()) == 2 * 4 + 2
    assert torch.equal(generate_base(masked, cond, lengths, temperature=0.0), base)
    assert torch.equal(generate_residual(residual, base, cond, lengths, temperature=0.0), layers)


def test_without_the_kernels_the_model_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing(nn.Module):
        def __init__(self, linear: nn.Linear, half: bool) -> None:
            raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")

    monkeypatch.setattr(packed, "PackedLinear", Missing)
    assert not can_pack()
    model = masked_model()
    use_packed_weights(model)
    assert isinstance(model.head.output, nn.Linear)


def test_half_precision_stays_as_it_is() -> None:
    model = masked_model().to(torch.float16)
    use_packed_weights(model)
    assert isinstance(model.head.output, nn.Linear)
