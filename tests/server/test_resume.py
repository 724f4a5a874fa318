"""Connections that drop and come back, over real sockets: nothing is lost, nothing comes twice, nothing jumps.

The engine and the clock are those of test_app: the clock moves with the frames that the client has received.
"""

import asyncio

import numpy as np
import pytest
from live_server import RATE, Clock, Watcher, running
from websockets.exceptions import ConnectionClosed

from protocol.client import Client
from protocol.client_errors import ConnectionLostError
from protocol.codec import encode, read_frames, unpack, validate_server
from protocol.messages import Control, Hello, Prompt, Timeline, TimelinePrompt
from protocol.poses import Poses

SENTENCES = [("a", "a person walks", 3.0), ("b", "a person waves", 2.0), ("c", "a person bows", 3.0)]
PROMPTS = tuple(TimelinePrompt(id=i, text=text, seconds=seconds, seed=5) for i, text, seconds in SENTENCES)


def drop(client: Client) -> None:
    """Cuts the cable."""
    client._socket.transport.abort()


class Peer:
    """A client of our own, which counts what it receives and can lose some of it."""

    def __init__(self, socket, held: int = -1) -> None:
        """``held``: the newest frame from an earlier connection."""
        self.socket = socket
        self.held = held
        self.welcome = None
        self.received = 0
        self.statuses: list[tuple[str, str]] = []
        self.frames: list[tuple[str, int, Poses]] = []
        self.errors: list[str] = []

    async def hello(self, **fields) -> None:
        await self.socket.send(encode(Hello(version=1, **fields)))
        self.welcome = validate_server(unpack(await self.socket.recv()))

    async def next(self) -> None:
        fields = unpack(await self.socket.recv())
        self.received += 1
        if fields["type"] == "frames":
            block = read_frames(fields)
            self.frames.append((block.character, block.first, block.poses))
            return
        message = validate_server(fields)
        if message.type == "prompt_status":
            self.statuses.append((message.id, message.status))
        else:
            self.errors.append(message.code)

    async def until(self, condition) -> None:
        while not condition():
            await self.next()

    async def shows(self, clock: Clock, frame: int, began: float = 1000.0) -> None:
        """Plays up to a frame, and reads what is sent ahead of it."""
        for shown in range(0, frame + 1, 4):
            clock.shown(began, shown)
            await self.until(lambda shown=shown: self.newest >= shown + 7)

    @property
    def newest(self) -> int:
        return max([self.held, *(first + len(poses) - 1 for _, first, poses in self.frames)])

    def indices(self) -> list[int]:
        return [first + at for _, first, poses in self.frames for at in range(len(poses))]


async def undisturbed() -> dict:
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.send(Timeline(prompts=PROMPTS))
        await watcher.until_frame(270)
        return watcher.poses()


async def test_a_stream_that_drops_goes_on_as_if_nothing_had_happened():
    expected = await undisturbed()
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.send(Timeline(prompts=PROMPTS))
        for at in (20, 75, 95, 160, 240):
            await watcher.until_frame(at)
            drop(client)
        await watcher.until_frame(270)
        assert client.resumed == 5
        assert client.welcome.resumed
        assert client.welcome.characters == ("main",)
    indices = [block.first + at for block in watcher.blocks for at in range(len(block.poses))]
    assert indices == list(range(len(indices)))
    for index, poses in watcher.poses().items():
        if index <= 270:
            for name in ("root", "rotations", "contacts"):
                np.testing.assert_array_equal(getattr(poses, name), getattr(expected[index], name))
    for prompt in PROMPTS:
        assert watcher.status(prompt.id)[:2] == ["accepted", "started"]
        assert watcher.status(prompt.id).count("finished") <= 1
    assert [status.id for status in watcher.statuses if status.status == "finished"] == ["a", "b", "c"]
    assert watcher.errors == []


async def test_what_was_lost_on_the_way_comes_again_and_only_that():
    async with running() as server:
        async with server.raw() as socket:
            peer = Peer(socket)
            await peer.hello()
            token = peer.welcome.resume
            await socket.send(encode(Prompt(id="p", text="walk", seconds=1.0, seed=1)))
            await peer.until(lambda: peer.newest >= 0)
            assert peer.statuses == [("p", "accepted"), ("p", "started")]
            await peer.shows(server.clock, 24)
            await peer.until(lambda: ("p", "finished") in peer.statuses)
            socket.transport.abort()
        newest = peer.newest
        assert peer.indices() == list(range(newest + 1))
        async with server.raw() as socket:  # a client that had read only two messages: accepted and started
            peer = Peer(socket)
            await peer.hello(resume=token, received=2)
            assert peer.welcome.resumed
            await peer.until(lambda: peer.newest >= newest and ("p", "finished") in peer.statuses)
            assert peer.statuses == [("p", "finished")]
            first = peer.frames[0][1]
            assert first <= 24  # what was shown long ago is no longer held
            assert peer.indices() == list(range(first, peer.newest + 1))
            counted, newest = 2 + peer.received, peer.newest
            socket.transport.abort()
        async with server.raw() as socket:  # and one that had read everything
            peer = Peer(socket, newest)
            await peer.hello(resume=token, received=counted)
            await peer.shows(server.clock, 40, began=server.clock.now)  # its clock starts at the first lost frame
            assert peer.statuses == []
            assert peer.frames[0][1] == newest + 1


async def test_while_no_one_listens_time_stands_still(caplog):
    caplog.set_level("INFO", logger="server.sessions")
    async with running(resume_seconds=1000.0) as server:
        async with server.raw() as socket:
            peer = Peer(socket)
            await peer.hello()
            for name in ("main", "paused"):
                await socket.send(encode(Prompt(id=name, character=name, text="walk", seconds=9.0)))
            await peer.until(lambda: len(peer.frames) >= 2)
            await peer.shows(server.clock, 20)
            await socket.send(encode(Control(character="paused", action="pause")))
            await socket.send(encode(Control(character="nobody", action="pause")))  # its error says that all was taken
            await peer.until(lambda: peer.errors)
            newest = peer.newest
            socket.transport.abort()
        while not any("dropped" in record.getMessage() for record in caplog.records):
            await asyncio.sleep(0.005)
        server.clock.now += 500.0
        async with server.raw() as socket:
            again = Peer(socket, newest)
            await again.hello(resume=peer.welcome.resume, received=peer.received)
            assert set(again.welcome.characters) == {"main", "paused"}
            await again.shows(server.clock, 60, began=server.clock.now - 20 / RATE)
            assert {character for character, _, _ in again.frames} == {"main"}
            assert again.indices() == list(range(newest + 1, again.newest + 1))


async def test_an_unknown_token_gives_a_fresh_session():
    async with running() as server, server.raw() as socket:
        peer = Peer(socket)
        await peer.hello(resume="never given")
        assert not peer.welcome.resumed
        assert peer.welcome.characters == ()
        await socket.send(encode(Prompt(id="p", text="walk")))
        await peer.until(lambda: peer.newest >= 3)
        assert peer.indices()[0] == 0


@pytest.mark.parametrize("settings", [{}, {"max_connections": 1}], ids=["room", "no room but its own"])
async def test_a_connection_that_still_lives_is_closed_with_4010(settings):
    async with running(**settings) as server, server.raw() as old:
        first = Peer(old)
        await first.hello()
        await old.send(encode(Prompt(id="p", text="walk", seconds=9.0)))
        await first.until(lambda: first.newest >= 3)
        async with server.raw() as new:
            second = Peer(new, first.newest)
            await second.hello(resume=first.welcome.resume, received=first.received)
            assert second.welcome.resumed
            assert second.welcome.session == first.welcome.session
            with pytest.raises(ConnectionClosed):
                await first.until(lambda: False)
            assert old.close_code == 4010
            assert first.errors == ["resumed_elsewhere"]
            await second.shows(server.clock, 24)
            indices = first.indices() + second.indices()
            assert sorted(set(indices)) == list(range(max(indices) + 1))
            await new.send(encode(Control(action="stop")))
            await second.until(lambda: ("p", "cancelled") in second.statuses)


async def test_requests_under_way_fail_at_the_drop_and_later_ones_work():
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("a person walks", seconds=9.0)
        await watcher.until_frame(10)
        under_way = asyncio.create_task(client.generate("a person bows", seconds=1.0))
        drop(client)
        with pytest.raises(ConnectionLostError):
            await under_way
        while not client.resumed:
            await asyncio.sleep(0)
        clip = await client.generate("a person bows", seconds=1.0)
        assert clip.count == 20
        assert client.resumed == 1
        await watcher.until_frame(30)


async def test_steering_survives_a_drop():
    async with running() as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("a person walks", seconds=9.0, on_end="repeat")
        await client.steer(heading=1.5)
        await watcher.until_frame(30)
        drop(client)
        await watcher.until_frame(150)
    root = np.array([poses.root[0] for _, poses in sorted(watcher.poses().items())])
    travel = root[150] - root[130]
    assert np.arctan2(travel[0], travel[2]) == pytest.approx(1.5, abs=0.05)
    assert np.linalg.norm(np.diff(root, axis=0), axis=-1).max() < 1.5 / RATE
