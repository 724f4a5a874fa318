"""Distillation of the text tower: corpus, vocabulary, batches, loss, and a whole run with a small teacher."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from server.models.text import SPECIAL_TOKENS, build_tokenizer, load_embedded_text
from server.training.distill import (
    DistillConfig,
    SentenceBatches,
    build_corpus,
    distill,
    distillation_loss,
    make_batches,
    principal_embeddings,
    prune_vocabulary,
)
from server.training.text_corpus import MovementSentences, distinct, gerund, misspell, third_person
from server.training.text_evaluation import clip_action, read_captions
from server.training.text_labels import NO_KIND
from server.training.text_teacher import teacher_vectors
from server.training.train_config import TrainConfig, TrainingError

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
WORDS = ("person", "walks", "walking", "waves", "left", "right", "bows", "forward", "happily", "sadly", "runs", "hand")
VOCABULARY = (
    *SPECIAL_TOKENS,
    *LETTERS,
    *("##" + letter for letter in LETTERS),
    ".",
    "!",
    *WORDS,
    "\u4f60",
    "[unused1]",
)


class WordTeacher:
    """A sentence is the normalised sum of its words' random vectors."""

    name = "words"

    def __init__(self) -> None:
        self.calls = 0
        self._table = torch.randn(len(VOCABULARY), 24, generator=torch.Generator().manual_seed(0))
        self._tokenizer = build_tokenizer(VOCABULARY, 48)

    def vocabulary(self) -> Mapping[str, int]:
        return {token: index for index, token in enumerate(VOCABULARY)}

    def word_embeddings(self) -> Tensor:
        return self._table

    def embed(self, texts: Sequence[str]) -> Tensor:
        self.calls += 1
        encodings = self._tokenizer.encode_batch(list(texts))
        return F.normalize(torch.stack([self._table[[i for i in e.ids if i]].sum(dim=0) for e in encodings]), dim=-1)


CONFIG = DistillConfig(
    movement=300,
    general=60,
    vocabulary=70,
    width=16,
    heads=2,
    layers=1,
    chunk=100,
    window=64,
    train=TrainConfig(
        steps=60, batch_size=32, lr=1e-2, warm_up=5, validate_every=30, ema_decay=0.9, device="cpu", threads=1
    ),
)


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    rows = {
        "bandai_dataset-1_walk_sad_001_w0": ("train", ["a person walks sadly", "walking left"]),
        "bandai_dataset-1_bow_sad_001_w0": ("train", ["a person bows", "a person walks sadly"]),
        "bandai_dataset-1_run_sad_001_w0": ("val", ["a person runs", "a person bows"]),
        "cmu_60_02_w2": ("test", ["a person waves the right hand"]),
    }
    captions, clips = tmp_path / "captions.jsonl", tmp_path / "clips.csv"
    captions.write_text("".join(json.dumps({"clip_id": k, "captions": v[1]}) + "\n" for k, v in rows.items()))
    files = {k: f"{k.removeprefix('bandai_').rpartition('_')[0]}.bvh" for k in rows}
    clips.write_text("clip_id,file,split\n" + "".join(f"{k},{files[k]},{v[0]}\n" for k, v in rows.items()))
    return captions, clips


def test_captions_of_a_split_know_their_actions(data: tuple[Path, Path]) -> None:
    table = read_captions(*data, frozenset({"train"}))
    assert table.actions == {
        "a person walks sadly": {"walk", "bow"},
        "walking left": {"walk"},
        "a person bows": {"bow"},
    }
    assert clip_action("cmu_60_02_w2") == "cmu_60"


def test_missing_or_empty_captions_are_named(data: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no file .*none\.jsonl"):
        read_captions(tmp_path / "none.jsonl", data[1], frozenset({"train"}))
    with pytest.raises(TrainingError, match="no caption of a extra clip"):
        read_captions(*data, frozenset({"extra"}))


def test_corpus_is_seeded_distinct_and_has_twins() -> None:
    captions = ["walk", "a person walks left"]
    corpus = build_corpus(captions, WORDS, CONFIG)
    assert corpus == build_corpus(captions, WORDS, CONFIG)
    assert corpus.texts[:2] == captions
    assert len(set(corpus.texts)) == len(corpus.texts) == 362
    twins = corpus.sentences[len(corpus.texts) :]
    assert [index for _, index in twins[:4]] == [0, 0, 1, 1], "every caption has a twin for each of `slips`"
    assert 20 < len(twins) < 80
    assert all(abs(len(text) - len(corpus.texts[index])) <= 2 for text, index in twins)
    assert build_corpus(captions, WORDS, replace(CONFIG, seed=1)) != corpus


def test_generated_sentences_leave_no_slot_open_and_are_rich() -> None:
    sentences = distinct(MovementSentences(random.Random(0)).draw, 2000, set())
    assert len(sentences) == 2000
    assert not [text for text in sentences if "{" in text or "  " in text or text != text.strip()]
    for word in ("left", "right", "waving", "waves", "tired", "backwards", "bows", "exhausted", "dances"):
        assert any(word in text for text in sentences), word


@pytest.mark.parametrize(
    ("verb", "third", "ing"),
    [
        ("wave", "waves", "waving"),
        ("run", "runs", "running"),
        ("carry", "carries", "carrying"),
        ("die", "dies", "dying"),
        ("go", "goes", "going"),
        ("punch", "punches", "punching"),
        ("bow", "bows", "bowing"),
        ("flee", "flees", "fleeing"),
        ("creep", "creeps", "creeping"),
        ("play", "plays", "playing"),
    ],
)
def test_inflection(verb: str, third: str, ing: str) -> None:
    assert (third_person(verb), gerund(verb)) == (third, ing)


def test_a_sentence_without_letters_cannot_be_misspelt() -> None:
    assert misspell("1 2 3", random.Random(0)) == "1 2 3"
    assert misspell("walk", random.Random(0)) != "walk"
    assert len({misspell("walk", random.Random(1), slips) for slips in (1, 2, 3)}) == 3


def test_draws_stop_when_nothing_new_comes() -> None:
    assert distinct(lambda: "same", 10, set()) == ["same"]


def test_vocabulary_keeps_letters_and_needed_words_first() -> None:
    kept = prune_vocabulary(WordTeacher().vocabulary(), 61, frozenset({"hand"}))
    assert tuple(kept[:4]) == SPECIAL_TOKENS
    assert len(kept) == 61
    assert {"a", "##z", ".", "hand", "person", "walks"} < set(kept)
    assert not {"runs", "\u4f60", "[unused1]"} & set(kept)
    with pytest.raises(ValueError, match="vocabulary is 20; the captions need 59"):
        prune_vocabulary(WordTeacher().vocabulary(), 20, frozenset({"hand"}))


def test_principal_embeddings_keep_what_varies_most() -> None:
    weights = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0, 8, 1e-3, 1e-3, 0, 0])
    projected = principal_embeddings(weights + 5, 2)
    centred = weights - weights.mean(dim=0)
    torch.testing.assert_close(
        F.normalize(projected) @ F.normalize(projected).T,
        F.normalize(centred) @ F.normalize(centred).T,
        atol=1e-3,
        rtol=0,
    )
    assert projected.std() == pytest.approx(0.1)


def test_teacher_is_asked_once_for_every_chunk(tmp_path: Path) -> None:
    teacher, texts = WordTeacher(), ["walks", "a", "person walks", "bows!", "left"]
    vectors = teacher_vectors(teacher, texts, tmp_path, chunk=2)
    assert teacher.calls == 3
    torch.testing.assert_close(vectors.float(), teacher.embed(texts), atol=1e-3, rtol=0)
    next(tmp_path.iterdir()).unlink()
    assert torch.equal(teacher_vectors(teacher, texts, tmp_path, chunk=2), vectors)
    assert teacher.calls == 5
    with pytest.raises(TrainingError, match="no text"):
        teacher_vectors(teacher, [], tmp_path, chunk=2)


def test_batches_pair_mirror_images_and_depend_on_the_generator_only() -> None:
    corpus = build_corpus(["walking left", "walking right", "a person bows"], WORDS, CONFIG)
    targets = WordTeacher().embed(corpus.texts)
    tokenizer = build_tokenizer(VOCABULARY[:-2], 48)
    batches = make_batches(corpus, targets, {"walking left": 0, "a person bows": 1}, tokenizer, CONFIG)
    kinds = {
        corpus.texts[target]: kind
        for target, kind in zip(batches.target_of.tolist(), batches.kind_of.tolist(), strict=True)
    }
    assert {text: kinds[text] for text in corpus.texts[:4]} == {
        "walking left": 0,
        "walking right": NO_KIND,
        "a person bows": 1,
        corpus.texts[3]: NO_KIND,
    }
    row = next(i for i, target in enumerate(batches.target_of.tolist()) if corpus.texts[target] == "walking left")
    assert corpus.texts[int(batches.target_of[batches.partner[row]])] == "walking right"
    batch = batches.draw(3, torch.Generator().manual_seed(1))
    again = batches.draw(3, torch.Generator().manual_seed(1))
    assert batch["ids"].shape[0] == batch["target"].shape[0] == 32
    assert torch.equal(batch["ids"], again["ids"])
    assert (batch["ids"][:, -1] != 0).any(), "a batch is no longer than its longest sentence"


def test_loss_is_zero_at_the_teacher_and_each_term_sees_its_fault() -> None:
    teacher = F.normalize(torch.randn(16, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert distillation_loss(teacher, teacher, CONFIG)["loss"] == pytest.approx(0.0, abs=1e-5)
    turned = distillation_loss(-teacher, teacher, CONFIG)
    assert turned["cosine"] == pytest.approx(2.0, abs=1e-5)
    assert turned["relational"] == pytest.approx(0.0, abs=1e-5)
    assert turned["neighbour"] == pytest.approx(2.0, abs=1e-5)
    collapsed = distillation_loss(teacher[:1].expand(16, 8), teacher, CONFIG)
    assert collapsed["relational"] > 0.5


def test_a_run_learns_exports_and_reports(data: tuple[Path, Path], tmp_path: Path) -> None:
    teacher = WordTeacher()
    untrained = distill(teacher, *data, tmp_path / "none", replace(CONFIG, train=replace(CONFIG.train, steps=1)))
    report = distill(teacher, *data, tmp_path / "run", CONFIG)
    assert report["held_out_cosine"] > untrained["held_out_cosine"] + 0.2
    assert (
        json.loads((tmp_path / "run" / "text_report.json").read_text())["held_out_cosine"] == report["held_out_cosine"]
    )
    encoder = load_embedded_text(tmp_path / "run" / "export")
    texts = ["a person runs", "a person waves the right hand"]
    assert (encoder.encode(texts) * teacher.embed(texts)).sum(dim=-1).mean() > 0.5


def test_a_finished_run_is_not_trained_again(data: tuple[Path, Path], tmp_path: Path) -> None:
    config = replace(CONFIG, train=replace(CONFIG.train, steps=2))
    first = distill(WordTeacher(), *data, tmp_path / "run", config)
    assert distill(WordTeacher(), *data, tmp_path / "run", config) == first


def test_a_mirror_image_is_in_the_batch_of_its_sentence() -> None:
    ids = torch.arange(1, 7, dtype=torch.int16).reshape(6, 1)
    partner = torch.tensor([1, 0, 3, 2, 5, 4])
    six = torch.arange(6)
    batches = SentenceBatches(ids, torch.ones(6, dtype=torch.int64), torch.eye(6), six, six + 10, partner, 8, 6)
    batch = batches.draw(0, torch.Generator().manual_seed(0))
    chosen = batch["ids"][:, 0] - 1
    assert torch.equal(chosen[4:], partner[chosen[:4]])
    assert torch.equal(batch["kind"], chosen + 10)
