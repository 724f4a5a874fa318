"""Which clips a sentence describes: what a text tower has to tell apart, beside where its teacher puts a sentence.

A general embedder puts sentences together by what they are about: for it "the boxer lands a hook" is nearer to "the boxer leaves the ring"
than to "his fist flies out". The captions say which sentences ask for the same motion.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.motion.mirror import MIRRORED, mirror_caption
from server.training.captions import CaptionSet, check_patterns
from server.training.dataset import Clip
from server.training.prepare import group_of

Kind = frozenset[str]
"""Names of groups of clips, those of mirrored clips with :data:`~server.motion.mirror.MIRRORED` behind."""
NO_KIND = -1


def captions_by_kind(
    captions: Path, clips: Path, splits: Collection[str], sets: Sequence[CaptionSet]
) -> dict[str, Kind]:
    """Every caption of the clips in ``splits`` and of ``sets``, and their mirror images, with the groups that it describes.

    ``captions`` (JSONL: clip_id, captions) and ``clips`` (CSV: clip_id, file, split) are those of the source data. DatasetError when
    a pattern of ``sets`` describes no clip.
    """
    with clips.open(newline="", encoding="utf-8-sig") as file:
        groups = {row["clip_id"]: group_of(row["file"]) for row in csv.DictReader(file) if row["split"] in splits}
    with captions.open(encoding="utf-8-sig") as lines:
        rows = [row for row in map(json.loads, lines) if row["clip_id"] in groups]
    known = [Clip(row["clip_id"], groups[row["clip_id"]], 0, 0, tuple(row["captions"])) for row in rows]
    check_patterns(sets, known)
    found: dict[str, set[str]] = {}
    for text, described in _described(known, sets):
        found.setdefault(text, set()).update(described)
        found.setdefault(mirror_caption(text), set()).update(name + MIRRORED for name in described)
    return {text: frozenset(names) for text, names in found.items()}


def _described(clips: Sequence[Clip], sets: Sequence[CaptionSet]) -> Iterator[tuple[str, set[str]]]:
    for clip in clips:
        for text in clip.captions:
            yield text, {clip.group}
    for one_set in sets:
        groups = {clip.group for clip in clips if one_set.describes(clip)} or set(one_set.clips)
        for text in one_set.captions:
            yield text, groups


@dataclass(frozen=True)
class KindTable:
    """``targets`` (K, C): for each kind of sentence the groups that it describes, each as likely; ``names`` of the C groups."""

    targets: Tensor
    names: tuple[str, ...]
    rows: Mapping[Kind, int]

    @classmethod
    def of(cls, kinds: Collection[Kind]) -> KindTable:
        """The table of some kinds, in an order that does not depend on theirs."""
        distinct = sorted(set(kinds), key=sorted)
        names = tuple(sorted(frozenset().union(*distinct)))
        targets = torch.tensor([[name in kind for name in names] for kind in distinct], dtype=torch.float32)
        return cls(targets / targets.sum(dim=1, keepdim=True), names, {kind: row for row, kind in enumerate(distinct)})


class KindHead(nn.Module):
    """Tells the groups that sentences describe from their vectors; thrown away after the training."""

    def __init__(self, dim: int, groups: int) -> None:
        super().__init__()
        # Sentences about movement lie close together; spread out, a linear layer can tell them apart.
        self.spread = nn.BatchNorm1d(dim, affine=False)
        self.linear = nn.Linear(dim, groups)

    def loss(self, vectors: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Excess of the cross-entropy over the least possible, and share of the rows whose likeliest group is described.

        ``vectors`` (B, dim), ``targets`` (B, C): of the sentences that have a kind.
        """
        logits = self.linear(self.spread(vectors))
        least = -torch.xlogy(targets, targets).sum(dim=-1).mean()
        right = targets.gather(1, logits.argmax(dim=-1, keepdim=True)) > 0
        return F.cross_entropy(logits, targets) - least, right.float().mean()
