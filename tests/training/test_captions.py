"""Files of further captions, and which clips they are of."""

from itertools import chain
from pathlib import Path

import pytest

from server.training import captions
from server.training.captions import CaptionSet, captions_of, read_caption_sets
from server.training.dataset import Clip, DatasetError
from tests.benchmarks import dev_wordings
from tests.benchmarks.wordings import ACTIONS, BEYOND, SEQUENCES, WALKS


def test_a_file_is_read_line_by_line(tmp_path: Path):
    path = tmp_path / "captions.jsonl"
    path.write_text(
        '{"clips": ["kick_*", "boot"], "captions": [" he kicks ", "tritt zu: \u00e4"]}\n\n{"clips": ["a"], "captions": ["b"]}\n',
        encoding="utf-8",
    )
    assert read_caption_sets(path) == [
        CaptionSet(("kick_*", "boot"), ("he kicks", "tritt zu: \u00e4")),
        CaptionSet(("a",), ("b",)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"clips": ["a"]}',
        '{"clips": "a", "captions": ["b"]}',
        '{"clips": ["a"], "captions": []}',
        '{"clips": ["a"], "captions": [" "]}',
        '{"clips": [3], "captions": ["b"]}',
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: str):
    path = tmp_path / "captions.jsonl"
    path.write_text('{"clips": ["a"], "captions": ["b"]}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"captions\.jsonl, line 2: expected"):
        read_caption_sets(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"nothing\.jsonl cannot be read"):
        read_caption_sets(tmp_path / "nothing.jsonl")


def test_sides_are_swapped_for_mirrored_clips():
    sets = [CaptionSet(("wave*",), ("wave the left hand",)), CaptionSet(("kick",), ("kick",))]
    clip = Clip("c_mirrored", "wave_left", 0, 40, ())
    assert captions_of(clip, sets) == [("wave the right hand",)]
    assert captions_of(Clip("c", "wave_left", 0, 40, ()), sets) == [("wave the left hand",)]


def test_the_embedded_models_captions_hold_none_of_the_wordings_it_is_judged_by():
    sets = read_caption_sets(Path(captions.__file__).with_name("embedded_captions.jsonl"))
    learnt = {text.lower() for caption_set in sets for text in caption_set.captions}
    assert len(learnt) > 4000
    tables = (ACTIONS, WALKS, dev_wordings.ACTIONS, dev_wordings.WALKS)
    judged = (*chain.from_iterable(chain.from_iterable(table.values()) for table in tables), *SEQUENCES, *BEYOND)
    assert not learnt & {text.lower() for text in judged}
