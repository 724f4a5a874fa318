"""``motionbridge serve``: load the model, listen, say what to do next, and stop cleanly on Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import errno
import signal
import socket
import sys
import time
from collections.abc import Callable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from server.app import serve
from server.commands import UsageError
from server.config import ServeConfig
from server.engine import Engine, load_engine
from server.motion.motion import MotionRequest

# SIGBREAK is Ctrl-Break, the one signal that one program can send to another on Windows.
_STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


def run_server(args: argparse.Namespace) -> int:
    """Serve until a signal; UsageError names a bad setting, or an address that cannot be listened on."""
    try:
        config = ServeConfig(host=args.host, port=args.port, token=args.token, insecure=args.insecure)
    except ValidationError as error:
        raise UsageError("; ".join(map(_problem, error.errors()))) from None
    _check_address(config)
    started = time.monotonic()
    print(f"loading {args.model.name} ...", flush=True)
    engine = _load(args)
    print(f"model {engine.name!r} ready in {time.monotonic() - started:.1f} s", flush=True)
    try:
        asyncio.run(_serve(config, engine, lambda: _load(args)))
    except OSError as error:
        raise _address_error(config, error) from error
    print("stopped")
    return 0


def _problem(problem: ErrorDetails) -> str:
    """One failed check of a setting, with the option and the value it was given."""
    message = problem["msg"].removeprefix("Value error, ")
    name = "".join(f"--{part} " for part in problem["loc"])
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


def _load(args: argparse.Namespace) -> Engine:
    """The model, proved by one motion; the first call also pays for lazy set-up inside torch, better here than in a game."""
    engine = load_engine(args.model, args.device)
    engine.generate([MotionRequest("a person stands still", frames=20)])
    return engine


async def _serve(config: ServeConfig, engine: Engine, load: Callable[[], Engine]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows' event loop: the plain handler sets the event from the main thread
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    await serve(config, engine, ready=_announce, stop=stop, load=load)


def _announce(url: str) -> None:
    print(
        f"listening on {url}\n"
        f'try it in another terminal:  motionbridge play "a person waves" "a person walks forward" --url {url}\n'
        "connect a game: see README.md; stop with Ctrl-C",
        flush=True,
        file=sys.stdout,
    )
