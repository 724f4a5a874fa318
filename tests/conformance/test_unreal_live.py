"""End to end: a server with the embedded model, and MotionBridgeCore in a process of its own; its poses are the Python client's."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from reference_stream import FIRST, SECOND, Frames, Sentence, assert_same, two_sentences
from unreal_build import CORE, CORE_FLAGS, ROOT, SOURCES, STRICT, compile_all, need, run

BOUND = 1800.0
"""Seconds after which a child process is taken to hang."""


@pytest.fixture(scope="module")
def server():
    """The address of `motionbridge serve` with the embedded model, in a process of its own."""
    command = [sys.executable, "-m", "server.cli", "serve", "--no-preview", "--device", "cpu", "--port", "0"]
    with spawn(command, cwd=ROOT) as process:
        line = next(line for line in process.lines() if "ws://" in line)
        yield re.search(r"ws://([\d.]+):(\d+)", line).groups()


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    """The console client, built."""
    need("g++", "boost")
    folder = tmp_path_factory.mktemp("console")
    plain = ["-std=c++17", *STRICT, f"-I{CORE / 'Public'}"]
    jobs = [
        (SOURCES / "console_client.cpp", [*plain, "-O0"], folder / "console.o"),
        (SOURCES / "core_all.cpp", [*CORE_FLAGS, "-O1"], folder / "core.o"),
    ]
    objects = compile_all("g++", jobs)
    run(["g++", *objects, "-pthread", "-o", folder / "console_client"])
    return folder / "console_client"


class Process:
    """A child whose output is read line by line; killed when it takes too long."""

    def __init__(self, child: subprocess.Popen) -> None:
        self.child = child
        self.seen: list[str] = []

    def send(self, line: str) -> None:
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def lines(self):
        for line in self.child.stdout:
            self.seen.append(line.rstrip())
            yield self.seen[-1]
        pytest.fail("the process ended early:\n" + "\n".join(self.seen[-40:]))

    def until(self, start: str) -> list[str]:
        """The lines up to one that starts so."""
        taken = []
        for line in self.lines():
            taken.append(line)
            if line.startswith(start):
                return taken
        return taken


@contextlib.contextmanager
def spawn(command, **options):
    child = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        **options,
    )
    guard = threading.Timer(BOUND, child.kill)
    guard.start()
    try:
        yield Process(child)
    finally:
        guard.cancel()
        child.kill()
        child.wait()


def console_frames(lines: list[str]) -> Frames:
    """What the console client printed: root, rotations and contacts in hexadecimal."""
    frames: Frames = {}
    for line in lines:
        if line.startswith("frame "):
            _, _, index, digits = line.split()
            data = bytes.fromhex(digits)
            frames[int(index)] = np.frombuffer(data[:-1], dtype="<f4"), data[-1]
    return frames


def prompt(sentence: Sentence, mode: str) -> str:
    return f"prompt main {sentence.name} {sentence.seed} {sentence.seconds} {mode} {sentence.text}"


# Scaling an int16 quaternion to unit length rounds the last bit as the language does.
@pytest.mark.parametrize(("encoding", "tolerance"), [("float32", 0.0), ("int16", 1.5e-7)])
def test_two_prompts_with_a_dropped_connection_between_them(console, server, encoding, tolerance, record_property):
    host, port = server
    with spawn([console, host, port, encoding]) as client:
        client.until("connection connected")
        client.send(f"hold main {FIRST.standstill}")
        client.send(prompt(FIRST, "replace"))
        client.until("held")
        client.send("drop")
        client.until("connection waiting")
        client.until("welcome continues")
        client.send(prompt(SECOND, "queue"))
        client.until(f"status {SECOND.name} started")
        client.send("go")
        client.until(f"status {SECOND.name} finished")
        got = {}
        for sentence in (FIRST, SECOND):
            client.send(f"frames {sentence.name}")
            got[sentence.name] = console_frames(client.until("end"))
        client.send("gaps")
        gaps = client.until("gaps")[-1]
        client.send("quit")
        assert not [line for line in client.seen if line.startswith(("bad", "error", "refused"))]
    expected = asyncio.run(two_sentences(f"ws://{host}:{port}", encoding))
    for sentence in (FIRST, SECOND):
        print(assert_same(got[sentence.name], expected[sentence.name], sentence, tolerance))
    count, mean, median, late, longest = gaps.split()[1:]
    text = f"{count} gaps: mean {mean} ms, median {median} ms, 99 % {late} ms, longest {longest} ms ({encoding})"
    record_property("gaps", text)
    print(f"inter-frame gaps of shown poses at 30 fps: {text}")
    assert int(count) > 60
