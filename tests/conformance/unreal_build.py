"""Builds the C++ of the Unreal plugin without the engine: compilers, flags, and a build folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "unreal_client"
SOURCES = ROOT / "tests" / "unreal"
STUBS = ROOT / "tests" / "unreal_stubs"
CORE = PLUGIN / "Source" / "MotionBridgeCore"

STRICT = ("-Wall", "-Wextra", "-Wshadow", "-Werror")
CORE_FLAGS = ("-std=c++17", *STRICT, "-fno-exceptions", "-fno-rtti", f"-I{CORE / 'Public'}", f"-I{CORE / 'Private'}")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PACKAGES = {
    "g++": "g++",
    "clang++": "clang libclang-rt-14-dev",
    "doctest": "doctest-dev",
    "boost": "libboost-dev",
    "clang-format": "clang-format",
}
COMPILE_TIMEOUT = 1800.0


def need(*tools: str) -> None:
    """Skips the test, naming the Debian packages, when a compiler or a header-only library is not installed."""
    headers = {"doctest": "/usr/include/doctest/doctest.h", "boost": "/usr/include/boost/beast.hpp"}
    missing = [tool for tool in tools if not (Path(headers[tool]).exists() if tool in headers else shutil.which(tool))]
    if missing:
        packages = " ".join(PACKAGES[tool] for tool in missing)
        pytest.skip(f"needs {', '.join(missing)}: apt-get install -y --no-install-recommends {packages}")


def run(command: Sequence[str | Path], timeout: float = COMPILE_TIMEOUT, **options) -> str:
    """Runs a command and returns its output, errors included; fails the test with that output when it fails."""
    result = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )
    if result.returncode:
        pytest.fail(f"{command[0]} exited with {result.returncode}:\n{result.stdout[-6000:]}", pytrace=False)
    return result.stdout


def run_all(commands: Sequence[Sequence[str | Path]]) -> None:
    """Runs commands two at a time; fails the test with the output of the first that fails."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(run, commands))


def compile_all(compiler: str, jobs: Sequence[tuple[Path, Sequence[str], Path]]) -> list[Path]:
    """Compiles (source, flags, object) jobs and returns the objects."""
    run_all([[compiler, *flags, "-c", source, "-o", target] for source, flags, target in jobs])
    return [target for _, _, target in jobs]
