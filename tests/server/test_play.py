"""The terminal client against a real server on a real socket: what it shows, records, and says when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fake_engine import BENT_JOINT, FakeEngine, bend

from protocol.client import Client
from protocol.skeleton import default_skeleton
from server import cli
from server.app import serve
from server.config import ServeConfig
from server.export.npz import read_npz
from server.motion import rotation as rot
from server.motion.bvh import read_bvh

SKELETON = default_skeleton()
BOUND_S = 120.0


@dataclass
class Served:
    """A server that is up, and the event that ends it."""

    url: str
    stop: asyncio.Event


@contextlib.asynccontextmanager
async def served(**settings: object) -> AsyncIterator[Served]:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    config = ServeConfig(port=0, close_timeout=0.5, **settings)
    task = asyncio.create_task(serve(config, FakeEngine(), ready=ready.set_result, stop=stop))
    try:
        async with asyncio.timeout(BOUND_S):
            yield Served(await ready, stop)
    finally:
        stop.set()
        await task


async def play(*argv: object) -> int:
    """The exit status of ``motionbridge play`` run beside the server, in a thread with an event loop of its own."""
    return await asyncio.to_thread(cli.main, ["play", *map(str, argv)])


def elbow_angles(path: Path) -> np.ndarray:
    """The recorded angle (T,) in radians of the joint that the engine bends."""
    clip = read_bvh(path)
    assert clip.frame_time == pytest.approx(1 / 30)
    turned = clip.forward()[1]
    own, parent = (clip.names.index(SKELETON.names[j]) for j in (BENT_JOINT, SKELETON.parents[BENT_JOINT]))
    local = rot.mul(rot.inv(turned[:, parent]), turned[:, own])
    return rot.angle_between(local, rot.identity(len(local)))


async def test_sentences_are_shown_one_after_the_other_and_recorded(tmp_path: Path, capsys):
    texts, path = ("a person walks", "a person waves"), tmp_path / "new" / "out.bvh"
    assert abs(bend(texts[0]) - bend(texts[1])) > 0.2
    async with served() as server:
        assert await play(*texts, "--url", server.url, "--seconds", 1, "--record", path) == 0
    angles = elbow_angles(path)
    # Where one motion joins the other the difference fades, so the exact angle is reached only in between.
    assert np.abs(angles - bend(texts[0])).min() < 0.02
    assert np.abs(angles - bend(texts[1])).min() < 0.05
    assert np.abs(angles - bend(texts[0])).argmin() < np.abs(angles - bend(texts[1])).argmin()
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"connected to {server.url}: motionbridge, model fake, 30 frames per second"
    for line, text in zip(out[1:3], texts, strict=True):
        assert all(word in line for word in ("frame", "fps", "lead", "latency", " ms", text))
    assert out[3].startswith(f"wrote {path}: {len(angles)} frames")


async def test_any_format_is_recorded_with_the_sentences(tmp_path: Path):
    texts, path = ("a person walks", "a person waves"), tmp_path / "out.npz"
    async with served() as server:
        assert await play(*texts, "--url", server.url, "--seconds", 0.5, "--record", path) == 0
    recorded = read_npz(path, SKELETON)
    assert recorded.text == "; ".join(texts)
    assert recorded.fps == 30.0
    assert len(recorded.root) == len(recorded.contacts) >= 15


async def test_a_sentence_that_the_server_cannot_make_is_status_1(capsys):
    async with served() as server:
        assert await play("this must fail", "--url", server.url, "--seconds", 0.5) == 1
    assert "server: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("token", "message"), [((), "hello has no token"), (("--token", "wrong"), "hello has a wrong token")]
)
async def test_a_wrong_token_is_told(capsys, token, message):
    async with served(token="secret") as server:
        assert await play("a person waves", "--url", server.url, *token) == 2
        assert message in one_line(capsys)
        assert await play("a person waves", "--url", server.url, "--token", "secret", "--seconds", 0.5) == 0


async def test_no_server_there_is_told(capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
    assert await play("a person waves", "--url", url) == 2
    line = one_line(capsys)
    assert f"no MotionBridge server at {url}" in line
    assert "motionbridge serve" in line


async def test_a_server_of_something_else_is_told(capsys):
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as other:
        url = f"ws://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        assert await play("a person waves", "--url", url) == 2
    assert f"{url} does not answer like a MotionBridge server" in one_line(capsys)


async def test_what_was_shown_before_the_server_went_is_recorded(tmp_path: Path, capsys, monkeypatch):
    loop, report = asyncio.get_running_loop(), Client.playhead
    async with served() as server:

        async def report_and_stop(client: Client, frame: int, **options: str) -> None:
            await report(client, frame, **options)
            loop.call_soon_threadsafe(server.stop.set)

        monkeypatch.setattr(Client, "playhead", report_and_stop)
        argv = ("a person walks", "--url", server.url, "--seconds", 3000, "--record", tmp_path / "out.bvh")
        assert await play(*argv) == 2
    out, err = capsys.readouterr()
    assert "shutting down" in err
    assert "wrote " in out
    assert len(elbow_angles(tmp_path / "out.bvh")) >= 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("",), "the text has 0 characters; 1 to 500"),
        (("a person waves", "x" * 2000), "the text has 2000 characters; 1 to 500"),
        (("a", "--rate", "9"), "--rate is 9; 10 to 120"),
        (("a", "--rate", "121"), "--rate is 121; 10 to 120"),
        (("a", "--seconds", "0.4"), "--seconds is 0.4; 0.5 to 3600"),
        (("a", "--seconds", "nan"), "--seconds is nan; 0.5 to 3600"),
        (("a", "--seed", "-1"), "--seed is -1; 0 to "),
        (("a", "--record", "out.fbx"), "out.fbx ends in '.fbx'; it must be .bvh, .glb, .npz, .mp4, .gif or .png"),
        (("a", "--url", "127.0.0.1:8765"), "is not a WebSocket address; one looks like ws://127.0.0.1:8765"),
        (("a", "--url", "http://127.0.0.1:8765"), "is not a WebSocket address"),
    ],
)
async def test_a_bad_option_is_one_line(capsys, argv, message):
    assert await play(*argv) == 2
    assert message in one_line(capsys)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    err = capsys.readouterr().err
    assert err.startswith("motionbridge: ")
    assert err.count("\n") == 1
    return err
