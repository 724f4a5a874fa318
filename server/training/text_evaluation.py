"""How well a text tower stands in for its teacher: cosines, and whether it takes a wording for the same action."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from server.models.text import EmbeddedTextEncoder, encode_all
from server.training.text_probes import PROBES
from server.training.text_teacher import Teacher, teacher_vectors
from server.training.trainer import TrainingError


@dataclass(frozen=True)
class CaptionTable:
    """Distinct captions of some splits, each with the actions of the clips that it describes."""

    actions: Mapping[str, frozenset[str]]

    @property
    def texts(self) -> list[str]:
        """The captions, sorted."""
        return sorted(self.actions)


def read_captions(captions: Path, clips: Path, splits: frozenset[str]) -> CaptionTable:
    """Captions (JSONL: clip_id, captions) of the clips (CSV: clip_id, split) that are in ``splits``.

    A clip's action is the part of its id before the take, style and window, such as "walk-turn-left".
    """
    for path in (captions, clips):
        if not path.is_file():
            raise TrainingError(f"there is no file {path}; give the captions' .jsonl and the clips' .csv")
    with clips.open(newline="", encoding="utf-8-sig") as file:
        wanted = {row["clip_id"] for row in csv.DictReader(file) if row["split"] in splits}
    actions: dict[str, set[str]] = {}
    with captions.open(encoding="utf-8-sig") as lines:
        for line in lines:
            row = json.loads(line)
            if row["clip_id"] in wanted:
                for text in row["captions"]:
                    actions.setdefault(text, set()).add(clip_action(row["clip_id"]))
    if not actions:
        raise TrainingError(f"{captions} has no caption of a {'/'.join(sorted(splits))} clip of {clips}")
    return CaptionTable({text: frozenset(names) for text, names in actions.items()})


def clip_action(clip_id: str) -> str:
    """The action named by an id such as "bandai_dataset-2_walk-turn-left_normal_008_w0", else the source's subject."""
    parts = clip_id.split("_")
    return parts[2] if len(parts) > 4 else "_".join(parts[:2])


def nearest_actions(vectors: Tensor, references: Tensor, table: CaptionTable) -> list[frozenset[str]]:
    """Actions of the caption of ``table`` (its ``texts`` in order, vectors (N, dim)) nearest to each of (B, dim)."""
    texts = table.texts
    return [table.actions[texts[index]] for index in (vectors @ references.T).argmax(dim=-1).tolist()]


def share_alike(first: Sequence[frozenset[str]], second: Sequence[frozenset[str]]) -> float:
    """Share of the places at which two lists have an action in common."""
    return sum(bool(a & b) for a, b in zip(first, second, strict=True)) / len(first)


@dataclass(frozen=True)
class Evaluation:
    """Held-out captions and hand-written wordings with the teacher's vectors, against which a tower is measured."""

    table: CaptionTable
    table_vectors: Tensor
    held_out: list[str]
    held_out_vectors: Tensor
    probe_vectors: Tensor

    @classmethod
    def prepare(cls, teacher: Teacher, table: CaptionTable, held_out: list[str], folder: Path) -> Evaluation:
        """Embed the wordings that nobody trains on, and all the captions to look them up among."""
        texts = [table.texts, held_out, [text for text, _ in PROBES]]
        vectors = [teacher_vectors(teacher, part, folder, max(len(part), 1)).float() for part in texts]
        return cls(table, vectors[0], held_out, vectors[1], vectors[2])

    def measure(self, encoder: EmbeddedTextEncoder) -> dict[str, float]:
        """Cosines to the teacher, and how often the nearest caption is of the same action as the teacher's nearest."""
        references = encode_all(encoder, self.table.texts)
        sets = {
            "held_out": (self.held_out, self.held_out_vectors),
            "probe": ([t for t, _ in PROBES], self.probe_vectors),
        }
        report: dict[str, float] = {}
        for name, (texts, target) in sets.items():
            vectors = encode_all(encoder, texts)
            cosine = (vectors * target).sum(dim=-1)
            ours = nearest_actions(vectors, references, self.table)
            theirs = nearest_actions(target, self.table_vectors, self.table)
            report |= {
                f"{name}_cosine": float(cosine.mean()),
                f"{name}_worst": float(cosine.min()),
                f"{name}_agreement": share_alike(ours, theirs),
            }
        for name, found in (("student", ours), ("teacher", theirs)):
            report[f"probe_{name}_right"] = share_alike([wanted for _, wanted in PROBES], found)
        report["loss"] = 2 - report["held_out_cosine"] - report["probe_cosine"]
        return report
