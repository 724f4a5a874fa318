import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "motion"))
from synthetic import SKELETON, positions_of, walker

from server.motion import bvh
from server.motion.features import HUMANML3D, extract, recover_positions
from server.motion.mirror import mirror_positions
from server.training.dataset import DatasetError, MotionDataset
from server.training.prepare import PrepareError, prepare


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two takes as the tutorial form: one long enough, one too short, one missing, and the listings."""
    folder = tmp_path / "src"
    (folder / "mocap" / "mine").mkdir(parents=True)
    for name, frames in (("turn_left_001", 150), ("short_001", 40)):
        rotations, root = walker(frames=frames, turn=1.5, fps=30.0)
        bvh.write_bvh(folder / "mocap" / "mine" / f"{name}.bvh", rotations, root, SKELETON, 30.0)
    (folder / "mocap" / "mine" / "broken_001.bvh").write_text("HIERARCHY\nnothing")
    rows = [("a", "mine/turn_left_001.bvh", 0, 5, "train"), ("b", "mine/short_001.bvh", 0, 1.3, "train")]
    rows += [("c", "mine/broken_001.bvh", 0, 2, "train"), ("d", "mine/gone.bvh", 0, 2, "train")]
    rows += [("e", "mine/turn_left_001.bvh", 4, 9, "val"), ("f", "mine/turn_left_001.bvh", 0, 4, "val")]
    with (folder / "clips.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("clip_id", "file", "start_s", "end_s", "split"), *rows])
    captions = {key: ["a person turns left"] for key in "abcde"} | {"z": ["nobody"]}
    lines = [json.dumps({"clip_id": key, "captions": texts}) for key, texts in captions.items()]
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_kept_clips_are_mirrored_and_every_dropped_one_has_its_reason(source: Path, tmp_path: Path):
    report = prepare("bvh", source, tmp_path / "out")
    dataset = MotionDataset(tmp_path / "out", "train")
    assert [clip.clip_id for clip in dataset.clips] == ["a", "a_mirrored"]
    assert dataset.clips[0].captions == ("a person turns left",)
    assert dataset.clips[1].captions == ("a person turns right",)
    reasons = dict(report.dropped)
    assert "at least 36 are needed" in reasons["b"]
    assert "MOTION" in reasons["c"]
    assert "not found" in reasons["mine/gone.bvh"]
    assert "outside the file's 150" in reasons["e"]
    assert "no captions" in reasons["f"]
    assert "without a clip" in reasons["z"]
    with (tmp_path / "out" / "dropped.csv").open(newline="") as handle:
        assert len(list(csv.reader(handle))) == 1 + len(report.dropped)


def test_a_skeleton_that_no_preset_fits_is_dropped_by_name(source: Path, tmp_path: Path):
    path = source / "mocap" / "mine" / "short_001.bvh"
    path.write_text(path.read_text().replace("left_knee", "LeftKnee"))
    reason = dict(prepare("bvh", source, tmp_path / "out").dropped)["b"]
    assert reason.startswith("mine/short_001.bvh: no preset joint map")
    assert "--joint-map" in reason


def test_the_features_are_the_motion_and_the_mirrored_ones_its_mirror_image(source: Path, tmp_path: Path):
    prepare("bvh", source, tmp_path / "out")
    dataset = MotionDataset(tmp_path / "out", "train")
    plain, mirrored = (
        recover_positions((dataset.motion(i) * dataset.std + dataset.mean).numpy(), HUMANML3D) for i in (0, 1)
    )
    # Every third frame at 30 fps is every second at 20. Distances do not care which way the clip was turned.
    expected = positions_of(frames=150, turn=1.5, fps=30.0)[::3][:40]
    for measure in (lambda p: p[:, :, None] - p[:, None], lambda p: p[:, 0] - p[0, 0]):
        np.testing.assert_allclose(
            np.linalg.norm(measure(plain[::2][:40]), axis=-1), np.linalg.norm(measure(expected), axis=-1), atol=2e-3
        )
    again = mirror_positions(plain, SKELETON)
    np.testing.assert_allclose(again, mirrored, atol=1e-3)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("clips.csv", "clip_id,file\n", "columns end_s, split, start_s are missing"),
        ("clips.csv", "clip_id,file,start_s,end_s,split\na,b,0,1,dev\n", "line 2: split is 'dev'"),
        ("clips.csv", "clip_id,file,start_s,end_s,split\na,b,x,1,train\n", "line 2: start_s and end_s"),
        ("captions.jsonl", "{}\n", "line 1: expected"),
        ("captions.jsonl", '{"clip_id": "a", "captions": []}\n', "line 1: expected"),
        ("captions.jsonl", "", "no training clip was left"),
    ],
)
def test_a_bad_listing_is_named_with_its_line(source: Path, tmp_path: Path, file, content, message):
    (source / file).write_text(content)
    with pytest.raises(PrepareError, match=message):
        prepare("bvh", source, tmp_path / "out")


def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match="motionbridge prepare"):
        MotionDataset(tmp_path, "train")


def test_a_published_folder_is_read_with_its_timed_captions(tmp_path: Path):
    folder = tmp_path / "HumanML3D"
    (folder / "new_joint_vecs").mkdir(parents=True)
    (folder / "texts").mkdir()
    features = extract(positions_of(frames=121), HUMANML3D).features.astype(np.float32)
    for split, name in (("train", "000001"), ("val", "000002"), ("test", "000003")):
        (folder / f"{split}.txt").write_text(name + "\n")
        np.save(folder / "new_joint_vecs" / f"{name}.npy", features)
        text = "a person walks.#a/DET#0.0#0.0\nthen stops.#x#1.0#4.0\nbad line\nblinks.#x#1.0#1.5\n"
        (folder / "texts" / f"{name}.txt").write_text(text)
    report = prepare("humanml3d", folder, tmp_path / "out")
    clips = MotionDataset(tmp_path / "out", "train").clips
    assert [(c.clip_id, c.frames, c.captions) for c in clips] == [
        ("000001_1", 60, ("then stops.",)),
        ("000001", 120, ("a person walks.",)),
    ]
    assert sum("expected caption#tokens" in why for _, why in report.dropped) == 3
    assert sum("10 frames" in why for _, why in report.dropped) == 3
