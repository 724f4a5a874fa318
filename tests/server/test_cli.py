"""The command line: what it accepts, how it complains, and how a command's end becomes an exit status."""

import argparse
import os
import subprocess
import sys

import pytest

from protocol import limits
from protocol.client_errors import UnreachableError
from server import cache, cli, serve_options

COMMANDS = ("serve", "preview", "play", "generate", "prepare", "train", "export")
BOUND_S = 120


def run_with(monkeypatch: pytest.MonkeyPatch, action) -> int:
    """The exit status of a command line whose command is ``action``."""
    parser = argparse.ArgumentParser()
    parser.set_defaults(action=action)
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    return cli.main([])


def raising(error: BaseException):
    def action(args: argparse.Namespace) -> int:
        raise error

    return action


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=lambda command: " ".join(command) or "-")
def test_help_has_an_example_of_each_command(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for name in command or COMMANDS:
        assert f"motionbridge {name}" in out or name in out.split()
    assert "motionbridge " in out


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "COMMAND"),
        (["dance"], "'dance'"),
        (["serve", "--prot", "1"], "--prot"),
        (["serve", "--port", "http"], "'http'"),
        (["serve", "--preview-port", "web"], "'web'"),
        (["preview", "--port", "web"], "'web'"),
        (["play"], "TEXT"),
        (["play", "a person waves", "--seconds", "long"], "'long'"),
        (["generate", "a person bows"], "-o/--output"),
        (["generate", "a", "person", "bows", "-o", "bow.bvh"], "person bows"),
        (["generate", "a person bows", "-o", "bow.bvh", "--steps", "2.5"], "'2.5'"),
        (["generate", "a person bows", "-o", "bow.npz", "--edit", "walk.npz", "--range"], "--range"),
        (["prepare", "fbx", "a", "b"], "'fbx'"),
        (["train", "gan", "a", "b"], "'gan'"),
        (["train", "rvq", "a", "b", "--precision", "fp16"], "'fp16'"),
        (["train", "rvq", "a", "b", "--favour", "kick"], "'kick' is not GROUP=FACTOR"),
        (["train", "rvq", "a", "b", "--favour", "kick=-1"], "'kick=-1' is not GROUP=FACTOR"),
        (["export", "run"], "DATA, DST"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_the_fault(argv, named, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("motionbridge")
    assert err.count("\n") == 1
    assert named in err
    assert "--help" in err


def test_the_defaults_are_the_documented_ones():
    parser = cli.build_parser()
    serve = parser.parse_args(["serve"])
    assert (serve_options.given(serve), serve.config, serve.tokens) == ({}, None, None)
    assert serve.model == cache.EMBEDDED
    assert (serve.no_preview, serve.preview_port) == (False, 8766)
    preview = parser.parse_args(["preview"])
    assert (preview.url, preview.port, preview.token) == (limits.DEFAULT_URL, 8766, None)
    play = parser.parse_args(["play", "a person waves", "then bows"])
    assert (play.texts, play.url, play.rate) == (["a person waves", "then bows"], limits.DEFAULT_URL, 30)
    generate = parser.parse_args(["generate", "a person bows", "-o", "bow.bvh"])
    assert (generate.seconds, generate.guidance, generate.steps, generate.seed) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("--seconds is 99;\n 0.5 to 9.8 are possible"), "--seconds is 99; 0.5 to 9.8 are possible"),
        (RuntimeError("CUDA out of memory"), "CUDA out of memory"),
        (FileNotFoundError(2, "No such file or directory", "walk.npz"), "walk.npz: No such file or directory"),
        (OSError("disk on fire"), "disk on fire"),
        (UnreachableError("ws://127.0.0.1:1", "refused"), "no MotionBridge server at ws://127.0.0.1:1 (refused)"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_status_2(error, line, monkeypatch, capsys):
    assert run_with(monkeypatch, raising(error)) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"motionbridge: {line}")
    assert err.count("\n") == 1


def test_ctrl_c_is_status_130(monkeypatch, capsys):
    assert run_with(monkeypatch, raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    with pytest.raises(TypeError, match="a bug"):
        run_with(monkeypatch, raising(TypeError("a bug")))


def test_a_console_that_lacks_a_character_shows_its_code():
    code = "import sys; from server import cli, commands; commands.generate = lambda a: print(a.text) or 0; " \
        "sys.exit(cli.main(['generate', 'une révérence', '-o', 'bow.bvh']))"  # fmt: skip
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "une r\\xe9v\\xe9rence\n", "")


@pytest.mark.parametrize(("before", "then"), [(None, "passive"), ("active", "active")])
def test_threads_of_torch_that_wait_leave_the_cores_to_the_game(before, then):
    environ = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    look = "import sys, server.cli, os; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", look],
        env=environ if before is None else {**environ, "OMP_WAIT_POLICY": before},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    assert done.stdout.split() == [then, "False"]  # set before torch comes, which reads it but once
