"""The Unity client's core, compiled and tested by Mono: golden vectors, buffer, clock, reconnecting, fuzz, allocations."""

import re

import mono
import pytest

pytestmark = pytest.mark.skipif(mono.missing() is not None, reason=str(mono.missing()))


def test_core_passes_its_tests(tmp_path):
    core = mono.compile_core(tmp_path)
    tests = mono.sources_below(mono.PACKAGE / "Tests" / "Core")
    library = mono.compile_library(tmp_path / "MotionBridge.Core.Tests.dll", tests, [core, mono.NUNIT])
    vectors = mono.REPOSITORY / "protocol" / "vectors"
    report = mono.run_nunit(library, MOTIONBRIDGE_VECTORS=str(vectors))
    counts = re.search(r"Tests run: (\d+).*Ignored: (\d+)", report, re.DOTALL)
    assert counts is not None, report
    files = len(list(vectors.rglob("*.json")))
    assert int(counts[1]) > files, "every golden file must have been run"
    assert int(counts[2]) == 0, report


def test_core_does_not_know_the_engine():
    for path in mono.sources_below(mono.PACKAGE / "Runtime" / "Core"):
        assert "UnityEngine" not in path.read_text(encoding="utf-8"), path.name
