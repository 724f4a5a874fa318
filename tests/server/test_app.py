"""The whole server over real sockets, with the Python client and an engine that needs no model.

The server's clock is moved by the frames that the client receives, so no test depends on how fast the machine is.
"""

import asyncio
import contextlib
import socket
import threading

import numpy as np
import pytest
from fake_engine import FakeEngine, bend
from live_server import BOUND, RATE, Watcher, running
from websockets.asyncio.client import connect as plain_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from protocol import limits
from protocol.client_errors import ConnectionLostError, RefusedError, RequestFailedError
from protocol.codec import encode, unpack
from protocol.messages import Generate, Hello, Prompt
from server.app import serve
from server.config import ServeConfig


@pytest.mark.parametrize("encoding", ["float32", "int16"])
async def test_two_prompts_stream_and_the_second_waits_its_turn(encoding):
    async with running() as server, server.client(encoding=encoding) as client:
        watcher = Watcher(client, server.clock)
        first = await client.prompt("a person walks", seconds=2.0)
        second = await client.prompt("a person waves", seconds=2.0, mode="queue")
        await watcher.until_status(second, "finished")
    frames = watcher.frames()
    assert sorted(frames) == list(range(watcher.newest + 1))
    assert watcher.status(first) == ["accepted", "started", "finished"]
    assert watcher.status(second) == ["accepted", "started", "finished"]
    owners = [frames[index][0] for index in range(watcher.newest + 1)]
    assert owners.count(first) == pytest.approx(60, abs=1)
    assert owners[: owners.count(first)] == [first] * owners.count(first)
    assert frames[30][2] == pytest.approx(bend("a person walks"), abs=0.01)
    assert frames[100][2] == pytest.approx(bend("a person waves"), abs=0.01)
    travelled = [frames[index][1][2] for index in range(watcher.newest + 1)]
    np.testing.assert_allclose(np.diff(travelled), 1 / RATE, atol=0.01)
    assert watcher.errors == []
    assert client.bad_messages == 0


async def test_replace_takes_effect_while_running():
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        first = await client.prompt("a person walks", seconds=9.0)
        await watcher.until_frame(40)
        second = await client.prompt("a person waves", seconds=4.0)
        await watcher.until_status(second, "started")
        started = next(status for status in watcher.statuses if status.id == second and status.status == "started")
        await watcher.until_frame(started.frame + 40)
    assert watcher.status(first) == ["accepted", "started", "cancelled"]
    frames = watcher.frames()
    assert sorted(frames) == list(range(watcher.newest + 1))
    assert frames[started.frame - 1][0] == first
    assert frames[started.frame][0] == second
    assert frames[started.frame + 30][2] == pytest.approx(bend("a person waves"), abs=0.01)


async def test_two_clients_share_a_batch():
    gate = threading.Event()
    engine = FakeEngine(gate)
    async with running(engine) as server, server.client() as one, server.client() as two:
        await one.prompt("first")
        assert await asyncio.to_thread(engine.entered.wait, BOUND)
        watchers = [Watcher(client, server.clock) for client in (one, two)]
        ids = [await one.prompt("left", character="b"), await two.prompt("right")]
        for watcher, prompt_id in zip(watchers, ids, strict=True):
            await watcher.until_status(prompt_id, "accepted")
        while len(server.engine.calls) < 2:
            gate.set()
            await asyncio.sleep(0)
        for watcher, prompt_id in zip(watchers, ids, strict=True):
            await watcher.until_status(prompt_id, "started")
        for watcher, text in zip(watchers, ("left", "right"), strict=True):
            await watcher.until(lambda watcher=watcher: any(b.character != "main" or b.prompt for b in watcher.blocks))
            texts = {text} | ({"first"} if text == "left" else set())
            elbows = [elbow for _, _, elbow in watcher.frames().values()]
            assert all(min(abs(elbow - bend(known)) for known in texts) < 0.05 for elbow in elbows)


async def test_what_is_replaced_or_left_behind_is_never_made():
    gate = threading.Event()
    engine = FakeEngine(gate)
    async with running(engine) as server, server.client() as staying:
        watcher = Watcher(staying, server.clock)
        first = await staying.prompt("first")
        assert await asyncio.to_thread(engine.entered.wait, BOUND)
        async with server.client() as leaving:
            other = Watcher(leaving, server.clock)
            await other.until_status(await leaving.prompt("left behind"), "accepted")
        second = await staying.prompt("second")
        await watcher.until_status(second, "accepted")
        third = await staying.prompt("third")
        await watcher.until_status(third, "accepted")
        gate.set()
        await watcher.until_status(third, "started")
    texts = [request.text for call in engine.calls for request in call]
    assert texts[:2] == ["first", "third"]
    assert "left behind" not in texts
    assert watcher.status(first) == watcher.status(second) == ["accepted", "cancelled"]


async def test_a_failing_engine_leaves_the_stream_going():
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        good = await client.prompt("a person walks", seconds=2.0)
        await watcher.until_frame(10)
        bad = await client.prompt("please fail", mode="queue")
        await watcher.until_status(bad, "failed")
        await watcher.until_status(good, "finished")
        newest = watcher.newest
        await watcher.until_frame(newest + 90)
        with pytest.raises(RequestFailedError, match="out of memory"):
            await client.generate("fail again")
        clip = await client.generate("a person bows", seconds=1.0, frame_rate=60.0)
    assert sorted(watcher.frames()) == list(range(watcher.newest + 1))
    assert clip.frame_rate == 60.0


async def test_clips_and_edits():
    async with running() as server, server.client() as client:
        clip = await client.generate("a person walks", seconds=3.0, frame_rate=30.0, seed=4)
        source = clip.poses()
        edited = (await client.edit(source, 30.0, [(20, 40)], "a person waves", seed=1)).poses()
    outside = [index for index in range(len(source)) if not 20 <= index < 40]
    for name in ("root", "rotations", "contacts"):
        assert getattr(source, name)[outside].tobytes() == getattr(edited, name)[outside].tobytes()
    assert not np.allclose(source.rotations[30], edited.rotations[30])


async def test_bad_messages_leave_the_connection_open():
    async with running() as server, server.raw() as peer:
        await peer.send(encode(Hello(version=1)))
        assert unpack(await peer.recv())["type"] == "welcome"
        good = encode(Prompt(id="p1", text="walk"))
        for data, code in (
            (good[:-4], "malformed"),
            (b"\xc1", "malformed"),
            ("words", "malformed"),
            (encode(Prompt(id="p1", text="walk")).replace(b"prompt", b"prance"), "unknown_type"),
            (good.replace(b"replace", b"reverse"), "invalid_field"),
        ):
            await peer.send(data)
            assert unpack(await peer.recv())["code"] == code
        await peer.send(good)
        assert unpack(await peer.recv())["status"] == "accepted"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (Hello(version=2), 4002),
        (Prompt(id="p", text="walk"), 4003),
        (Hello(version=1), 4001),
        (Hello(version=1, token="wrong"), 4001),
    ],
)
async def test_a_connection_that_cannot_be_is_closed_with_its_code(first, code):
    async with running(token="secret") as server, server.raw() as peer:
        await peer.send(encode(first))
        assert unpack(await peer.recv())["type"] == "error"
        with pytest.raises(ConnectionClosed):
            await peer.recv()
        assert peer.close_code == code
        assert peer.close_reason


async def test_hello_must_come_in_time():
    async with running(hello_timeout=0.02) as server, server.raw() as peer:
        assert unpack(await peer.recv())["code"] == "hello_required"
        with pytest.raises(ConnectionClosed):
            await peer.recv()
        assert peer.close_code == 4003


@pytest.mark.parametrize(("size", "code"), [(limits.MAX_MESSAGE_BYTES + 1, 4009), (3 * limits.MAX_MESSAGE_BYTES, 1009)])
async def test_an_oversized_message_closes_its_connection_only(size, code):
    async with running() as server, server.client() as other, server.raw() as peer:
        await peer.send(encode(Hello(version=1)))
        await peer.recv()
        with contextlib.suppress(ConnectionClosed):
            await peer.send(b"\x00" * size)
            while True:
                await peer.recv()
        assert peer.close_code == code
        watcher = Watcher(other, server.clock)
        await other.prompt("walk")
        await watcher.until_frame(10)


async def test_a_client_that_never_reads_disturbs_no_one_and_is_dropped(caplog):
    caplog.set_level("INFO", logger="server.connection")
    deaf_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    deaf_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    async with running(send_timeout=0.2) as server:
        host, port = server.url.removeprefix("ws://").split(":")
        deaf_socket.connect((host, int(port)))
        deaf_socket.setblocking(False)
        deaf = await server.raw(sock=deaf_socket, max_queue=1, ping_interval=None, close_timeout=0.1)
        deaf.transport.pause_reading()
        await deaf.send(encode(Hello(version=1)))
        for at in range(4):
            await deaf.send(encode(Generate(id=f"g{at}", text="walk", seconds=9.8, frame_rate=120.0)))
        await deaf.send(encode(Prompt(id="p", text="walk")))
        async with server.client() as client:
            watcher = Watcher(client, server.clock)
            await client.prompt("a person walks")
            await watcher.until_frame(150)
            assert sorted(watcher.frames()) == list(range(watcher.newest + 1))
        while not any("4011" in record.getMessage() for record in caplog.records):
            await asyncio.sleep(0.005)
        deaf.transport.abort()


async def test_too_many_connections():
    async with running(max_connections=1) as server, server.client() as first:
        with pytest.raises(RefusedError, match="server_full"):
            async with server.client():
                pass
        assert (await first.generate("walk", seconds=1.0)).count == 20
    async with running(max_connections=1) as server:
        for _ in range(3):  # a place is free again once its connection has closed
            async with server.client() as client:
                await client.generate("walk", seconds=1.0)


async def test_a_server_runs_also_when_no_one_waits_for_its_address():
    ready = asyncio.get_running_loop().create_future()
    ready.cancel()
    stop = asyncio.Event()
    task = asyncio.create_task(serve(ServeConfig(port=0), FakeEngine(), ready=ready.set_result, stop=stop))
    done, _ = await asyncio.wait({task}, timeout=0.05)
    assert not done
    stop.set()
    async with asyncio.timeout(BOUND):
        await task


async def test_shutdown_closes_with_1001_within_a_bound():
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("walk")
        await watcher.until_frame(5)
        server.stop.set()
        with pytest.raises(ConnectionLostError) as lost:
            await watcher.until_frame(10_000)
        assert lost.value.code == 1001
        await server.task


async def test_shutdown_does_not_wait_for_an_engine_that_hangs():
    gate = threading.Event()
    engine = FakeEngine(gate)
    try:
        async with running(engine, shutdown_timeout=0.05) as server, server.client() as client:
            await client.prompt("walk")
            assert await asyncio.to_thread(engine.entered.wait, BOUND)
            server.stop.set()
            await server.task
    finally:
        gate.set()


async def http_get(url: str, path: str, *headers: str) -> bytes:
    host, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_plain_http():
    async with running() as server:
        assert (await http_get(server.url, "/healthz")).startswith(b"HTTP/1.1 200 OK")
        assert b" 426 " in (await http_get(server.url, "/")).splitlines()[0]


async def test_a_client_without_the_subprotocol_is_refused():
    async with running() as server:
        with pytest.raises(InvalidStatus) as refused:
            await plain_connect(server.url, proxy=None)
        assert refused.value.response.status_code == 400


@pytest.mark.parametrize(
    ("settings", "origin", "allowed"),
    [
        ({}, "https://evil.example", False),
        ({}, "null", False),
        ({}, "http://localhost:8080", True),
        ({"origins": ("https://game.example",)}, "https://game.example", True),
        ({"origins": ("https://Game.example:8443",)}, "https://game.example:8443", True),
        ({"origins": ("https://game.example",)}, "https://game.example.evil.example", False),
        ({"origins": ("https://game.example",)}, "http://game.example", False),
        ({"origins": ("null",)}, "null", True),
        ({"origins": ("*",)}, "https://any.example", True),
        ({"token": "secret"}, "https://evil.example", False),
    ],
)
async def test_only_known_web_pages_may_connect(settings, origin, allowed):
    async with running(**settings) as server:
        if allowed:
            async with server.raw(origin=origin):
                pass
        else:
            with pytest.raises(InvalidStatus) as refused:
                await server.raw(origin=origin)
            assert refused.value.response.status_code == 403


async def test_an_address_in_use_is_an_error_and_stops_the_model_thread():
    before = threading.active_count()
    async with running() as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=str(port)):
            async with running(port=port):
                pass
    assert threading.active_count() <= before + 2  # the event loop's helper threads may stay
