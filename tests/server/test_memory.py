"""What has ended is gone without waiting for the garbage collector, and what Python and its allocator are told at the start."""

import asyncio
import contextlib
import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref

import pytest
from fake_engine import FakeEngine
from live_server import BOUND, running
from websockets.exceptions import ConnectionClosed

from protocol.codec import FramePacker, encode
from protocol.messages import Hello, Prompt
from server.backend import Need
from server.batcher import Batcher
from server.connection import Connection
from server.memory import Garbage
from server.motion.motion import MotionRequest
from server.session import Session
from server.timeline import CharacterTimeline


class Ring:
    """Garbage that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@contextlib.contextmanager
def no_collector():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def held() -> int:
    return sum(isinstance(thing, Session | Connection | CharacterTimeline) for thing in gc.get_objects())


async def until_held(count: int) -> None:
    async with asyncio.timeout(BOUND):
        while held() > count:
            await asyncio.sleep(0.01)


async def read_on(socket) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()


async def cut(socket) -> None:
    socket.transport.abort()


async def close(socket) -> None:
    await socket.close()


async def send_too_much(socket) -> None:
    with contextlib.suppress(ConnectionClosed):
        await socket.send(bytes(3_000_000))
    await read_on(socket)


async def send_garbage(socket) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in range(60):
            await socket.send(b"x")
    await read_on(socket)


@pytest.mark.parametrize("end", [cut, close, send_too_much, send_garbage])
async def test_a_session_and_its_characters_go_with_their_connection(end):
    async with running(resume_seconds=0.0) as server:
        before = held()
        with no_collector():
            async with server.raw() as socket:
                await socket.send(encode(Hello(version=1, client="test")))
                await socket.send(encode(Prompt(id="p", text="a person walks", on_end="repeat")))
                for _ in range(4):  # welcome, accepted, started, frames
                    await socket.recv()
                assert held() == before + 3
                await end(socket)
            await until_held(before)


async def test_a_connection_that_never_says_hello_leaves_nothing():
    async with running(hello_timeout=0.05) as server:
        before = held()
        with no_collector():
            async with server.raw() as socket:
                await read_on(socket)
            await until_held(before)


async def test_a_session_whose_client_does_not_come_back_goes_on_an_idle_server_too():
    async with running(resume_seconds=30.0) as server:
        before = held()
        with no_collector():
            async with server.raw() as socket:
                await socket.send(encode(Hello(version=1, client="test")))
                await socket.send(encode(Prompt(id="p", text="a person walks", on_end="repeat")))
                for _ in range(4):
                    await socket.recv()
                socket.transport.abort()
            await until_held(before + 2)  # the session and its character wait
            server.clock.now += 31.0
            await until_held(before)


def test_the_model_thread_keeps_nothing_of_its_last_batch():
    class Deliver:
        def __init__(self) -> None:
            self.done = threading.Event()

        def __call__(self, result) -> None:
            self.done.set()

    batcher = Batcher(FakeEngine(), max_batch=4, window_seconds=0.0, capacity=4)
    batcher.start()
    deliver = Deliver()
    gone, done = weakref.ref(deliver), deliver.done
    with no_collector():
        batcher.submit(("owner", 1), MotionRequest("a person walks", 20), Need(), deliver)
        del deliver
        assert done.wait(BOUND)
        for _ in range(1000):  # the thread has yet to come back from it
            if gone() is None:
                break
            time.sleep(0.01)
        assert gone() is None
    assert batcher.stop(BOUND)


def test_garbage_is_collected_after_so_many_connections():
    garbage = Garbage(connections=3)
    with no_collector():
        ring = Ring()
        gone = weakref.ref(ring)
        del ring
        garbage.connection_ended()
        garbage.connection_ended()
        assert gone() is not None
        garbage.connection_ended()
        assert gone() is None


def test_a_packer_is_small():
    tracemalloc.start()
    try:
        packers = [FramePacker(30.0, "float32") for _ in range(50)]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(packers) < 16 * 1024


FROZEN = """
import gc
from collections import deque
from server.memory import freeze

class Ring:
    def __init__(self):
        self.itself = self

held = [[] for _ in range(1_000_000)]
gc.collect()
freeze()
recent = deque(maxlen=20_000)  # so that rings are old when they become garbage
for _ in range(200_000):
    recent.append(Ring())
print(sum(type(thing) is Ring for thing in gc.get_objects()))
"""


def test_what_is_frozen_does_not_put_off_collections():
    assert int(python(FROZEN)) < 130_000


MAPPED = """
import ctypes
from server.memory import settle_allocator

class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Counts
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def mapped(size):
    before = libc.mallinfo2().hblks
    block = libc.malloc(size)
    count = libc.mallinfo2().hblks - before
    libc.free(block)
    return count

mapped(30 * 2**20)  # freed, it raises the bound of glibc to 30 MiB
print(mapped(8 * 2**20), settle_allocator(), end=" ")
libc.malloc_trim(0)
print(mapped(8 * 2**20), mapped(2**19))
"""


def glibc() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")


@pytest.mark.skipif(not glibc(), reason="only glibc 2.33 and newer tell how much is mapped")
def test_large_blocks_are_given_back_whatever_was_freed_before():
    assert python(MAPPED).split() == ["0", "True", "1", "0"]
    # Whoever has set it otherwise is left alone.
    assert python(MAPPED, MALLOC_MMAP_THRESHOLD_="65536").split() == ["1", "False", "1", "1"]


ONE_HEAP = """
import ctypes, sys, threading
from pathlib import Path
from server.memory import settle_allocator

settled = settle_allocator()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
heap = next(line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("[heap]"))
first, last = (int(end, 16) for end in heap.split("-"))
inside = []

def ask():
    inside.append(first <= libc.malloc(1000) <= last + 2**20)

thread = threading.Thread(target=ask)
thread.start()
thread.join()
print(settled, inside[0])
"""


@pytest.mark.skipif(not glibc(), reason="only glibc has arenas")
def test_threads_share_one_heap():
    assert python(ONE_HEAP).split() == ["True", "True"]
    assert python(ONE_HEAP, MALLOC_ARENA_MAX="8").split() == ["False", "False"], "it was set otherwise"


def test_without_glibc_nothing_is_set():
    assert (
        python("import sys; sys.platform = 'darwin'\nfrom server import memory; print(memory.settle_allocator())")
        == "False"
    )


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
