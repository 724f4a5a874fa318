"""A client that behaves, for as long as it is let, and keeps account of everything that it is owed."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from protocol.client import Client, Event, FrameBlock
from protocol.client_errors import ClientError
from protocol.messages import Error, PromptStatus
from tests.benchmarks.stream import RATE, SENTENCES

LONGEST_STEP_METRES: Final = 0.5
"""Of the root between two frames: 15 m/s, which no motion has; more is a jump."""
REPORTS_A_SECOND: Final = 4
ENDS: Final = frozenset({"finished", "cancelled", "failed"})
MOST_QUEUED: Final = 3
REST_SECONDS: Final = 1.15


@dataclass
class Account:
    """What all good clients together got. ``errors`` are those that nothing has provoked."""

    errors: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    skipped: int = 0
    lost_characters: int = 0
    gaps: array[float] = field(default_factory=lambda: array("f"))
    latencies: array[float] = field(default_factory=lambda: array("f"))


@dataclass
class _Character:
    newest: int = -1
    root: np.ndarray | None = None
    arrived: float | None = None
    shown: float | None = None
    running: bool = True
    open: list[str] = field(default_factory=list)


class GoodClient:
    """Plays characters of one connection at random: prompts, queues, time lines, steering, pauses, clips, and drops."""

    def __init__(
        self, client: Client, names: list[str], rng: random.Random, account: Account, rest_seconds: float = REST_SECONDS
    ) -> None:
        """``rest_seconds``: between two things that it does, on the average."""
        self.client = client
        self._names, self._rng, self._account, self._rest_seconds = names, rng, account, rest_seconds
        self._characters = {name: _Character() for name in names}
        self._sent: dict[str, float | None] = {}  # when, of those that replace what plays
        self._statuses: dict[str, list[str]] = {}
        self._clock = asyncio.get_running_loop().time
        self._requests: set[asyncio.Task[None]] = set()

    async def play(self, seconds: float) -> None:
        """Acts until the time is up, then sees to it that every character still lives and every prompt had its answer."""
        end = self._clock() + seconds
        reading = asyncio.create_task(self._read())
        reporting = asyncio.create_task(self._report())
        try:
            for name in self._names:
                await self._prompt(name)
            while self._clock() < end and not (reading.done() or reporting.done()):
                rest = self._rng.uniform(0.25, 1.75) * self._rest_seconds
                await asyncio.sleep(min(rest, max(0.0, end - self._clock())))
                await self._act()
            await self._check_alive(reading)
            await asyncio.gather(*self._requests)
        except ClientError as error:
            self._account.errors[f"client: {error}"] += 1
        finally:
            for task in (reporting, reading):
                task.cancel()
            for ended in await asyncio.gather(reporting, reading, return_exceptions=True):
                if isinstance(ended, Exception):
                    self._account.errors[f"{type(ended).__name__}: {ended}"] += 1

    async def _act(self) -> None:
        actions: tuple[tuple[int, Callable[[str], Awaitable[None]]], ...] = (
            (40, self._prompt),
            (15, self._queue),
            (6, self._timeline),
            (12, self._steer),
            (8, self._pause),
            (6, self._remove),
            (3, self._generate),
            (10, self._drop),
        )
        (action,) = self._rng.choices([act for _, act in actions], [weight for weight, _ in actions])
        self._account.did[action.__name__.strip("_")] += 1
        await action(self._rng.choice(self._names))

    # What it does

    async def _prompt(self, name: str, mode: str = "replace") -> None:
        rng = self._rng
        seconds = rng.choice((None, 1.0, 3.0, 6.0))
        on_end = rng.choice(("idle", "repeat", "repeat", "hold"))
        text = rng.choice(SENTENCES)
        sent = self._clock() if mode == "replace" else None
        prompt = await self.client.prompt(text, character=name, seconds=seconds, mode=mode, on_end=on_end)
        self._owe(name, prompt, sent)

    async def _queue(self, name: str) -> None:
        if len(self._characters[name].open) <= MOST_QUEUED:
            await self._prompt(name, "queue")

    async def _timeline(self, name: str) -> None:
        texts = [(self._rng.choice(SENTENCES), 2.0) for _ in range(3)]
        for prompt in await self.client.timeline(texts, character=name):
            self._owe(name, prompt)

    async def _steer(self, name: str) -> None:
        await self.client.steer(self._rng.uniform(-3.0, 3.0), self._rng.choice((None, 1.0)), character=name)

    async def _pause(self, name: str) -> None:
        await self.client.control("pause", character=name)
        self._characters[name].running = False
        await asyncio.sleep(self._rng.uniform(0.1, 0.5))
        await self.client.control("resume", character=name)
        self._characters[name].running = True
        self._characters[name].arrived = None

    async def _remove(self, name: str) -> None:
        await self.client.control("remove", character=name)
        open_prompts = self._characters[name].open
        self._characters[name] = _Character(open=open_prompts)
        await self._prompt(name)

    async def _generate(self, name: str) -> None:
        task = asyncio.create_task(self._clip())
        self._requests.add(task)

    async def _clip(self) -> None:
        drops = self._account.did["drop"]
        try:
            clip = await self.client.generate(self._rng.choice(SENTENCES), seconds=2.0, frame_rate=RATE)
            if abs(clip.count - 2.0 * RATE) > 2:  # from the first frame of the model to its last
                self._account.errors[f"clip of {clip.count} frames"] += 1
        except ClientError as error:
            if self._account.did["drop"] == drops:  # a drop gives up what is under way
                self._account.errors[f"generate: {error}"] += 1

    async def _drop(self, name: str) -> None:
        """Cuts the connection; the client is to get its session back by itself."""
        if not await self._soon(lambda: all(self._statuses[prompt] for prompt in self._sent)):
            return  # what a client sends just before a drop may be lost, and this one wants to know what was not
        resumed = self.client.resumed
        if not self.client._socket.transport.is_closing():
            self.client._socket.transport.abort()
        if not await self._soon(lambda: self.client.resumed > resumed):
            self._account.errors["a session that was not resumed"] += 1
        for name in self._names:
            self._characters[name].arrived = None
            await self.client.control("resume", character=name)

    # What it gets

    def _owe(self, name: str, prompt: str, sent: float | None = None) -> None:
        self._sent[prompt] = sent
        if not ENDS & set(self._statuses.setdefault(prompt, [])):
            self._characters[name].open.append(prompt)

    async def _soon(self, condition: Callable[[], bool], seconds: float = 30.0) -> bool:
        end = self._clock() + seconds
        while not condition() and self._clock() < end:
            await asyncio.sleep(0.02)
        return condition()

    async def _read(self) -> None:
        try:
            async for event in self.client:
                self._take(event)
        except ClientError as error:
            self._account.errors[f"connection: {error}"] += 1

    def _take(self, event: Event) -> None:
        if isinstance(event, FrameBlock):
            self._take_frames(event)
        elif isinstance(event, PromptStatus):
            self._take_status(event)
        elif isinstance(event, Error):
            self._account.errors[f"error {event.code}: {event.message}"] += 1
        else:
            self._account.errors[f"event {type(event).__name__}"] += 1

    def _take_frames(self, block: FrameBlock) -> None:
        character, now = self._characters[block.character], self._clock()
        last = block.first + len(block.poses) - 1
        self._account.frames += len(block.poses)
        if character.newest < 0 and block.first > 0:
            return  # the last ones of a character that was removed
        self._account.skipped += max(0, block.first - character.newest - 1) if character.newest >= 0 else 0
        root = block.poses.root
        if character.root is not None and block.first == character.newest + 1:
            root = np.concatenate([character.root, root])
        steps = np.linalg.norm(np.diff(root, axis=0), axis=-1)
        if len(steps) and steps.max() > LONGEST_STEP_METRES:
            self._account.errors["a root that jumps"] += 1
        if character.arrived is not None and last > character.newest:
            self._account.gaps.append(now - character.arrived)
        if last >= character.newest:
            character.newest, character.root, character.arrived = last, block.poses.root[-1:], now

    def _take_status(self, status: PromptStatus) -> None:
        seen = self._statuses.setdefault(status.id, [])
        if status.status in seen or (not seen) != (status.status == "accepted") or ENDS & set(seen):
            self._account.errors[f"status {status.status} after {seen}"] += 1
            return
        seen.append(status.status)
        sent = self._sent.get(status.id)
        if status.status == "started" and sent is not None:
            self._account.latencies.append(self._clock() - sent)
        if status.status == "failed":
            self._account.errors[f"failed: {status.reason}"] += 1
        if status.status in ENDS and status.id in self._characters[status.character].open:
            self._characters[status.character].open.remove(status.id)

    async def _report(self) -> None:
        """Shows frames by its own clock, as a game does: from half of the lead on, and waiting when they run out."""
        then = self._clock()
        while True:
            await asyncio.sleep(1.0 / REPORTS_A_SECOND)
            then, passed = self._clock(), self._clock() - then
            for name, character in list(self._characters.items()):
                if character.newest < 0 or not character.running:
                    continue
                behind = character.newest - 0.5 * self.client.welcome.lead * RATE
                shown = behind if character.shown is None else character.shown + passed * RATE
                character.shown = min(max(shown, 0.0), float(character.newest))
                await self.client.playhead(int(character.shown), character=name)

    async def _check_alive(self, reading: asyncio.Task[None]) -> None:
        """Every character must still move on; every prompt must have been accepted, and all but the playing have an end."""
        last: dict[str, str] = {}
        for name in self._names:
            last[name] = await self.client.prompt("a person walks", character=name, on_end="repeat")
            self._owe(name, last[name])
        before = {name: self._characters[name].newest for name in self._names}

        def settled() -> bool:
            done = all("started" in self._statuses[prompt] for prompt in last.values())
            moved = all(self._characters[name].newest > before[name] for name in self._names)
            return done and moved and all(self._characters[name].open == [last[name]] for name in self._names)

        await self._soon(lambda: settled() or reading.done(), 120.0)
        foreign = set(self._statuses) - set(self._sent)
        if foreign:
            self._account.errors["statuses of prompts of others"] += len(foreign)
        for name, prompt in last.items():
            alive = "started" in self._statuses[prompt] and self._characters[name].newest > before[name]
            self._account.lost_characters += not alive
            for left in self._characters[name].open:
                if left != prompt:
                    self._account.errors[f"a prompt without an end, after {self._statuses[left]}"] += 1
