"""Writing a file so that its readers see the old one or the new one, never a part, on Linux and on Windows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_RETRY_DELAYS_S = (0.02, 0.1, 0.5)


def write_atomically(
    path: Path, write: Callable[[Path], object], pause: Callable[[float], object] = time.sleep
) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place.

    OSError when it cannot be written or put in place; ``path`` is as it was then. ``pause`` waits for so many seconds.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        # Windows flushes only files that are open for writing.
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        _replace(temporary, path, pause)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(source: Path, target: Path, pause: Callable[[float], object]) -> None:
    """``os.replace``, which Windows refuses for the moment that a virus scanner or an indexer looks at the target."""
    for delay in _RETRY_DELAYS_S:
        try:
            os.replace(source, target)
        except PermissionError:
            pause(delay)
        else:
            return
    os.replace(source, target)
