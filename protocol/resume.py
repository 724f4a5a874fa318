"""Getting a session back after its connection has dropped."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from websockets.asyncio.client import ClientConnection

from protocol.client_errors import (
    ConnectionLostError,
    HandshakeError,
    RefusedError,
    UnreachableError,
)
from protocol.errors import ErrorCode
from protocol.handshake import ClientConfig, open_socket, shake_hands
from protocol.messages import Welcome

LOG = logging.getLogger(__name__)
DROPS: Final = frozenset({None, 1006, 1011})
"""Close codes of a connection that dropped, rather than being ended by one of the sides."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 2.0


async def resume_session(config: ClientConfig, token: str, received: int) -> tuple[ClientConnection, Welcome]:
    """Connects again and resumes, with growing delays between attempts, for at most `config.resume_seconds`.

    ConnectionLostError when that time is up, when the server refuses, or when it no longer has the session.
    """
    delay = FIRST_DELAY_SECONDS
    problem = "no attempt succeeded"
    try:
        async with asyncio.timeout(config.resume_seconds):
            while True:
                try:
                    return await _attempt(config, token, received)
                except (UnreachableError, HandshakeError) as error:
                    problem = str(error)
                except RefusedError as error:
                    if error.code != ErrorCode.SERVER_FULL:  # it may have the dropped connection still on its list
                        raise ConnectionLostError(f"the dropped session cannot be resumed: {error}") from error
                    problem = str(error)
                LOG.info("not resumed yet: %s", problem)
                await asyncio.sleep(delay)
                delay = min(2.0 * delay, LONGEST_DELAY_SECONDS)
    except TimeoutError:
        text = f"the connection dropped and could not be resumed within {config.resume_seconds:g} s: {problem}"
        raise ConnectionLostError(text) from None


async def _attempt(config: ClientConfig, token: str, received: int) -> tuple[ClientConnection, Welcome]:
    socket = await open_socket(config)
    try:
        welcome = await shake_hands(socket, config, resume=token, received=received)
        if not welcome.resumed:
            raise ConnectionLostError("the connection dropped and the server no longer has the session; connect anew")
    except BaseException:
        await socket.close()
        raise
    return socket, welcome
