"""prepare, train and export from the command line, on a made-up folder of motion capture, to a model that generates."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "motion"))
from synthetic import SKELETON, walker
from tiny_bundle import write_tiny_bundle

from server import cli
from server.motion import bvh
from server.training import distill, stages
from server.training.captions import CaptionSet
from server.training.trainer import TrainResult

TAKES = {"turn_left_001": 1.0, "turn_right_001": -1.0, "walk_001": 0.0, "walk_002": 0.2}


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four takes of 4 s at 30 frames per second in the CSV/JSONL form."""
    folder = tmp_path_factory.mktemp("mocap")
    for name, turn in TAKES.items():
        rotations, root = walker(frames=120, turn=turn, fps=30.0)
        bvh.write_bvh(folder / f"{name}.bvh", rotations, root, SKELETON, 30.0)
    splits = ("train", "train", "train", "val")
    write_listing(folder, [(name, f"{name}.bvh", 0, 4, split) for name, split in zip(TAKES, splits, strict=True)])
    return folder


def write_listing(folder: Path, rows: list[tuple], captions: dict[str, list[str]] | None = None) -> None:
    with (folder / "clips.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("clip_id", "file", "start_s", "end_s", "split"), *rows])
    captions = captions or {row[0]: ["a person turns left"] for row in rows}
    lines = [json.dumps({"clip_id": name, "captions": texts}) for name, texts in captions.items()]
    # As Windows editors save it.
    (folder / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8-sig")


def run(*argv: object) -> int:
    return cli.main([str(part) for part in argv])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("motionbridge: ")]
    assert len(lines) == 1
    return lines[0]


def test_from_motion_capture_to_a_model_that_generates(mocap: Path, tmp_path: Path, capsys):
    data, trained, model = tmp_path / "data", tmp_path / "run", tmp_path / "model"
    assert run("prepare", "bvh", mocap, data) == 0
    assert "8 clips, " in capsys.readouterr().out
    short = ("--steps", 2, "--batch-size", 2, "--device", "cpu", "--threads", 1)

    assert run("train", "masked", data, trained, *short) == 2
    assert "motionbridge train text" in one_line(capsys)
    tower = write_tiny_bundle(tmp_path / "tiny")
    (trained / "text" / "export").mkdir(parents=True)
    for path in tower.glob("text*"):
        shutil.copy(path, trained / "text" / "export")
    assert run("train", "masked", data, trained, *short) == 2
    assert "holds no trained weights" in one_line(capsys)
    assert run("train", "rvq", data, trained, *short) == 0
    assert "rvq: step 2, finished" in capsys.readouterr().out
    assert run("export", trained, data, model) == 2
    assert "train the model first" in one_line(capsys)
    for kind in ("masked", "residual", "length"):
        assert run("train", kind, data, trained, *short) == 0
        assert f"{kind}: step 2, finished" in capsys.readouterr().out

    assert run("train", "rvq", data, trained, *short) == 0
    assert "resuming" in capsys.readouterr().err
    assert run("train", "rvq", data, trained, *short, "--lr", 0.001) == 2
    assert "config.lr is 0.001 but was 0.0004" in one_line(capsys)
    assert run("train", "rvq", data, trained, *short, "--lr", 0.001, "--fresh") == 0

    assert run("export", trained, data, model, "--name", "mine", "--licence", "CC0-1.0") == 0
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    assert (config["name"], config["licence"], config["text_encoder"]) == ("mine", "CC0-1.0", "embedded")
    first = load_file(model / "rvq.safetensors")
    assert run("train", "decoder", data, trained, *short) == 0
    # Exporting again, over a model that is there, gives a whole model too.
    assert run("export", trained, data, model, "--name", "mine") == 0
    again = load_file(model / "rvq.safetensors")
    changed = {key.partition(".")[0] for key in first if not torch.equal(first[key], again[key])}
    assert changed == {"decoder"}
    clip = tmp_path / "walk.npz"
    assert run("generate", "a person walks", "--seconds", 2, "--model", model, "-o", clip, "--device", "cpu") == 0
    with np.load(clip) as archive:
        assert archive["rotations"].shape == (40, 22, 4)


def test_a_run_that_was_stopped_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(stages, "train_rvq", lambda *arguments: TrainResult(7, False, {}, None, None))
    assert run("train", "rvq", "data", tmp_path) == 130
    assert capsys.readouterr().out == "rvq: step 7, stopped; the same command goes on\n"


def test_train_text_takes_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr(distill, "run_distillation", lambda *arguments: calls.append(arguments))
    assert run("train", "text", "mocap", tmp_path) == 0
    further = tmp_path / "further.jsonl"
    further.write_text('{"clips": ["walk_*"], "captions": ["off we go"]}\n')
    options = (
        "--steps",
        7,
        "--batch-size",
        8,
        "--lr",
        0.5,
        "--threads",
        2,
        "--seed",
        9,
        "--precision",
        "fp32",
        "--fresh",
        "--captions",
        further,
    )
    assert run("train", "text", "mocap", tmp_path, *options) == 0
    (*paths, plain, none, fresh), (*_, chosen, sets, anew) = calls
    assert (none, sets) == ((), (CaptionSet(("walk_*",), ("off we go",)),))
    assert paths == [Path("mocap/captions.jsonl"), Path("mocap/clips.csv"), tmp_path / "text"]
    assert (plain, fresh, anew) == (distill.DistillConfig(), False, True)
    train = chosen.train
    assert (train.steps, train.batch_size, train.lr, train.threads, train.precision) == (7, 8, 0.5, 2, "fp32")
    assert (chosen.seed, train.seed, chosen.movement) == (9, 9, plain.movement)


def test_what_is_left_out_is_told_with_its_reason(mocap: Path, tmp_path: Path, capsys):
    source = shutil.copytree(mocap, tmp_path / "source")
    text = (source / "walk_001.bvh").read_text()
    head, motion = text.split("Frames: 120", 1)
    frame_time = motion.splitlines()[1]
    (source / "empty.bvh").write_text(f"{head}Frames: 0\n{frame_time}\n")
    (source / "robot.bvh").write_text(text.replace("left_knee", "knee_servo"))
    rows = [(name, f"{name}.bvh", 0, 4, "train") for name in ("walk_001", "empty", "robot")]
    captions = {name: ["a person walks"] for name in ("walk_001", "empty", "robot", "nobody")}
    write_listing(source, rows, captions)
    assert run("prepare", "bvh", source, tmp_path / "data", "--no-mirror") == 0
    out = capsys.readouterr().out
    assert "1 clips, " in out
    assert "3 left out (see dropped.csv)" in out
    with (tmp_path / "data" / "dropped.csv").open(newline="", encoding="utf-8") as handle:
        reasons = dict(csv.reader(handle))
    assert "0 frames" in reasons["empty"]
    assert "joint" in reasons["robot"]
    assert "without a clip" in reasons["nobody"]
    assert all(reason in out for name, reason in reasons.items() if name != "what")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("prepare", "bvh", "TMP/none", "TMP/data"), "none is not a folder"),
        (("prepare", "bvh", "TMP", "TMP/data"), "clips.csv cannot be read: No such file"),
        (("prepare", "kit", "TMP", "TMP/data"), "train.txt is missing; SRC must be the folder that holds"),
        (("prepare", "bvh", "SRC", "TMP/data", "--joint-map", "TMP/none.json"), "none.json"),
        (("train", "rvq", "TMP", "TMP/run"), "is not a dataset prepared by 'motionbridge prepare'"),
        (("train", "text", "TMP", "TMP/run", "--steps", "0"), "steps is 0, must be at least 1"),
        (("export", "TMP/run", "TMP", "TMP/model"), "is not a dataset prepared by 'motionbridge prepare'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_model(mocap: Path, tmp_path: Path, capsys, argv, message):
    assert run(*(part.replace("TMP", str(tmp_path)).replace("SRC", str(mocap)) for part in argv)) == 2
    assert message in one_line(capsys)
    assert not any((tmp_path / name).exists() for name in ("data", "model"))


def test_a_damaged_archive_of_motion_is_named(mocap: Path, tmp_path: Path, capsys):
    source = shutil.copytree(mocap, tmp_path / "source")
    (source / "mocap").mkdir()
    (source / "mocap" / "takes.tar.xz").write_bytes(b"\xfd7zXZ\x00 and no more")
    assert run("prepare", "bvh", source, tmp_path / "data") == 2
    assert "takes.tar.xz is damaged" in one_line(capsys)


def test_further_captions_are_refused_where_nothing_reads_them(tmp_path, capsys):
    more = tmp_path / "more.jsonl"
    more.write_text('{"clips": ["walk_*"], "captions": ["off we go"]}\n')
    for kind in ("rvq", "evaluator"):
        assert run("train", kind, tmp_path, tmp_path, "--captions", more) == 2
        assert f"not to train {kind}" in one_line(capsys)
    for option in (("--from-scratch",), ("--tower", "embedded")):
        assert run("train", "text", tmp_path, tmp_path, "--captions", more, *option) == 2
        assert "--captions is not read with --tower and --from-scratch" in one_line(capsys)
