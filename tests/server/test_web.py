"""What the server answers over plain HTTP: health, readiness, and metrics to those who may see them."""

from __future__ import annotations

import asyncio
import threading

import pytest
from fake_engine import FakeEngine
from live_server import BOUND, Watcher, running
from prometheus_client.parser import text_string_to_metric_families

from protocol.codec import encode
from protocol.messages import Hello, Prompt
from server.config import Token

SECRET = "metrics-secret"


async def get(url: str, path: str, host: str | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of a GET."""
    address, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or address}:{port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(BOUND):
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    status, *fields = head.split("\r\n")
    return int(status.split()[1]), dict(field.split(": ", 1) for field in fields), body


def values(text: str) -> dict[tuple[str, ...], float]:
    """Sample name and label values -> value."""
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_health_and_readiness():
    async with running() as server:
        assert (await get(server.url, "/healthz"))[::2] == (200, "ok\n")
        assert (await get(server.url, "/readyz?from=probe"))[::2] == (200, "ready\n")
        assert (await get(server.url, "/"))[0] == 426


async def test_a_server_whose_model_has_no_room_is_healthy_but_not_ready():
    gate = threading.Event()
    engine = FakeEngine(gate)
    try:
        async with running(engine, max_waiting=1, max_batch=1) as server, server.client() as client:
            watcher = Watcher(client, server.clock)
            await watcher.until_status(await client.prompt("first", character="a"), "accepted")
            assert await asyncio.to_thread(engine.entered.wait, BOUND)
            await watcher.until_status(await client.prompt("second", character="b"), "accepted")
            while (await get(server.url, "/readyz"))[0] == 200:
                await asyncio.sleep(0)
            assert (await get(server.url, "/readyz"))[::2] == (
                503,
                "1 requests wait for the model, the limit is 1\n",
            )
            assert values((await get(server.url, "/metrics"))[2])[("motionbridge_queue_depth",)] == 1
            assert (await get(server.url, "/healthz"))[0] == 200
            gate.set()
    finally:
        gate.set()


async def test_metrics_of_a_server_at_work():
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("please fail")
        await watcher.until(lambda: any(s.status == "failed" for s in watcher.statuses))
        await client.prompt("a person walks", seconds=2.0)
        await watcher.until_frame(40)
        await client.control("pause", character="nobody")
        await watcher.until(lambda: watcher.errors)
        status, headers, text = await get(server.url, "/metrics")
        frames = sum(len(block.poses) for block in watcher.blocks)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    found = values(text)
    assert found[("motionbridge_sessions", "connected")] == 1
    assert found[("motionbridge_sessions", "parked")] == 0
    assert found[("motionbridge_characters",)] == 1
    assert found[("motionbridge_queue_depth",)] == 0
    assert found[("motionbridge_frames_sent_total",)] >= frames > 40
    assert found[("motionbridge_prompt_statuses_total", "accepted")] == 2
    assert found[("motionbridge_prompt_statuses_total", "failed")] == 1
    assert found[("motionbridge_prompt_latency_seconds_count",)] == 1
    assert found[("motionbridge_refusals_total", "unknown_character")] == 1
    assert found[("motionbridge_generation_failures_total",)] == 1
    assert found[("motionbridge_batch_size_count",)] == len(server.engine.calls)
    assert found[("motionbridge_generation_seconds_count", "all")] == len(server.engine.calls)
    assert ("process_resident_memory_bytes",) in found


async def test_metrics_in_the_form_that_is_asked_for():
    async with running() as server:
        wanted = "application/openmetrics-text; version=1.0.0"
        _, headers, text = await get(server.url, "/metrics", Accept=wanted)
    assert headers["Content-Type"].startswith(wanted)
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        ({}, {"host": "evil.example"}, 404),  # a page whose name was made to point here
        ({"host": "0.0.0.0", "insecure": True}, {}, 404),
        ({"token": "client-secret"}, {}, 404),
        ({"tokens": {"a": Token(secret="client-secret")}}, {"Authorization": "Bearer client-secret"}, 404),
        ({"metrics_token": SECRET}, {}, 401),
        ({"metrics_token": SECRET}, {"Authorization": SECRET}, 401),
        ({"metrics_token": SECRET}, {"Authorization": f"Bearer {SECRET}x"}, 401),
        ({"metrics_token": SECRET}, {"Authorization": f"bearer {SECRET}"}, 200),
        ({"metrics_token": SECRET, "host": "0.0.0.0", "token": "t"}, {"Authorization": f"Bearer {SECRET}"}, 200),
        ({"metrics_token": SECRET, "token": "t"}, {"Authorization": "Bearer t"}, 401),
    ],
)
async def test_who_may_see_metrics(settings, headers, status):
    async with running(**settings) as server:
        got, _, text = await get(server.url, "/metrics", **headers)
        assert (got, "motionbridge_sessions" in text) == (status, status == 200)
        assert SECRET not in text
        assert (await get(server.url, "/healthz"))[0] == 200


async def test_a_session_that_waits_for_its_client_is_counted():
    async with running() as server, server.raw() as peer:
        for message in (Hello(version=1), Prompt(id="p", text="walk")):
            await peer.send(encode(message))
            await peer.recv()
        peer.transport.abort()
        while True:
            found = values((await get(server.url, "/metrics"))[2])
            if found[("motionbridge_sessions", "parked")]:
                break
        assert found[("motionbridge_sessions", "connected")] == 0
        assert found[("motionbridge_characters",)] == 1
