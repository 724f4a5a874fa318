"""``motionbridge serve``: load the model, listen, say what to do next, and stop cleanly on Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import functools
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from server import logs, serve_options
from server.app import Cluster, serve
from server.certificates import Certificates
from server.commands import UsageError
from server.config import ServeConfig, is_loopback
from server.engine_process import EngineProcess, LoadModel
from server.memory import settle_allocator
from server.motion.motion import MotionEngine
from server.observer import Observer
from server.preview.process import PreviewProcess
from server.settings import load_settings
from server.signals import stop_event

LOG = logging.getLogger(__name__)
SHORT_SECRET: Final = 16
STUCK: Final = 2.0
"""A call of the model that takes so many times as long as clients wait for it will not end any more."""


def run_server(args: argparse.Namespace) -> int:
    """Serve until a signal; UsageError names a bad setting, or an address that cannot be listened on."""
    settle_allocator()
    try:
        page = {"preview_port": None if args.no_preview else args.preview_port}
        config = load_settings(serve_options.given(args) | page, args.config, args.tokens)
        if config.tls_cert is not None and config.tls_key is not None:
            Certificates(config.tls_cert, config.tls_key)
    except ValueError as error:
        raise UsageError(str(error)) from None
    _check_address(config)
    logs.configure(config.log_level, config.log_format)
    _warn(config)
    start = functools.partial(
        EngineProcess,
        LoadModel(args.model, args.device, args.precision),
        STUCK * config.generation_timeout,
        functools.partial(logs.configure, config.log_level, config.log_format),
    )
    with _observers(config) as observers, _engine(config, args, start) as engine:
        try:
            asyncio.run(_serve(config, engine, start, observers))
        except OSError as error:
            raise _address_error(config, error) from error
    print("stopped")
    return 0


def _warn(config: ServeConfig) -> None:
    """Logs what a careful administrator would want to know about who gets in."""
    if is_loopback(config.host):
        return
    if config.tls_cert is None:
        LOG.warning("without --tls-cert, tokens and prompts travel in the open, unless a proxy encrypts them")
    if not config.secrets:
        LOG.warning("--insecure: everyone who reaches %s port %d can use this server", config.host, config.port)
    short = [name for name, secret in config.secrets.items() if len(secret.get_secret_value()) < SHORT_SECRET]
    if short:
        LOG.warning("tokens that could be guessed, shorter than %d characters: %s", SHORT_SECRET, ", ".join(short))


@contextlib.contextmanager
def _observers(config: ServeConfig) -> Iterator[list[Observer]]:
    """Who watches the server beside its metrics; UsageError when the library for it is not installed."""
    if not config.traces:
        yield []
        return
    try:
        from server.tracing import Tracing
    except ImportError as error:
        raise UsageError(f"traces need OpenTelemetry ({error}): pip install 'motionbridge[otel]'") from error
    tracing = Tracing.to_collector()
    try:
        yield [tracing]
    finally:
        tracing.close()


@contextlib.contextmanager
def _engine(
    config: ServeConfig, args: argparse.Namespace, start: Callable[[], EngineProcess]
) -> Iterator[MotionEngine | Cluster]:
    """The model, loaded, or the engines elsewhere; UsageError when there are none."""
    started = time.monotonic()
    if config.engine == "local":
        _say(f"loading {args.model.name} ...")
        with contextlib.closing(start()) as engine:
            _say(f"model {engine.name!r} ready in {time.monotonic() - started:.1f} s")
            yield engine
        return
    try:
        from server.cluster.connect import ClusterError, connected
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray Serve ({error}): pip install 'motionbridge[ray]'") from error
    try:
        with connected(config, args.model, args.device, args.precision, _say) as cluster:
            _say(f"model {cluster.model.name!r} ready in {time.monotonic() - started:.1f} s")
            yield cluster
    except ClusterError as error:
        raise UsageError(str(error)) from error


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


async def _serve(
    config: ServeConfig, engine: MotionEngine | Cluster, load: Callable[[], MotionEngine], observers: list[Observer]
) -> None:
    stop = stop_event()
    if config.preview_port is None:
        await serve(config, engine, ready=_announce, stop=stop, load=load, observers=observers)
        return
    secret = next(iter(config.secrets.values()), None)
    token = None if secret is None else secret.get_secret_value()
    preview = PreviewProcess(config.preview_port, token, _say, ca=config.tls_cert)

    async def ready(url: str) -> None:
        _announce(url)
        await preview.start(url)

    try:
        await serve(config, engine, ready=ready, stop=stop, load=load, observers=observers)
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
