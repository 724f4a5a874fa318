"""The Unity package's components, editor code and samples against stand-ins of Unity's assemblies (tests/unity_stubs)."""

import mono
import pytest

pytestmark = pytest.mark.skipif(mono.missing() is not None, reason=str(mono.missing()))

STUBS = mono.REPOSITORY / "tests" / "unity_stubs"
SERIALIZED = "-nowarn:0649"
"""Fields that the inspector fills look unassigned to the compiler."""
DECLARED = "-nowarn:0649,0169,0414,0067"
"""Stand-ins declare what they do not use."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The libraries by name, each compiled with warnings as errors."""
    folder, package = tmp_path_factory.mktemp("unity"), mono.PACKAGE
    core = mono.compile_core(folder)
    engine = mono.compile_library(folder / "UnityEngine.dll", mono.sources_below(STUBS / "UnityEngine"), [], DECLARED)
    editor = mono.compile_library(
        folder / "UnityEditor.dll", mono.sources_below(STUBS / "UnityEditor"), [engine], DECLARED
    )
    components = mono.compile_library(
        folder / "MotionBridge.Unity.dll",
        mono.sources_below(package / "Runtime" / "Unity"),
        [engine, core],
        SERIALIZED,
    )
    tools = mono.compile_library(
        folder / "MotionBridge.Editor.dll",
        mono.sources_below(package / "Editor"),
        [engine, editor, core, components],
        SERIALIZED,
    )
    return {"engine": engine, "editor": editor, "core": core, "components": components, "tools": tools}


def test_samples_compile(built, tmp_path):
    references = [built["engine"], built["core"], built["components"]]
    samples = mono.sources_below(mono.PACKAGE / "Samples~")
    assert len(samples) >= 3
    mono.compile_library(tmp_path / "Samples.dll", samples, references, SERIALIZED)


def test_webgl_and_newer_variants_compile(built, tmp_path):
    core = mono.compile_library(
        tmp_path / "MotionBridge.Core.dll", mono.sources_below(mono.PACKAGE / "Runtime" / "Core"), [], "-d:UNITY_WEBGL"
    )
    components = mono.sources_below(mono.PACKAGE / "Runtime" / "Unity")
    mono.compile_library(
        tmp_path / "WebGL.dll", components, [built["engine"], core], SERIALIZED, "-d:UNITY_WEBGL;UNITY_2023_1_OR_NEWER"
    )


def test_components_drive_a_fake_animator(built):
    shared = ["FakeServer.cs", "Golden.cs", "Json.cs", "RetargetCase.cs", "Samples.cs"]
    sources = mono.sources_below(STUBS / "Tests") + [mono.PACKAGE / "Tests" / "Core" / name for name in shared]
    library = mono.compile_library(
        built["core"].parent / "MotionBridge.Unity.Tests.dll", sources, [*built.values(), mono.NUNIT]
    )
    report = mono.run_nunit(library, MOTIONBRIDGE_VECTORS=str(mono.REPOSITORY / "protocol" / "vectors"))
    assert "Ignored: 0" in report, report
