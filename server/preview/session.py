"""The page's side of the wire: characters, what is asked for them, and a connection that comes back. Knows no viser."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from protocol import limits
from protocol.client import Client, ClientConfig, connect
from protocol.client_errors import ClientError
from protocol.fields import Action, Mode, OnEnd
from protocol.messages import Error, PromptStatus
from protocol.poses import Poses
from server.preview.character import RATE, Character
from server.preview.playback import Playback

ARRIVAL: Final = "a person stands still"
"""A character exists from its first sentence on; this one brings it onto the stage."""
MAX_CHARACTERS: Final = 8
_ACCENTS: Final = (
    (42, 111, 151),
    (224, 122, 63),
    (88, 129, 87),
    (131, 86, 144),
    (188, 71, 73),
    (93, 115, 126),
    (201, 153, 42),
    (73, 80, 87),
)
_SPACING_M: Final = 1.4
_REPORTS_A_SECOND: Final = 5
_RETRY_S: Final = 2.0

Notify = Callable[[str], object]


@dataclass(frozen=True)
class PromptSettings:
    """What a sentence is sent with; None leaves it to the server."""

    seconds: float | None = None
    seed: int | None = None
    guidance: float | None = None
    on_end: OnEnd = "idle"


class Session:
    """Runs in one event loop. ``notify`` takes a line for the person at the page; ``clock`` gives seconds."""

    def __init__(self, config: ClientConfig, notify: Notify, clock: Callable[[], float] = time.monotonic) -> None:
        self.characters: dict[str, Character] = {}
        self.paused = False
        self.problem: str | None = None
        """Why there is no connection; None while there is one, or none was asked for yet."""
        # After a restart the server knows none of the characters: `run` brings them back, not the client.
        self._config = replace(config, frame_rate=RATE, restart_seconds=0.0)
        self._notify, self._clock = notify, clock
        self._client: Client | None = None
        self._watched = asyncio.Event()
        self._standing = False  # whether the server was told to pause

    @property
    def model(self) -> str | None:
        """Name of the server's model; None without a connection."""
        return self._client.welcome.model if self._client is not None else None

    async def run(self) -> None:
        """Connects once someone watches, and again whenever the connection is lost; never returns."""
        while True:
            await self._watched.wait()
            try:
                await self._converse()
                self.problem = "the server ended the connection"
            except ClientError as error:
                self.problem = str(error)
            for character in self.characters.values():
                character.restart()
            await asyncio.sleep(_RETRY_S)

    async def watch(self, watched: bool) -> None:
        """Whether anyone looks at the page: without, every character stands still and costs the server nothing."""
        if watched:
            self._watched.set()
        else:
            self._watched.clear()
        await self._stand_or_go()

    async def pause(self, paused: bool) -> None:
        """Stops the motion of all characters, or lets it go on."""
        self.paused = paused
        await self._stand_or_go()

    async def prompt(self, name: str, text: str, mode: Mode, settings: PromptSettings) -> None:
        """Sends a sentence; InvalidFieldError says which value is wrong, ClientError that there is no connection."""
        await self._prompt(self.characters[name], text, mode, settings)

    async def add(self) -> Character:
        """Brings one more character onto the stage; ClientError when there is no room or no connection."""
        client = self._connected()
        most = min(MAX_CHARACTERS, client.welcome.limits.characters)
        if len(self.characters) >= most:
            raise ClientError(f"{most} characters are on the stage, the most there can be; remove one first")
        character = self._new_character(client)
        await self._arrive(character)
        return character

    async def remove(self, name: str) -> None:
        """Takes a character off the stage; the last one stays. ClientError, and nothing done, when there is no connection."""
        client = self._connected()
        if len(self.characters) > 1:
            del self.characters[name]
            await client.control("remove", character=name)

    async def stop(self, name: str) -> None:
        """Drops what the character does and what waits."""
        await self._connected().control("stop", character=name)

    async def walk_to(self, name: str, points: list[tuple[float, float]], speed: float | None) -> None:
        """Steers along way-points (x, z) in the character's own world at a speed (m/s); none of both lets go."""
        character = self.characters[name]
        await self._connected().steer(speed=speed, waypoints=points or None, character=name)
        character.path = list(points)

    def advance(self) -> Iterator[tuple[Character, Poses]]:
        """Every character that has a new frame to show now, with that frame."""
        now = self._clock()
        if self._client is None or self._standing:
            return
        for character in self.characters.values():
            if character.name in self._client.characters:
                pose = character.show(now, self._client.buffer(character.name))
                if pose is not None:
                    yield character, pose

    def figures(self, name: str) -> tuple[float, float, float | None]:
        """Frames shown a second, seconds held ahead, and seconds from a sentence to its first frame (None: not yet)."""
        character = self.characters[name]
        held = 0.0
        if self._client is not None and name in self._client.characters:
            held = character.playback.held_seconds(self._client.buffer(name))
        return character.frames_a_second(self._clock()), held, character.latency()

    async def _converse(self) -> None:
        async with connect(self._config) as client:
            self._client, self.problem, self._standing = client, None, False
            report = asyncio.create_task(self._report(client))
            try:
                if not self.characters:
                    self._new_character(client)
                for character in self.characters.values():
                    await self._arrive(character)
                await self._stand_or_go()
                async for event in client:
                    if isinstance(event, PromptStatus):
                        self._take_status(event)
                    elif isinstance(event, Error):
                        self._take_error(event)
            finally:
                self._client = None
                report.cancel()
                await asyncio.gather(report, return_exceptions=True)

    async def _report(self, client: Client) -> None:
        """Tells the server what is shown, so that it keeps ahead of that."""
        with contextlib.suppress(ClientError):
            while True:
                await asyncio.sleep(1.0 / _REPORTS_A_SECOND)
                for character in list(self.characters.values()):
                    if character.playback.frame >= 0 and character.name in client.characters:
                        await client.playhead(character.playback.frame, character=character.name)

    async def _stand_or_go(self) -> None:
        standing = self.paused or not self._watched.is_set()
        if self._client is None or standing == self._standing:
            return
        self._standing = standing
        action: Action = "pause" if standing else "resume"
        for character in list(self.characters.values()):
            character.playback.wake()
            await self._client.control(action, character=character.name)

    def _new_character(self, client: Client) -> Character:
        places = [character.spawn for character in self.characters.values()]
        column = next(n for n in itertools.count() if (_column(n), 0.0) not in places)
        taken = set(self.characters)
        names = itertools.chain([limits.DEFAULT_CHARACTER], (f"character {n}" for n in itertools.count(2)))
        name = next(name for name in names if name not in taken)
        playback = Playback(client.welcome.lead)
        character = Character(name, (_column(column), 0.0), _ACCENTS[column % len(_ACCENTS)], playback)
        self.characters[name] = character
        return character

    async def _arrive(self, character: Character) -> None:
        await self._prompt(character, ARRIVAL, "replace", PromptSettings(seconds=limits.MIN_SECONDS))
        if self._standing:
            await self._connected().control("pause", character=character.name)

    async def _prompt(self, character: Character, text: str, mode: Mode, settings: PromptSettings) -> None:
        sent = self._clock()
        prompt_id = await self._connected().prompt(
            text,
            character=character.name,
            seconds=settings.seconds,
            seed=settings.seed,
            guidance=settings.guidance,
            mode=mode,
            on_end=settings.on_end,
        )
        character.sent(prompt_id, text, sent)

    def _take_status(self, status: PromptStatus) -> None:
        character = self.characters.get(status.character)
        if character is None:
            return
        character.take(status)
        if status.status == "failed":
            self._notify(status.reason or "the server could not make that motion")

    def _take_error(self, error: Error) -> None:
        for character in self.characters.values():
            character.refuse(error.id)
        self._notify(error.message)

    def _connected(self) -> Client:
        if self._client is None:
            raise ClientError(self.problem or "not connected yet; try again in a moment")
        return self._client


def _column(number: int) -> float:
    """Places along x: 0, 1, -1, 2, -2, ... times the spacing."""
    return _SPACING_M * ((number + 1) // 2) * (1.0 if number % 2 else -1.0)
