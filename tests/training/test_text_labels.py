"""Which clips a sentence describes, and a tower that learns it where its teacher says nothing of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from server.training.captions import CaptionSet
from server.training.dataset import DatasetError
from server.training.text_labels import KindHead, KindTable, captions_by_kind

CLIPS = """clip_id,file,split
walk_tired_01_w0,mocap/walk_tired_01.bvh,train
walk_tired_02_w0,mocap/walk_tired_02.bvh,train
wave-left_01_w0,mocap/wave-left_01.bvh,train
run_01_w0,mocap/run_01.bvh,test
"""
CAPTIONS = {
    "walk_tired_01_w0": ["a person walks"],
    "walk_tired_02_w0": ["he trudges"],
    "wave-left_01_w0": ["she waves the left hand", "a person walks"],
    "run_01_w0": ["a person runs"],
}


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    captions, clips = tmp_path / "captions.jsonl", tmp_path / "clips.csv"
    captions.write_text("".join(json.dumps({"clip_id": k, "captions": v}) + "\n" for k, v in CAPTIONS.items()))
    clips.write_text(CLIPS)
    return captions, clips


def test_captions_have_the_groups_of_their_clips_and_mirror_images_the_mirrored(data: tuple[Path, Path]) -> None:
    sets = [CaptionSet(("walk_tired_02*",), ("dog-tired",)), CaptionSet(("@standing",), ("nothing at all",))]
    found = captions_by_kind(*data, {"train"}, sets)
    walk, wave = {"walk_tired", "walk_tired_mirrored"}, {"wave-left", "wave-left_mirrored"}
    assert found == {
        "a person walks": walk | wave,
        "he trudges": walk,
        "she waves the left hand": {"wave-left"},
        "she waves the right hand": {"wave-left_mirrored"},
        "dog-tired": walk,
        "nothing at all": {"@standing", "@standing_mirrored"},
    }


def test_a_pattern_that_describes_nothing_is_named(data: tuple[Path, Path]) -> None:
    with pytest.raises(DatasetError, match="'jump_"):
        captions_by_kind(*data, {"train"}, [CaptionSet(("jump_*",), ("hop",))])


def test_targets_are_uniform_over_the_groups_and_do_not_depend_on_order() -> None:
    kinds = [frozenset({"b", "a"}), frozenset({"c"}), frozenset({"b", "a"})]
    table = KindTable.of(kinds)
    assert table.names == ("a", "b", "c")
    assert table.targets[table.rows[frozenset({"a", "b"})]].tolist() == [0.5, 0.5, 0.0]
    assert torch.equal(KindTable.of(kinds[::-1]).targets, table.targets)


def test_the_head_learns_groups_that_hardly_differ_and_its_loss_ends_at_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]).repeat(8, 1)
    # As the vectors of sentences about movement do, they have nearly all in common.
    vectors = torch.ones(16, 12) + 0.01 * torch.randn(16, 12, generator=generator)
    vectors[::2, 0] += 0.05
    head = KindHead(12, 3)
    before, _ = head.loss(vectors, targets)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss, right = head.loss(vectors, targets)
        loss.backward()
        optimizer.step()
    assert before > 0.3
    assert 0 <= loss < 0.05
    assert right == 1.0
