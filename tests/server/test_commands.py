"""generate: motion files from sentences, edits of them, and every input it refuses."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_bundle import write_tiny_bundle

from protocol.skeleton import default_skeleton
from server import cli, commands
from server.commands import UsageError, parse_range
from server.engine import Engine
from server.export.gltf import read_glb
from server.motion import kinematics
from server.motion.bvh import read_bvh
from server.motion.motion import MotionRequest

SKELETON = default_skeleton()
FPS = 20.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def walk(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 4.9 s to edit: its last token is not whole."""
    path = tmp_path_factory.mktemp("clips") / "walk.npz"
    assert generate(model, "a person walks", "--seconds", "4.9", "--seed", "3", "-o", path) == 0
    return path


def generate(model: Path, *argv: object) -> int:
    return cli.main(["generate", *map(str, argv), "--model", str(model), "--device", "cpu"])


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


class TestOneSentence:
    def test_the_archive_holds_exactly_what_is_promised(self, model: Path, tmp_path: Path, capsys):
        path = tmp_path / "new" / "walk.npz"
        assert generate(model, "  a person walks ", "--seconds", "3", "-o", path) == 0
        found = arrays(path)
        expected = {
            "positions": (np.float32, (60, 22, 3)),
            "rotations": (np.float32, (60, 22, 4)),
            "root": (np.float32, (60, 3)),
            "contacts": (np.uint8, (60, 4)),
        }
        assert set(found) == {*expected, "fps", "text"}
        for name, (dtype, shape) in expected.items():
            assert (found[name].dtype, found[name].shape) == (dtype, shape), name
        assert float(found["fps"]) == FPS
        assert str(found["text"]) == "a person walks"
        assert set(np.unique(found["contacts"])) <= {0, 1}
        np.testing.assert_allclose(np.linalg.norm(found["rotations"], axis=-1), 1.0, atol=1e-5)
        again = kinematics.positions(found["rotations"].astype(float), found["root"].astype(float), SKELETON)
        np.testing.assert_allclose(found["positions"], again, atol=1e-5)
        np.testing.assert_array_equal(found["positions"][:, 0], found["root"])
        assert files(tmp_path) == ["new", "walk.npz"]
        assert f"{path}  3.0 s  a person walks" in capsys.readouterr().out

    def test_the_bvh_is_the_same_motion(self, model: Path, tmp_path: Path):
        for ending in ("npz", "bvh"):
            assert (
                generate(model, "a person bows", "--seconds", "2", "--seed", "7", "-o", tmp_path / f"bow.{ending}") == 0
            )
        clip = read_bvh(tmp_path / "bow.bvh")
        assert clip.frame_time == pytest.approx(1 / FPS)
        positions = clip.forward()[0] / 100.0
        ours = [clip.names.index(name) for name in SKELETON.names]
        np.testing.assert_allclose(positions[:, ours], arrays(tmp_path / "bow.npz")["positions"], atol=1e-4)

    def test_a_seed_fixes_the_motion(self, model: Path, tmp_path: Path):
        for name, seed in (("same", 4), ("again", 4), ("other", 5)):
            path = tmp_path / f"{name}.npz"
            assert generate(model, "a person waves", "--seconds", "4", "--seed", seed, "-o", path) == 0
        made = {name: arrays(tmp_path / f"{name}.npz")["rotations"] for name in ("same", "again", "other")}
        np.testing.assert_array_equal(made["same"], made["again"])
        assert not np.array_equal(made["same"], made["other"])

    def test_every_option_reaches_the_model(self, model: Path, tmp_path: Path, monkeypatch):
        asked: list[MotionRequest] = []
        make = Engine.generate
        monkeypatch.setattr(Engine, "generate", lambda self, requests: asked.extend(requests) or make(self, requests))
        options = ("--seconds", "0.5", "--seed", "11", "--guidance", "2.5", "--steps", "3")
        assert generate(model, "a person waves", *options, "-o", tmp_path / "wave.bvh") == 0
        assert generate(model, "a person waves", "-o", tmp_path / "wave.bvh") == 0
        assert asked == [
            MotionRequest("a person waves", frames=10, seed=11, guidance=2.5, steps=3),
            MotionRequest("a person waves"),
        ]

    def test_several_actions_are_one_motion_of_the_asked_length(self, model: Path, tmp_path: Path, monkeypatch):
        asked: list[MotionRequest] = []
        make = Engine.generate
        monkeypatch.setattr(Engine, "generate", lambda self, requests: asked.extend(requests) or make(self, requests))
        path = tmp_path / "both.npz"
        assert generate(model, "a person walks, then waves", "--seconds", "3.3", "-o", path) == 0
        assert [request.text for request in asked] == ["a person walks", "a person waves"]
        made = arrays(path)
        assert (len(made["root"]), str(made["text"])) == (66, "a person walks, then waves")

    def test_the_motion_goes_onto_a_character(self, model: Path, tmp_path: Path):
        for number, path in enumerate((tmp_path / "mannequin.glb", tmp_path / "again.glb")):
            rig = ("--rig", tmp_path / "mannequin.glb") if number else ()
            assert generate(model, "a person bows", "--seconds", "1", "--seed", number, *rig, "-o", path) == 0
        names = [animation["name"] for animation in read_glb(tmp_path / "again.glb").items("animations")]
        assert names == ["a person bows"] * 2

    def test_without_seconds_the_model_chooses(self, model: Path, tmp_path: Path):
        assert generate(model, "a person waves", "-o", tmp_path / "wave.npz") == 0
        assert 20 <= len(arrays(tmp_path / "wave.npz")["root"]) <= 196


class TestManySentences:
    def test_each_line_becomes_a_numbered_file(self, model: Path, tmp_path: Path):
        texts = [f"a person {verb}" for verb in ("walks", "waves", "bows") * 6]
        sentences = tmp_path / "sentences.txt"
        sentences.write_text("\ufeff" + "\n\n".join(texts) + "\r\n", encoding="utf-8")
        out = tmp_path / "clips"
        assert generate(model, "--prompts", sentences, "--seconds", "1", "--seed", "5", "-o", out) == 0
        assert files(out) == [f"{number:03d}.npz" for number in range(18)]
        for number, text in enumerate(texts):
            found = arrays(out / f"{number:03d}.npz")
            assert (str(found["text"]), len(found["root"])) == (text, 20)
        # The batch it came from does not matter: file n is the sentence with the n-th seed from the one given.
        assert generate(model, texts[17], "--seconds", "1", "--seed", "22", "-o", tmp_path / "alone.npz") == 0
        np.testing.assert_allclose(arrays(tmp_path / "alone.npz")["root"], found["root"], atol=1e-4)

    def test_with_a_character_each_line_becomes_a_glb(self, model: Path, tmp_path: Path):
        assert generate(model, "a person bows", "--seconds", "1", "-o", tmp_path / "rig.glb") == 0
        (tmp_path / "sentences.txt").write_text("a person walks\na person waves\n", encoding="utf-8")
        options = ("--seconds", "1", "--rig", tmp_path / "rig.glb", "-o", tmp_path / "clips")
        assert generate(model, "--prompts", tmp_path / "sentences.txt", *options) == 0
        assert files(tmp_path / "clips") == ["000.glb", "001.glb"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "holds no sentences"),
            (b" \n\n", "holds no sentences"),
            (b"a person walks\n" + b"x" * 501, "line 2: has 501 characters; 1 to 500"),
            (b"caf\xe9", "is not UTF-8 text (byte 3)"),
        ],
    )
    def test_a_bad_file_of_sentences_is_named(self, model: Path, tmp_path: Path, capsys, content, message):
        (tmp_path / "sentences.txt").write_bytes(content)
        assert generate(model, "--prompts", tmp_path / "sentences.txt", "-o", tmp_path / "clips") == 2
        assert message in one_line(capsys)
        assert files(tmp_path) == ["sentences.txt"]

    def test_the_folder_may_not_be_a_file(self, model: Path, tmp_path: Path, capsys):
        (tmp_path / "sentences.txt").write_text("a person walks")
        assert generate(model, "--prompts", tmp_path / "sentences.txt", "-o", tmp_path / "sentences.txt") == 2
        assert "-o names a folder" in one_line(capsys)


class TestEdit:
    @pytest.mark.parametrize(
        ("ranges", "edited"),
        [
            (("2.0:4.0",), [(40, 80)]),
            (("0:1",), [(0, 20)]),
            (("4:4.9",), [(80, 98)]),
            (("0.5:1.05", "3:3.5"), [(10, 21), (60, 70)]),
            (("0:4.9",), [(0, 98)]),
        ],
    )
    def test_all_other_frames_stay_bit_identical(self, model: Path, walk: Path, tmp_path: Path, ranges, edited):
        chosen = [part for text in ranges for part in ("--range", text)]
        path = tmp_path / "new" / "bow.npz"
        assert generate(model, "a person bows", "--edit", walk, *chosen, "--seed", "9", "-o", path) == 0
        before, after = arrays(walk), arrays(path)
        inside = np.zeros(98, dtype=bool)
        for start, stop in edited:
            inside[start:stop] = True
        assert set(after) == set(before)
        for name in ("positions", "rotations", "root", "contacts"):
            assert after[name].dtype == before[name].dtype
            assert after[name][~inside].tobytes() == before[name][~inside].tobytes(), name
        for start, stop in edited:
            assert not np.array_equal(after["rotations"][start:stop], before["rotations"][start:stop])
        assert float(after["fps"]) == FPS

    def test_the_source_may_be_replaced(self, model: Path, walk: Path, tmp_path: Path):
        path = Path(shutil.copy(walk, tmp_path / "walk.npz"))
        assert generate(model, "a person bows", "--edit", path, "--range", "2:4", "-o", path) == 0
        assert not np.array_equal(arrays(path)["rotations"][40:80], arrays(walk)["rotations"][40:80])
        assert files(tmp_path) == ["walk.npz"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("2.0", "--range is '2.0'; expected START:END"),
            ("1:2:3", "expected START:END"),
            ("a:b", "expected START:END"),
            ("4:2", "--range 4:2 is not within the clip's 4.90 s"),
            ("2:2", "is not within the clip's 4.90 s"),
            ("-1:2", "is not within the clip's 4.90 s"),
            ("4:5.2", "is not within the clip's 4.90 s"),
            ("nan:2", "is not within the clip's 4.90 s"),
            ("1.01:1.02", "--range 1.01:1.02 holds no frame at 20 frames per second; make it 0.05 s or longer"),
        ],
    )
    def test_a_bad_range_is_refused(self, model: Path, walk: Path, tmp_path: Path, capsys, text, message):
        argv = ("a person bows", "--edit", walk, f"--range={text}", "-o", tmp_path / "out.npz")
        assert generate(model, *argv) == 2
        assert message in one_line(capsys)
        assert files(tmp_path) == []
        with pytest.raises(UsageError):
            parse_range(text, FPS, 98)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"fps": np.array(30.0)}, "has 30 frames per second; the model edits 20"),
            ({"root": None}, "arrays root are missing"),
            ({"rotations": np.zeros((98, 21, 4), np.float32)}, "rotations is float32 (98, 21, 4)"),
        ],
    )
    def test_a_source_of_another_kind_is_refused(
        self, model: Path, walk: Path, tmp_path: Path, capsys, change, message
    ):
        changed = {name: value for name, value in (arrays(walk) | change).items() if value is not None}
        np.savez(tmp_path / "source.npz", **changed)
        argv = ("a person bows", "--edit", tmp_path / "source.npz", "--range", "1:2", "-o", tmp_path / "out.npz")
        assert generate(model, *argv) == 2
        assert message in one_line(capsys)
        assert files(tmp_path) == ["source.npz"]

    @pytest.mark.parametrize("frames", [1, 3, 197])
    def test_a_source_too_short_or_too_long_is_refused(self, model: Path, walk: Path, tmp_path: Path, capsys, frames):
        whole = arrays(walk)
        repeated = {
            name: np.repeat(whole[name], 3, axis=0)[:frames] for name in ("positions", "rotations", "root", "contacts")
        }
        np.savez(tmp_path / "source.npz", **(whole | repeated))
        argv = ("a person bows", "--edit", tmp_path / "source.npz", "--range", "0:0.05", "-o", tmp_path / "out.npz")
        assert generate(model, *argv) == 2
        assert f"source.npz has {frames} frames; 4 to 196 can be edited" in one_line(capsys)
        assert files(tmp_path) == ["source.npz"]


BOW = ("a person bows", "-o", "OUT/bow.bvh")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("", "-o", "OUT/bow.bvh"), "the text has 0 characters; 1 to 500 are allowed"),
        ((" \t ", "-o", "OUT/bow.bvh"), "the text has 0 characters"),
        (("x" * 2000, "-o", "OUT/bow.bvh"), "the text has 2000 characters; 1 to 500 are allowed"),
        (("-o", "OUT/bow.bvh"), "give either one sentence"),
        ((*BOW, "--prompts", "OUT/none.txt"), "give either one sentence"),
        (("--prompts", "OUT/none.txt", "-o", "OUT/clips"), "none.txt: No such file"),
        ((*BOW, "--seconds", "0.4"), "--seconds is 0.4; 0.5 to 9.8 are possible"),
        ((*BOW, "--seconds", "9.9"), "--seconds is 9.9; 0.5 to 9.8"),
        ((*BOW, "--seconds", "nan"), "--seconds is nan; 0.5 to 9.8"),
        ((*BOW, "--steps", "0"), "--steps is 0; 1 to 64"),
        ((*BOW, "--steps", "65"), "--steps is 65; 1 to 64"),
        ((*BOW, "--guidance", "-0.5"), "--guidance is -0.5; 0 to 20"),
        ((*BOW, "--guidance", "20.5"), "--guidance is 20.5; 0 to 20"),
        ((*BOW, "--seed", "-1"), "--seed is -1; 0 to 4294967295"),
        ((*BOW, "--seed", "4294967296"), "--seed is 4294967296; 0 to 4294967295"),
        ((*BOW, "--device", "tpu"), "device is 'tpu'; auto, cpu and cuda"),
        (("a person bows", "-o", "OUT/bow.fbx"), "ends in '.fbx'; it must be .bvh, .glb, .npz, .mp4, .gif or .png"),
        ((*BOW, "--rig", "OUT/no.glb"), "ends in '.bvh'; it must be .glb"),
        (("a person bows", "-o", "OUT/bow.glb", "--rig", "OUT/no.glb"), "no.glb cannot be read: No such file"),
        (("a", "-o", "OUT/b.npz", "--edit", "w", "--range", "1:2", "--rig", "OUT/no.glb"), "leave out --rig"),
        (("a person bows", "-o", "OUT/bow"), "has no ending; it must be .bvh, .glb, .npz, .mp4, .gif or .png"),
        (("a person bows", "-o", "OUT"), "it must be .bvh, .glb, .npz, .mp4, .gif or .png"),
        (("a person bows", "-o", f"{__file__}/bow.bvh"), "test_commands.py is not a folder"),
        ((*BOW, "--edit", "OUT/walk.npz"), "--edit SOURCE.npz and --range START:END belong together"),
        ((*BOW, "--range", "1:2"), "belong together"),
        ((*BOW, "--edit", "OUT/walk.npz", "--range", "1:2"), "ends in '.bvh'; it must be .npz"),
        (("a", "-o", "OUT/b.npz", "--edit", "OUT/no.npz", "--range", "1:2"), "no.npz cannot be read: No such file"),
        (("a", "-o", "OUT/b.npz", "--edit", "w", "--range", "1:2", "--seconds", "2"), "leave out --prompts and --seconds"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(model: Path, tmp_path: Path, capsys, argv, message):
    arguments = [part.replace("OUT", str(tmp_path)) for part in argv]
    if "--device" not in argv:
        arguments += ["--device", "cpu"]
    assert cli.main(["generate", *arguments, "--model", str(model)]) == 2
    assert message in one_line(capsys)
    assert files(tmp_path) == []


def test_a_folder_that_is_no_model_is_named(tmp_path: Path, capsys):
    assert generate(tmp_path / "nowhere", "a person bows", "-o", tmp_path / "new" / "bow.bvh") == 2
    assert "config.json is missing" in one_line(capsys)
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["rvq", "masked", "residual", "length", "text"])
@pytest.mark.parametrize("fault", ["missing", "extra"])
def test_a_checkpoint_with_a_missing_or_an_extra_key_is_named(model: Path, tmp_path: Path, capsys, name, fault):
    broken = shutil.copytree(model, tmp_path / "broken")
    path = broken / f"{name}.safetensors"
    weights = {key: value.clone() for key, value in load_file(path).items()}
    key = sorted(weights)[0] if fault == "missing" else "surplus.weight"
    if fault == "missing":
        del weights[key]
    else:
        weights[key] = next(iter(weights.values())).clone()
    save_file(weights, path)
    assert generate(broken, "a person bows", "-o", tmp_path / "bow.bvh") == 2
    line = one_line(capsys)
    assert key in line
    assert path.name in line
    assert files(tmp_path) == sorted(["broken", *files(model)])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; nothing was announced on standard output."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("motionbridge: ")
    assert err.count("\n") == 1
    return err


def test_benchmarks_need_a_checkout(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(commands, "__file__", str(tmp_path / "site-packages" / "server" / "commands.py"))
    assert cli.main(["bench", "generate", "--seconds", "1"]) == 2
    assert "benchmarks are part of the source code" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.BENCHMARKS)
def test_every_benchmark_of_the_table_explains_its_options(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", name, "--help"])
    assert stopped.value.code == 0
    assert f"motionbridge bench {name}" in capsys.readouterr().out
