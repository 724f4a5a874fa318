"""What keeps the packages running on Windows: no POSIX-only calls, encodings named, texts that its console can show."""

from __future__ import annotations

import argparse
import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

from server import cli

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("protocol", "server") for path in (ROOT / package).rglob("*.py"))
POSIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty", "uvloop"}
POSIX_NAMES = {
    "os": {"fork", "forkpty", "getuid", "geteuid", "getpgid", "killpg", "mkfifo", "setsid", "uname", "wait", "nice"},
    "signal": {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "alarm", "setitimer"},
    "asyncio": {"uvloop", "get_child_watcher"},
}
UNIX_FOLDERS = ("/tmp", "/dev/", "/var/", "/usr/", "/home/", "/proc/", "/etc/")
TEXT_CALLS = {"open", "read_text", "write_text"}


def faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and kind of everything that would fail or differ on Windows."""
    guarded = {
        node
        for attempt in ast.walk(tree)
        if isinstance(attempt, ast.Try)
        and any(isinstance(h.type, ast.Name) and h.type.id == "NotImplementedError" for h in attempt.handlers)
        for statement in attempt.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if (isinstance(node, ast.Import) and {alias.name.split(".")[0] for alias in node.names} & POSIX_MODULES) or (
            isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in POSIX_MODULES
        ):
            yield node.lineno, "imports a POSIX module"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in POSIX_NAMES.get(node.value.id, ()):
                yield node.lineno, f"uses {node.value.id}.{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(UNIX_FOLDERS):
            yield node.lineno, f"names the folder {node.value}"
        if isinstance(node, ast.Attribute) and node.attr == "add_signal_handler" and node not in guarded:
            yield node.lineno, "add_signal_handler without a way for loops that have none"
        if isinstance(node, ast.Call) and not _has_encoding(node):
            yield node.lineno, "reads or writes text without naming its encoding"


def _has_encoding(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if name not in TEXT_CALLS or (name == "open" and isinstance(owner, ast.Name) and owner.id in ("tarfile", "Image")):
        return True
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return True
    if name == "read_text":
        return bool(call.args)
    if name == "write_text":
        return len(call.args) > 1
    # Path.open(mode), open(path, mode); what has no literal mode is a call of something else named open.
    modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if owner is None:
        return "b" in "".join(modes[-1:])
    return not modes or "b" in modes[0] or not set(modes[0]) <= set("rwaxt+")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_for_posix_only(path: Path):
    assert list(faults(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import fcntl",
        "from resource import getrusage",
        "import os\nos.fork()",
        "import signal\nsignal.SIGKILL",
        "loop.add_signal_handler(2, stop)",
        "try:\n    loop.add_signal_handler(2, stop)\nexcept ValueError:\n    pass",
        "path = '/tmp/x'",
        "path.read_text()",
        "path.write_text(text)",
        "open('a.txt')",
        "path.open('w')",
    ],
)
def test_a_fault_is_found(source: str):
    assert len(list(faults(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    loop.add_signal_handler(2, stop)\nexcept NotImplementedError:\n    pass",
        "path.read_text(encoding='utf-8')",
        "path.write_text(text, 'utf-8')",
        "open('a.bin', 'rb')",
        "path.open('r+b')",
        "tarfile.open(path, 'r|xz')",
    ],
)
def test_what_is_allowed_is_allowed(source: str):
    assert list(faults(ast.parse(source))) == []


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands, at any depth."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from parsers(sub)


COMMANDS = list(parsers(cli.build_parser()))


@pytest.mark.parametrize("parser", COMMANDS, ids=lambda parser: parser.prog)
def test_help_fits_a_windows_console_and_has_an_example(parser: argparse.ArgumentParser):
    parser.format_help().encode("cp1252")
    assert f"motionbridge {parser.prog.partition(' ')[2]}".rstrip() in (parser.epilog or parser.description or "")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_printed_fits_a_windows_console(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    part.value.encode("cp1252")


def test_every_file_can_be_checked_out_on_windows():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = listed.stdout.splitlines()
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert not set(name) & set('<>:"|?*\\'), name
        assert not any(PureWindowsPath(part).is_reserved() or part.endswith((" ", ".")) for part in name.split("/")), (
            name
        )
        assert len(name) < 150, name
