"""Bad clients against a live server: beside each of them a good one gets every frame, and nothing is left when it is gone.

The server's clock moves with the frames that the good client has received, so what it must get does not depend on how busy
the machine is.
"""

import asyncio
import gc
import random

import pytest
from live_server import Watcher, running

from protocol.client import ClientConfig, connect
from server.session import Session
from tests.benchmarks.bad_clients import BAD_CLIENTS

SECONDS = 1.5
BOUND = 120.0
MAX_PARKED = 4
MAX_CONNECTIONS = 24


def sessions() -> int:
    """Sessions that something still holds on to."""
    gc.collect()
    return sum(isinstance(thing, Session) for thing in gc.get_objects())


@pytest.mark.parametrize("name", BAD_CLIENTS)
async def test_a_good_client_beside_a_bad_one_gets_every_frame(name, caplog):
    resource = pytest.importorskip("resource", reason="Windows does not say how much memory a process has used")
    limits = {"max_parked": MAX_PARKED, "max_connections": MAX_CONNECTIONS, "open_timeout": 0.5, "send_timeout": 0.5}
    before = sessions()
    async with running(bound=BOUND, hello_timeout=0.5, **limits) as server:
        async with connect(ClientConfig(url=server.url, restart_seconds=0.0)) as client:
            watcher = Watcher(client, server.clock)
            prompt = await client.prompt("a person walks", seconds=9.0, on_end="repeat")
            await watcher.until_frame(10)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            attack = asyncio.create_task(BAD_CLIENTS[name](server.url, random.Random(4), SECONDS))
            while not attack.done():
                await watcher.until_frame(watcher.newest + 20)
            attack.result()
            newest = watcher.newest
            await watcher.until_frame(newest + 60)
            assert (await client.generate("a person bows", seconds=1.0)).count == 20
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
            held = {block.first + at for block in watcher.blocks for at in range(len(block.poses))}
            assert held == set(range(watcher.newest + 1))
            assert {block.character for block in watcher.blocks} == {"main"}
            assert {block.prompt for block in watcher.blocks} == {prompt}
            assert {status.id for status in watcher.statuses} == {prompt}
            assert (client.resumed, client.bad_messages, watcher.errors) == (0, 0, [])
            assert grown < 64 * 1024  # KiB: of 100 MB nothing is kept
            assert sessions() - before <= 1 + MAX_PARKED + MAX_CONNECTIONS
        assert not any("fault" in record.getMessage() or record.exc_info for record in caplog.records), caplog.text
    del watcher, client, attack, server
    await asyncio.get_running_loop().shutdown_default_executor()  # its worker may still hold the server's last call
    assert sessions() <= before
