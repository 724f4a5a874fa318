"""``motionbridge evaluate`` on a tiny model and dataset, and its parts."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bundle import write_tiny_bundle
from tiny_data import CAPTIONS, SPLITS, write_tiny_data

from server import cli
from server.engine import load_engine
from server.evaluation import command, figures
from server.evaluation.command import load_generator
from server.evaluation.data import EvaluationDataError, action_of, load_split, mirrored_name
from server.evaluation.evaluators import load_evaluator
from server.evaluation.figures import Judge, Retrieval, Size
from server.evaluation.generation import Wanted
from server.evaluation.sweeps import SampledRows, ablation_samplings, curve_samplings, planned
from server.models.checkpoint import CheckpointError, Sampling
from server.models.evaluator import EvaluatorConfig, MotionTextEvaluator, contrastive_loss, save_evaluator
from server.motion.motion import MotionRequest


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory, data: Path, model: Path) -> Path:
    """Random weights: everything runs, nothing means anything."""
    folder = tmp_path_factory.mktemp("evaluator")
    torch.manual_seed(1)
    meta = json.loads((data / "dataset.json").read_text())
    config = EvaluatorConfig(channels=263, text_dim=8, width=16, hidden=8, text_width=16, dim=6)
    save_evaluator(folder, MotionTextEvaluator(config), torch.tensor(meta["mean"]), torch.tensor(meta["std"]))
    for path in model.glob("text*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def judge(data: Path, evaluator: Path) -> Judge:
    return Judge(load_evaluator(evaluator, 263), load_split(data, "test"), load_split(data, "train"), seed=3)


def run(*argv: object) -> int:
    return cli.main([str(part) for part in argv])


def test_the_whole_report_from_the_command_line(data: Path, model: Path, evaluator: Path, tmp_path: Path, capsys):
    small = ("--repeats", 2, "--curve-clips", 32, "--body-clips", 6)
    small += ("--multimodality-texts", 4, "--multimodality-samples", 3, "--device", "cpu")
    args = ("evaluate", model, data, "--evaluator", evaluator, *small, "--against", f"twin={model}")
    assert run(*args, "--out", tmp_path / "a") == 0
    shown = capsys.readouterr().out
    assert "| generated | " in shown
    assert "report.md" in shown
    report = json.loads((tmp_path / "a" / "report.json").read_text(encoding="utf-8"))
    assert "not finished" not in report["setting"]
    table = report["figures"]
    assert list(table) == [
        figures.REAL,
        figures.OTHER_REAL,
        figures.RECONSTRUCTED,
        figures.GENERATED,
        figures.RETRIEVED,
    ]
    assert table[figures.REAL]["fid"][0] == pytest.approx(0.0, abs=1e-6)
    assert table[figures.GENERATED]["fid"][0] > table[figures.OTHER_REAL]["fid"][0] > 0
    assert all(0 <= row["top1"][0] <= row["top2"][0] <= row["top3"][0] <= 1 for row in table.values())
    assert table[figures.GENERATED]["top3"][1] >= 0
    assert table[figures.RECONSTRUCTED]["mpjpe"][0] > 0
    curves = {curve["setting"]: curve for curve in report["curves"]}
    assert curves["residual_layers"]["values"] == [0, 1, 2]
    assert {1, 10, 18} <= set(curves["steps"]["values"])
    assert list(report["models"]) == ["tiny", "twin"]
    assert all(row == report["ablations"]["as it is sampled by default"] for row in report["models"].values())
    assert report["ablations"]["reconstruction, 1 codebook"]["mpjpe"] > 0
    assert sorted(report["confusion"]["classes"]) == sorted(CAPTIONS)
    assert np.sum(report["confusion"]["generated"]) == SPLITS["test"]
    assert report["confusion"]["real_accuracy"] > 0.95
    assert {check["name"].split(",")[0] for check in report["body"]} >= {"bone lengths", "foot slide on the ground"}
    text = (tmp_path / "a" / "report.md").read_text(encoding="utf-8")
    assert "| FID | " in text
    pictures = ("steps", "guidance", "residual_layers", "actions", "clips", "seeds", "furthest")
    for picture in (f"{name}.png" for name in pictures):
        assert f"({picture})" in text
        assert (tmp_path / "a" / picture).stat().st_size > 5000

    assert run(*args, "--out", tmp_path / "b", "--parts", "figures") == 0
    again = json.loads((tmp_path / "b" / "report.json").read_text(encoding="utf-8"))
    assert again["figures"] == table
    assert again["curves"] == again["body"] == []
    assert run(*args, "--out", tmp_path / "c", "--parts", "figures", "--seed", 1) == 0
    other = json.loads((tmp_path / "c" / "report.json").read_text(encoding="utf-8"))
    assert other["figures"][figures.GENERATED] != table[figures.GENERATED]


def test_what_is_finished_outlives_a_run_that_is_cut_off(data, model, evaluator, tmp_path, monkeypatch):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "action_confusion", interrupt)
    small = ("--repeats", 1, "--multimodality-texts", 0, "--device", "cpu", "--parts", "figures", "actions", "bodies")
    with contextlib.suppress(KeyboardInterrupt):
        run("evaluate", model, data, "--evaluator", evaluator, "--out", tmp_path, *small)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["figures"][figures.GENERATED]["fid"][0] > 0
    assert (report["confusion"], report["body"]) == (None, [])
    assert report["setting"]["not finished"] == "actions, bodies"
    assert "- not finished: actions, bodies" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--repeats", 0), "repeats is 0; at least 1"),
        (("--clips", 31), "clips is 31; at least 32"),
        (("--split", "val"), "8 clips; R-precision needs at least 32"),
        (("--split", "nope"), "no clips in split 'nope'"),
        (("--evaluator", "/nowhere"), "motionbridge train evaluator"),
        (("--against", "tiny=elsewhere"), "two models are called 'tiny'; give --against NAME=FOLDER with another NAME"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_a_line(data, model, evaluator, tmp_path, capsys, options, said):
    args = ("evaluate", model, data, "--evaluator", evaluator, "--out", tmp_path, "--device", "cpu", *options)
    assert run(*args) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_features_are_those_that_the_engine_solves(model: Path):
    engine, generator = load_engine(model, "cpu"), load_generator(model, "cpu")
    asked = [("a person walks", 10, 5), ("a person bows", 12, 6), ("stands still", 10, 7)]
    made = generator.make([Wanted(*one) for one in asked])
    solved = engine.generate([MotionRequest(text, frames=4 * tokens, seed=seed) for text, tokens, seed in asked])
    for features, motion in zip(made, solved, strict=True):
        np.testing.assert_allclose(features, motion.features, atol=1e-5)


def test_a_batch_changes_nothing(model: Path):
    generator = load_generator(model, "cpu")
    asked = [Wanted("a person walks", 9 + n % 3, n) for n in range(7)]
    together = generator.make(asked)
    for one, features in zip(asked, together, strict=True):
        np.testing.assert_allclose(generator.make([one])[0], features, atol=1e-5)
    assert not np.allclose(together[0], together[3])


def test_a_reconstruction_uses_as_many_codebooks_as_asked(judge: Judge, model: Path):
    generator = load_generator(model, "cpu")
    made = []
    motions = [one.features for one in judge.examples(0, 8)]
    for layers in (1, 3):
        made.append(figures.joint_error(motions, generator.reconstruct(motions, layers), judge.test.layout))
    assert figures.joint_error(motions, motions, judge.test.layout) == 0
    assert made[0] != made[1]


def test_examples_are_whole_tokens_and_every_clip_comes_once(judge: Judge):
    examples = judge.examples(0)
    assert sorted(one.clip for one in examples) == list(range(SPLITS["test"]))
    assert all(len(one.features) == 4 * one.tokens for one in examples)
    for one in examples:
        clip = judge.test.clips[one.clip]
        assert len(clip.features) // 4 - one.tokens in (0, 1)
        assert one.caption in clip.captions
        places = np.flatnonzero((clip.features == one.features[0]).all(axis=1))
        np.testing.assert_array_equal(clip.features[places[0] :][: len(one.features)], one.features)
    shorter = sum(len(judge.test.clips[o.clip].features) // 4 > o.tokens for r in range(20) for o in judge.examples(r))
    assert shorter / (20 * SPLITS["test"]) == pytest.approx(1 / 3, abs=0.05)
    assert [one.clip for one in examples] != [one.clip for one in judge.examples(1)]


def test_retrieval_finds_the_caption_itself_and_its_clips(judge: Judge, model: Path):
    retrieval = Retrieval(load_generator(model, "cpu"), judge.train)
    assert retrieval.nearest(["a person bows", "a person walks"]) == ["a person bows", "a person walks"]
    random = np.random.default_rng(0)
    motions = retrieval.make(["a person bows"] * 40, random)
    bows = [clip.features for clip in judge.train.clips if clip.action == "bow"]
    own = [next(i for i, bow in enumerate(bows) if np.array_equal(bow[: len(motion)], motion)) for motion in motions]
    assert len(Counter(own)) > 5


def test_spread_within_groups():
    embeddings = np.array([[0.0, 0], [3, 4], [10, 0], [10, 2], [50, 50]])
    assert figures.group_spread(["a", "a", "b", "b", "c"], embeddings) == pytest.approx((5 + 2) / 2)
    assert figures.group_spread(["a", "b", "c", "d", "e"], embeddings) is None


def test_curves_go_through_the_models_own_setting_and_nothing_is_made_twice(judge: Judge, model: Path):
    generator = load_generator(model, "cpu")
    shipped = replace(generator.sampling, residual_layers=2)
    curves = curve_samplings(generator)
    assert (
        curves["steps"][shipped.steps]
        == curves["guidance"][shipped.guidance]
        == curves["residual_layers"][2]
        == shipped
    )
    changes = ablation_samplings(generator)
    assert "with all residual layers" not in changes
    assert changes["one shot, no re-masking"].steps == 1
    counted: list[int] = []
    rows = SampledRows(judge, generator, 32, counted.append)
    rows.curves()
    rows.ablations()
    assert sum(counted) == 32 * planned(generator, curves=True, ablations=True)
    assert planned(generator, curves=True, ablations=True, shipped=True) == sum(counted) / 32
    assert planned(generator, curves=False, ablations=False, shipped=True) == 1


def test_sampling_is_what_is_asked_for(judge: Judge, model: Path):
    generator = load_generator(model, "cpu")
    asked = [Wanted("a person walks", 10, 1)]
    cold = Sampling(temperature=0.0, residual_temperature=0.0, residual_layers=1)
    one, same = generator.make(asked, cold)[0], generator.make([replace(asked[0], seed=9)], cold)[0]
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, generator.make(asked, replace(cold, residual_layers=0))[0])


def test_generated_row_is_of_all_clips_and_multimodality_of_one_text(judge: Judge, model: Path):
    counted: list[int] = []
    kept: list[np.ndarray] = []
    row = figures.generated_row(
        judge, load_generator(model, "cpu"), 0, Size(1, 3, 4), progress=counted.append, keep=kept
    )
    assert sum(counted) == SPLITS["test"] + 12
    assert [len(one) for one in kept] == [len(one.features) for one in judge.examples(0)]
    assert 0 < row["multimodality"] < row["diversity"] * 3


def test_texts_that_describe_a_motion_are_no_negatives():
    torch.manual_seed(0)
    texts, motions = (torch.nn.functional.normalize(torch.randn(4, 5), dim=-1) for _ in range(2))
    same = torch.eye(4, dtype=torch.bool)
    same[0, 2] = same[2, 0] = True
    expected = []
    for a, b, table in ((texts, motions, same), (motions, texts, same.T)):
        for row in range(4):
            others = [c for c in range(4) if c == row or not table[row, c]]
            logits = torch.stack([7.0 * a[row] @ b[c] for c in others])
            expected.append(logits.logsumexp(0) - 7.0 * a[row] @ b[row])
    found = contrastive_loss(texts, motions, torch.tensor(7.0), same)
    assert float(found) == pytest.approx(float(torch.stack(expected).mean()))
    assert float(found) < float(contrastive_loss(texts, motions, torch.tensor(7.0), torch.eye(4, dtype=torch.bool)))


def test_padding_does_not_reach_an_embedding(judge: Judge):
    motions = [one.features for one in judge.examples(0, 6)]
    together = judge.evaluator.motions(motions)
    alone = np.concatenate([judge.evaluator.motions([motion]) for motion in motions])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)


def test_an_evaluator_of_other_data_is_refused(evaluator: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match="takes 263 channels, the data has 251"):
        load_evaluator(evaluator, 251)
    with pytest.raises(CheckpointError, match="holds no evaluator"):
        load_evaluator(tmp_path, 263)


def test_names_of_actions():
    assert action_of("dataset-2_walk-turn-left_tired") == "walk-turn-left"
    assert action_of("walk_tired") == "walk"
    assert action_of("000123") == "000123"
    assert mirrored_name("dataset-2_wave-left-hand_active") == "dataset-2_wave-right-hand_active"


def test_a_split_that_is_not_there(data: Path, tmp_path: Path):
    with pytest.raises(EvaluationDataError, match="not a dataset prepared by"):
        load_split(tmp_path, "test")
    assert len(load_split(data, "test", limit=7).clips) == 7
    first, second = (load_split(data, "test", limit=7, seed=seed).clips for seed in (0, 1))
    assert [clip.clip_id for clip in first] != [clip.clip_id for clip in second]
