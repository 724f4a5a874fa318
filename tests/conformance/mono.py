"""Compiles C# with Mono's `mcs` and runs it, so that the Unity client's code is tested without Unity."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "unity_client"
APT_PACKAGES = "mono-mcs mono-devel mono-runtime libmono-cil-dev libnunit-cil-dev nunit-console"
NUNIT = Path("/usr/lib/cli/nunit.framework-2.6.3/nunit.framework.dll")


def missing() -> str | None:
    """What to install when Mono is not complete; None when it is."""
    tools = [tool for tool in ("mcs", "mono", "nunit-console") if shutil.which(tool) is None]
    tools += [] if NUNIT.is_file() else [NUNIT.name]
    if not tools:
        return None
    return f"{', '.join(tools)} not found: apt-get install -y --no-install-recommends {APT_PACKAGES}"


def compile_library(output: Path, sources: Sequence[Path], references: Sequence[Path], *options: str) -> Path:
    """A library, warnings being errors; AssertionError with the compiler's words when it does not compile."""
    return _compile(output, "library", sources, references, options)


def compile_program(output: Path, sources: Sequence[Path], references: Sequence[Path], *options: str) -> Path:
    """A program, in the same way; what it refers to must lie beside it when it runs."""
    return _compile(output, "exe", sources, references, options)


def compile_core(folder: Path) -> Path:
    """`Runtime/Core`, which must not need Unity."""
    return compile_library(folder / "MotionBridge.Core.dll", sources_below(PACKAGE / "Runtime" / "Core"), [])


def sources_below(folder: Path) -> list[Path]:
    """All C# files below a folder."""
    return sorted(folder.rglob("*.cs"))


def run_nunit(library: Path, **environment: str) -> str:
    """Runs a test library and returns the report; AssertionError with the failures when there are any."""
    shutil.copy(NUNIT, library.parent)
    done = subprocess.run(
        ["nunit-console", "-nologo", "-noshadow", "-nodots", library.name],
        cwd=library.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
    return done.stdout


def _compile(
    output: Path, target: str, sources: Sequence[Path], references: Sequence[Path], options: Sequence[str]
) -> Path:
    command = ["mcs", "-warnaserror", "-warn:4", f"-target:{target}", f"-out:{output}", *options]
    command += [f"-r:{reference}" for reference in references]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return output
