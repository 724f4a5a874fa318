"""Requests to engines that run elsewhere: one call each, made again when the engine ends before it has answered.

Requests are pure and carry their seeds, so that another engine makes the same motion. They wait here, in a line as that of the
model thread, until the engines have room: Ray would pass them on oldest first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from server.backend import BusyError, Deliver, Key, Need
from server.line import Line, Waiting
from server.model_calls import GenerationError, LateError, Request, Result
from server.observer import Observer

LOG = logging.getLogger(__name__)
ATTEMPTS: Final = 3
"""Engines that may end over one request: it may be the request that ends them."""


class EngineLostError(Exception):
    """The engine ended before it answered."""


class RemoteBackend:
    """A :class:`server.backend.Backend`. ``ask`` makes one motion; EngineLostError when its engine ended.

    ``states`` gives the number of engines by state, ``running`` among them, or says nothing yet (empty).
    """

    def __init__(
        self,
        ask: Callable[[Request, Need], Awaitable[Result]],
        states: Callable[[], Mapping[str, int]],
        *,
        capacity: int,
        ongoing: int,
        timeout: float,
        observer: Observer | None = None,
    ) -> None:
        """Each engine is asked ``ongoing`` requests at once, each of which fails after ``timeout`` s; ``capacity`` more may wait."""
        self._ask, self._states, self._ongoing, self._timeout = ask, states, ongoing, timeout
        self._line = Line(capacity)
        self._observer = observer or Observer()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    def start(self) -> None:
        """Begins to take requests, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()

    @property
    def waiting(self) -> int:
        """Requests that are not answered."""
        return len(self._line) + len(self._tasks)

    def memory(self) -> dict[str, int]:
        """Empty: the GPUs are elsewhere."""
        return {}

    def replicas(self) -> Mapping[str, int]:
        """Engines by state."""
        return self._states()

    def problem(self) -> str | None:
        """Why a request could not be answered now; None: it could."""
        if self._stopping or self._loop is None:
            return "the server does not take requests"
        full = self._line.problem()
        states = self._states()
        if full is not None or states.get("running", 0) > 0:
            return full
        return f"no engine runs ({', '.join(f'{count} {state}' for state, count in states.items()) or 'none is there'})"

    def submit(self, key: Key, request: Request, need: Need, deliver: Deliver) -> None:
        """Asks for a motion; BusyError when ``capacity`` clips wait already and it is one, or the server shuts down."""
        if self._stopping or self._loop is None:
            raise BusyError("the server is shutting down")
        self._line.add(key, request, need, deliver)
        self._go_on()

    def cancel(self, key: Key) -> None:
        """The result is no longer wanted; the engine is told."""
        self._line.remove(key)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            self._go_on()

    def cancel_owner(self, owner: str) -> None:
        """Cancels all requests of an owner."""
        self._line.remove_owner(owner)
        for key in [key for key in self._tasks if key[0] == owner]:
            self.cancel(key)

    def stop(self, timeout: float) -> bool:
        """Drops all requests; waits for nothing."""
        self._stopping = True
        self._line.clear()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel_all)
        return True

    def _cancel_all(self) -> None:
        for key in list(self._tasks):
            self.cancel(key)

    def _go_on(self) -> None:
        """Asks the engines for as much as they have room for."""
        assert self._loop is not None
        room = self._ongoing * max(1, self._states().get("running", 0)) - len(self._tasks)
        for job in self._line.take(room) if room > 0 else ():
            self._tasks[job.key] = self._loop.create_task(self._answer(job))

    async def _answer(self, job: Waiting) -> None:
        result = await self._result(job)
        if self._tasks.get(job.key) is asyncio.current_task():
            del self._tasks[job.key]
            self._go_on()
            try:
                job.deliver(result)
            except Exception:
                LOG.exception("a result could not be delivered to %s", job.key[0])

    async def _result(self, job: Waiting) -> Result:
        lost: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout):
                for _ in range(ATTEMPTS):
                    try:
                        return await self._ask(job.request, self._line.need(job))
                    except EngineLostError as error:
                        lost = error
                        self._observer.engine_lost()
                        LOG.warning("an engine ended over a request, which another one gets: %s", error)
        except TimeoutError:
            return LateError(f"no engine answered within {self._timeout:g} s")
        except Exception as error:
            LOG.exception("a request to the engines failed")
            return GenerationError(f"the engines could not be asked ({type(error).__name__}: {error})")
        return GenerationError(f"{ATTEMPTS} engines ended over it; the last: {lost}")
