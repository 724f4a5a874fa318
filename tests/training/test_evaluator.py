"""The evaluator's stage: it learns to tell motions apart by their captions, resumes, and leaves a folder that loads."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from tiny_bundle import write_tiny_bundle
from tiny_data import CAPTIONS, write_tiny_data

from server import cli
from server.evaluation import metrics
from server.evaluation.data import Caption, load_split
from server.evaluation.evaluators import load_evaluator
from server.training.dataset import MotionDataset
from server.training.evaluator import EVALUATOR_TRAINING, CaptionTable, PairBatches, train_evaluator


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_data(tmp_path_factory.mktemp("data"))


def encode(texts: list[str]) -> torch.Tensor:
    """Vectors that say which words a text has."""
    words = ("walks", "bows", "waves", "then")
    return torch.tensor([[float(word in text) for word in words] for text in texts])


def test_it_learns_and_what_it_leaves_loads(data: Path, tmp_path: Path):
    text = write_tiny_bundle(tmp_path / "text")
    config = replace(EVALUATOR_TRAINING, steps=60, batch_size=12, warm_up=5, validate_every=30, device="cpu")
    result = train_evaluator(data, tmp_path / "run", config, text, encode)
    assert result.finished
    assert result.metrics["top1"] > 0.9
    exported = tmp_path / "run" / "evaluator" / "export"
    assert {path.name for path in exported.iterdir()} >= {"evaluator.json", "evaluator.safetensors", "text.safetensors"}
    again = train_evaluator(data, tmp_path / "run", config, text, encode)
    assert again.step == 60


def test_motion_of_an_action_is_nearest_to_its_text(data: Path, tmp_path: Path):
    run = tmp_path / "run"
    tower = write_tiny_bundle(tmp_path / "tower")
    (run / "text").mkdir(parents=True)
    tower.rename(run / "text" / "export")
    args = ("train", "evaluator", data, run, "--steps", 80, "--batch-size", 16, "--device", "cpu")
    assert cli.main([str(part) for part in args]) == 0
    evaluator = load_evaluator(run / "evaluator" / "export", 263)
    test = load_split(data, "test")
    motions = evaluator.motions([clip.features[: len(clip.features) // 4 * 4] for clip in test.clips])
    texts = evaluator.texts([Caption(texts[0]) for texts in CAPTIONS.values()])
    nearest = metrics.distances(motions, texts).argmin(axis=1)
    right = [list(CAPTIONS)[row] == clip.action for row, clip in zip(nearest, test.clips, strict=True)]
    assert np.mean(right) > 0.9


def test_batches_say_which_texts_describe_which_motions(data: Path):
    dataset = MotionDataset(data, "train")
    captions = CaptionTable.of([clip.captions for clip in dataset.clips], encode)
    batches = PairBatches(dataset, captions, 24)
    chosen = torch.arange(24)
    batch = batches.pairs(chosen, torch.rand(24, 3, generator=torch.Generator().manual_seed(0)))
    kinds = [dataset.clips[index].captions for index in range(24)]
    expected = torch.tensor([[kinds[row] == kinds[column] for column in range(24)] for row in range(24)])
    assert torch.equal(batch.same, expected)
    assert (batch.lengths % 4 == 0).all()
    for row, length in enumerate(batch.lengths.tolist()):
        whole = len(dataset.motion(row))
        assert 0.75 * whole - 4 <= length <= whole
        assert (batch.motion[row, length:] == 0).all()
        assert (batch.motion[row, :length] != 0).any(dim=1).all()
        assert any(torch.equal(batch.texts[row], encode([text])[0]) for text in kinds[row])
    alike = PairBatches(dataset, captions, 24, kinds=torch.zeros(len(dataset.clips), dtype=torch.int64))
    assert alike.pairs(chosen, torch.rand(24, 3)).same.all()
    again = batches.draw(3, torch.Generator().manual_seed(5)), batches.draw(3, torch.Generator().manual_seed(5))
    assert all(torch.equal(*parts) for parts in zip(*again, strict=True))
