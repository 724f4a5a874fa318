"""One socket: a task that reads into the session and a task that sends what the session has due.

Frames are made when the socket can take them, so a client that does not read costs no memory: its writer waits, and
when it goes on, what is stale by then has been skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket as sockets
from collections.abc import Awaitable, Callable
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from protocol.codec import encode
from protocol.errors import CloseCode, ErrorCode
from server.arrivals import Arrivals
from server.backend import Backend, BusyError
from server.config import ServeConfig
from server.logs import WORK, Work
from server.model_calls import Result
from server.refusals import refusal
from server.replies import Close
from server.session import Session
from server.sessions import Sessions
from server.ticks import Ticks

LOG = logging.getLogger(__name__)
SEND_BUFFER_BYTES: Final = 64 * 1024
"""Of the kernel: what lies there is stale when a slow client reads it, so it is kept small."""
CLOSE_REASON_BYTES: Final = 123
MOVED: Final = 1012
"""Close code of a server that ends, whose sessions go on in another."""
DROPS: Final = frozenset({1011, MOVED, int(CloseCode.TOO_SLOW)})
"""Close codes, beside none at all, after which a client may come back: also a missed pong, and data that it did not take."""
TAKEN_OVER: Final = "another connection has resumed this session"


class Connection:
    """Moves bytes between a WebSocket, a session and the model thread, until either side ends it."""

    def __init__(
        self,
        socket: ServerConnection,
        session: Session,
        sessions: Sessions,
        backend: Backend,
        arrivals: Arrivals,
        config: ServeConfig,
        clock: Callable[[], float],
        ticks: Ticks,
        bring: Callable[[bytes | str], Awaitable[None]] | None = None,
    ) -> None:
        """``bring`` is awaited with the first message, before the session gets it."""
        self._bring = bring
        self._socket = socket
        self._session = session
        self._work = Work(session.id)
        self._sessions = sessions
        self._backend = backend
        self._arrivals = arrivals
        self._config = config
        self._clock = clock
        self._ticks = ticks
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._taken_over: asyncio.Future[None] = self._loop.create_future()

    @property
    def admitted(self) -> bool:
        """Whether it has one of the server's places: not when it found none, and its client did not go on with a session."""
        return self._session.admitted

    async def run(self) -> None:
        """Serves the client. Returns when the connection is closed; its session has ended, or waits to be resumed."""
        WORK.set(self._work)
        _limit_send_buffer(self._socket)
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._write())}
        try:
            done, _ = await asyncio.wait({*tasks, self._taken_over}, return_when=asyncio.FIRST_COMPLETED)
            # Looked at, not raised here: through this call's frame an exception would hold its own task, and with both the
            # session and all its motion, until the garbage collector comes.
            for error in filter(None, (task.exception() for task in done)):
                await self._take_fault(error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._taken_over.done():
                await self._say_goodbye()
            elif self._sessions.leave(self._session, self._clock(), dropped=self._has_dropped()):
                self._exchange_jobs()

    async def _take_fault(self, error: BaseException) -> None:
        """Reading or writing has ended with an exception: the socket's end, or a fault of the server."""
        if isinstance(error, ConnectionClosed):
            LOG.debug("session %s: closed with code %s", self._session.id, self._socket.close_code)
            return
        LOG.error("session %s failed", self._session.id, exc_info=error)
        await self._socket.close(int(CloseCode.INTERNAL), "a fault of the server; its log has more")

    def _let_go(self) -> None:
        """Another connection takes the session: from now on this one must not touch it."""
        if not self._taken_over.done():
            self._taken_over.set_result(None)

    async def _say_goodbye(self) -> None:
        error = refusal(ErrorCode.RESUMED_ELSEWHERE, TAKEN_OVER)
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(self._config.close_timeout):
                await self._socket.send(encode(error))
        await self._close(Close(int(CloseCode.RESUMED_ELSEWHERE), TAKEN_OVER))

    def _has_dropped(self) -> bool:
        protocol = self._socket.protocol
        return all(close.code in DROPS for close in (protocol.close_rcvd, protocol.close_sent) if close is not None)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._config.hello_timeout):
                first = await self._socket.recv()
        except TimeoutError:
            self._session.hello_missing()
            self._wake.set()
        else:
            if self._bring is not None and self._session.admitted:
                await self._bring(first)
            self._greet(first)
        while self._session.closing is None:
            self._take(await self._socket.recv())
        await self._socket.wait_closed()

    def _greet(self, data: bytes | str) -> None:
        self._session.receive(data, self._clock())
        self._session = self._session.successor or self._session
        self._work.session = self._session.id
        if self._session.greeted:
            self._sessions.hold(self._session, self._let_go)
            if self._session.account is not None:
                name = self._session.account.name
                LOG.info("session %s: opened by %r, client at %s", self._session.id, name, self._address())
        self._wake.set()

    def _take(self, data: bytes | str) -> None:
        if self._taken_over.done():
            return
        self._session.receive(data, self._clock())
        self._wake.set()

    async def _write(self) -> None:
        while not self._taken_over.done():
            self._wake.clear()
            time, now = self._loop.time(), self._clock()
            # Frames as of the last tick, not of when the loop came to it nor of what woke it: each character's then go evenly.
            output = self._session.output(now, now - (time - self._ticks.last(time)))
            self._exchange_jobs()
            if output and not await self._send(output):
                return
            if self._session.closing is not None:
                await self._close(self._session.closing)
                return
            tick = self._loop.call_at(self._ticks.after(time), self._wake.set)
            await self._wake.wait()
            tick.cancel()

    async def _send(self, messages: list[bytes]) -> bool:
        """Sends messages; False when the client took nothing in time and the connection is closed."""
        if self._socket.protocol.state is not State.OPEN:
            await self._socket.send(messages[-1])  # waits for the end, and says how it ended
        # In one write: a write for each, a call of the system, would take longer than making them.
        for data in messages:
            self._socket.protocol.send_binary(data)
        self._socket.transport.write(b"".join(self._socket.protocol.data_to_send()))
        if not self._socket.transport.get_write_buffer_size():
            return True
        try:
            async with asyncio.timeout(self._config.send_timeout):
                await self._socket.drain()
        except TimeoutError:
            if self._taken_over.done():
                return False
            self._session.too_slow(f"the client took no data for {self._config.send_timeout:g} s")
            await self._close(self._session.closing or Close(int(CloseCode.TOO_SLOW), "too slow"))
            return False
        except OSError:
            LOG.debug("session %s: the connection broke", self._session.id)
        return True

    async def _close(self, close: Close) -> None:
        reason = close.reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore")
        # Not the reason: it may quote the client.
        LOG.info("session %s: closing with code %d, client at %s", self._session.id, close.code, self._address())
        await self._socket.close(close.code, reason)

    def _address(self) -> str:
        """Where the client, or the last proxy before us, is."""
        address = self._socket.remote_address
        return str(address[0]) if address else "an unknown address"

    def _exchange_jobs(self) -> None:
        owner = self._session.id
        for number in self._session.take_cancelled():
            self._backend.cancel((owner, number))
        for job in self._session.take_jobs():
            number = job.number
            try:
                self._backend.submit((owner, number), job.request, job.need, self._delivery(number))
            except BusyError as busy:
                self._session.refuse_job(number, str(busy), self._clock())

    def _delivery(self, number: int) -> Callable[[Result], None]:
        """What the model thread calls with the result of a job."""

        session = self._session

        def arrive(result: Result) -> None:
            session.deliver(number, result, self._clock())
            self._wake.set()

        return lambda result: self._arrivals.put(lambda: arrive(result))


def _limit_send_buffer(connection: ServerConnection) -> None:
    raw = connection.transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)
