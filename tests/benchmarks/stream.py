"""What a client gets from a server: how soon a new prompt shows, and how many characters one core carries.

Server and clients are processes of their own, on a core each where the system lets us choose; times are the client's.

    motionbridge bench stream [--part latency|cost] [--model FOLDER|momask ...] [--characters 10 50 100 200 400]

- latency: one character whose prompts are replaced at random moments, then many that are all prompted at once; from
  sending a prompt to its first frame.
- cost: motion made beforehand, so that the model is idle; all characters are prompted at once, which is the worst case, and
  measured from 2 s later on, over the moment at which their motion runs short. Frames received, how far the time between a
  character's frames is from 1 / rate; how long what falls due in the server's event loop waits for the work under way
  (p99 and the longest piece of work, ms: first of the processor's time, then real ones, see turns.py); the server's CPU time
  and memory (at most, and for each character what it grew by).
  Frames count when their bytes come: with a client library, which takes longer over a message than the server does, its
  queue was measured instead. Still, a core that something else wants too shows up in the jitter, the server's or the client's;
  then judge by the loop in the processor's time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import multiprocessing
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protocol.client import Client, ClientConfig, Event, FrameBlock, connect
from protocol.codec import build, encode
from protocol.messages import Error, Prompt
from protocol.skeleton import default_skeleton
from server.app import serve
from server.cache import EMBEDDED
from server.config import ServeConfig
from server.engine_process import EngineProcess
from server.memory import settle_allocator
from server.motion import rotation as rot
from server.motion.human_limits import top_speeds
from server.motion.motion import Motion, MotionEngine, MotionRequest
from server.motion.transition import place_after
from tests.benchmarks.light_client import LightClient
from tests.benchmarks.turns import Turns, timed_loop

RATE = 30.0
PER_CONNECTION = 20
PUBLISHED_SIZE = "momask"
SENTENCES = (
    "a person walks forward",
    "a person waves with the right hand",
    "a tired man walks",
    "a person turns left",
    "a person bows",
    "a happy person runs",
    "a person kicks",
    "a person raises both hands",
)


class StoredEngine:
    """Motion made beforehand: every request is answered at once with a stretch of one long walk of swinging limbs."""

    name = "stored"
    fps = 20.0
    max_frames = 196
    context_frames = 32
    one_action = False

    def __init__(self) -> None:
        self.skeleton = default_skeleton()
        time_s = np.arange(self.max_frames) / self.fps
        # Within what people's joints do (human_limits.py), as a model's motion nearly always is.
        reach = np.minimum(0.4, top_speeds(self.skeleton) / (4 * np.pi))  # radians (J,)
        swing = reach * np.sin(2 * np.pi * time_s[:, None] + np.arange(22))  # (T, J)
        axis = np.broadcast_to([1.0, 0.0, 0.0], (*swing.shape, 3))
        root = np.stack([np.zeros_like(time_s), np.full_like(time_s, 0.95), time_s], axis=-1)
        still = np.zeros(len(root))
        contacts = np.repeat((np.sin(2 * np.pi * time_s) > 0)[:, None], 4, axis=1)
        self._walk = Motion(root, rot.from_axis_angle(axis, swing), contacts, np.zeros((len(root), 263)), still)

    def generate(self, requests: Sequence[MotionRequest]) -> list[Motion]:
        """A stretch of the walk for each request, from where its context stands."""
        return [self._from(request.context, request.frames or self.max_frames) for request in requests]

    def _from(self, context: Motion | None, frames: int) -> Motion:
        walk = self._walk[:frames]
        walk = replace(walk, features=walk.features.copy())  # as of a model, each character's own
        return walk if context is None else place_after(context, walk)


class Usage(NamedTuple):
    """CPU seconds used so far, the largest resident memory and that of now, MiB (0 where the system does not say), and when
    that was, in seconds. What processes share counts for each; the largest is the sum of each one's."""

    cpu: float
    memory: float
    resident: float
    at: float


def usage() -> Usage:
    """Of this process and of those that it has started with multiprocessing, such as the model's (on Linux; else of this one)."""
    processes = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid is not None)]
    if not Path("/proc/self/stat").exists():
        return Usage(time.process_time(), 0.0, 0.0, time.perf_counter())
    cpu = sum(map(_cpu_seconds, processes))
    largest, resident = (sum(_mebibytes(process, line) for process in processes) for line in ("VmHWM", "VmRSS"))
    return Usage(cpu, largest, resident, time.perf_counter())


def _cpu_seconds(process: int) -> float:
    times = (
        Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    )  # user and system, in clock ticks
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _mebibytes(process: int, line: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024


def use_core(core: int | None) -> None:
    """Keep this process on one core, where the system can."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def make_engine(model: str | None, device: str) -> MotionEngine:
    """Of a folder, or with random weights of the published size; None is the stored motion."""
    if model is None:
        return StoredEngine()
    # Here, as the server's own process has no torch.
    from server.engine import Engine, load_proved, usable_device
    from tests.benchmarks.generate import momask_size, random_model

    if model != PUBLISHED_SIZE:
        return load_proved(Path(model), device)
    device = usable_device(device)
    engine = Engine(*random_model(momask_size(), device, fast=True), static_shapes=device.startswith("cuda"))
    engine.generate([MotionRequest("a person stands still", frames=20)])
    return engine


def run_server(pipe: Pipe, model: str | None, device: str, core: int | None) -> None:
    """The server process: says its URL, answers "usage", ends on "stop"."""
    settle_allocator()
    use_core(core)
    load = functools.partial(make_engine, model, device)
    engine = load() if model is None else EngineProcess(load)  # as `motionbridge serve` has it

    async def main() -> None:
        stop = asyncio.Event()

        async def answer(url: str) -> None:
            pipe.send(url)

        async def listen() -> None:
            answers = {"usage": usage, "turns": selector.take}
            with contextlib.suppress(EOFError):  # the benchmark was killed
                while (answer := answers.get(await asyncio.to_thread(pipe.recv))) is not None:
                    pipe.send(answer())
            stop.set()

        listening = asyncio.create_task(listen())
        await serve(ServeConfig(port=0, max_connections=128), engine, ready=answer, stop=stop)
        await listening

    loop, selector = timed_loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


@dataclass
class Server:
    """A running server process."""

    url: str
    pipe: Pipe

    def usage(self) -> Usage:
        self.pipe.send("usage")
        return self.pipe.recv()

    def turns(self) -> Turns:
        """Of its event loop, since the last call."""
        self.pipe.send("turns")
        return self.pipe.recv()


@contextlib.asynccontextmanager
async def running(model: str | None, device: str, core: int | None) -> AsyncIterator[Server]:
    """A server process, ended on the way out."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_server, args=(theirs, model, device, core))
    process.start()
    try:
        if not await asyncio.to_thread(ours.poll, 600.0):
            raise RuntimeError("the server was not ready within 600 s")
        yield Server(ours.recv(), ours)
        ours.send("stop")
        await asyncio.to_thread(process.join, 15.0)
    finally:
        if process.is_alive():
            process.kill()


class Events:
    """A client's events with a limit on the wait that, unlike a time-out around `anext`, does not end the iteration."""

    def __init__(self, client: Client) -> None:
        self._events = aiter(client)
        self._next: asyncio.Future[Event] | None = None

    async def within(self, seconds: float) -> Event | None:
        """The next event, or None when none comes in time."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._events))
        done, _ = await asyncio.wait({self._next}, timeout=seconds)
        if not done:
            return None
        task, self._next = self._next, None
        return task.result()

    def stop(self) -> None:
        """No more events are wanted."""
        if self._next is not None:
            self._next.cancel()


async def first_frames(url: str, characters: int, rounds: int, seed: int, gap: tuple[float, float]) -> list[float]:
    """Seconds from sending a prompt to its first frame, for every character and round; all are prompted at once."""
    rng = random.Random(seed)
    names = [f"c{number}" for number in range(characters)]
    seconds: list[float] = []
    async with connect(ClientConfig(url=url, frame_rate=RATE)) as client:
        events = Events(client)
        for number in range(rounds):
            sent: dict[str, float] = {}
            for name in names:
                text = rng.choice(SENTENCES)
                prompt = await client.prompt(text, character=name, seconds=6.0, seed=number, on_end="repeat")
                sent[prompt] = time.perf_counter()
            while sent:
                event = await events.within(60.0)
                if event is None or isinstance(event, Error):
                    raise RuntimeError(f"the server {'went silent' if event is None else f'refused: {event.message}'}")
                if isinstance(event, FrameBlock) and event.prompt in sent:
                    seconds.append(time.perf_counter() - sent.pop(event.prompt))
            until = time.perf_counter() + rng.uniform(*gap)
            while (left := until - time.perf_counter()) > 0:
                await events.within(left)
        events.stop()
    return seconds[characters:]  # a character's first prompt starts it and replaces nothing


class Received(NamedTuple):
    """Frames a second; how far gaps between a character's messages are from 1 / rate, p50 and p99, ms; and meanwhile the
    server's cores used and the turns of its event loop."""

    rate: float
    jitter_p50: float
    jitter_p99: float
    cores: float
    turns: Turns


async def load(server: Server, characters: int, seconds: float, settle: float) -> Received:
    """Stream ``characters`` characters for some seconds, ``PER_CONNECTION`` on each connection."""
    arrivals: dict[tuple[int, str], list[float]] = {}
    frames = 0
    begin = time.perf_counter() + settle
    end = begin + seconds

    def connection(number: int) -> LightClient:
        def take(message: dict[str, Any], now: float) -> None:
            nonlocal frames
            if message["type"] == "frames" and begin <= now < end:
                frames += message["count"]
                arrivals.setdefault((number, message["character"]), []).append(now)

        return LightClient(take)

    groups = [min(PER_CONNECTION, characters - first) for first in range(0, characters, PER_CONNECTION)]
    clients = [connection(number) for number in range(len(groups))]
    for client, count in zip(clients, groups, strict=True):
        await client.open(ClientConfig(url=server.url, frame_rate=RATE))
        for at in range(count):
            prompt = build(Prompt, character=f"c{at}", id=f"p{at}", text="walk", seconds=9.0, on_end="repeat")
            client.send(encode(prompt))
    await asyncio.sleep(begin - time.perf_counter())
    await asyncio.to_thread(server.turns)
    before = await asyncio.to_thread(server.usage)
    await asyncio.sleep(end - time.perf_counter())
    after = await asyncio.to_thread(server.usage)
    turns = await asyncio.to_thread(server.turns)
    lost = sum(client.closed.done() for client in clients)
    if lost:
        raise RuntimeError(f"{lost} of {len(clients)} connections were closed by the server")
    for client in clients:
        client.close()
    async with asyncio.timeout(60.0):
        await asyncio.gather(*(client.closed for client in clients))
    jitter = np.concatenate([np.abs(np.diff(times) - 1 / RATE) for times in arrivals.values()]) * 1000
    p50, p99 = np.percentile(jitter, [50, 99]).tolist()
    return Received(frames / seconds, p50, p99, (after.cpu - before.cpu) / (after.at - before.at), turns)


def show(name: str, seconds: Sequence[float]) -> None:
    """One line: count, p50, p95."""
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    print(f"{name:<44}{len(seconds):>8}{p50:>10.0f}{p95:>10.0f}", flush=True)


async def latency(models: Sequence[str], device: str, rounds: int, crowds: Sequence[int]) -> None:
    """Both tables about prompts, for each model."""
    print(f"{'prompt sent to its first frame':<44}{'prompts':>8}{'p50 ms':>10}{'p95 ms':>10}")
    for model in models:
        async with running(model, device, None) as server:
            for characters in crowds:
                count = rounds if characters == 1 else 5
                gap = (0.7, 1.6) if characters == 1 else (2.0, 3.0)
                seconds = await first_frames(server.url, characters, count, 0, gap)
                show(f"{Path(model).name}, {characters} character{'s at once' if characters > 1 else ''}", seconds)


async def cost(counts: Sequence[int], seconds: float) -> None:
    """The table of what streaming costs."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    server_core, client_core = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    use_core(client_core)
    head = ("characters", "frames/s", "of asked", "jitter p50", "p99 ms", "loop p99", "longest", "real p99", "longest")
    print("".join(f"{name:>11}" for name in (*head, "CPU core", "us/frame", "MiB", "each")))
    for characters in counts:
        async with running(None, "cpu", server_core) as server:
            started = server.usage()
            got = await load(server, characters, seconds, settle=2.0)
            used = server.usage()
            print(
                f"{characters:>11}{got.rate:>11.0f}{got.rate / (characters * RATE):>11.1%}"
                f"{got.jitter_p50:>11.1f}{got.jitter_p99:>11.1f}"
                + "".join(f"{value:>11.1f}" for value in got.turns)
                + f"{got.cores:>11.2f}{got.cores / got.rate * 1e6:>11.0f}{used.memory:>11.0f}"
                f"{(used.memory - started.resident) / characters:>11.2f}",
                flush=True,
            )


def main(argv: Sequence[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="motionbridge bench stream", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=("all", "latency", "cost"), default="all")
    parser.add_argument(
        "--model",
        nargs="+",
        default=[str(EMBEDDED)],
        help=f"folders, or {PUBLISHED_SIZE}: random weights of its published size (default: the embedded model)",
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=40, help="prompts of the single character (default: 40)")
    parser.add_argument("--crowd", type=int, nargs="+", default=[1, 8, 32], help="characters that re-prompt at once")
    parser.add_argument("--characters", type=int, nargs="+", default=[10, 50, 100, 200, 400])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each streaming measurement (default: 8)")
    args = parser.parse_args(argv)
    if args.part in ("all", "latency"):
        asyncio.run(latency(args.model, args.device, args.rounds, args.crowd))
    if args.part in ("all", "cost"):
        asyncio.run(cost(args.characters, args.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
