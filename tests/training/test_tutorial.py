"""The tutorial's commands, word for word but for fewer steps, on motion that is made here."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "motion"))
from synthetic import SKELETON, walker

from server import cli
from server.models.rvq import RVQVAE
from server.motion import bvh
from server.training.dataset import MotionDataset
from server.training.stages import ModelSizes, reconstruction_error, rvq_config

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "server" / "training" / "TUTORIAL.md"
BOUND_S = 240
FEWER = {"rvq": 30, "decoder": 3, "masked": 8, "residual": 3, "length": 3, "evaluator": 8}
WINDOWS = {"train": (4, 4), "val": (1, 4), "test": (4, 2)}  # of each action: how many, and of how many seconds
ACTIONS = {
    "walk": ({"speed": 1.2}, ["a person walks forward", "someone walks straight ahead"]),
    "stroll": ({"speed": 0.6}, ["a person walks slowly", "someone strolls forward slowly"]),
    "run": ({"speed": 2.6}, ["a person runs forward", "someone is running fast"]),
    "turn_left": ({"turn": 1.6}, ["a person walks and turns left", "someone walks in a curve to the left"]),
    "turn_right": ({"turn": -1.6}, ["a person walks and turns right", "someone walks in a curve to the right"]),
}


def blocks(language: str) -> list[str]:
    """The tutorial's code blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The arguments of every ``motionbridge`` command in the tutorial's ``sh`` blocks, in order."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert all(line.startswith("motionbridge ") for line in lines)
    return [shlex.split(line)[1:] for line in lines]


def write_mocap(folder: Path) -> None:
    """A take of each action for each split in the form that the tutorial describes, at 30 frames per second."""
    folder.mkdir()
    rows, captions = [], []
    for name, (motion, texts) in ACTIONS.items():
        for take, (split, (count, seconds)) in enumerate(WINDOWS.items()):
            file = f"{name}_{take + 1:03d}.bvh"
            rotations, root = walker(frames=30 * count * seconds, fps=30.0, heading=0.3 * take, **motion)
            bvh.write_bvh(folder / file, rotations, root, SKELETON, 30.0)
            for window in range(count):
                clip = f"{name}_{take + 1:03d}_{window + 1}"
                rows.append((clip, file, seconds * window, seconds * (window + 1), split))
                captions.append(json.dumps({"clip_id": clip, "captions": texts}))
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("clip_id", "file", "start_s", "end_s", "split"), *rows])
    (folder / "captions.jsonl").write_text("\n".join(captions) + "\n", encoding="utf-8")
    (folder / "more.jsonl").write_text("".join(blocks("json")), encoding="utf-8")


def run(argv: list[str]) -> None:
    if argv[0] == "train" and argv[1] in FEWER:
        argv = [*argv, "--steps", str(FEWER[argv[1]]), "--batch-size", "4", "--device", "cpu"]
    elif argv[0] == "generate":
        argv = [*argv, "--device", "cpu"]
    elif argv[0] == "evaluate":
        argv = [*argv, "--repeats", "1", "--device", "cpu"]
    assert cli.main(argv) == 0, argv


def serve_and_play(serve: list[str], play: list[str]) -> None:
    """Both at once, as two terminals would."""
    command = [sys.executable, "-m", "server.cli", *serve, "--port", "0", "--device", "cpu"]
    # From the checkout: the package under test may not be the one that is installed.
    absolute = [str(Path(part).resolve()) if Path(part).is_dir() else part for part in command]
    server = subprocess.Popen(absolute, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if found := re.search(r"listening on (ws://\S+)", line):
                break
        else:
            pytest.fail("the server ended before it listened")
        assert cli.main([*play, "--url", found[1], "--seconds", "1"]) == 0
        server.terminate()
        server.communicate(timeout=BOUND_S)
    finally:
        server.kill()
        server.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="stops the server as POSIX does")
def test_every_command_of_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_mocap(tmp_path / "my_mocap")
    todo = commands()
    assert [argv[0] for argv in todo] == [
        *("prepare", *["train"] * 6, "export", "generate", "generate"),
        *("train", "evaluate", "serve", "play"),
    ]
    *offline, serve, play = todo
    for argv in offline:
        run(argv)
    assert (tmp_path / "data" / "dropped.csv").read_text(encoding="utf-8").split() == ["what,why"]

    held_out = MotionDataset(tmp_path / "data", "val")
    torch.manual_seed(0)
    untrained = reconstruction_error(RVQVAE(rvq_config(263, ModelSizes())).eval(), held_out, 6)
    figures = {
        kind: json.loads((tmp_path / "run" / kind / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        for kind in FEWER
    }
    assert figures["rvq"]["mpjpe_mm_6"] < 0.85 * untrained
    assert figures["decoder"]["mpjpe_mm_1"] < 0.85 * untrained
    assert figures["masked"]["loss"] < math.log(512)
    assert all(math.isfinite(value) for of_kind in figures.values() for value in of_kind.values())

    config = json.loads((tmp_path / "my_model" / "config.json").read_text(encoding="utf-8"))
    assert (config["name"], config["licence"], config["text_encoder"]) == ("mine", "your own", "embedded")
    assert bvh.read_bvh(tmp_path / "walk.bvh").values.shape[0] == 80
    with Image.open(tmp_path / "bow.png") as picture:
        assert picture.format == "PNG"
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text(encoding="utf-8"))
    assert report["setting"]["data"].startswith("split test, 40 clips; 40 clips of training")
    rows = report["figures"]
    assert all(math.isfinite(row["fid"][0]) for row in rows.values())
    assert rows["real motion"]["fid"][0] < rows["generated"]["fid"][0]
    assert sum(map(sum, report["confusion"]["real"])) == 40
    serve_and_play(serve, play)
    assert len(bvh.read_bvh(tmp_path / "shown.bvh").values) > 30


def test_options_of_one_model_are_refused_for_others_and_a_tower_must_be_one(tmp_path: Path, capsys):
    assert cli.main(["train", "rvq", "data", str(tmp_path), "--tower", "embedded"]) == 2
    assert "--tower belongs to train text, not to train rvq" in capsys.readouterr().err
    assert cli.main(["train", "masked", "data", str(tmp_path), "--quantize-dropout", "0"]) == 2
    assert "--quantize-dropout belongs to train rvq, not to train masked" in capsys.readouterr().err
    assert cli.main(["train", "text", "data", str(tmp_path), "--favour", "walk=2"]) == 2
    assert (
        "--favour belongs to train rvq, decoder, masked, residual and length, not to train text"
        in capsys.readouterr().err
    )
    (tmp_path / "model").mkdir()
    assert cli.main(["train", "text", "data", str(tmp_path / "run"), "--tower", str(tmp_path / "model")]) == 2
    assert "has no text_config.json" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
