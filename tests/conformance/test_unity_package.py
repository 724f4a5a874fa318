"""The Unity package as files: what Unity's package manager needs, without Unity."""

import json
import re

import pytest
import unity_metas
from unity_metas import PACKAGE


def read(name):
    return json.loads((PACKAGE / name).read_text(encoding="utf-8"))


def test_every_asset_has_its_meta_and_no_meta_is_left_over():
    wanted = {unity_metas.meta_path(asset) for asset in unity_metas.assets()}
    assert len(wanted) > 50
    assert wanted == set(PACKAGE.rglob("*.meta")), "run `python tests/conformance/unity_metas.py`"


def test_metas_are_what_the_generator_writes():
    stale = [
        asset.name
        for asset in unity_metas.assets()
        if unity_metas.meta_path(asset).read_text(encoding="utf-8") != unity_metas.meta(asset)
    ]
    assert not stale, "run `python tests/conformance/unity_metas.py`"


def test_no_guid_comes_twice():
    guids = [
        re.search(r"^guid: ([0-9a-f]{32})$", path.read_text(), re.MULTILINE)[1] for path in PACKAGE.rglob("*.meta")
    ]
    assert len(guids) == len(set(guids))


def test_package_json_names_what_is_there():
    package = read("package.json")
    assert package["name"] == unity_metas.NAME
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    assert package["unity"] == "2021.3"
    assert f"## {package['version']}" in (PACKAGE / "CHANGELOG.md").read_text(encoding="utf-8")
    for sample in package["samples"]:
        assert list((PACKAGE / sample["path"]).glob("*.cs")), sample["path"]
    for name in ("README.md", "LICENSE"):
        assert (PACKAGE / name).is_file()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.asmdef")), ids=lambda path: path.stem)
def test_assembly_definitions_refer_to_each_other(path):
    known = {definition.stem for definition in PACKAGE.rglob("*.asmdef")}
    definition = json.loads(path.read_text(encoding="utf-8"))
    assert definition["name"] == path.stem
    ours = {name for name in definition["references"] if name.startswith("MotionBridge")}
    assert ours <= known
    assert definition["noEngineReferences"] == (path.stem == "MotionBridge.Core")


def test_components_lie_in_files_of_their_names():
    """Unity finds a component by the name of its file."""
    for path in [*(PACKAGE / "Runtime").rglob("*.cs"), *(PACKAGE / "Samples~").rglob("*.cs")]:
        found = re.search(r"class (\w+) : MonoBehaviour", path.read_text(encoding="utf-8"))
        assert found is None or found[1] == path.stem, path.name
