"""The server: one listening socket, one model thread, a session for each connection, and an end within a bound."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http
import inspect
import itertools
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as websocket_serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from protocol import limits
from server.access import Access
from server.ahead import Ahead
from server.arrivals import Arrivals
from server.backend import Backend
from server.batcher import Batcher
from server.certificates import Certificates
from server.config import ServeConfig
from server.connection import MOVED, Connection
from server.greeting import server_version
from server.handover import Handover, SessionStore
from server.latency import Latency
from server.memory import Garbage, freeze
from server.metrics import Metrics, Snapshot
from server.model_info import ModelInfo
from server.motion.motion import MotionEngine
from server.motion.steps import Steps
from server.observer import Observer, Observers
from server.sessions import Sessions
from server.ticks import Ticks
from server.web import Web

LOG = logging.getLogger(__name__)
WRITE_LIMIT_BYTES: Final = 16 * 1024
READ_QUEUE_MESSAGES: Final = 16
SOCKET_MESSAGE_BYTES: Final = 2 * limits.MAX_MESSAGE_BYTES
"""Larger than the protocol's limit, so that a message slightly too big gets an `error` before the close."""
EXPIRY_SECONDS: Final = 1.0
"""Between looks for sessions whose client has not come back."""
SPARE_CONNECTIONS: Final = 16
"""Connections over the limit that are open just long enough to be told so."""

T = TypeVar("T")
Ready = Callable[[str], object]


@dataclass(frozen=True)
class Cluster:
    """Engines that run elsewhere, for one or more servers."""

    model: ModelInfo
    connect: Callable[[Observer], Backend]
    """Makes what asks them; the observer is told of the work."""
    store: SessionStore | None = None
    """By which sessions go from server to server; None: this is the only one."""


class App:
    """What all connections share. ``clock`` gives seconds; ``rng`` draws the seeds that clients leave open.

    ``observers`` are told of the work, beside the metrics.
    """

    def __init__(
        self,
        config: ServeConfig,
        engine: MotionEngine | Cluster,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        load: Callable[[], MotionEngine] | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.config = config
        self._access = Access(config)
        self._clock = clock
        self._model = engine.model if isinstance(engine, Cluster) else ModelInfo.of(engine)
        self.metrics = Metrics(self._snapshot, model=self._model.name, version=server_version())
        observer = Observers([self.metrics, *observers])
        self.backend = (
            engine.connect(observer) if isinstance(engine, Cluster) else _batcher(config, engine, load, observer)
        )
        store = engine.store if isinstance(engine, Cluster) else None
        self.sessions = Sessions(
            config,
            self._model,
            Latency(config.reserve_seconds),
            rng or random.SystemRandom(),
            ended=self.backend.cancel_owner,
            access=self._access,
            observer=observer,
            announce=None if store is None else store.announce,
        )
        self.handover = None if store is None else Handover(self.sessions, self._access, store, clock)
        self._connections: set[Connection] = set()  # also those that are about to be told that there is no room
        self._numbers = itertools.count()
        self._garbage = Garbage()
        self.arrivals = Arrivals()
        self._ahead = Ahead(lambda: self.sessions.timelines, config.tick_seconds)
        self._web = Web(config, self.metrics, self.backend.problem)

    async def handle(self, socket: ServerConnection) -> None:
        """Serves one WebSocket until it closes."""
        full = sum(connection.admitted for connection in self._connections) >= self.config.max_connections
        session = self.sessions.open(full=full)
        ticks = Ticks(self.config.tick_seconds, next(self._numbers))
        bring = None if self.handover is None else self.handover.bring
        connection = Connection(
            socket, session, self.sessions, self.backend, self.arrivals, self.config, self._clock, ticks, bring
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._garbage.connection_ended()

    async def make_ahead(self) -> None:
        """Makes the frames of all characters ahead of their sending, until it is cancelled; what it fails at is logged."""
        while True:
            try:
                pause = await _between(self._ahead.work(self._clock()))
            except Exception:
                LOG.exception("frames could not be made ahead")
                pause = self.config.tick_seconds
            await asyncio.sleep(pause)

    async def expire_sessions(self) -> None:
        """Ends sessions whose client has not come back, until it is cancelled: they would keep their motion on an idle server."""
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            self.sessions.expire(self._clock())

    def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers plain HTTP, web pages that may not connect, and no room at all. None: go on."""
        answer = self._web.answer(connection, request)
        if answer is not None:
            return answer
        if len(self._connections) >= self.config.max_connections + SPARE_CONNECTIONS:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again later\n")
        return None

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            connected=self._access.connections,
            parked=self.sessions.parked,
            characters=self._access.characters,
            queue_depth=self.backend.waiting,
            gpu_memory=self.backend.memory(),
            replicas=self.backend.replicas(),
        )


async def _between(steps: Steps[T]) -> T:
    """Takes steps between whatever else there is to be done; gives what they give."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        # Two turns of the loop: in the first a connection hears that its time has come, in the second it sends.
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)


def _batcher(
    config: ServeConfig, engine: MotionEngine, load: Callable[[], MotionEngine] | None, observer: Observer
) -> Backend:
    return Batcher(
        engine,
        max_batch=config.max_batch,
        window_seconds=config.batch_window_seconds,
        capacity=config.max_waiting,
        load=load,
        longest_call=config.generation_timeout,
        observer=observer,
    )


async def serve(
    config: ServeConfig,
    engine: MotionEngine | Cluster,
    *,
    ready: Ready | None = None,
    stop: asyncio.Event,
    clock: Callable[[], float] = time.monotonic,
    rng: random.Random | None = None,
    load: Callable[[], MotionEngine] | None = None,
    observers: Sequence[Observer] = (),
) -> None:
    """Serves until ``stop`` is set, then closes every connection with 1001 within ``shutdown_timeout``.

    ``engine`` is loaded already; ``load`` makes another one when it breaks. With a cluster that has a store, connections are
    closed with 1012 instead, and their sessions given to it, within as much time again. ``ready`` is called (awaited, when it is a
    coroutine function) with the URL once clients can connect. ``observers`` are told of the work. OSError when the address
    cannot be listened on, ValueError when the certificate cannot be used.
    """
    tls = _tls(config)
    app = App(config, engine, clock, rng, load, observers)
    app.backend.start()
    freeze()
    try:
        server = await websocket_serve(
            app.handle,
            config.host,
            config.port,
            subprotocols=[Subprotocol(limits.SUBPROTOCOL)],
            process_request=app.process_request,
            compression=None,
            open_timeout=config.open_timeout,
            ping_interval=config.ping_seconds,
            ping_timeout=config.ping_seconds,
            close_timeout=config.close_timeout,
            max_size=SOCKET_MESSAGE_BYTES,
            max_queue=READ_QUEUE_MESSAGES,
            write_limit=WRITE_LIMIT_BYTES,
            logger=_socket_log(),
            server_header=None,
            **tls,
        )
        ahead = asyncio.create_task(app.make_ahead())
        expiring = asyncio.create_task(app.expire_sessions())
        arriving = asyncio.create_task(app.arrivals.run())
        handing = None if app.handover is None else asyncio.create_task(app.handover.run())
        try:
            with contextlib.suppress(asyncio.InvalidStateError):  # a future's `set_result`, and no one waits any more
                announced = ready(_url(config, server)) if ready is not None else None
                if inspect.isawaitable(announced):
                    await announced
            await stop.wait()
        finally:
            await _end(ahead)
            await _end(expiring)
            await _close(server, config.shutdown_timeout, 1001 if handing is None else MOVED)
            if app.handover is not None and handing is not None:
                await app.handover.drain(config.shutdown_timeout)
                await _end(handing)
            await _end(arriving)
    finally:
        gc.unfreeze()
        stopped = await asyncio.to_thread(app.backend.stop, config.shutdown_timeout)
        if not stopped:
            LOG.warning("the model was still busy after %g s and was left behind", config.shutdown_timeout)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _close(server: Server, timeout: float, code: int) -> None:
    server.close(code=code, reason="the server is shutting down")
    try:
        async with asyncio.timeout(timeout):
            await server.wait_closed()
    except TimeoutError:
        LOG.warning("connections were still open after %g s and were cut", timeout)
        for connection in list(server.connections):
            connection.transport.abort()


def _tls(config: ServeConfig) -> dict[str, Any]:
    """What listening needs for TLS; nothing without a certificate."""
    if config.tls_cert is None or config.tls_key is None:
        return {}
    certificates = Certificates(config.tls_cert, config.tls_key)
    return {"ssl": certificates.context, "ssl_handshake_timeout": config.open_timeout}


def _socket_log() -> logging.Logger:
    """The library's log without a traceback for each client that goes before its handshake is done."""
    log = logging.getLogger("websockets.server")
    log.addFilter(_is_worth_a_trace)
    return log


def _is_worth_a_trace(record: logging.LogRecord) -> bool:
    if record.msg != "opening handshake failed":
        return True
    LOG.debug("a connection ended before its handshake was done")
    return False


def _url(config: ServeConfig, server: Server) -> str:
    port = next(iter(server.sockets)).getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{'ws' if config.tls_cert is None else 'wss'}://{host}:{port}"
