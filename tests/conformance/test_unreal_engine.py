"""The engine side of the Unreal plugin against stubs of the engine: it compiles strictly, and runs under ThreadSanitizer.

The stubs (tests/unreal_stubs) declare just the API that the plugin uses, written from its public documentation: this
proves the code against our reading of that documentation, not against the engine.
"""

import json
import re

import pytest
from unreal_build import CORE, CORE_FLAGS, PLUGIN, SOURCES, STRICT, compile_all, need, run, run_all
from unreal_stubs import MODULES, write_includes

RUNTIME = PLUGIN / "Source" / "MotionBridge"
EDITOR = PLUGIN / "Source" / "MotionBridgeEditor"
NEWEST_MINOR = 8


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("include")
    write_includes(folder)
    includes = (folder, RUNTIME / "Public", RUNTIME / "Private", EDITOR / "Private", CORE / "Public", CORE / "Private")
    return ["-std=c++20", *STRICT, *(f"-I{path}" for path in includes)]


@pytest.mark.parametrize("minor", [4, NEWEST_MINOR])
def test_every_file_compiles_on_its_own(minor, flags):
    need("g++")
    sources = [path for folder in (RUNTIME, EDITOR) for path in sorted(folder.rglob("*.cpp"))]
    sources.append(CORE / "Private" / "MotionBridgeCoreModule.cpp")
    if minor < NEWEST_MINOR:  # the versions differ in one header, which only the tests of the plugin include
        sources = [path for path in sources if "MotionBridgeCompat.h" in path.read_text(encoding="utf-8")]
    assert sources
    run_all([["g++", *flags, f"-DSTUB_ENGINE_MINOR={minor}", "-fsyntax-only", source] for source in sources])


def test_live_link_order_and_shutdown_while_receiving_under_thread_sanitizer(flags, tmp_path):
    need("g++")
    options = [*flags, f"-DSTUB_ENGINE_MINOR={NEWEST_MINOR}", "-fsanitize=thread", "-O0", "-g1"]
    core = [*CORE_FLAGS, "-fsanitize=thread", "-O0", "-g1"]
    jobs = [(SOURCES / f"{name}.cpp", options, tmp_path / f"{name}.o") for name in ("engine_tests", "engine_all")]
    objects = compile_all("g++", [*jobs, (SOURCES / "core_all.cpp", core, tmp_path / "core.o")])
    run(["g++", "-fsanitize=thread", *objects, "-o", tmp_path / "tests"])
    assert "3 automation tests, 0 failures" in run([tmp_path / "tests"])


def test_only_stubbed_engine_headers_are_included():
    known = {name for names in MODULES.values() for name in names}
    used = set()
    for path in [*RUNTIME.rglob("*"), *EDITOR.rglob("*")]:
        if path.suffix in {".h", ".cpp"}:
            found = re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8"))
            used |= {name for name in found if not re.search(r"MotionBridge|\.generated\.h", name)}
    assert used <= known | {"Modules/ModuleManager.h"}
    assert known <= used | {"Modules/ModuleManager.h"}


def test_version_differences_are_in_one_header():
    for path in PLUGIN.rglob("*"):
        if path.suffix in {".h", ".cpp"} and path.name != "MotionBridgeCompat.h":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"UE_VERSION_|ENGINE_(MAJOR|MINOR)_VERSION", text), path.name


def test_descriptor_names_the_modules_that_there_are():
    descriptor = json.loads((PLUGIN / "MotionBridge.uplugin").read_text(encoding="utf-8"))
    modules = {module["Name"]: module["Type"] for module in descriptor["Modules"]}
    assert modules == {"MotionBridgeCore": "Runtime", "MotionBridge": "Runtime", "MotionBridgeEditor": "Editor"}
    assert {"Name": "LiveLink", "Enabled": True} in descriptor["Plugins"]
    for name in modules:
        rules = (PLUGIN / "Source" / name / f"{name}.Build.cs").read_text(encoding="utf-8")
        assert f"public class {name} : ModuleRules" in rules
    version = re.search(r'PluginVersion = "([^"]+)"', (RUNTIME / "Private/MotionBridgeClient.cpp").read_text())
    assert version is not None
    assert version.group(1) == descriptor["VersionName"]
    assert f"## {descriptor['VersionName']}" in (PLUGIN / "CHANGELOG.md").read_text(encoding="utf-8")
