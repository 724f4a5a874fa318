"""The page's side of the wire, against a real server on a real socket; both clocks are the test's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from live_server import BOUND, Running, running

from protocol.client import ClientConfig
from protocol.client_errors import ClientError
from protocol.errors import InvalidFieldError
from server.preview import session as module
from server.preview.character import RATE, Character
from server.preview.session import ARRIVAL, PromptSettings, Session

SETTINGS = PromptSettings()


class Page:
    """A session, the lines it told, and time that passes as frames are drawn."""

    def __init__(self, server: Running) -> None:
        self.server, self.now = server, 50.0
        self.told: list[str] = []
        self.session = Session(ClientConfig(url=server.url), self.told.append, lambda: self.now)
        self.drawn: list[tuple[str, int]] = []

    def character(self, name: str = "main") -> Character:
        return self.session.characters[name]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not condition():
                self.now += 1.0 / RATE
                self.server.clock.now += 1.0 / RATE
                for character, poses in self.session.advance():
                    assert poses.rotations.shape == (1, 22, 4)
                    self.drawn.append((character.name, character.playback.frame))
                await asyncio.sleep(0.002)

    async def until_playing(self, text: str, name: str = "main") -> None:
        await self.until(lambda: (playing := self.character(name).playing()) is not None and playing.text == text)


@contextlib.asynccontextmanager
async def page(**settings) -> AsyncIterator[Page]:
    async with running(**settings) as server:
        it = Page(server)
        task = asyncio.create_task(it.session.run())
        try:
            await it.session.watch(True)
            yield it
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_asked_of_the_server_before_someone_looks():
    async with running() as server:
        it = Page(server)
        task = asyncio.create_task(it.session.run())
        await asyncio.sleep(0)
        assert (it.session.model, it.session.characters, server.engine.calls) == (None, {}, [])
        await it.session.watch(True)
        await it.until(lambda: len(it.drawn) > 3)
        assert it.session.model == "fake"
        assert [prompt.text for prompt in it.character().prompts.values()] == [ARRIVAL]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_sentence_is_played_and_its_figures_are_true():
    async with page() as it:
        await it.until(lambda: len(it.drawn) > 3)
        sent = it.now
        await it.session.prompt("main", "a person walks", "replace", PromptSettings(seconds=2.0, seed=5))
        await it.until_playing("a person walks")
        prompt = it.character().playing()
        assert (prompt.seed, prompt.latency) == (5, pytest.approx(it.now - sent))
        assert it.session.figures("main")[2] == prompt.latency
        frames = [frame for _, frame in it.drawn]
        assert frames == sorted(set(frames))
        await it.until(lambda: it.character().playing() is None)
        assert prompt.status == "finished"
        assert {text for _, text in it.character().last(60.0)} >= {"idle", "a person walks"}


async def test_a_queued_sentence_waits_and_a_replacing_one_cancels():
    async with page() as it:
        await it.until(lambda: len(it.drawn) > 3)
        await it.session.prompt("main", "a person walks", "replace", PromptSettings(seconds=1.0))
        await it.session.prompt("main", "a person waves", "queue", SETTINGS)
        await it.until_playing("a person walks")
        await it.until_playing("a person waves")
        await it.session.prompt("main", "a person bows", "replace", SETTINGS)
        await it.until_playing("a person bows")
        statuses = {prompt.text: prompt.status for prompt in it.character().prompts.values()}
        assert (statuses["a person walks"], statuses["a person waves"]) == ("finished", "cancelled")


async def test_what_cannot_be_is_told_and_changes_nothing():
    async with page(max_queued_prompts=1) as it:
        await it.until(lambda: len(it.drawn) > 3)
        with pytest.raises(InvalidFieldError, match="seconds"):
            await it.session.prompt("main", "a person walks", "replace", PromptSettings(seconds=99.0))
        await it.session.prompt("main", "please fail", "replace", SETTINGS)
        await it.until(lambda: bool(it.told))
        assert list(it.character().prompts.values())[-1].status == "failed"
        for _ in range(3):
            await it.session.prompt("main", "a person waits", "queue", SETTINGS)
        await it.until(lambda: len(it.told) > 1)
        assert "refused" in [prompt.status for prompt in it.character().prompts.values()]


async def test_characters_come_and_go_side_by_side():
    async with page(max_characters=3) as it:
        await it.until(lambda: bool(it.drawn))
        second, third = await it.session.add(), await it.session.add()
        assert len({character.spawn for character in it.session.characters.values()}) == 3
        with pytest.raises(ClientError, match="3 characters"):
            await it.session.add()
        await it.until(lambda: {name for name, _ in it.drawn} == set(it.session.characters))
        await it.session.remove(second.name)
        it.drawn.clear()
        await it.until(lambda: len(it.drawn) > 20)
        assert {name for name, _ in it.drawn} == {"main", third.name}
        again = await it.session.add()
        assert (again.name, again.spawn) == (second.name, second.spawn)
        await it.until(lambda: (again.name, 0) in it.drawn)


async def test_the_last_character_stays():
    async with page() as it:
        await it.until(lambda: bool(it.drawn))
        await it.session.remove("main")
        assert list(it.session.characters) == ["main"]


@pytest.mark.parametrize("why", ["paused", "unwatched"])
async def test_characters_stand_still_while_paused_or_while_no_one_looks(why: str):
    async with page() as it:
        stop, go = {
            "paused": (lambda: it.session.pause(True), lambda: it.session.pause(False)),
            "unwatched": (lambda: it.session.watch(False), lambda: it.session.watch(True)),
        }[why]
        await it.until(lambda: len(it.drawn) > 10)
        await stop()
        last = it.drawn[-1]
        ticks = iter(range(200))
        await it.until(lambda: next(ticks, None) is None)
        assert it.drawn[-1] == last
        await go()
        await it.until(lambda: it.drawn[-1] != last)
        assert it.drawn[-1][1] == last[1] + 1


async def test_waypoints_are_asked_for_and_ticked_off_when_reached():
    async with page() as it:
        await it.until(lambda: len(it.drawn) > 3)
        await it.session.prompt("main", "a person walks", "replace", PromptSettings(seconds=9.8))
        await it.session.walk_to("main", [(0.0, 3.0), (0.0, 90.0)], 1.0)
        assert it.character().path == [(0.0, 3.0), (0.0, 90.0)]
        await it.until(lambda: it.character().path == [(0.0, 90.0)])
        assert it.character().shown[-1][0].root[0, 2] == pytest.approx(2.5, abs=0.2)
        await it.session.walk_to("main", [], None)
        assert it.character().path == []
        assert it.told == []


async def test_a_server_that_comes_back_finds_the_same_characters(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    async with running() as first:
        it = Page(first)
        task = asyncio.create_task(it.session.run())
        await it.session.watch(True)
        await it.until(lambda: bool(it.drawn))
        await it.session.add()
        port = int(first.url.rpartition(":")[2])
    await it.until(lambda: it.session.problem is not None)
    with pytest.raises(ClientError):
        await it.session.prompt("main", "a person walks", "replace", SETTINGS)
    with pytest.raises(ClientError):
        await it.session.remove("character 2")
    async with running(port=port) as second:
        it.server = second
        it.drawn.clear()
        await it.until(lambda: {name for name, _ in it.drawn} == {"main", "character 2"})
        assert it.session.problem is None
        assert it.drawn[0][1] == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
