"""The text tower from scratch: it learns what the captions say of the motion, with nothing of the tower it is built like."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from tiny_data import CAPTIONS, write_tiny_data

from server import cli
from server.models.text import (
    SPECIAL_TOKENS,
    EmbeddedTextEncoder,
    TextTowerConfig,
    build_tokenizer,
    build_tower,
    load_embedded_text,
    save_embedded_text,
)
from server.training.dataset import DatasetError
from server.training.text_contrastive import CONTRASTIVE_TRAINING, train_from_scratch, with_twins
from server.training.train_config import TrainingError

LETTERS = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz" for mark in ("", "##")]
WORDS = sorted({word for texts in CAPTIONS.values() for text in texts for word in text.split()} - set(LETTERS))
CONFIG = replace(
    CONTRASTIVE_TRAINING, steps=40, batch_size=12, lr=3e-3, warm_up=5, validate_every=20, ema_decay=0.9, device="cpu"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tower that gives every sentence the same vector: who took its weights would learn nothing quickly."""
    folder = tmp_path_factory.mktemp("pattern")
    vocabulary = [*SPECIAL_TOKENS, *LETTERS, *WORDS]
    config = TextTowerConfig(vocab_size=len(vocabulary), context=16, width=16, heads=2, layers=1, dim=12)
    tower = build_tower(config)
    with torch.no_grad():
        tower.token_embedding.weight.zero_()
        tower.positional_embedding.zero_()
    save_embedded_text(folder, config, tower, build_tokenizer(vocabulary, config.context))
    return folder


def unit_vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    """Vectors of the tower in ``folder``, without its standard."""
    encoder = load_embedded_text(folder)
    return EmbeddedTextEncoder(encoder.config, encoder.tower, encoder.tokenizer, "cpu").encode(texts)


def test_captions_of_one_motion_come_to_lie_together(data: Path, pattern: Path, tmp_path: Path):
    result = train_from_scratch(data, tmp_path / "run", CONFIG, pattern)
    assert result.finished
    assert result.metrics["top1"] > 0.9
    exported = tmp_path / "run" / "text" / "export"
    texts = [text for own in CAPTIONS.values() for text in own]
    own = [name for name, captions in CAPTIONS.items() for _ in captions]
    vectors = unit_vectors(exported, texts)
    nearest = (vectors @ vectors.T).fill_diagonal_(-2).argmax(dim=1).tolist()
    assert [own[at] for at in nearest] == own
    assert load_embedded_text(exported).config == load_embedded_text(pattern).config
    standardised = load_embedded_text(exported).encode(texts)
    assert standardised.mean(dim=0).abs().max() < 0.05
    assert train_from_scratch(data, tmp_path / "run", CONFIG, pattern).step == CONFIG.steps


def test_the_same_seed_gives_the_same_tower(data: Path, pattern: Path, tmp_path: Path):
    config = replace(CONFIG, steps=3, validate_every=0)
    runs = [train_from_scratch(data, tmp_path / name, config, pattern) for name in ("a", "b")]
    assert runs[0].metrics == runs[1].metrics
    other = train_from_scratch(data, tmp_path / "c", replace(config, seed=1), pattern)
    assert other.metrics != runs[0].metrics


def test_another_way_of_training_is_not_gone_on_with(data: Path, pattern: Path, tmp_path: Path):
    train_from_scratch(data, tmp_path / "run", replace(CONFIG, steps=2), pattern)
    wider = tmp_path / "wider"
    config = TextTowerConfig(vocab_size=5, context=16, width=8, heads=2, layers=1, dim=12)
    save_embedded_text(wider, config, build_tower(config), build_tokenizer([*SPECIAL_TOKENS, "a"], 16))
    with pytest.raises(TrainingError, match=r"identity\.tower.*start with fresh"):
        train_from_scratch(data, tmp_path / "run", replace(CONFIG, steps=2), wider)


def test_twins_are_few_and_the_captions_stay():
    captions = [["a person walks"], ["a person bows", "someone bows"]] * 100
    twinned = with_twins(captions, random.Random(0))
    assert all(more[: len(own)] == own for own, more in zip(captions, twinned, strict=True))
    twins = [text for own, more in zip(captions, twinned, strict=True) for text in more[len(own) :]]
    assert 20 < len(twins) < 70
    known = {text for own in captions for text in own}
    assert sum(text not in known for text in twins) > 0.8 * len(twins)


def test_the_command_makes_a_tower_like_the_embedded_one(data: Path, tmp_path: Path):
    run = tmp_path / "run"
    args = ("train", "text", data, run, "--from-scratch", "--steps", 1, "--batch-size", 4, "--device", "cpu")
    assert cli.main([str(part) for part in args]) == 0
    assert load_embedded_text(run / "text" / "export").dim == 384


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["masked", "--from-scratch"], "--from-scratch belongs to train text, not to train masked"),
        (["masked", "--tower", "embedded"], "--tower belongs to train text, not to train masked"),
        (["text", "--from-scratch", "--tower", "embedded"], "give one of them"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model, *rest = options
    assert cli.main(["train", model, str(tmp_path), str(tmp_path / "run"), *rest]) != 0
    assert message in capsys.readouterr().err


def test_a_folder_that_was_not_prepared_is_named(pattern: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match="not a dataset prepared by"):
        train_from_scratch(tmp_path, tmp_path / "run", CONFIG, pattern)
