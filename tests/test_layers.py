"""Which room may open a door to which: the imports, read from the source, against the picture in README.md."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOUND_S = 240

CHAIN = ("protocol", "motion", "engine", "batcher", "timeline", "session", "connection", "app", "cli")
SIDE_ROOMS = {
    "files": (),
    "cache": (),
    "hub": ("cache", "files", "models"),
    "config": ("protocol",),
    "observer": (),
    "sentences": (),
    "logs": (),
    "memory": (),
    "precision": (),
    "models": ("files",),
    "training": ("protocol", "motion", "models", "files", "sentences"),
    "evaluation": ("protocol", "motion", "models", "engine", "export", "files"),
    "export": ("protocol", "motion", "files"),
    "preview": ("protocol", "motion", "export"),
}
EXTRA_DOORS = {
    "motion": ("files", "sentences"),
    "engine": ("models", "observer", "cache", "precision"),
    "batcher": ("observer", "memory", "precision", "sentences"),
    "session": ("config", "observer", "sentences"),
    "connection": ("config", "observer", "logs"),
    "app": ("config", "observer", "logs", "memory"),
    "cli": (
        "config",
        "observer",
        "logs",
        "cluster",
        "training",
        "export",
        "preview",
        "evaluation",
        "hub",
        "cache",
        "models",
        "memory",
        "precision",
    ),
}
MAY_OPEN = {
    **SIDE_ROOMS,
    "cluster": (*CHAIN[: CHAIN.index("cli")], "config", "observer", "memory", "precision"),
    **{room: (*CHAIN[:place], *EXTRA_DOORS.get(room, ())) for place, room in enumerate(CHAIN)},
}
"""Room -> the rooms whose modules it may import, beside its own."""

ROOM_OF = {
    "track": "timeline",
    "pace": "timeline",
    "prompts": "timeline",
    "playhead": "timeline",
    "latency": "timeline",
    "planning": "timeline",
    "ahead": "timeline",
    "arrivals": "connection",
    "ticks": "connection",
    "model_calls": "batcher",
    "backend": "batcher",
    "engine_process": "batcher",
    "model_info": "batcher",
    "line": "batcher",
    "characters": "session",
    "clip_requests": "session",
    "clips": "session",
    "jobs": "session",
    "replies": "session",
    "outbox": "session",
    "sessions": "session",
    "handover": "session",
    "greeting": "session",
    "refusals": "session",
    "access": "session",
    "settings": "config",
    "metrics": "observer",
    "stopwatch": "observer",
    "tracing": "observer",
    "certificates": "app",
    "web": "app",
    "serve_options": "cli",
    "commands": "cli",
    "model_commands": "cli",
    "doctor": "cli",
    "serving": "cli",
    "play": "cli",
    "show": "cli",
    "signals": "cli",
}
"""Modules right below ``server`` that do not carry the name of their room."""

LIBRARIES = {
    "torch": {"models", "engine", "training", "evaluation", "hub"},
    "safetensors": {"models", "training"},
    "tokenizers": {"models"},
    "open_clip": {"models"},
    "websockets": {"protocol", "connection", "app", "preview"},
    "viser": {"preview"},
    "msgpack": {"protocol"},
    "prometheus_client": {"observer"},
    "opentelemetry": {"observer"},
    "ray": {"cluster"},
}
"""Library -> the only rooms that may import it."""


def room_of(module: str) -> str | None:
    """The room of a dotted module name; None for a module of neither package, and for the bare package ``server``."""
    package, *names = module.split(".")
    if package == "protocol":
        return "protocol"
    return ROOM_OF.get(names[0], names[0]) if package == "server" and names else None


def imports(source: str, module: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a module imports, at any depth; ``from a import b`` gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            yield from ((node.lineno, ".".join([*base, *filter(None, [node.module]), a.name])) for a in node.names)


def wrong_doors(source: str, module: str) -> list[str]:
    """What a module imports that its room may not, one line each."""
    room = room_of(module)
    wrong = []
    for line, name in imports(source, module):
        library, target = name.split(".")[0], room_of(name)
        if target is not None and target != room and target not in MAY_OPEN[room]:
            wrong.append(f"{module} line {line}: {room} may not open a door to {target} ({name})")
        if room not in LIBRARIES.get(library, {room}):
            wrong.append(f"{module} line {line}: {room} may not import {library}")
    return wrong


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {
    module_name(path): path
    for package in ("protocol", "server")
    for path in sorted((ROOT / package).rglob("*.py"))
    if module_name(path) != "server.__init__"
}


@pytest.mark.parametrize("module", MODULES)
def test_no_arrow_is_drawn_the_wrong_way(module: str):
    assert room_of(module) in MAY_OPEN, f"{module} belongs to no room; give it one in {Path(__file__).name}"
    assert wrong_doors(MODULES[module].read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("protocol.codec", "import torch"),
        ("protocol.codec", "from server.motion import rotation"),
        ("server.motion.rotation", "from server.models.rvq import RVQVAE"),
        ("server.motion.rotation", "def f():\n    import torch.nn"),
        ("server.models.rvq", "from protocol.skeleton import default_skeleton"),
        ("server.models.rvq", "from ..motion import bvh"),
        ("server.session", "from websockets.asyncio.server import serve"),
        ("server.session", "from . import app"),
        ("server.track", "from server import clips"),
        ("server.batcher", "import server.timeline"),
        ("server.batcher", "import torch"),
        ("server.app", "from server import cli"),
        ("server.engine", "if TYPE_CHECKING:\n    from server.batcher import Batcher"),
        ("server.export.npz", "from server.engine import Engine"),
        ("server.preview.page", "from server.app import serve"),
        ("server.serving", "import viser"),
        ("server.app", "from server.cluster.registry import Registry"),
        ("server.batcher", "import ray"),
        ("server.training.trainer", "from server.engine import load_engine"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, source: str):
    assert len(wrong_doors(source, module)) == 1


def test_the_picture_in_the_readme_is_true():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chains = [tuple(chain.split(" <- ")) for chain in re.findall(r"`(\w+(?: <- \w+)+)`", text)]
    assert CHAIN in chains


@pytest.mark.parametrize(
    ("statement", "left_out"),
    [
        ("import server.cli", "numpy scipy torch safetensors open_clip torchvision websockets pydantic ray"),
        ("import server.serving", "torch safetensors ray"),
        ("import protocol.client, protocol.schema", "scipy torch server"),
        ("import server.play", "scipy torch safetensors open_clip"),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement: str, left_out: str):
    assert loaded(statement, left_out) == ""


def test_a_heavy_import_would_be_found():
    assert loaded("import server.cli, numpy", "numpy torch") == "numpy"


def test_the_embedded_model_needs_no_open_clip(tmp_path: Path):
    statement = (
        f"import pathlib, sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); import tiny_bundle, server.serving as s; "
        f"folder = tiny_bundle.write_tiny_bundle(pathlib.Path({str(tmp_path)!r})); "
        "s.LoadModel(folder, 'cpu')()"
    )
    assert loaded(statement, "open_clip torchvision timm huggingface_hub") == ""


def loaded(statement: str, names: str) -> str:
    """Those of the modules ``names`` that a fresh interpreter holds after ``statement``."""
    code = f"{statement}; import sys; print(*(name for name in {names.split()!r} if name in sys.modules))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BOUND_S, check=True)
    return ended.stdout.strip()
