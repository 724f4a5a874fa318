"""The preview seen from the program that offers it: a child process that can neither harm nor outlive its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

DEFAULT_PORT: Final = 8766
_PACKAGES: Final = Path(__file__).parents[2]
_STOP_S: Final = 10.0
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}

# Ctrl-C in the terminal is the parent's business: it ends the child through its standard input.
if sys.platform == "win32":
    _NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _NEW_GROUP = 0

Say = Callable[[str], object]


class PreviewProcess:
    """One child at most. ``say`` takes one line each about its address, about why there is none, and about an early end.

    ``ca``: the certificates (PEM) that a ``wss://`` server is trusted by; None: the system's.
    """

    def __init__(self, port: int, token: str | None, say: Say, ca: Path | None = None) -> None:
        self._port, self._token, self._say, self._ca = port, token, say, ca
        self._child: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self, url: str) -> None:
        """Starts the page for a server at ``url`` and returns at once."""
        try:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "server.preview"),
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
                creationflags=_NEW_GROUP,
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            self._say(f"no preview: {error.strerror or error}")
            return
        settings = {
            "url": reachable(url),
            "token": self._token,
            "port": self._port,
            "ca": None if self._ca is None else str(self._ca),
        }
        self._watch = asyncio.create_task(self._follow(self._child, json.dumps(settings)))

    async def ended(self) -> None:
        """Returns when there is no page any more, or never was one."""
        if self._watch is not None:
            await asyncio.wait([self._watch])

    async def stop(self) -> None:
        """Ends the page, by force if it takes longer than it should. Harmless when there is none."""
        self._stopping = True
        if self._child is None or self._watch is None:
            return
        if self._child.stdin is not None:
            self._child.stdin.close()
        done, _ = await asyncio.wait([self._watch], timeout=_STOP_S)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._watch

    async def _follow(self, child: Process, settings: str) -> None:
        """Says what the child answers, and how it ended unless it was told to end."""
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(OSError):
            child.stdin.write(f"{settings}\n".encode())
            await child.stdin.drain()
        answer = _parsed(await child.stdout.readline())
        if "address" in answer:
            self._say(f"preview in a browser on this machine: {answer['address']}")
        elif "problem" in answer:
            self._say(f"no preview: {answer['problem']}")
        status = await child.wait()
        if not self._stopping and "problem" not in answer:
            self._say(f"the preview ended by itself (exit status {status})")


def reachable(url: str) -> str:
    """The address at which a server can be reached from its own machine; one that listens everywhere is not an address."""
    host = urlsplit(url).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return url.replace(shown, _ANY_ADDRESS[host], 1) if host in _ANY_ADDRESS else url


def _environment() -> dict[str, str]:
    """The child imports the same packages as its parent, whatever lies in the current folder (hence -P above)."""
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
