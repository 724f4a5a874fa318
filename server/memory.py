"""What keeps a server's memory flat while it runs for days: an allocator that gives back, and garbage that does not pile up."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Final

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
MMAP_BYTES: Final = 2**20
TRIM_BYTES: Final = 16 * 2**20
SETTINGS: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
"""Environment variables by which whoever runs the server has decided this already."""
CONNECTIONS_A_COLLECTION: Final = 16


def settle_allocator() -> bool:
    """Makes glibc's malloc keep one heap for all threads, and map each block of 1 MiB or more by itself. To be called first of all.

    A block that is mapped by itself is given back when it is freed, but glibc raises that bound, up to 32 MiB, whenever such a
    block is freed. From then on the model's tensors, of another shape in every call, lie in the heap between small things that
    stay, and the gaps that they leave fit the next ones badly: the heap grows for hours. So it does when each thread has a heap,
    as then none uses the gaps of another: after three minutes with six characters 34 MiB are gaps, and 77 were. Returns whether
    anything was set: not without glibc, nor over an explicit setting.
    """
    if sys.platform != "linux" or any(os.environ.get(name) for name in SETTINGS):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    # The last for what lies below the bound: without it the heap's end would be given back, and asked for again, all the time.
    settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, MMAP_BYTES), (M_TRIM_THRESHOLD, TRIM_BYTES))
    return all(mallopt(name, value) for name, value in settings)


def freeze() -> None:
    """The garbage collector leaves alone what exists by now: to look at all of torch would stop every stream for 0.2 s."""
    gc.collect()
    gc.freeze()
    # Python collects the oldest generation when it has grown by a quarter since the last time, and still counts what is frozen:
    # with torch, minutes of garbage.
    gc.collect()


class Garbage:
    """Collects garbage after every so many ended connections.

    A connection of the library is a ring of objects, which only the garbage collector frees, and holds up to 2 MiB that its
    client has sent. Python counts objects, not bytes, so hundreds of such connections could wait for it.
    With what was loaded frozen, a collection takes 2 ms for 60,000 objects.
    """

    def __init__(self, connections: int = CONNECTIONS_A_COLLECTION) -> None:
        self._connections = connections
        self._ended = 0

    def connection_ended(self) -> None:
        """One more has ended."""
        self._ended += 1
        if self._ended >= self._connections:
            self._ended = 0
            gc.collect()
