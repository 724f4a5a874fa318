"""Sessions that go from server to server: two servers behind a balancer, their clocks far apart, a registry between them."""

import asyncio
import contextlib
import pickle

import numpy as np
import pytest
from fake_engine import FakeEngine
from live_server import Clock, Watcher, running
from test_resume import PROMPTS, drop, undisturbed

from protocol.client import ClientConfig, connect
from protocol.messages import Timeline
from server import handover
from server.app import Cluster
from server.batcher import Batcher
from server.cluster.registry import SILENT_SECONDS, Registry
from server.handover import StoreError, pack, unpack
from server.model_info import ModelInfo


class Later:
    """The clock of a machine that has been up for longer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self) -> float:
        return self._clock() + 86_400.0


class Store:
    """A registry in this process; ``broken``: it cannot be reached."""

    def __init__(self, registry: Registry, server: str) -> None:
        self.registry, self.server, self.broken = registry, server, False
        self._announced: set[asyncio.Task] = set()

    def announce(self, token: str) -> None:
        self._announced.add(asyncio.create_task(self.registry.announce(self.server, token)))

    async def wanted(self, tokens):
        self.check()
        return await self.registry.wanted(self.server, list(tokens))

    async def give(self, token, session, seconds):
        self.check()
        await self.registry.give(self.server, token, session, seconds)

    async def take(self, token):
        self.check()
        return await self.registry.take(self.server, token, 2.0)

    def check(self) -> None:
        if self.broken:
            raise StoreError("the test has broken it")


def cluster(store: Store, engine: FakeEngine | None = None) -> Cluster:
    engine = engine or FakeEngine()

    def batcher(observer):
        return Batcher(engine, max_batch=16, window_seconds=0.0, capacity=64, observer=observer)

    return Cluster(ModelInfo.of(engine), batcher, store)


class Balancer:
    """Passes each new connection on to the server whose turn it is."""

    def __init__(self) -> None:
        self.port = 0
        self.url = ""

    def turn(self, url: str) -> None:
        self.port = int(url.rsplit(":", 1)[1])

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self._server.close()

    async def _pass(self, reader, writer):
        try:
            there, here = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, here), self._pump(there, writer))

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    def client(self, **options):
        return connect(ClientConfig(url=self.url, restart_seconds=20.0, **options))


@contextlib.asynccontextmanager
async def two_servers(**settings):
    registry, clock = Registry(), Clock()
    a, b = Store(registry, "a"), Store(registry, "b")
    async with (
        running(cluster(a), clock=clock, **settings) as first,
        running(cluster(b), clock=Later(clock), **settings) as second,
        Balancer() as balancer,
    ):
        balancer.turn(first.url)
        first.store, second.store = a, b
        yield balancer, first, second


async def back(client, clock: Clock) -> None:
    """Until a client that no one has read from has resumed; only what it has not shown yet moves the clock on by itself."""
    while not client.resumed:
        await asyncio.sleep(0.005)
    clock.now += 0.2


def assert_whole(watcher: Watcher) -> None:
    """No frame is missing and none came twice."""
    indices = [block.first + at for block in watcher.blocks for at in range(len(block.poses))]
    assert indices == list(range(len(indices)))
    assert watcher.errors == []


async def test_a_stream_goes_from_server_to_server_as_if_nothing_had_happened():
    expected = await undisturbed()
    async with two_servers() as (balancer, first, second), balancer.client() as client:
        watcher = Watcher(client, first.clock)
        await client.send(Timeline(prompts=PROMPTS))
        for at, server in ((20, second), (75, first), (95, second), (160, second), (240, first)):
            await watcher.until_frame(at)
            balancer.turn(server.url)
            drop(client)
        await watcher.until_frame(270)
        assert client.resumed == 5
        assert client.restarted == 0
    assert_whole(watcher)
    for index, poses in watcher.poses().items():
        if index <= 270:
            np.testing.assert_array_equal(poses.root, expected[index].root)
            np.testing.assert_array_equal(poses.rotations, expected[index].rotations)
    assert [status.id for status in watcher.statuses if status.status == "finished"] == ["a", "b", "c"]


async def test_a_server_that_is_stopped_hands_its_sessions_over():
    async with two_servers() as (balancer, first, second), balancer.client() as client:
        watcher = Watcher(client, first.clock)
        await client.send(Timeline(prompts=PROMPTS))
        await watcher.until_frame(40)
        session = client.welcome.session
        balancer.turn(second.url)
        first.stop.set()
        await watcher.until_frame(150)
        assert (client.resumed, client.restarted) == (1, 0)
        assert client.welcome.session == session
        await first.task
    assert_whole(watcher)


async def test_a_session_waits_for_a_client_that_comes_after_its_server_has_ended():
    async with two_servers() as (balancer, first, second), balancer.client() as client:
        watcher = Watcher(client, first.clock)
        await client.send(Timeline(prompts=PROMPTS))
        await watcher.until_frame(40)
        balancer.port = 1  # nothing listens
        first.stop.set()
        await first.task
        balancer.turn(second.url)
        await back(client, first.clock)
        await watcher.until_frame(150)
        assert (client.resumed, client.restarted) == (1, 0)
    assert_whole(watcher)


async def test_what_was_with_a_server_that_was_killed_begins_anew(monkeypatch):
    monkeypatch.setattr(handover, "TAKE_SECONDS", 0.2)
    async with two_servers() as (balancer, first, second), balancer.client() as client:
        watcher = Watcher(client, first.clock)
        await client.send(Timeline(prompts=PROMPTS))
        await watcher.until_frame(40)
        monkeypatch.setattr(first.store, "give", first.store.wanted)  # it answers no more
        first.store.broken = True
        balancer.turn(second.url)
        drop(client)
        watcher.follow(first.clock)
        await watcher.until(lambda: watcher.restarts == 1)
        await watcher.until_frame(20)
        assert (client.resumed, client.restarted) == (0, 1)
    assert_whole(watcher)


@pytest.mark.parametrize("how", ["broken", "other token", "other model", "other version"])
async def test_where_a_session_cannot_go_on_the_client_gets_a_fresh_one(how, monkeypatch):
    registry, clock = Registry(), Clock()
    a, b = Store(registry, "a"), Store(registry, "b")
    other = FakeEngine()
    if how == "other model":
        other.max_frames = 100
    tokens = {name: {"secret": name} for name in ("one", "two")}
    async with (
        running(cluster(a), clock=clock, tokens=tokens) as first,
        running(
            cluster(b, other),
            clock=clock,
            tokens={"one": {"secret": "one"}} if how != "other token" else {"two": {"secret": "one"}},
        ) as second,
        Balancer() as balancer,
    ):
        balancer.turn(first.url)
        async with balancer.client(token="one") as client:
            watcher = Watcher(client, clock)
            await client.send(Timeline(prompts=PROMPTS))
            await watcher.until_frame(20)
            b.broken = how == "broken"
            if how == "other version":
                monkeypatch.setattr(handover, "unpack", lambda packed: unpack(pickle.dumps(("0.0.0", b""))))
            balancer.turn(second.url)
            drop(client)
            await watcher.until(lambda: watcher.restarts == 1)
            assert client.welcome.characters == ()


async def test_an_account_that_may_have_no_more_connections_keeps_its_session_waiting(caplog):
    caplog.set_level("INFO", logger="server.sessions")
    tokens = {"one": {"secret": "one", "connections": 1}}
    async with two_servers(tokens=tokens) as (balancer, first, second), balancer.client(token="one") as client:
        watcher = Watcher(client, first.clock)
        await client.send(Timeline(prompts=PROMPTS))
        await watcher.until_frame(20)
        async with connect(ClientConfig(url=second.url, token="one")):
            balancer.turn(second.url)
            drop(client)
            while "came from another server" not in caplog.text:
                await asyncio.sleep(0.005)
        await back(client, first.clock)
        await watcher.until_frame(60)
        assert client.resumed == 1
    assert_whole(watcher)


async def test_a_registry_gives_a_session_to_one_server_only():
    registry = Registry()
    asked = asyncio.create_task(registry.wanted("a", ["t"], 5.0))
    await asyncio.sleep(0)
    takers = [asyncio.create_task(registry.take(server, "t", 5.0)) for server in ("b", "c")]
    assert set(await asked) == {"t"}
    await registry.give("a", "t", b"session", 30.0)
    assert sorted(await asyncio.gather(*takers), key=bool) == [None, b"session"]
    assert await registry.take("b", "t", 5.0) is None


async def test_a_registry_forgets_in_time_and_keeps_its_bound():
    clock = Clock()
    registry = Registry(clock, max_bytes=10)
    await registry.announce("a", "held")
    for number in range(4):
        await registry.give("a", f"t{number}", b"1234", 30.0)
    assert [await registry.take("b", f"t{number}", 0.0) for number in range(4)] == [None, None, b"1234", b"1234"]
    await registry.give("a", "late", b"1234", 30.0)
    clock.now += 30.0
    assert await registry.take("b", "late", 0.0) is None
    await registry.announce("a", "held")
    assert await registry.take("b", "held", 0.01) is None  # asked for, no answer
    assert await registry.wanted("a", ["held"], 0.0) == ["held"]
    clock.now += SILENT_SECONDS
    started = asyncio.get_running_loop().time()
    assert await registry.take("b", "held", 60.0) is None  # and now not even asked for
    assert asyncio.get_running_loop().time() - started < 30.0


async def test_a_registry_that_has_restarted_learns_again_who_has_what():
    registry = Registry()
    asked = asyncio.create_task(registry.wanted("a", ["old"], 5.0))
    await asyncio.sleep(0)
    taken = asyncio.create_task(registry.take("b", "old", 5.0))
    assert await asked == ["old"]
    await registry.give("a", "old", None, 0.0)  # it has ended meanwhile
    assert await taken is None


async def test_a_session_is_packed_small_enough_to_travel(monkeypatch):
    sizes = []

    def measured(state):
        packed = pack(state)
        sizes.append(len(packed))
        return packed

    monkeypatch.setattr(handover, "pack", measured)
    async with two_servers() as (balancer, first, second), balancer.client() as client:
        watcher = Watcher(client, first.clock)
        names = [f"character {number}" for number in range(8)]
        for name in names:
            await client.prompt("a person walks", character=name, seconds=9.0)
        await watcher.until(lambda: min(watcher.newest_of(name) for name in names) > 60)
        balancer.turn(second.url)
        drop(client)
        await watcher.until(lambda: min(watcher.newest_of(name) for name in names) > 90)
    assert len(sizes) == 1
    assert sizes[0] < len(names) << 20
