"""The signals that ask a program to end, on every system."""

from __future__ import annotations

import asyncio
import signal

# SIGBREAK is Ctrl-Break, the one signal that one program can send to another on Windows.
_STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


def stop_event() -> asyncio.Event:
    """Set by the first signal that asks the program to end; for the running event loop, in the main thread."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows' event loop: the plain handler sets the event from the main thread
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop
