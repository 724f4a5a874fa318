"""Ctrl-C in the middle of each command: one line, exit status 130, no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")

BOUND_S = 120.0

# Stands in for the long part of a command: says that it has begun, then waits for the signal, which a test run in the background
# would hand down as ignored.
WAIT = """
import asyncio, importlib, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
def wait(*args, **kwargs):
    print("begun", flush=True)
    threading.Event().wait({bound})
async def wait_async(*args, **kwargs):
    print("begun", flush=True)
    await asyncio.sleep({bound})
class Waiting:
    __aenter__ = wait_async
    async def __aexit__(self, *error): pass
module, name = {target!r}.split(":")
setattr(importlib.import_module(module), name, (lambda *a, **k: Waiting()) if {waits!r} == "async" else wait)
from server import cli
sys.exit(cli.main({argv!r}))
"""

COMMANDS = {
    "serve": (["serve", "--port", "0"], "server.serving:EngineProcess", ""),
    "play": (["play", "a person waves"], "server.play:connect", "async"),
    "generate": (["generate", "a person bows", "-o", "bow.bvh"], "server.engine:load_engine", ""),
    "prepare": (["prepare", "bvh", "a", "b"], "server.training.prepare:prepare", ""),
    "train": (["train", "rvq", "a", "b"], "server.training.stages:train_rvq", ""),
    "models download": (["models", "download", "kit", "--accept-licence"], "server.hub.store:download", ""),
    "doctor": (["doctor", "--port", "0"], "server.doctor:packages", ""),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_is_clean(command: str, tmp_path, monkeypatch):
    monkeypatch.setenv("MOTIONBRIDGE_CACHE", str(tmp_path / "cache"))
    argv, target, waits = COMMANDS[command]
    code = WAIT.format(bound=BOUND_S, target=target, waits=waits, argv=argv)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "begun\n":
            assert line, process.communicate(timeout=BOUND_S)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=BOUND_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopped"
    assert "Traceback" not in err
