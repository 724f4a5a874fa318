"""MotionBridgeCore, the Unreal plugin's plain C++17 half: built strictly by two compilers, tested under sanitizers."""

import os
import re
from pathlib import Path

import pytest
from unreal_build import CORE, CORE_FLAGS, PLUGIN, SANITIZERS, SOURCES, compile_all, need, run
from unreal_cases import message_files, write_cases

from protocol import limits
from protocol.skeleton import default_skeleton

FUZZ_RUNS = 1000
"""Enough to see that the target works; the doctest suite has 100,000 inputs of its own."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    write_cases(folder)
    return folder


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_core_passes_its_tests_under_address_and_undefined_behaviour_sanitizers(compiler, cases, tmp_path):
    need(compiler, "doctest")
    jobs = [
        (SOURCES / "core_tests.cpp", [*CORE_FLAGS, *SANITIZERS, "-O0", "-g1"], tmp_path / "tests.o"),
        (SOURCES / "core_all.cpp", [*CORE_FLAGS, *SANITIZERS, "-O1", "-g1"], tmp_path / "core.o"),
    ]
    objects = compile_all(compiler, jobs)
    run([compiler, *SANITIZERS, *objects, "-o", tmp_path / "tests"])
    output = run([tmp_path / "tests"], env={**os.environ, "MOTIONBRIDGE_CASES": str(cases)})
    assert re.search(r"test cases: +\d\d \| +\d\d passed \| 0 failed \| 0 skipped", output), output


def test_libfuzzer_finds_nothing(tmp_path):
    need("clang++")
    flags = [*CORE_FLAGS, "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-O0", "-g1"]
    jobs = [(SOURCES / f"{name}.cpp", flags, tmp_path / f"{name}.o") for name in ("core_all", "fuzz_decode")]
    objects = compile_all("clang++", jobs)
    run(["clang++", *flags, *objects, "-o", tmp_path / "fuzz"])
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for path in message_files():
        (corpus / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    output = run([tmp_path / "fuzz", f"-runs={FUZZ_RUNS}", "-seed=1", "-max_len=8192", corpus], cwd=tmp_path)
    assert f"Done {FUZZ_RUNS} runs" in output


def test_core_includes_nothing_of_the_engine():
    allowed = re.compile(r'#include (<[a-z_]+>|"(MotionBridgeCore/)?[A-Za-z]+\.h")')
    for path in CORE.rglob("*"):
        if path.suffix in {".h", ".cpp"} and path.name != "MotionBridgeCoreModule.cpp":
            for line in path.read_text(encoding="utf-8").splitlines():
                assert not line.startswith("#include") or allowed.fullmatch(line), f"{path.name}: {line}"


def test_limits_are_those_of_the_protocol():
    text = (CORE / "Public" / "MotionBridgeCore" / "Limits.h").read_text(encoding="utf-8")
    found = dict(re.findall(r"constexpr [\w ]+\*? (\w+) = \"?([^;\"]+)\"?;", text))
    for name, value in vars(limits).items():
        ours = found.pop("".join(part.capitalize() for part in name.split("_")), None)
        if ours is not None:
            assert (ours if isinstance(value, str) else float(ours)) == value, name
    assert sorted(found) == ["Float32Slack"]


def test_joints_are_those_of_the_skeleton():
    text = (CORE / "Private" / "Skeleton.cpp").read_text(encoding="utf-8")
    rows = re.findall(r'\{"(\w+)", (-?\d+), \{([^}]+)\}\}', text)
    skeleton = default_skeleton()
    assert [name for name, _, _ in rows] == list(skeleton.names)
    assert [int(parent) for _, parent, _ in rows] == list(skeleton.parents)
    assert [[float(part) for part in offset.split(",")] for _, _, offset in rows] == skeleton.offsets.tolist()


def test_formatted_as_epic_does():
    need("clang-format")
    sources = [*PLUGIN.rglob("*.h"), *PLUGIN.rglob("*.cpp"), *SOURCES.glob("*.h"), *SOURCES.glob("*.cpp")]
    assert sources
    style = f"--style=file:{PLUGIN / '.clang-format'}"
    run(["clang-format", "--dry-run", "--Werror", style, *sorted(Path(source) for source in sources)])
