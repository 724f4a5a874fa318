"""The async Python client.

    async with connect() as client:
        await client.prompt("a person waves")
        async for event in client:
            if isinstance(event, FrameBlock):
                ...

Frames also go into one `FrameBuffer` per character, so a caller that draws at its own pace can read those instead and
never look at the events. Every wait is bounded, and every failure is a `ClientError` that says what to do.

A connection that drops is opened again and its session resumed, for `ClientConfig.resume_seconds`; events, buffers and
prompt ids go on, prompts that may have been lost are sent again, and only `generate` and `edit` under way fail. Report
playheads, so that the server keeps what was lost.

When the server no longer has the session, because it was started anew, so does the client, for `restart_seconds`: the event
`Restarted` says so, frames count from 0 again in new buffers, and prompts that had not ended are asked again under their ids.
Steering, pauses and root motion are the caller's to tell again. With `restart_seconds` 0 the client ends with
ConnectionLostError instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from protocol import limits
from protocol.buffer import FrameBuffer
from protocol.client_errors import (
    ConnectionLostError,
    RequestFailedError,
    RequestTimeoutError,
)
from protocol.codec import FrameBlock, build, encode, read_frames, unpack, validate_server
from protocol.errors import ProtocolError, UnknownTypeError
from protocol.fields import Action, Mode, OnEnd
from protocol.handshake import DROPS, RESTARTS, ClientConfig, come_back, open_socket, shake_hands
from protocol.messages import (
    Clip,
    Control,
    Edit,
    Error,
    Generate,
    Message,
    Playhead,
    Prompt,
    PromptStatus,
    ServerMessage,
    Stats,
    Steer,
    Timeline,
    TimelinePrompt,
    Welcome,
)
from protocol.poses import Poses, pack_poses
from protocol.unanswered import Unanswered
from protocol.unfinished import Unfinished

__all__ = ["Client", "ClientConfig", "Event", "FrameBlock", "Restarted", "connect"]


@dataclass(frozen=True)
class Restarted:
    """A new session has begun in place of one that the server no longer has. What comes after is of the new one."""

    welcome: Welcome


Event = FrameBlock | PromptStatus | Error | Stats | Restarted
LOG = logging.getLogger(__name__)
NORMAL_CLOSURE: Final = 1000
ID_PREFIX_CHARACTERS: Final = 16


@contextlib.asynccontextmanager
async def connect(config: ClientConfig | None = None) -> AsyncIterator[Client]:
    """A connected client, its `welcome` received; closed on the way out.

    Raises AddressError, UnreachableError, HandshakeError, RefusedError or ConnectionLostError.
    """
    client = await Client.open(config or ClientConfig())
    try:
        yield client
    finally:
        await client.close()


class Client:
    """One connection to a server. Made by `connect` or `Client.open`; iterate it, once, for its events."""

    def __init__(self, config: ClientConfig, socket: ClientConnection, welcome: Welcome) -> None:
        self.config = config
        self.welcome = welcome
        self.bad_messages = 0
        """Messages from the server that could not be decoded; each is logged and skipped."""
        self.dropped_events = 0
        """Events that no one took before `event_capacity` was reached."""
        self.resumed = 0
        """How many times the connection has dropped and the session went on."""
        self.restarted = 0
        """How many times a new session has begun."""
        self._socket = socket
        self._buffers = {name: FrameBuffer(config.buffer_frames) for name in welcome.characters}
        self._pending: dict[str, asyncio.Future[Clip]] = {}
        self._events: deque[Event] = deque()
        self._unanswered = Unanswered()
        self._wake = asyncio.Event()
        self._closed = False
        self._closing = False
        self._lost_for: ConnectionLostError | None = None  # why there is no way back
        self._received = 0  # messages, as `hello.received` counts them
        self._online = asyncio.Event()  # a connection that can be used, or none ever again
        self._online.set()
        self._unfinished = Unfinished()
        self._numbers = itertools.count(1)
        self._reader = asyncio.create_task(self._read(), name="motionbridge-client-reader")

    @classmethod
    async def open(cls, config: ClientConfig) -> Client:
        """Connects, says `hello` and waits for `welcome`; raises as `connect` does."""
        socket = await open_socket(config)
        try:
            welcome = await shake_hands(socket, config)
        except BaseException:
            await socket.close()
            raise
        return cls(config, socket, welcome)

    async def prompt(
        self,
        text: str,
        *,
        character: str = limits.DEFAULT_CHARACTER,
        seconds: float | None = None,
        seed: int | None = None,
        guidance: float | None = None,
        mode: Mode = "replace",
        on_end: OnEnd = "idle",
    ) -> str:
        """Sends a sentence and returns its prompt id, which `PromptStatus` events and frames carry.

        ``seconds`` None lets the server choose. Raises InvalidFieldError before anything is sent.
        """
        prompt_id = self._next_id()
        settings = {"seconds": seconds, "seed": seed, "guidance": guidance, "mode": mode, "on_end": on_end}
        await self.send(build(Prompt, character=character, id=prompt_id, text=text, **settings))
        return prompt_id

    async def timeline(
        self,
        prompts: Iterable[str | tuple[str, float | None]],
        *,
        character: str = limits.DEFAULT_CHARACTER,
        mode: Mode = "replace",
        on_end: OnEnd = "idle",
    ) -> list[str]:
        """Sends several sentences, each alone or with its seconds, and returns their prompt ids."""
        pairs = [(entry, None) if isinstance(entry, str) else entry for entry in prompts]
        entries = tuple(build(TimelinePrompt, id=self._next_id(), text=text, seconds=secs) for text, secs in pairs)
        settings = {"prompts": entries, "mode": mode, "on_end": on_end}
        await self.send(build(Timeline, character=character, id=self._next_id(), **settings))
        return [entry.id for entry in entries]

    async def steer(
        self,
        heading: float | None = None,
        speed: float | None = None,
        *,
        waypoints: Sequence[tuple[float, float]] | None = None,
        character: str = limits.DEFAULT_CHARACTER,
    ) -> None:
        """Bends a walk: along way-points (x, z in metres), then toward a heading (radians about +Y), at a speed (m/s).

        Replaces what was asked before; nothing at all lets go.
        """
        points = None if waypoints is None else tuple((x, z) for x, z in waypoints)
        await self.send(build(Steer, character=character, heading=heading, speed=speed, waypoints=points))

    async def control(self, action: Action, *, character: str = limits.DEFAULT_CHARACTER) -> None:
        """Pauses, resumes, stops or removes a character, or switches its root motion."""
        if action == "remove":
            self._buffers.pop(character, None)
            self._unfinished.forget(character)
        await self.send(build(Control, character=character, action=action))

    async def playhead(self, frame: int, *, character: str = limits.DEFAULT_CHARACTER) -> None:
        """Reports the frame shown now; how many follow it is read from the character's buffer."""
        buffer = self._buffers.get(character)
        buffered = buffer.buffered(frame) if buffer else 0
        await self.send(build(Playhead, character=character, frame=frame, buffered=buffered))

    async def generate(
        self,
        text: str,
        *,
        seconds: float | None = None,
        frame_rate: float | None = None,
        seed: int | None = None,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Clip:
        """A whole clip. Raises RequestFailedError, RequestTimeoutError or ConnectionLostError."""
        settings = {"seconds": seconds, "frame_rate": frame_rate, "seed": seed, "guidance": guidance, "steps": steps}
        return await self._request(build(Generate, id=self._next_id(), text=text, **settings))

    async def edit(
        self,
        poses: Poses,
        frame_rate: float,
        ranges: Sequence[tuple[int, int]],
        text: str,
        *,
        seed: int | None = None,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Clip:
        """The clip with its half-open frame ranges made anew under a text; raises as `generate` does.

        Sent and answered as float32, so that everything outside the ranges comes back bit-identical.
        """
        root, rotations, contacts = pack_poses(poses, "float32")
        blocks = {"encoding": "float32", "root": root, "rotations": rotations, "contacts": contacts}
        settings = {"seed": seed, "guidance": guidance, "steps": steps, "frame_rate": frame_rate, "count": len(poses)}
        pairs = tuple((start, end) for start, end in ranges)
        return await self._request(build(Edit, id=self._next_id(), text=text, ranges=pairs, **settings, **blocks))

    async def send(self, message: Message) -> None:
        """Sends one message, waiting while the connection is made again.

        ConnectionLostError when the connection is gone for good or takes nothing in time.
        """
        data = encode(message)
        try:
            async with asyncio.timeout(self.config.send_timeout):
                while not await self._sent(message, data):
                    await self._online.wait()
        except TimeoutError:
            raise ConnectionLostError(f"the server took no data for {self.config.send_timeout:g} s") from None

    def buffer(self, character: str = limits.DEFAULT_CHARACTER) -> FrameBuffer:
        """The frames received for a character. KeyError before the server has accepted a prompt for it."""
        return self._buffers[character]

    @property
    def characters(self) -> tuple[str, ...]:
        """The characters that have a buffer."""
        return tuple(self._buffers)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Frames, statuses, errors and figures, until the connection ends; ConnectionLostError if it was not normal."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closed:
                break
            self._wake.clear()
            await self._wake.wait()
        if self._lost_for is not None or self._socket.close_code != NORMAL_CLOSURE:
            raise self._lost()

    async def close(self) -> None:
        """Closes the connection; open requests fail with ConnectionLostError. Harmless when already closed."""
        self._closing = True
        if not self._online.is_set():
            self._reader.cancel()
        await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _sent(self, message: Message, data: bytes) -> bool:
        """Whether the connection took a message; False when it has dropped and may come back."""
        await self._online.wait()
        if self._closed:
            raise self._lost()
        socket = self._socket
        self._unanswered.sent(message)
        self._unfinished.sent(message)
        try:
            await socket.send(data)
        except ConnectionClosed:
            self._unanswered.unsent(message)
            self._unfinished.unsent(message)
            if socket is self._socket and not self._closed:
                self._online.clear()  # set again by the reader, which sees the same end
            return False
        return True

    async def _request(self, message: Generate | Edit) -> Clip:
        future: asyncio.Future[Clip] = asyncio.get_running_loop().create_future()
        self._pending[message.id] = future
        try:
            await self.send(message)
            async with asyncio.timeout(self.config.request_timeout):
                return await future
        except TimeoutError:
            raise RequestTimeoutError(self.config.request_timeout) from None
        finally:
            del self._pending[message.id]

    async def _read(self) -> None:
        try:
            await self._receive()
            while self._may_come_back():
                self._online.clear()
                self._fail_requests()
                self._socket, self.welcome = await come_back(self.config, self._token(), self._received)
                if self.welcome.resumed:
                    self.resumed += 1
                    for character in self.welcome.characters:
                        self._add_buffer(character)
                    await self._send_again(self._unanswered.again())
                else:
                    await self._send_again(self._start_anew())
                self._online.set()
                await self._receive()
        except ConnectionLostError as error:
            self._lost_for = error
        finally:
            self._closed = True
            self._fail_requests()
            self._online.set()
            self._wake.set()

    async def _send_again(self, messages: Sequence[Message]) -> None:
        """Sends what the server may not have; if this connection drops too, the next one gets it."""
        with contextlib.suppress(ConnectionClosed):
            for message in messages:
                await self._socket.send(encode(message))

    async def _receive(self) -> None:
        """Takes what one connection brings, until it ends."""
        try:
            async for data in self._socket:
                self._received += 1
                try:
                    self._take(data)
                except ProtocolError as error:
                    self.bad_messages += 1
                    LOG.warning("skipped a message from the server: %s", error)
        except ConnectionClosed:
            LOG.debug("connection closed with code %s", self._socket.close_code)

    def _may_come_back(self) -> bool:
        again = self.config.restart_seconds > 0.0 and self._socket.close_code in RESTARTS
        return not self._closing and (again or self._token() is not None)

    def _token(self) -> str | None:
        """What the session can be resumed with, after the end that its connection had."""
        dropped = self.config.resume_seconds > 0.0 and self._socket.close_code in DROPS
        return self.welcome.resume if dropped else None

    def _start_anew(self) -> list[Timeline]:
        """Forgets the old session. What the new one is to be told."""
        self._received = 0
        self._buffers.clear()
        self._unanswered = Unanswered()
        again = self._unfinished.again()
        for message in again:
            self._unanswered.sent(message)
        self.restarted += 1
        self._add_event(Restarted(self.welcome))
        return again

    def _fail_requests(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(self._lost())

    def _take(self, data: bytes | str) -> None:
        fields = unpack(data)
        if fields["type"] == "frames":
            block = read_frames(fields)
            buffer = self._buffers.get(block.character)
            if buffer is not None:
                buffer.insert(block)
                self._add_event(block)
            return
        try:
            message = validate_server(fields)
        except UnknownTypeError:
            return
        self._dispatch(message)

    def _dispatch(self, message: ServerMessage) -> None:
        if isinstance(message, Clip | Error) and message.id in self._pending:
            future = self._pending[message.id]
            if not future.done():
                if isinstance(message, Clip):
                    future.set_result(message)
                else:
                    future.set_exception(RequestFailedError(message.code, message.message))
            return
        if isinstance(message, PromptStatus | Error) and not self._unanswered.take(message):
            return
        if isinstance(message, PromptStatus) and message.status == "accepted":
            self._add_buffer(message.character)
        if isinstance(message, PromptStatus | Error):
            self._unfinished.seen(message)
        if isinstance(message, PromptStatus | Error | Stats):
            self._add_event(message)

    def _add_buffer(self, character: str) -> None:
        if character not in self._buffers and len(self._buffers) < limits.MAX_CHARACTERS:
            self._buffers[character] = FrameBuffer(self.config.buffer_frames)

    def _add_event(self, event: Event) -> None:
        if len(self._events) >= self.config.event_capacity:
            oldest = next((kept for kept in self._events if isinstance(kept, FrameBlock)), self._events[0])
            self._events.remove(oldest)
            self.dropped_events += 1
        self._events.append(event)
        self._wake.set()

    def _next_id(self) -> str:
        return f"{self.welcome.session[:ID_PREFIX_CHARACTERS]}-{next(self._numbers)}"

    def _lost(self) -> ConnectionLostError:
        if self._lost_for is not None:
            return ConnectionLostError(str(self._lost_for), self._lost_for.code)
        return ConnectionLostError.of(self._socket.close_code, self._socket.close_reason)
