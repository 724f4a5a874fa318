"""Each stage trains, validates and resumes on a tiny prepared dataset, and the export loads as a model."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "motion"))
from synthetic import positions_of

from protocol.skeleton import default_skeleton
from server.models.rvq import RVQOutput
from server.motion.features import HUMANML3D, extract
from server.training import stages
from server.training.augment import ExtraClip
from server.training.captions import STANDING, CaptionSet
from server.training.dataset import MISSPELT_SHARE, OWN_SHARE, DatasetError, MotionDataset, TokenBatches, WindowBatches
from server.training.decoder import DECODER_TRAINING, load_refined, train_decoder
from server.training.prepare import PreparedReport, _Clip, _write

SIZES = stages.ModelSizes(
    rvq_width=16, code_dim=8, codes=16, quantizers=3, latent=16, heads=2, layers=1, ff=16, residual_layers=1,
    residual_code_dim=8, token_dim=8,
)  # fmt: skip
FURTHER = (CaptionSet(("g0",), ("bear left", "go left")), CaptionSet((STANDING, "g?"), ("do something",)))
STAGE = stages.StageConfig(
    sizes=SIZES, windows=(32,), extra=stages.ExtraConfig(transitions=6, standing=2), captions=FURTHER
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    clips = []
    for number, turn in enumerate((0.0, 1.0, -1.0, 2.0)):
        features = extract(positions_of(frames=81, turn=turn), HUMANML3D).features
        clips.append(
            _Clip(
                f"c{number}", ("train", "train", "train", "val")[number], f"g{number % 2}", [f"turn {turn}"], features
            )
        )
    _write(tmp_path / "data", clips, HUMANML3D, PreparedReport(), "bvh")
    return tmp_path / "data"


def encode(texts: list[str]) -> torch.Tensor:
    return torch.stack([torch.full((8,), float(len(text))) for text in texts])


def test_every_stage_learns_on_a_tiny_dataset(data: Path, tmp_path: Path):
    quick = {"steps": 150, "batch_size": 4, "validate_every": 50, "warm_up": 5, "lr": 5e-3, "ema_decay": 0.5}
    rvq = stages.train_rvq(data, tmp_path / "run", replace(stages.RVQ_TRAINING, **quick), STAGE)
    assert rvq.finished
    untrained = stages.reconstruction_error(
        stages.RVQVAE(stages.rvq_config(263, SIZES)).eval(), MotionDataset(data, "val"), 3
    )
    assert rvq.metrics["mpjpe_mm_3"] < 0.9 * untrained
    for kind in ("masked", "residual", "length"):
        result = stages.train_tokens(
            kind, data, tmp_path / "run", replace(stages.TOKEN_TRAINING, **quick), STAGE, encode
        )
        assert result.finished
        assert np.isfinite(result.metrics["loss"])
        again = stages.train_tokens(
            kind, data, tmp_path / "run", replace(stages.TOKEN_TRAINING, **quick), STAGE, encode
        )
        assert again.step == result.step == 150


def test_a_refined_decoder_makes_more_of_the_base_layer(data: Path, tmp_path: Path):
    run, train = tmp_path / "run", MotionDataset(data, "train")
    quick = {"steps": 60, "batch_size": 4, "warm_up": 5, "lr": 5e-3, "ema_decay": 0.5}
    stages.train_rvq(data, run, replace(stages.RVQ_TRAINING, **quick), STAGE)
    rvq = stages.load_rvq(run, 263, SIZES)
    tokens, before = rvq.encode(train.motion(0)[None]).indices, stages.reconstruction_error(rvq, train, 1)
    assert train_decoder(data, run, replace(DECODER_TRAINING, **(quick | {"steps": 300})), STAGE).finished
    assert stages.reconstruction_error(stages.load_rvq(run, 263, SIZES), train, 1) == before, "the RVQ-VAE's own stays"
    load_refined(run, rvq)
    assert stages.reconstruction_error(rvq, train, 1) < 0.97 * before
    assert torch.equal(rvq.encode(train.motion(0)[None]).indices, tokens)


def test_captions_tell_whether_they_are_of_one_action_each():
    single, several = ["a person walks"] * 97, ["a person walks, then waves"] * 3
    assert stages.learnt_one_action([*single, *several])
    assert not stages.learnt_one_action([*single, *several * 2])
    assert not stages.learnt_one_action([])


def test_rare_motion_is_favoured_by_group_and_by_family(data: Path):
    dataset = MotionDataset(data, "train")
    names = ["walk_tired", "walk_tired", "walk_happy", "kick_angry"]
    dataset.clips = [replace(dataset.clips[0], group=name) for name in names]
    assert dataset.weights(stages.Balance(0.0, 0.0), by_frames=False) == pytest.approx([0.25] * 4)
    by_group = dataset.weights(stages.Balance(1.0, 0.0), by_frames=False)
    assert by_group == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3])
    by_family = dataset.weights(stages.Balance(0.0, 1.0), by_frames=False)
    assert by_family == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    first_match_counts = dataset.weights(stages.Balance(0.0, 0.0, (("*_tired", 3.0), ("walk*", 2.0))), by_frames=False)
    assert first_match_counts == pytest.approx([1 / 3, 1 / 3, 2 / 9, 1 / 9])
    with pytest.raises(DatasetError, match="leave no clip to draw"):
        dataset.weights(stages.Balance(favour=(("*", 0.0),)), by_frames=False)


def test_every_clip_has_its_own_captions_and_those_of_the_sets_that_describe_it(data: Path, tmp_path: Path):
    train, sets = MotionDataset(data, "train"), (*FURTHER, CaptionSet(("c1_*",), ("to the left",)))
    train.clips[1] = replace(train.clips[1], clip_id="c1_mirrored")
    extras = [ExtraClip(train.motion(0), 8, ("joined",), 1), ExtraClip(train.motion(0), 0, ("standing",), None)]
    rvq, texts = stages.RVQVAE(stages.rvq_config(263, SIZES)).eval(), []

    def number(given: list[str]) -> torch.Tensor:
        texts.append(given)
        return torch.arange(len(given))[:, None].float()

    clips = stages.token_clips(train, rvq, number, 1, tmp_path, extras, sets)
    ordered, *misspelt = texts
    said = [[[ordered[row] for row in rows] for rows in of_clip] for of_clip in clips.captions]
    assert said == [
        [["turn 0.0"], ["bear left", "go left"], ["do something"]],
        [["turn 1.0"], ["do something"], ["to the right"]],
        [["turn -1.0"], ["bear left", "go left"], ["do something"]],
        [["joined"], ["do something"], ["to the right"]],
        [["standing"], ["do something"]],
    ]
    assert clips.misspelt.shape == (len(misspelt), len(ordered), 1)
    for variant in misspelt:
        assert all(right != wrong for right, wrong in zip(ordered, variant, strict=True))
    with pytest.raises(DatasetError, match=r"a name like 'wlak\*'"):
        stages.train_tokens(
            "masked", data, tmp_path, stages.TOKEN_TRAINING, replace(STAGE, captions=(CaptionSet(("wlak*",), ("x",)),)),
            encode,
        )  # fmt: skip


def test_captions_are_drawn_from_every_set_now_and_then_misspelt():
    tokens = [[torch.zeros((20, 3), dtype=torch.int16)]] * 2
    clips = stages.TokenClips(
        tokens, [[[0, 1], [2, 3], [4]], [[5]]], torch.eye(6), torch.stack([-torch.eye(6)] * 2), [0, 0]
    )
    uniforms = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)).tolist()
    drawn = sum(clips.cond(0, *u) for u in uniforms) / len(uniforms)
    correct = 1.0 - 2 * MISSPELT_SHARE
    expected = torch.tensor([OWN_SHARE / 2, OWN_SHARE / 2, 0.15, 0.15, 0.3, 0.0])
    torch.testing.assert_close(drawn, correct * expected, atol=0.03, rtol=0)
    assert all(clips.cond(1, *u).abs().argmax() == 5 for u in uniforms[:50])
    noisy = TokenBatches(clips, np.array([0.0, 1.0]), 64, 0.0, cond_noise=0.5).draw(0, torch.Generator().manual_seed(0))
    noise = noisy.cond - noisy.cond.sign() * (noisy.cond.abs() > 0.6)
    assert 0.3 < float((noise.norm(dim=-1)).mean()) < 0.7


def test_windows_stay_within_their_clip(data: Path):
    dataset = MotionDataset(data, "train")
    dataset.features = torch.arange(len(dataset.features), dtype=torch.float32)[:, None].repeat(1, 263)
    batch = WindowBatches(dataset, 256, 32, stages.Balance()).draw(0, torch.Generator().manual_seed(0))
    first, last = batch[:, 0, 0], batch[:, -1, 0]
    assert (last - first == 31).all()
    assert (first // 80 == last // 80).all()
    assert len(first.unique()) > 60


def test_the_tokenizer_sees_short_clips_and_often_the_base_layer_alone(data: Path):
    dataset = MotionDataset(data, "train")
    dataset.clips[0] = replace(dataset.clips[0], frames=24)
    dataset.features = torch.arange(len(dataset.features), dtype=torch.float32)[:, None].repeat(1, 263)
    stage, config = replace(STAGE, windows=(200, 64, 16)), replace(stages.RVQ_TRAINING, batch_size=2)
    batches = stages.layered_batches(dataset, config, stage, 0.25, [2, None])
    generator = torch.Generator().manual_seed(0)
    drawn = [batches.draw(step, generator) for step in range(400)]
    assert {tuple(batch.motion.shape[:2]) for batch in drawn} == {(6, 64), (25, 16)}, "200 frames has no clip"
    assert any((batch.motion[:, 0, 0] < 24).any() for batch in drawn), "the clip of 24 frames"
    counts = {layers: sum(batch.layers == layers for batch in drawn) for layers in (1, 2, None)}
    assert 70 < counts[1] < 130
    assert 110 < counts[2] < 190
    assert sum(counts.values()) == 400
    with pytest.raises(DatasetError, match="no clip has 100 frames"):
        stages.layered_batches(dataset, config, replace(stage, windows=(200, 100)), 0.25, [None])


def test_a_hand_counts_more_than_a_collar_bone(data: Path):
    layout, generator = MotionDataset(data, "train").layout, torch.Generator().manual_seed(0)
    motion = torch.randn(1, 8, 263, generator=generator)
    measure = stages.reconstruction_loss(layout, stages.StageConfig())

    def loss(joint: str) -> float:
        wrong = motion.clone()
        wrong[..., 4 + 3 * (default_skeleton().index(joint) - 1)] += 0.5
        zero = torch.zeros(())
        return float(measure(RVQOutput(wrong, zero, zero, torch.zeros(1, 2, 1)), motion).local_position)

    assert loss("left_wrist") == pytest.approx(4 * loss("left_collar")) == pytest.approx(2 * loss("right_elbow"))


def test_token_batches_pad_and_crop(data: Path):
    dataset = MotionDataset(data, "train")
    tokens = [[torch.full((20, 3), index, dtype=torch.int16)] for index in range(3)]
    clips = stages.TokenClips(tokens, [[[0]], [[1]], [[2]]], torch.eye(3), torch.eye(3)[None], [0, 0, 0])
    weights = dataset.weights(stages.Balance(), by_frames=False)
    assert weights.sum() == pytest.approx(1.0)
    cropped = TokenBatches(clips, weights, 64, crop=1.0)
    drawn = [cropped.draw(step, torch.Generator().manual_seed(step)) for step in range(12)]
    lengths = torch.stack([batch.lengths for batch in drawn])
    assert lengths.min() >= 10
    assert len(lengths.unique()) > 6
    assert (lengths.amax(1) - lengths.amin(1)).max() <= 4, "a batch must be of like lengths"
    batch = drawn[0]
    assert ((batch.indices[..., 0] < 0) == batch.padding).all()
    owner = batch.indices[:, 0, 0]
    assert (batch.cond.argmax(1) == owner).all()
    joined = replace(clips, context=[0, 8, 8])
    batch = TokenBatches(joined, weights, 64, crop=1.0).draw(0, torch.Generator().manual_seed(0))
    known = batch.context.sum(1)
    assert (known[batch.indices[:, 0, 0] == 0] == 0).all()
    assert known[batch.indices[:, 0, 0] > 0].min() >= 1
    assert known.max() <= 8
    assert (batch.lengths - known >= 6)[batch.indices[:, 0, 0] > 0].all(), "what follows the context must stay"
    whole = TokenBatches(clips, weights, 8, crop=0.0).draw(0, torch.Generator().manual_seed(0))
    assert (whole.lengths == 20).all()
