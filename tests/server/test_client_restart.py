"""A client whose server is started anew, over real sockets: it begins a new session by itself and asks again."""

import asyncio
from urllib.parse import urlsplit

import pytest
from live_server import RATE, Watcher, running

from protocol.client import connect
from protocol.client_errors import ConnectionLostError
from protocol.handshake import ClientConfig


@pytest.mark.parametrize("cut", [False, True], ids=["closed with 1001", "cut off"])
async def test_a_client_begins_anew_with_what_had_not_ended(cut):
    async with running() as first, connect(ClientConfig(url=first.url)) as client:
        watcher = Watcher(client, first.clock)
        done = await client.prompt("a person waves", seconds=1.0)
        playing = await client.prompt("a person walks", seconds=9.0, mode="queue")
        waiting = await client.prompt("a person bows", seconds=2.0, mode="queue", on_end="hold")
        hero = await client.prompt("a person runs", character="hero", seconds=3.0, on_end="repeat")
        await watcher.until(lambda: "finished" in watcher.status(done) and "started" in watcher.status(playing))
        old_session = client.welcome.session
        port = urlsplit(first.url).port
        if cut:
            client._socket.transport.abort()
        first.stop.set()
        await first.task
        async with running(port=port) as second:
            await watcher.until(lambda: watcher.restarts)
            watcher.follow(second.clock)
            await watcher.until(lambda: {"started"} <= set(watcher.status(hero)) & set(watcher.status(playing)))
            await watcher.until(lambda: min(watcher.newest_of("main"), watcher.newest_of("hero")) >= 30)
            assert (client.restarted, client.resumed) == (1, 0)
            assert client.welcome.session != old_session
            assert not client.welcome.resumed
            assert watcher.status(done) == []
            assert watcher.status(waiting) == ["accepted"]
            for name in ("main", "hero"):
                indices = [b.first + at for b in watcher.blocks if b.character == name for at in range(len(b.poses))]
                assert indices == list(range(len(indices)))
                assert client.buffer(name).newest == indices[-1]
            await watcher.until_status(waiting, "started")
            assert (await client.generate("a person bows", seconds=1.0)).count == 20


async def test_what_is_sent_in_between_waits_for_the_new_session():
    async with running() as first, connect(ClientConfig(url=first.url)) as client:
        port = urlsplit(first.url).port
        first.stop.set()
        await first.task
        while client._online.is_set():
            await asyncio.sleep(0)
        asked = asyncio.create_task(client.generate("a person bows", seconds=1.0))
        async with running(port=port):
            assert (await asked).count == 20
        assert client.restarted == 1


async def test_it_gives_up_when_no_server_comes_back_in_time():
    async with running() as first:
        config = ClientConfig(url=first.url, resume_seconds=0.0, restart_seconds=0.3)
        async with connect(config) as client:
            watcher = Watcher(client, first.clock)
            await client.prompt("a person walks")
            await watcher.until_frame(3)
            first.stop.set()
            with pytest.raises(ConnectionLostError, match=r"within 0\.3 s.*no MotionBridge server"):
                await watcher.until_frame(10 * RATE)
