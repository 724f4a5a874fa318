"""``motionbridge serve``: load the model, listen, say what to do next, and stop cleanly on Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import errno
import socket
import sys
import time

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from server.app import serve
from server.commands import UsageError
from server.config import ServeConfig
from server.engine import Engine, load_engine
from server.motion.motion import MotionRequest
from server.preview.process import PreviewProcess
from server.signals import stop_event


def run_server(args: argparse.Namespace) -> int:
    """Serve until a signal; UsageError names a bad setting, or an address that cannot be listened on."""
    try:
        config = ServeConfig(
            host=args.host,
            port=args.port,
            token=args.token,
            insecure=args.insecure,
            preview_port=None if args.no_preview else args.preview_port,
        )
    except ValidationError as error:
        raise UsageError("; ".join(map(_problem, error.errors()))) from None
    _check_address(config)
    started = time.monotonic()
    print(f"loading {args.model.name} ...", flush=True)
    engine = load_engine(args.model, args.device)
    # The first call pays for lazy set-up inside torch; better here than in a game.
    engine.generate([MotionRequest("a person stands still", frames=20)])
    print(f"model {engine.name!r} ready in {time.monotonic() - started:.1f} s", flush=True)
    try:
        asyncio.run(_serve(config, engine))
    except OSError as error:
        raise _address_error(config, error) from error
    print("stopped")
    return 0


def _problem(problem: ErrorDetails) -> str:
    """One failed check of a setting, with the option and the value it was given."""
    message = problem["msg"].removeprefix("Value error, ")
    name = "".join(f"--{part} ".replace("_", "-") for part in problem["loc"])
    return f"{name}is {problem['input']!r}: {message}" if name else f"{message} (--token SECRET, or --insecure)"


def _check_address(config: ServeConfig) -> None:
    """UsageError when the address cannot be listened on: told at once, not after the model has been loaded."""
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        socket.create_server((config.host, config.port), family=family).close()
    except OSError as error:
        raise _address_error(config, error) from error


def _address_error(config: ServeConfig, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        why = "the port is in use, perhaps by another motionbridge serve; stop that one or choose another with --port"
    elif error.errno == errno.EACCES:
        why = "the system does not allow that port; choose one above 1023 with --port"
    else:
        why = f"{error.strerror or error}; choose an address of this machine with --host"
    return UsageError(f"cannot listen on {config.host} port {config.port}: {why}")


async def _serve(config: ServeConfig, engine: Engine) -> None:
    stop = stop_event()
    if config.preview_port is None:
        await serve(config, engine, ready=_announce, stop=stop)
        return
    preview = PreviewProcess(config.preview_port, config.token, _say)

    async def ready(url: str) -> None:
        _announce(url)
        await preview.start(url)

    try:
        await serve(config, engine, ready=ready, stop=stop)
    finally:
        await preview.stop()


def _announce(url: str) -> None:
    _say(
        f"listening on {url}\n"
        f'try it in another terminal:  motionbridge play "a person waves" "a person walks forward" --url {url}\n'
        "connect a game: see README.md; stop with Ctrl-C"
    )


def _say(text: str) -> None:
    print(text, flush=True, file=sys.stdout)
