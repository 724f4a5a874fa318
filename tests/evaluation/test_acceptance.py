"""The acceptance benchmark: its sentences, its judgement and its report."""

import json
from pathlib import Path

import bodies
import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from server.evaluation.actions import RULES
from server.evaluation.measures import measure
from server.evaluation.quality import Quality
from server.evaluation.styles import STYLES
from tests.benchmarks import acceptance, wordings
from tests.benchmarks.acceptance import (
    Outcome,
    action_report,
    opinion_report,
    quality_report,
    shows_both,
    style_of,
    style_report,
)
from tests.benchmarks.action_table import Measured
from tests.benchmarks.real_clips import RealClip
from tests.benchmarks.second_opinion import learn_actions

CAPTIONS = Path(__file__).parents[2] / ".." / "shared" / "data" / "captions.jsonl"
TABLES = (wordings.ACTIONS, wordings.WALKS)
SENTENCES = [text for table in TABLES for texts in table.values() for text in texts]
HELD_OUT = [*SENTENCES, *wordings.SEQUENCES, *wordings.BEYOND]


def outcome(asked: str, text: str, positions: np.ndarray, *shown: str) -> Outcome:
    return Outcome(asked, text, 0, positions, measure(positions, bodies.FPS), shown)


def test_every_action_and_style_has_at_least_six_sentences_of_its_own():
    assert list(wordings.ACTIONS) == list(RULES)
    assert set(wordings.WALKS) == set(STYLES) - {"normal"}
    assert all(len(texts) >= 6 for table in TABLES for texts in table.values())
    assert len({text.lower() for text in SENTENCES}) == len(SENTENCES) >= 150
    assert all(rule in RULES for pair in wordings.SEQUENCES.values() for rule in pair)


@pytest.mark.skipif(not CAPTIONS.is_file(), reason="the training captions (shared/data) are not here")
def test_no_sentence_is_a_training_caption():
    lines = CAPTIONS.read_text(encoding="utf-8").splitlines()
    captions = {text.lower().strip(" .!") for line in lines for text in json.loads(line)["captions"]}
    assert not [text for text in HELD_OUT if text.lower().strip(" .!") in captions]


def test_the_report_counts_passes_and_says_what_happened_instead():
    rows = action_report(
        [
            outcome("bow", "bow deep", bodies.bow(), "bow"),
            outcome("bow", "bow low", bodies.stand(), "stand"),
            outcome("bow", "bow low", bodies.bow(rise=False)),
        ]
    )
    row = next(row for row in rows if row.startswith("| bow "))
    assert "| 1/3 33% |" in row
    assert "stand 1, nothing known 1" in row
    assert "bend 1, bend_end 1" in row
    assert "“bow low” 2" in row
    assert rows[-1].startswith("| all | 1/3 33% |")


def test_lacking_is_of_the_nearest_alternative():
    rows = action_report([outcome("wave", "wave", bodies.raise_hands("left"), "raise", "raise left")])
    row = next(row for row in rows if row.startswith("| wave "))
    assert "| left_hand.swings 1 |" in row


def test_only_a_walk_has_a_style():
    assert style_of(measure(bodies.stand(), bodies.FPS)) == []
    assert style_of(measure(bodies.walk(), bodies.FPS))[0] in STYLES
    rows = style_report([outcome("old", "old", bodies.stand()), outcome("old", "old", bodies.walk(), "old")])
    assert rows[-1] == "| old | 1/2 50% | no walk 1 | “old” 1 |"


def test_the_quality_of_real_clips_is_shown_where_there_are_any():
    made, real = Quality(0.2, 0.0, 0.01, 40.0), Quality(0.1, 0.0, 0.0, 20.0)
    assert quality_report([made], [])[0] == "| mean | generated |"
    assert "| foot_slide | 0.2 | 0.1 |" in quality_report([made], [real])


def test_two_actions_must_come_in_their_order():
    walk, wave = bodies.walk(), bodies.raise_hands("left", wave=0.4)
    both = np.concatenate([walk, wave + walk[-1, :1] * np.array([1.0, 0.0, 1.0])])
    assert shows_both(both, bodies.FPS, "walk", "wave")
    assert not shows_both(both, bodies.FPS, "wave", "walk")
    assert not shows_both(walk, bodies.FPS, "walk", "wave")
    assert not shows_both(walk[:20], bodies.FPS, "walk", "walk")


def measured(action: str, number: int, positions: np.ndarray) -> Measured:
    own = frozenset({action, action.split()[0]})
    clip = RealClip(f"{action}{number}", f"{action}{number // 2}", action, positions, own, frozenset(), "", False)
    return Measured(clip, measure(positions, bodies.FPS), frozenset())


def test_the_classifier_is_asked_beside_the_rules():
    real = [measured("wave left", n, bodies.raise_hands("left", wave=0.3 + 0.04 * n)) for n in range(6)]
    real += [measured("wave right", n, bodies.raise_hands("right", wave=0.3 + 0.04 * n)) for n in range(6)]
    real += [measured("bow", n, bodies.bow(degrees=35.0 + 5 * n)) for n in range(6)]
    real += [measured("kick", 0, bodies.kick())]
    opinion = learn_actions(real)
    assert opinion.accuracy == 1.0
    left, bow = bodies.raise_hands("left", wave=0.45), bodies.bow(degrees=52.0)
    made = [outcome(asked, asked, motion) for asked, motion in (("wave", left), ("wave right", left), ("bow", bow))]
    rows = opinion_report([*made, outcome("kick", "kick", bow)], opinion)
    assert rows[2:] == [
        "| wave | 1/1 100% | 12/12 100% |",
        "| wave right | 0/1 0% | 6/6 100% |",
        "| bow | 1/1 100% | 6/6 100% |",
        "| kick | too few recordings | |",
        "| all | 2/3 67% | 100% |",
    ]


def test_a_model_is_judged_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bundle = write_tiny_bundle(tmp_path / "tiny")
    acceptance.main(["--model", str(bundle), "--device", "cpu", "--seeds", "3", "--only", "bow"])
    printed = capsys.readouterr().out
    assert "| bow | 0/21 0% |" in printed
    assert "| jerk |" in printed


def test_a_bad_number_of_seeds_is_named(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        acceptance.main(["--seeds", "0"])
    assert "--seeds is 0; it must be at least 1" in capsys.readouterr().err
