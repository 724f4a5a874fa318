"""The options of ``motionbridge serve``: the settings that a command line is for. All others have the environment and a file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from protocol import limits

TOKEN_VARIABLE: Final = "MOTIONBRIDGE_TOKEN"
QUOTAS: Final = (
    "connections",
    "characters",
    "prompts-per-minute",
    "text-characters",
    "message-bytes",
    "session-seconds",
)
EXAMPLES: Final = """\
examples:
  motionbridge serve
  motionbridge serve --port 9000 --model my_model
  motionbridge serve --no-preview                       without the page in the browser
  MOTIONBRIDGE_TOKEN=SECRET motionbridge serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
  motionbridge serve --config motionbridge.toml --tokens tokens.toml --log-format json

It runs until Ctrl-C or SIGTERM. GET /healthz on the same port answers "ok" while it serves, /readyz while it can make
motion, and /metrics has figures for Prometheus. Every setting can also be given as MOTIONBRIDGE_NAME in the environment,
or in the TOML file of --config; an option goes before the environment, and that before the file. deploy/README.md has more."""

_PLACE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--host", {"help": "address to listen on (default: 127.0.0.1)"}),
    ("--port", {"type": int, "help": f"port to listen on, 0 = any free one (default: {limits.DEFAULT_PORT})"}),
    ("--max-connections", {"type": int, "metavar": "N", "help": "connections open at once (default: 64)"}),
)
_ENGINES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "--engine",
        {
            "choices": ("local", "ray"),
            "help": "make motion on this machine (default), or by Ray Serve, also on other machines; needs: pip install -e '.[ray]'",
        },
    ),
    ("--ray-address", {"metavar": "HOST:PORT", "help": "join this Ray cluster; auto = that of this machine"}),
    ("--replicas", {"type": int, "metavar": "N", "help": "with ray: engines that run at least (default: 1)"}),
    ("--max-replicas", {"type": int, "metavar": "N", "help": "with ray: engines that run when the load is high"}),
)
_ACCESS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--token", {"help": f"ask clients for this token; better given in the environment, as {TOKEN_VARIABLE}"}),
    ("--insecure", {"action": "store_true", "help": "let other machines connect without a token"}),
    ("--tls-cert", {"type": Path, "metavar": "FILE.pem", "help": "speak wss:// with this certificate and its chain"}),
    ("--tls-key", {"type": Path, "metavar": "FILE.pem", "help": "its private key"}),
    (
        "--origin",
        {
            "dest": "origins",
            "action": "append",
            "metavar": "URL",
            "help": "web pages that may connect, such as https://game.example; repeatable, * = all",
        },
    ),
    (
        "--quota",
        {
            "action": "append",
            "metavar": "NAME=N",
            "help": f"what the holders of a token may use; repeatable; NAME is one of {', '.join(QUOTAS)}",
        },
    ),
)
_WATCHING: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "--log-level",
        {"choices": ("debug", "info", "warning", "error"), "help": "least that is logged (default: warning)"},
    ),
    ("--log-format", {"choices": ("text", "json"), "help": "form of the log on standard error (default: text)"}),
    ("--log-prompts", {"action": "store_true", "help": "log the text of prompts too, at level info"}),
    ("--traces", {"action": "store_true", "help": "send OpenTelemetry traces; needs: pip install -e '.[otel]'"}),
)
_GROUPS: Final = (
    ("place", _PLACE),
    ("more than one machine", _ENGINES),
    ("who gets in, and what they may use", _ACCESS),
    ("seen from outside", _WATCHING),
)
_FILES: Final = (
    ("--config", "TOML file with settings"),
    ("--tokens", "TOML file with a table for each token: its secret and its own quota"),
)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds the options; those not given are left out of the parsed arguments."""
    for name, text in _FILES:
        parser.add_argument(name, type=Path, default=None, metavar="FILE.toml", help=text)
    for title, options in _GROUPS:
        group = parser.add_argument_group(title)
        for name, settings in options:
            group.add_argument(name, default=argparse.SUPPRESS, **settings)


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line gives, under the names of the config; ValueError names a bad ``--quota``."""
    names = [
        settings.get("dest", name.removeprefix("--").replace("-", "_"))
        for _, options in _GROUPS
        for name, settings in options
    ]
    found = {name: getattr(args, name) for name in names if hasattr(args, name)}
    if "quota" in found:
        found["quota"] = _quota(found["quota"])
    return found


def _quota(entries: list[str]) -> Mapping[str, str]:
    quota = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if name not in QUOTAS or not equals:
            raise ValueError(f"--quota is {entry!r}; it must be NAME=N, NAME one of {', '.join(QUOTAS)}")
        quota[name.replace("-", "_")] = value
    return quota
