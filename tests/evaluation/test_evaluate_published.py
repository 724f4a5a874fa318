"""KIT-ML from its published form to a report: prepared with its tokens, judged by the published evaluator's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_files import write_published
from tiny_bundle import COND, write_tiny_bundle

from server import cli
from server.models.checkpoint import Bundle, BundleConfig, load_bundle, save_bundle
from server.models.rvq import RVQVAE
from server.motion.features import KIT

TOKENS = (
    "a person walks#a/DET person/NOUN walk/VERB#0.0#0.0",
    "a man walks left#a/DET man/NOUN walk/VERB left/NOUN#0.0#0.0",
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "KIT-ML"
    random = np.random.default_rng(0)
    for part in ("new_joint_vecs", "texts"):
        (folder / part).mkdir(parents=True)
    names = {"train": range(34), "val": range(34, 36), "test": range(36, 72)}
    for split, numbers in names.items():
        (folder / f"{split}.txt").write_text("\n".join(str(n) for n in numbers), encoding="utf-8")
        for n in numbers:
            np.save(folder / "new_joint_vecs" / f"{n}.npy", random.normal(size=(40 + n % 3, KIT.channels)))
            (folder / "texts" / f"{n}.txt").write_text("\n".join(TOKENS), encoding="utf-8")
    return folder


def write_kit_bundle(folder: Path, human: Bundle) -> Path:
    """The tiny bundle with an RVQ-VAE of KIT's channels; its text files are there already."""
    fields = human.config.model_dump()
    fields |= {"features": "kit", "frame_rate": 12.5, "rvq": fields["rvq"] | {"channels": KIT.channels}}
    config = BundleConfig.model_validate(fields)
    torch.manual_seed(0)
    rvq = RVQVAE(config.rvq)
    for layer in rvq.quantizer.codebooks:
        layer.codebook.normal_()
    mean, std = torch.zeros(KIT.channels), torch.ones(KIT.channels)
    save_bundle(folder, Bundle(config, rvq, human.masked, human.residual, human.length, mean, std))
    return folder


def test_kit_ml_is_judged_by_the_published_evaluator(source: Path, tmp_path: Path, capsys):
    folder = write_tiny_bundle(tmp_path / "model")
    human = load_bundle(folder)
    assert human.config.cond_dim == COND
    other = write_tiny_bundle(tmp_path / "human")
    write_kit_bundle(folder, human)
    args = ("prepare", "kit", source, tmp_path / "data")
    assert cli.main([str(part) for part in args]) == 0
    checkpoints = write_published(tmp_path / "authors", KIT.channels, "kit")
    args = ("evaluate", folder, tmp_path / "data", "--evaluator", checkpoints, "--out", tmp_path / "report")
    assert cli.main([str(part) for part in (*args, "--against", other)]) == 2
    assert "model 'human' makes humanml3d features, the data has kit" in capsys.readouterr().err
    args += ("--repeats", 2, "--multimodality-texts", 0, "--curve-clips", 32, "--device", "cpu")
    assert cli.main([str(part) for part in args]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["setting"]["evaluator"] == "published"
    assert report["figures"]["real motion"]["fid"][0] == pytest.approx(0.0, abs=1e-6)
    assert all(np.isfinite(value) for row in report["figures"].values() for pair in row.values() for value in pair)
    assert len(report["curves"]) == 3
    assert report["confusion"] is None
    assert [note.split(":")[0] for note in report["notes"]] == ["No part 'actions'", "No part 'bodies'"]
