"""What the server needs of whatever makes its motions: the only engine here, or engines that run elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from server.model_calls import Request, Result

Key = tuple[str, int]
"""Owner and job number: a late result never reaches the owner's next job, nor another owner."""

Deliver = Callable[[Result], None]


AT_ONCE_SECONDS: Final = 0.25
"""Within which a motion is needed that someone waits for; nothing is more urgent."""


class Need(NamedTuple):
    """How soon a motion is needed: ``within`` seconds from when it was first wanted, ``waited`` seconds ago.

    ``sure``: it has a place in line however many wait, as of each character there is one request at most.
    """

    within: float = AT_ONCE_SECONDS
    waited: float = 0.0
    sure: bool = False


class BusyError(RuntimeError):
    """There is no room for another request."""


class Backend(Protocol):
    """All methods return at once, but for `stop`; `start`, `submit` and the cancels are called in the server's event loop."""

    def start(self) -> None:
        """Begins to take requests; once."""
        ...

    @property
    def waiting(self) -> int:
        """Requests that wait for the model."""
        ...

    def memory(self) -> Mapping[str, int]:
        """Bytes of this machine's GPU by kind; empty when it has none, or does not tell."""
        ...

    def replicas(self) -> Mapping[str, int]:
        """Engines that run elsewhere, by state; empty when there are none."""
        ...

    def problem(self) -> str | None:
        """Why a request could not be answered now; None: it could."""
        ...

    def submit(self, key: Key, request: Request, need: Need, deliver: Deliver) -> None:
        """Asks for a motion: what is needed soonest goes first, see `server/line.py`.

        ``deliver`` gets it, or the exception, at most once, from any thread; it must not block. BusyError when too many wait
        already, unless it is sure of a place, or when it is stopping.
        """
        ...

    def cancel(self, key: Key) -> None:
        """The result is no longer wanted; harmless when unknown."""
        ...

    def cancel_owner(self, owner: str) -> None:
        """Cancels all requests of an owner."""
        ...

    def stop(self, timeout: float) -> bool:
        """Drops all requests and ends, called in a thread; False when it was still busy after ``timeout`` seconds."""
        ...
