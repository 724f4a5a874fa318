from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from server.models.quantizer import Codebook
from server.models.rvq import RVQVAE, RVQConfig, RVQOutput, rvq_loss

CONFIG = RVQConfig(channels=9, width=16, code_dim=8, codes=16, quantizers=3, depth=2, dropout=0.0)


def waves(seed: int, batch: int = 8, frames: int = 32) -> Tensor:
    """Smooth toy motion (B, T, 9): sines of random phase, each channel a little later."""
    generator = torch.Generator().manual_seed(seed)
    phase = torch.rand(batch, 1, 1, generator=generator) * 6.28
    return torch.sin(torch.arange(frames)[None, :, None] * 0.2 + phase + torch.arange(9) * 0.5)


def model(config: RVQConfig = CONFIG) -> RVQVAE:
    """A seeded model whose codebooks are initialised."""
    torch.manual_seed(0)
    rvq = RVQVAE(config)
    rvq(waves(1), generator=torch.Generator().manual_seed(0))
    return rvq


@pytest.mark.parametrize(("down_t", "frames", "tokens"), [(0, 7, 7), (1, 7, 3), (2, 30, 7), (3, 32, 4)])
def test_shapes_for_every_downsampling(down_t: int, frames: int, tokens: int) -> None:
    rvq = model(replace(CONFIG, down_t=down_t)).eval()
    codes = rvq.encode(waves(0, batch=2, frames=frames))
    assert codes.indices.shape == (2, tokens, 3)
    assert codes.codes.shape == (3, 2, tokens, 8)
    assert rvq.decode(codes.indices).shape == (2, tokens * rvq.config.downsample, 9)


def test_decoding_indices_equals_decoding_the_latent() -> None:
    rvq = model().eval()
    codes = rvq.encode(waves(0))
    torch.testing.assert_close(rvq.decode(codes.indices), rvq.decode_latent(codes.latent))
    assert not torch.allclose(rvq.decode(codes.indices[..., :1]), rvq.decode(codes.indices))


def test_minus_one_is_the_zero_vector() -> None:
    rvq = model().eval()
    indices = rvq.encode(waves(0)).indices
    without = torch.cat([indices[..., :1], torch.full_like(indices[..., 1:], -1)], dim=-1)
    torch.testing.assert_close(rvq.decode(without), rvq.decode(indices[..., :1]))


def test_evaluation_is_deterministic_and_changes_nothing() -> None:
    rvq = model().eval()
    before = {key: value.clone() for key, value in rvq.state_dict().items()}
    first, second = rvq(waves(2)), rvq(waves(2))
    assert torch.equal(first.indices, second.indices)
    assert all(torch.equal(value, rvq.state_dict()[key]) for key, value in before.items())


def test_a_generator_makes_training_repeatable() -> None:
    config = replace(CONFIG, quantize_dropout=0.5)
    outputs = [model(config)(waves(2), generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert torch.equal(outputs[0].indices, outputs[1].indices)
    assert not torch.equal(outputs[0].indices, outputs[2].indices)


def test_state_resumes_exactly() -> None:
    first = model()
    second = RVQVAE(CONFIG)
    second.load_state_dict(first.state_dict())
    for step in range(3):
        a, b = (m(waves(step), generator=torch.Generator().manual_seed(step)) for m in (first, second))
        assert torch.equal(a.reconstruction, b.reconstruction)
    assert all(torch.equal(a, b) for a, b in zip(first.buffers(), second.buffers(), strict=True))


def test_inference_state_holds_codebooks_but_no_averages() -> None:
    state = model().inference_state()
    assert "quantizer.layers.2.codebook" in state
    assert not [key for key in state if "ema" in key or "initialised" in key]
    other = RVQVAE(CONFIG)
    other.load_inference_state(state)
    assert torch.equal(other.quantizer.codebooks[1].codebook, state["quantizer.layers.1.codebook"])
    assert bool(other.quantizer.codebooks[1].initialised)
    assert torch.equal(other.quantizer.codebooks[1].ema_sum, state["quantizer.layers.1.codebook"])
    del state["decoder.output.bias"]
    with pytest.raises(RuntimeError, match=r"decoder\.output\.bias"):
        other.load_inference_state(state)


def test_quantise_dropout_drops_trailing_layers_of_the_whole_batch() -> None:
    rvq = model(replace(CONFIG, quantize_dropout=1.0))
    generator = torch.Generator().manual_seed(0)
    used = [int((rvq(waves(0), generator=generator).indices >= 0).all(dim=(0, 1)).sum()) for _ in range(30)]
    assert set(used) == {1, 2, 3}


def test_gradient_is_straight_through_every_active_layer() -> None:
    rvq = model().eval()
    latent = rvq.encode_latent(waves(0)).detach().requires_grad_()
    rvq.quantize(latent, layers=2).latent.sum().backward()
    assert latent.grad is not None
    torch.testing.assert_close(latent.grad, torch.full_like(latent, 2.0))


@pytest.mark.parametrize("reset", ["random_rows", "first_rows"])
def test_dead_codes_come_back_to_use(reset: str) -> None:
    """All codes start in one point; without the reset a far cluster of rows would share a single code."""
    config = replace(CONFIG, codes=8, dead_code_threshold=0.5, ema_decay=0.9, reset=reset)  # type: ignore[arg-type]
    layer = Codebook(config)
    generator = torch.Generator().manual_seed(0)

    layer.start(torch.zeros(8, 8))
    for _ in range(40):
        far = torch.randn(32, 8, generator=generator) + 50
        batch = torch.cat([far, torch.zeros(32, 8)])
        layer.update(batch, layer.choose(batch, 0.0, None), layer.spare_rows(batch, generator))
    assert len(layer.choose(torch.randn(64, 8, generator=generator) + 50, 0.0, None).unique()) >= 4


def test_training_lowers_the_loss_and_keeps_codes_in_use() -> None:
    torch.manual_seed(0)
    rvq = RVQVAE(replace(CONFIG, width=32, codes=32, dead_code_threshold=0.2))
    optimiser = torch.optim.Adam(rvq.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for step in range(60):
        motion = waves(step, batch=16)
        loss = rvq_loss(rvq(motion, generator=generator), motion, joints=2)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        losses.append(loss.reconstruction.item())
    assert losses[-1] < 0.3 * losses[0]
    assert rvq.eval()(waves(99, batch=32)).perplexity > 8


def test_fewer_rows_than_codes_still_start_a_codebook() -> None:
    layer = Codebook(CONFIG)
    layer.start(layer.spare_rows(torch.randn(3, 8), torch.Generator().manual_seed(0)))
    assert layer.codebook.shape == (16, 8)
    assert len(layer.codebook.unique(dim=0)) == 16


def test_loss_weighs_local_positions_and_commitment() -> None:
    rvq, motion = model().eval(), waves(0, frames=31)
    loss = rvq_loss(rvq(motion), motion, joints=2, position_weight=2.0, commit_weight=3.0)
    torch.testing.assert_close(loss.total, loss.reconstruction + 2 * loss.local_position + 3 * loss.commit)


def test_joints_can_count_more_in_the_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    motion, made = torch.randn(2, 1, 8, 12, generator=generator)  # two joints after the pelvis in channels 4 to 9
    output = RVQOutput(made, torch.zeros(()), torch.zeros(()), torch.zeros(1, 2, 1))
    plain, even = rvq_loss(output, motion, joints=3), rvq_loss(output, motion, joints=3, joint_weights=torch.ones(2))
    torch.testing.assert_close(even.total, plain.total)
    first, second = (
        rvq_loss(output, motion, joints=3, joint_weights=torch.tensor(w)) for w in ([1.0, 0.0], [0.0, 1.0])
    )
    alone = torch.nn.functional.smooth_l1_loss(made[..., 4:7], motion[..., 4:7])
    torch.testing.assert_close(2 * first.local_position, alone)
    torch.testing.assert_close(first.local_position + second.local_position, plain.local_position)


def test_half_precision_weights_choose_the_same_codes() -> None:
    rvq = model().eval()
    latent = rvq.encode_latent(waves(0)).bfloat16().float()
    for layer in rvq.quantizer.codebooks:
        layer.codebook.copy_(layer.codebook.bfloat16().float())
    wanted = rvq.quantize(latent).indices
    rvq.bfloat16()
    assert torch.equal(rvq.quantize(latent).indices, wanted)
    assert rvq.decode(wanted).dtype == torch.bfloat16


def test_bad_input_is_named() -> None:
    rvq = model().eval()
    with pytest.raises(ValueError, match=r"\(1, 8, 5\).*9"):
        rvq.encode(torch.zeros(1, 8, 5))
    with pytest.raises(ValueError, match="3 frames"):
        rvq.encode(torch.zeros(1, 3, 9))
    with pytest.raises(ValueError, match="4 layers"):
        rvq.decode(torch.zeros(1, 2, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="4 quantiser layers"):
        rvq.encode(waves(0), layers=4)
    with pytest.raises(ValueError, match="codes is 0"):
        replace(CONFIG, codes=0)
    with pytest.raises(ValueError, match="activation is 'tanh'"):
        replace(CONFIG, activation="tanh")  # type: ignore[arg-type]
