"""The contract stays light: a client installs no machine learning to speak it."""

import ast
import sys
from pathlib import Path

import pytest

import protocol

ALLOWED = {"protocol", "numpy", "msgpack", "pydantic", "pydantic_core"}
SOCKETS = {"client.py", "handshake.py", "resume.py"}
FILES = sorted(Path(protocol.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_only_what_it_may(path):
    allowed = ALLOWED | set(sys.stdlib_module_names) | ({"websockets"} if path.name in SOCKETS else set())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= allowed, f"{path.name} line {node.lineno}"
