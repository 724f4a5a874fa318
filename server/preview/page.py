"""The page as a whole: a viser server on this machine only, and the loops that keep stage and panel moving."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import re
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, Final

import rich
import viser
import websockets.asyncio.server

from protocol.client import ClientConfig
from protocol.client_errors import ClientError
from server.preview.character import RATE
from server.preview.panel import Panel
from server.preview.session import Session
from server.preview.stage import Stage

HOST: Final = "127.0.0.1"
_REFRESHES_A_SECOND: Final = 4
_LONGEST_STEP_S: Final = 0.25
_CLOSE_S: Final = 3.0
_ORIGINS: Final = (None, re.compile(r"https?://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?"))


class PreviewError(RuntimeError):
    """The page cannot be offered; the message says why and what to do."""


class _LocalServer(viser.ViserServer):
    """viser without its tunnel to a public server, which any page could ask for."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        return None


class Page:
    """Serves from the moment it is made; ``run`` brings it to life. PreviewError when the port is taken."""

    def __init__(self, config: ClientConfig, port: int) -> None:
        quiet_viser()
        _check_port(port)
        self._running: asyncio.Task[None] | None = None
        with _pages_of_this_machine():
            self._server = _LocalServer(host=HOST, port=port, verbose=False)
        self.address = f"http://{HOST}:{self._server.get_port()}"
        if port not in (0, self._server.get_port()):
            self.close()
            raise _port_error(port, "it was taken a moment ago")
        self._stage = Stage(self._server)
        self._session = Session(config, lambda text: self._panel.say(text))
        self._panel = Panel(self._server, self._session, self._stage)

    def start(self) -> Future[None]:
        """Starts the page's loops beside viser's own, in its event loop and thread; the future ends only if they break."""
        return asyncio.run_coroutine_threadsafe(self._run(), self._server.get_event_loop())

    def close(self) -> None:
        """Ends the page; browsers that look at it say that the connection is gone."""
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._stop(), self._server.get_event_loop()).result(_CLOSE_S)
        self._server.stop()

    async def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        self._running = asyncio.current_task()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run())
            group.create_task(self._draw())
            group.create_task(self._refresh())

    async def _draw(self) -> None:
        """Shows frames at their rate while anyone looks."""
        clock = asyncio.get_running_loop().time
        due = then = clock()
        while True:
            due = max(due + 1.0 / RATE, clock() - _LONGEST_STEP_S)
            await asyncio.sleep(max(0.0, due - clock()))
            now = clock()
            shown = list(self._session.advance())
            with self._server.atomic():
                self._stage.update(self._session.characters, self._panel.hidden)
                self._stage.draw(shown, self._panel.selected, min(now - then, _LONGEST_STEP_S))
            then = now

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(1.0 / _REFRESHES_A_SECOND)
            watched = bool(self._server.get_clients())
            with contextlib.suppress(ClientError):  # told at the page by the session, which connects again
                await self._session.watch(watched)
            if watched:
                self._panel.refresh()


def quiet_viser() -> None:
    """Keeps viser from announcing itself, which it does beside its own switch for that."""
    rich.get_console().quiet = True


def _check_port(port: int) -> None:
    """PreviewError when the port cannot be listened on; viser would take the next one without a word."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise _port_error(port, "it is in use" if taken else error.strerror or str(error)) from None


def _port_error(port: int, why: str) -> PreviewError:
    return PreviewError(f"cannot listen on {HOST} port {port}: {why}; choose another one, or 0 for any free one")


@contextlib.contextmanager
def _pages_of_this_machine() -> Iterator[None]:
    """Within it, WebSocket servers refuse web pages of other sites: viser, which would serve any of them, cannot be told to."""
    module: Any = websockets.asyncio.server
    serve = module.serve
    module.serve = functools.partial(serve, origins=_ORIGINS)
    try:
        yield
    finally:
        module.serve = serve
