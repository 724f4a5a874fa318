"""``motionbridge models`` from the command line: small archives in the real layout, from a web server on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from live_server import Watcher, running
from published_folder import write_published
from web import Site, serving

from server import cli, model_commands
from server.cache import EMBEDDED, VARIABLE, cache_folder
from server.engine import load_engine
from server.hub import store as store_module
from server.hub.catalogue import BY_NAME, CLIP, ENTRIES
from server.hub.download import sha256_of
from server.models.checkpoint import Bundle, BundleConfig, load_bundle
from server.models.length import LengthConfig, LengthEstimator
from server.models.masked import MaskedConfig, MaskedTransformer
from server.models.residual import ResidualConfig, ResidualTransformer
from server.models.rvq import RVQVAE, RVQConfig
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.features import HUMANML3D, KIT, FeatureLayout

DATASETS = {"humanml3d": "t2m", "kit": "kit"}


def standing(layout: FeatureLayout) -> torch.Tensor:
    """Mean features (C,) of a body that stands: without one the solver has nothing to turn."""
    from protocol.skeleton import default_skeleton

    skeleton = default_skeleton()
    pose = kinematics.positions(rot.identity(1, 22), skeleton.offsets[:1], skeleton)[0]
    if layout is KIT:
        names = ["pelvis", "spine1", "spine2", "neck", "head"]
        names += [f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow", "wrist")]
        for side in ("left", "right"):
            names += [f"{side}_{part}" for part in ("hip", "knee", "ankle", "ankle", "foot")]
        pose = 1000.0 * pose[[skeleton.index(name) for name in names]] * [-1.0, 1.0, 1.0]
    mean = torch.zeros(layout.channels)
    mean[3] = float(pose[0, 1])
    mean[layout.local_positions] = torch.from_numpy(pose[1:].reshape(-1)).float()
    return mean


def small_bundle(layout: FeatureLayout) -> Bundle:
    torch.manual_seed(3)
    rvq = RVQConfig(channels=layout.channels, width=16, code_dim=8, codes=16, quantizers=3, depth=1)
    sizes = {"codes": 16, "code_dim": 8, "latent": 16, "heads": 2, "layers": 1, "ff": 16, "cond_dim": 512}
    masked, residual = MaskedConfig(**sizes), ResidualConfig(**sizes, quantizers=3)
    config = BundleConfig(
        name="small", licence="none", features=layout.name, frame_rate=layout.fps, text_encoder="clip",
        rvq=rvq, masked=masked, residual=residual, length=LengthConfig(cond_dim=512),
    )  # fmt: skip
    model = RVQVAE(rvq)
    for layer in model.quantizer.codebooks:
        layer.codebook.normal_()
    models = (model, MaskedTransformer(masked), ResidualTransformer(residual), LengthEstimator(config.length))
    std = torch.full((layout.channels,), 0.01)
    if layout is KIT:
        std[: layout.local_positions.stop] = 10.0
        std[0] = 0.01
    return Bundle(config, *models, standing(layout), std)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The authors' archives by model name, small."""
    made = {}
    for name, dataset in DATASETS.items():
        root = tmp_path_factory.mktemp("published") / dataset
        write_published(root, small_bundle(HUMANML3D if name == "humanml3d" else KIT), dataset)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(root))
        made[name] = buffer.getvalue()
    return made


@pytest.fixture(scope="session")
def clip_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP text half of the real vocabulary, one narrow layer."""
    import open_clip.transformer as parts

    torch.manual_seed(4)
    tower = parts.TextTransformer(
        context_length=77, vocab_size=49408, width=64, heads=1, layers=1, output_dim=512, act_layer=parts.QuickGELU
    )
    path = tmp_path_factory.mktemp("clip") / "ViT-B-32.pt"
    torch.save({key: value for key, value in tower.state_dict().items() if key != "attn_mask"}, path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip_weights: Path) -> Path:
    """A cache folder of the test's own, and the small CLIP taken for OpenAI's."""
    folder = tmp_path / "cache folder"
    monkeypatch.setenv(VARIABLE, str(folder))
    monkeypatch.setattr(store_module, "CLIP", dataclasses.replace(CLIP, sha256=sha256_of(clip_weights)))
    return folder


@pytest.fixture
def site(archives: dict[str, bytes], clip_weights: Path) -> Iterator[Site]:
    with serving(Site({f"/{name}.zip": content for name, content in archives.items()})) as site:
        site.files["/clip.pt"] = clip_weights.read_bytes()
        yield site


def run(*argv: object) -> int:
    return cli.main([str(part) for part in argv])


def fetch(site: Site, name: str, *options: object) -> int:
    argv = ("models", "download", name, "--url", f"{site.url}/{name}.zip", "--clip-url", f"{site.url}/clip.pt")
    return run(*argv, "--accept-licence", *options)


def fault(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("motionbridge")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("name", DATASETS)
def test_a_published_model_is_downloaded_converted_and_generates(site: Site, cache: Path, tmp_path: Path, capsys, name):
    site.cuts = [1000]
    assert fetch(site, name) == 0
    out = capsys.readouterr().out
    assert "non-commercial" in out or "states no licence" in out
    assert "Its authors publish none to compare it with; it is recorded" in out
    assert f"try: motionbridge serve --model {name}" in out
    assert site.requests[:2] == ["", "bytes=1000-"]
    assert load_bundle(cache / "models" / name).config.name == f"momask-{DATASETS[name]}"
    assert not list(cache.glob("unpack-*"))
    assert not list((cache / "downloads").iterdir())

    assert run("models", "list") == 0
    rows = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines() if line}
    assert (rows["embedded"], rows[name]) == ("yes", "yes")
    assert run("models", "verify") == 0
    assert f"{name}: whole" in capsys.readouterr().out
    assert run("models", "info", name) == 0
    assert str(cache / "models" / name) in capsys.readouterr().out

    clip = tmp_path / "walk.npz"
    argv = ("generate", "a person walks", "--model", name, "--device", "cpu", "--seconds", "3.2", "-o", clip)
    assert run(*argv) == 0
    with np.load(clip) as archive:
        assert archive["rotations"].shape == (round(3.2 * float(BY_NAME[name].frame_rate)), 22, 4)
        assert 0.6 < archive["root"][:, 1].mean() < 1.2
        assert np.isfinite(archive["positions"]).all()
        left, right = archive["positions"][0, 1], archive["positions"][0, 2]
        assert left[0] > right[0]
    argv = ("generate", "a person bows", "--edit", clip, "--range", "1:2", "--model", name, "--device", "cpu")
    assert run(*argv, "-o", tmp_path / "edited.npz") == 0


async def test_a_kit_model_streams(site: Site, cache: Path):
    """From 21 joints at 12.5 frames per second to 22 at 30, over a prompt that continues another."""
    assert fetch(site, "kit") == 0
    engine = load_engine(cache / "models" / "kit", "cpu")
    async with running(engine) as server, server.client(frame_rate=30) as client:
        watcher = Watcher(client, server.clock)
        first = await client.prompt("a person walks", seconds=2.0)
        await watcher.until_status(first, "started")
        await watcher.until_frame(watcher.newest + 30)
        second = await client.prompt("a person bows", seconds=2.0)
        await watcher.until_status(second, "started")
        await watcher.until_frame(watcher.newest + 45)
    assert not watcher.errors
    poses = watcher.poses()
    root = np.concatenate([poses[frame].root for frame in sorted(poses)])
    assert sorted(poses) == list(range(len(poses)))
    assert 0.6 < root[:, 1].mean() < 1.2
    assert np.linalg.norm(np.diff(root, axis=0), axis=1).max() < 0.15


def test_the_terms_are_shown_and_must_be_accepted_once(site: Site, cache: Path, monkeypatch, capsys):
    argv = ("models", "download", "kit", "--url", f"{site.url}/kit.zip", "--no-clip")
    assert run(*argv) == 2
    captured = capsys.readouterr()
    assert "KIT Motion-Language Dataset" in captured.out
    assert "pass --accept-licence" in captured.err
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert run(*argv) == 2
    assert site.requests == []
    monkeypatch.setattr("builtins.input", lambda question: "Yes")
    assert run(*argv) == 0
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail("asked twice"))
    shutil.rmtree(cache / "models")
    capsys.readouterr()
    assert run(*argv) == 0
    out = capsys.readouterr().out
    assert "KIT Motion-Language" not in out
    assert "the same as at the first download" in out


def test_a_later_download_must_be_the_first_one(site: Site, cache: Path, archives, capsys):
    assert fetch(site, "kit") == 0
    site.files["/kit.zip"] = archives["humanml3d"]
    assert fetch(site, "kit") == 2
    line = fault(capsys)
    assert "but the first kit_models.zip on this machine had" in line
    assert "pass --new-checksum" in line
    assert not (cache / "downloads" / "kit_models.zip").exists()
    assert load_bundle(cache / "models" / "kit").config.features == "kit"
    assert fetch(site, "kit", "--new-checksum") == 0
    assert load_bundle(cache / "models" / "kit").config.features == "humanml3d"


def test_a_given_checksum_is_compared(site: Site, capsys):
    assert fetch(site, "kit", "--sha256", "0" * 64) == 2
    assert f"but --sha256 says {'0' * 64}: it is damaged or another file" in fault(capsys)


def test_a_checksum_is_compared_with_what_is_here_already(site: Site, archives, capsys):
    assert fetch(site, "kit") == 0
    site.requests.clear()
    here = ("models", "download", "kit", "--no-clip", "--sha256")
    assert run(*here, hashlib.sha256(archives["kit"]).hexdigest().upper()) == 0
    assert site.requests == []
    assert fetch(site, "kit", "--sha256", "0" * 64) == 2
    assert "but --sha256 says" in fault(capsys)


def test_the_published_checksum_of_the_text_encoder_is_compared(site: Site, cache: Path, capsys):
    site.files["/clip.pt"] = b"PK\x03\x04 not CLIP"
    assert fetch(site, "kit") == 2
    assert "but its publisher names" in fault(capsys)
    assert not (cache / "clip" / "ViT-B-32.pt").exists()


def test_files_from_another_machine_need_no_network(archives, clip_weights: Path, cache: Path, tmp_path: Path, capsys):
    archive = tmp_path / "from a stick.zip"
    archive.write_bytes(archives["humanml3d"])
    argv = ("models", "download", "humanml3d", "--accept-licence", "--archive", archive, "--clip", clip_weights)
    assert run(*argv) == 0
    assert archive.is_file()
    assert clip_weights.is_file()
    assert (cache / "clip" / "ViT-B-32.pt").is_file()
    assert run(*argv[:4]) == 0
    assert "humanml3d is here" in capsys.readouterr().out


def test_without_a_network_the_way_round_it_is_told(monkeypatch, capsys):
    with serving(Site()) as gone:
        url = gone.url
    assert run("models", "download", "kit", "--accept-licence", "--url", f"{url}/kit.zip") == 2
    line = fault(capsys)
    assert "cannot be reached" in line
    assert "drive.google.com/file/d/1FapdHNkxPouasVM8MWgg1f6sd_4Lua2q/view and pass it with --archive FILE" in line


def test_an_archive_of_something_else_is_named_and_nothing_is_installed(site: Site, cache: Path, capsys):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cat.png", b"")
    site.files["/kit.zip"] = buffer.getvalue()
    assert fetch(site, "kit") == 2
    assert "must hold the folders of one checkpoint" in fault(capsys)
    assert not list((cache / "models").iterdir())
    assert not list(cache.glob("unpack-*"))
    assert not (cache / "checksums.json").exists()


def test_verify_finds_what_was_changed(site: Site, cache: Path, capsys):
    assert fetch(site, "kit") == 0
    weights = cache / "models" / "kit" / "masked.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (cache / "models" / "kit" / "length.safetensors").unlink()
    capsys.readouterr()
    assert run("models", "verify", "kit") == 1
    out = capsys.readouterr().out
    assert "masked.safetensors is not as it was installed" in out
    assert "length.safetensors is missing" in out
    assert run("models", "verify", "humanml3d") == 2
    assert "not on this machine" in fault(capsys)


def test_a_folder_of_one_s_own_is_converted(tmp_path: Path, capsys):
    source = write_published(tmp_path / "checkpoints" / "t2m", small_bundle(HUMANML3D))
    assert run("models", "convert", source, tmp_path / "mine", "--name", "mine", "--half") == 0
    bundle = load_bundle(tmp_path / "mine")
    assert (bundle.config.name, bundle.config.features) == ("mine", "humanml3d")
    shutil.copytree(source, tmp_path / "checkpoints" / "kit")
    assert run("models", "convert", tmp_path / "checkpoints", tmp_path / "other") == 2
    assert "found: kit, t2m" in fault(capsys)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("download", "hml"), "there is no model 'hml'; there are embedded, humanml3d, kit"),
        (("info", "hml"), "there is no model 'hml'"),
        (("verify", "hml"), "there is no model 'hml'"),
        (("download", "kit", "--url", "http://a", "--archive", "b"), "are two sources of one file"),
        (("download", "kit", "--accept-licence", "--archive", "none.zip"), "none.zip is not a file"),
        (("convert", "none", "there"), "none is not a folder"),
    ],
)
def test_what_cannot_be_is_one_line(argv, message, capsys):
    assert run("models", *argv) == 2
    assert message in fault(capsys)


def test_the_embedded_model_needs_no_download(capsys):
    assert run("models", "download", "embedded") == 0
    assert "part of the package" in capsys.readouterr().out
    assert run("models", "verify", "embedded") == 0


@pytest.mark.parametrize("command", [("serve",), ("generate", "a person walks", "-o", "walk.bvh")])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("humanml3d", "model 'humanml3d' is not on this machine yet; run: motionbridge models download humanml3d"),
        ("humanml", "'humanml' is neither a folder nor one of embedded, humanml3d, kit"),
    ],
)
def test_a_model_by_name_that_is_not_here_is_told(command, model, message, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*command, "--model", model)
    assert ended.value.code == 2
    assert message in fault(capsys)


def test_a_name_means_the_model_and_a_path_the_folder(site: Site, cache: Path, tmp_path: Path, monkeypatch):
    assert fetch(site, "kit", "--no-clip") == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kit").mkdir()
    assert model_commands.resolve_model("kit") == cache / "models" / "kit"
    assert model_commands.resolve_model("./kit") == Path("kit")
    assert model_commands.resolve_model("embedded") == EMBEDDED


def test_where_the_cache_is(tmp_path: Path, monkeypatch, capsys):
    assert run("models", "list", "--cache", tmp_path / "other") == 0
    assert str(tmp_path / "other") in capsys.readouterr().out
    assert not (tmp_path / "other").exists()
    monkeypatch.delenv(VARIABLE)
    assert cache_folder().name == "motionbridge"


def test_the_catalogue_is_the_authors():
    assert [entry.name for entry in ENTRIES] == ["embedded", "humanml3d", "kit"]
    for entry in ENTRIES[1:]:
        assert entry.archive is not None
        assert entry.archive.url.startswith("https://drive.usercontent.google.com/download?id=1")
        assert entry.archive.page.split("/")[-2] in entry.archive.url
        assert "research only" in entry.terms
    assert CLIP.sha256 is not None
    assert CLIP.sha256 in CLIP.url
    assert json.dumps([entry.terms for entry in ENTRIES]).isascii()
