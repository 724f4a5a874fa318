"""The preview as a process: it says where it is or why not, dies with its parent, and does not harm it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import InvalidStatus

from server.preview.process import PreviewProcess, reachable

viser = pytest.importorskip("viser", reason="viser is not installed")

ROOT = Path(__file__).parents[2]
BOUND_S = 240.0
URL = "ws://127.0.0.1:9"
"""Where no server is; the page is there all the same."""

PARENT = f"""
import asyncio, sys
from server.preview.process import PreviewProcess

async def main():
    preview = PreviewProcess(0, None, lambda line: print(line, preview._child.pid, flush=True))
    await preview.start({URL!r})
    await asyncio.sleep(3600)

asyncio.run(main())
"""


class Said(list):
    """What a preview told; ``until`` waits for a line that matches."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.append(line)
        self._more.set()

    async def until(self, pattern: str) -> re.Match[str]:
        async with asyncio.timeout(BOUND_S):
            while True:
                for line in self:
                    if found := re.search(pattern, line):
                        return found
                self._more.clear()
                await self._more.wait()


@pytest.fixture
async def offered():
    """A page on a free port: its address, what was said, the process."""
    said = Said()
    preview = PreviewProcess(0, None, said)
    await preview.start(URL)
    try:
        yield (await said.until(r"http://127\.0\.0\.1:\d+"))[0], said, preview
    finally:
        async with asyncio.timeout(BOUND_S):
            await preview.stop()


async def test_it_serves_a_page_and_ends_without_a_word(offered):
    address, said, preview = offered
    page = await asyncio.to_thread(lambda: urllib.request.urlopen(address, timeout=BOUND_S).read())
    assert b"<html" in page
    await preview.stop()
    await preview.ended()
    assert preview._child.returncode == 0
    assert len(said) == 1


async def test_web_pages_of_other_sites_cannot_drive_it(offered):
    address, _, _ = offered
    url, protocols = address.replace("http", "ws", 1), [f"viser-v{viser.__version__}"]
    for origin in ("http://evil.example", "https://127.0.0.1.evil.example", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            await websocket_connect(url, origin=origin, subprotocols=protocols, proxy=None)
    for origin in (address, "http://localhost:5173"):
        async with websocket_connect(url, origin=origin, subprotocols=protocols, proxy=None, max_size=None) as socket_:
            assert await socket_.recv()


async def test_only_this_machine_reaches_it(offered):
    port = int(offered[0].rpartition(":")[2])
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("no /proc/net/tcp to look the address up in")
    rows = [line.split()[1] for line in listening.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [row for row in rows if row.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


async def test_a_crash_is_one_line(offered):
    _, said, preview = offered
    preview._child.kill()
    await said.until("ended by itself")
    await preview.ended()
    assert len(said) == 2


async def test_a_port_in_use_is_one_line():
    said = Said()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        preview = PreviewProcess(port, None, said)
        await preview.start(URL)
        async with asyncio.timeout(BOUND_S):
            await preview.ended()
    assert len(said) == 1
    assert f"no preview: cannot listen on 127.0.0.1 port {port}: it is in use" in said[0]
    await preview.stop()


async def test_without_viser_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "viser.py").write_text("raise ImportError('No module named viser')\n")
    # The child's own packages come first on its path, then this.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = Said()
    preview = PreviewProcess(0, None, said)
    await preview.start(URL)
    async with asyncio.timeout(BOUND_S):
        await preview.ended()
    assert len(said) == 1
    assert "no preview: No module named viser; install it with: python -m pip install" in said[0]


async def test_a_folder_named_server_where_one_works_is_not_taken_for_ours(tmp_path: Path, monkeypatch):
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    said = Said()
    preview = PreviewProcess(0, None, said)
    await preview.start(URL)
    await said.until("http://")
    await preview.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_it_dies_with_its_parent_however_that_ends():
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline().split()[-1])
        watch = os.pidfd_open(child)
        parent.send_signal(signal.SIGKILL)
        assert parent.wait(BOUND_S) == -signal.SIGKILL
        assert _ends(watch)


def _ends(watch: int) -> bool:
    """Whether the process behind a pidfd ends in time."""
    import select

    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(BOUND_S * 1000))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://0.0.0.0:8765", "ws://127.0.0.1:8765"),
        ("ws://[::]:8765", "ws://[::1]:8765"),
        ("ws://127.0.0.1:8765", "ws://127.0.0.1:8765"),
        ("wss://motion.example/x", "wss://motion.example/x"),
    ],
)
def test_a_server_that_listens_everywhere_is_reached_here(url: str, expected: str):
    assert reachable(url) == expected
