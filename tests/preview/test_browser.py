"""The preview in a real browser: a sentence is typed, a button pressed, and a character moves."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from browser import BOUND_S, Browser, browser, differing, missing

from server.motion.bvh import read_bvh

pytest.importorskip("viser", reason="viser is not installed")
pytestmark = [missing, pytest.mark.skipif(sys.platform == "win32", reason="ends the server with SIGINT")]

ROOT = Path(__file__).parents[2]
MOVED = 300
"""Pixels; a character that moves changes thousands, the edges of a still picture some tens."""


class Serving(NamedTuple):
    process: subprocess.Popen
    address: str


@contextlib.contextmanager
def serving() -> Iterator[Serving]:
    """``motionbridge serve`` as its users run it, with its page."""
    command = [sys.executable, "-m", "server.cli", "serve", "--device", "cpu"]
    ports = ["--port", "0", "--preview-port", "0"]
    with subprocess.Popen([*command, *ports], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(3 * BOUND_S, process.kill)
        watchdog.start()
        try:
            line = next((line for line in process.stdout if "preview" in line), "")
            assert line.startswith("preview in a browser on this machine: http://127.0.0.1:"), line
            yield Serving(process, line.split()[-1])
        finally:
            watchdog.cancel()
            process.kill()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[tuple[Browser, Serving]]:
    folder = tmp_path_factory.mktemp("downloads")
    with serving() as server, browser(server.address, folder) as it:
        it.until_says("✓ a person stands still")
        it.dismiss_notices()
        yield it, server


def test_a_typed_sentence_moves_the_character(page):
    it, _ = page
    it.write("a person walks forward", "a person walks")
    it.press("Play now")
    it.until_says("a person walks · seed")  # the server names the seed when it has made the motion
    before = it.stage()
    it.until("the character moves", lambda: differing(before, it.stage()) > MOVED)
    assert it.figure("frames a second") > 0
    assert it.figure("prompt → frame") > 0


def test_enter_sends_too_and_the_queue_keeps_order(page):
    it, _ = page
    it.write("a person walks", "a person waves")
    it.enter("a person waves")
    it.write("a person waves", "a person bows")
    it.press("Add to the queue")
    it.until_says("✓ a person bows")
    said = it.text()
    assert "✓ a person waves" in said
    assert said.index("a person bows · seed") < said.index("a person waves · seed")


def test_pause_freezes_the_picture(page):
    it, _ = page
    it.press("Pause")
    pictures = [it.stage()]

    def still() -> bool:
        pictures.append(it.stage())
        return differing(*pictures[-2:]) == 0

    it.until("the picture stands still", still)
    it.press("Go on")
    it.until("the picture moves again", lambda: differing(pictures[-1], it.stage()) > MOVED)


def test_a_click_on_the_ground_steers(page):
    it, _ = page
    assert it.figure("way-points") == 0
    it.click_stage(0.15, 0.8)
    it.until("a way-point is set", lambda: it.figure("way-points") == 1)


def test_characters_are_added_and_removed(page):
    it, _ = page
    it.press("Add")
    it.until_says("2 on the stage")
    it.press("Remove")
    it.until_says("1 on the stage")


def test_what_was_seen_is_saved(page):
    it, _ = page
    for kind in ("BVH", "GLB", "NPZ"):
        it.press(kind)
        it.until(f"a {kind} file", lambda kind=kind: list(it.downloads.glob(f"*.{kind.lower()}")))
    clip = read_bvh(next(it.downloads.glob("*.bvh")))
    assert clip.frame_time == pytest.approx(1 / 30.0)
    assert len(clip.values) > 30


def test_no_request_leaves_the_machine(page):
    it, _ = page
    hosts = it.hosts()
    assert "127.0.0.1" in hosts
    assert hosts <= {"127.0.0.1", None}


def test_it_ends_with_the_server(page):
    it, server = page
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(BOUND_S) == 0
    assert server.process.stdout.read().endswith("stopped\n")
    with pytest.raises(Exception, match="CONNECTION_REFUSED"):
        it.driver.get(server.address)
