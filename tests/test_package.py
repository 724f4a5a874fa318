"""The wheel: it holds every file of the packages, and works from a folder that has no sources beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tiny_bundle import write_tiny_bundle

hatchling = pytest.importorskip("hatchling.builders.wheel", reason="hatchling, of the extra 'dev', is not installed")

ROOT = Path(__file__).parents[1]
BOUND_S = 240

USE = """
import sys
from pathlib import Path
import protocol, server
from protocol.schema import SCHEMA_PATH, schema_text
from server import cli
from server.motion import bvh, joint_map

site = Path(sys.argv[1])
assert site in Path(server.__file__).parents and site in Path(protocol.__file__).parents
assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text()
for suffix in ("bvh", "npz"):
    argv = ["generate", "a person walks", "--seconds", "1", "--device", "cpu", "--model", sys.argv[2]]
    assert cli.main([*argv, "-o", f"walk.{suffix}"]) == 0
joint_map.detect(bvh.read_bvh(Path("walk.bvh")))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(next(hatchling.WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))))


def test_it_holds_every_file_of_the_packages(wheel: Path):
    on_disk = {
        path.relative_to(ROOT).as_posix()
        for package in ("protocol", "server")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == on_disk
    assert {"protocol/skeleton.json", "protocol/schema.json", "server/motion/joint_maps/cmu.json"} <= packed


def test_it_works_from_another_folder(wheel: Path, tmp_path: Path):
    site, elsewhere = tmp_path / "site", tmp_path / "else where"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    model = write_tiny_bundle(tmp_path / "model")
    subprocess.run(
        [sys.executable, "-c", USE, str(site), str(model)],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(site)},
        timeout=BOUND_S,
        check=True,
    )
    assert sorted(path.name for path in elsewhere.iterdir()) == ["walk.bvh", "walk.npz"]
