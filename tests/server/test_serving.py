"""``motionbridge serve`` as its users run it: a process of its own that announces itself, serves, and ends when asked."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_bundle import write_tiny_bundle

from protocol.client import ClientConfig, FrameBlock, connect
from protocol.client_errors import ConnectionLostError
from server import cli

ROOT = Path(__file__).parents[2]
BOUND_S = 240.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("model"))


@contextlib.contextmanager
def process(model: Path, *options: str) -> Iterator[subprocess.Popen]:
    """A ``serve`` process that cannot outlive the test, nor the bound."""
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--device", "cpu", "--model", str(model)]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        watchdog = threading.Timer(BOUND_S, started.kill)
        watchdog.start()
        try:
            yield started
        finally:
            watchdog.cancel()
            started.kill()


def read_until(running: subprocess.Popen, word: str) -> list[str]:
    lines = []
    for line in running.stdout:
        lines.append(line.rstrip("\n"))
        if word in line:
            return lines
    pytest.fail(f"the server ended before it said {word!r}: {lines}, {running.stderr.read()}")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that asks a process to end")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_announces_serves_and_ends_cleanly(model: Path, capsys, number: signal.Signals):
    with process(model, "--no-preview") as running:
        lines = read_until(running, "Ctrl-C")
        url = re.fullmatch(r"listening on (ws://127\.0\.0\.1:\d+)", lines[-3])[1]
        assert re.fullmatch(r"model 'tiny' ready in \d+\.\d s", lines[-4])
        assert f'motionbridge play "a person waves" "a person walks forward" --url {url}' in lines[-2]
        with urllib.request.urlopen(url.replace("ws", "http", 1) + "/healthz", timeout=BOUND_S) as answer:
            assert (answer.status, answer.read()) == (200, b"ok\n")

        port = url.rpartition(":")[2]
        assert cli.main(["serve", "--port", port, "--model", str(model)]) == 2
        assert f"cannot listen on 127.0.0.1 port {port}: the port is in use" in one_line(capsys)

        assert asyncio.run(stream_then_stop(url, running, number)) == 1001
        assert running.wait(BOUND_S) == 0
        assert running.stdout.read() == "stopped\n"
        assert running.stderr.read() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that asks a process to end")
def test_a_preview_without_a_port_leaves_the_server_as_it_was(model: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with process(model, "--preview-port", str(port)) as running:
            url = read_until(running, "Ctrl-C")[-3].split()[-1]
            assert f"no preview: cannot listen on 127.0.0.1 port {port}" in read_until(running, "preview")[-1]
            assert asyncio.run(stream_then_stop(url, running, signal.SIGINT)) == 1001
            assert running.wait(BOUND_S) == 0
            assert (running.stdout.read(), running.stderr.read()) == ("stopped\n", "")


async def stream_then_stop(url: str, running: subprocess.Popen, number: signal.Signals) -> int | None:
    """The close code that a client in the middle of a stream gets when the server is asked to end."""
    async with asyncio.timeout(BOUND_S), connect(ClientConfig(url=url, restart_seconds=0.0)) as client:
        await client.prompt("a person walks", seconds=2.0, on_end="repeat")
        try:
            async for event in client:
                if isinstance(event, FrameBlock):
                    assert event.poses.rotations.shape[1:] == (22, 4)
                    running.send_signal(number)
        except ConnectionLostError as lost:
            return lost.code
    return None


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--port", "65536"), "--port is 65536: Input should be less than or equal to 65535"),
        (("--port", "-1"), "--port is -1: Input should be greater than or equal to 0"),
        (("--preview-port", "65536"), "--preview-port is 65536: Input should be less than or equal to 65535"),
        (("--host", ""), "--host is ''"),
        (("--token", ""), "--token: Value should have at least 1 item"),
        (("--quota", "connections=0"), "--quota.connections is '0': Input should be greater than or equal to 1"),
        (("--quota", "friends=3"), "--quota is 'friends=3'; it must be NAME=N, NAME one of connections"),
        (("--origin", "game.example"), "--origins.0 is 'game.example': an origin looks like https://game.example"),
        (("--tls-cert", "cert.pem"), "tls_cert is set without tls_key"),
        (("--tls-cert", "none.pem", "--tls-key", "none.pem"), "none.pem cannot be used (No such file or directory)"),
        (("--config", "none.toml"), "none.toml cannot be read: No such file or directory"),
        (("--host", "0.0.0.0"), "host '0.0.0.0' lets other machines connect: set a token"),
        (("--host", "203.0.113.7", "--token", "secret"), "cannot listen on 203.0.113.7 port 0"),
        (("--model", "no/where"), "config.json is missing; no/where is not a model bundle"),
        (("--device", "tpu"), "device is 'tpu'; auto, cpu and cuda"),
    ],
)
def test_what_it_cannot_be_told_is_one_line(model: Path, capsys, argv, message):
    assert cli.main(["serve", "--port", "0", "--model", str(model), *argv]) == 2
    assert message in one_line(capsys)


def test_a_port_in_use_is_told_before_the_model_is_loaded(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert cli.main(["serve", "--port", port, "--model", "no/where"]) == 2
    line = one_line(capsys)
    assert "the port is in use, perhaps by another motionbridge serve" in line
    assert "--port" in line


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    err = capsys.readouterr().err
    assert err.startswith("motionbridge: ")
    assert err.count("\n") == 1
    return err
