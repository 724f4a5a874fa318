"""A server on a real socket, its clock in the hands of the test, and a client that reads what it sends."""

import asyncio
import contextlib
import random

import numpy as np
from fake_engine import BENT_JOINT, FakeEngine
from websockets.asyncio.client import connect as plain_connect

from protocol import limits
from protocol.client import Client, ClientConfig, FrameBlock, Restarted, connect
from protocol.messages import Error, PromptStatus
from protocol.poses import Poses
from server.app import Cluster, serve
from server.config import ServeConfig
from server.motion import rotation as rot

RATE = 30.0
BOUND = 20.0


class Clock:
    """Seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def shown(self, first_frame_at: float, frame: int) -> None:
        self.now = max(self.now, first_frame_at + frame / RATE)


class Running:
    """A server that is up."""

    def __init__(self, url: str, engine: FakeEngine, clock: Clock, stop: asyncio.Event, task: asyncio.Task) -> None:
        self.url, self.engine, self.clock, self.stop, self.task = url, engine, clock, stop, task

    def client(self, **options):
        return connect(ClientConfig(**{"url": self.url, "restart_seconds": 0.0, **options}))

    def raw(self, **options):
        return plain_connect(
            self.url, subprotocols=[limits.SUBPROTOCOL], compression=None, proxy=None, max_size=None, **options
        )


@contextlib.asynccontextmanager
async def running(
    engine: FakeEngine | Cluster | None = None, *, load=None, observers=(), clock=None, bound: float = BOUND, **settings
):
    engine, clock, stop = engine or FakeEngine(), clock or Clock(), asyncio.Event()
    defaults = {"port": 0, "tick_seconds": 0.002, "close_timeout": 0.5}
    ready = asyncio.get_running_loop().create_future()
    config = ServeConfig(**{**defaults, **settings})
    task = asyncio.create_task(
        serve(
            config,
            engine,
            ready=ready.set_result,
            stop=stop,
            clock=clock,
            rng=random.Random(3),
            load=load,
            observers=observers,
        )
    )
    async with asyncio.timeout(BOUND):
        done, _ = await asyncio.wait({ready, task}, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            task.result()
    try:
        async with asyncio.timeout(bound):
            yield Running(ready.result(), engine, clock, stop, task)
    finally:
        stop.set()
        async with asyncio.timeout(BOUND):
            await task


class Watcher:
    """Reads a client's events and moves the server's clock on as frames come."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self.client, self.clock = client, clock
        self.began = clock.now
        self.blocks: list[FrameBlock] = []
        self.statuses: list[PromptStatus] = []
        self.errors: list[Error] = []
        self.restarts = 0
        self._events = aiter(client)

    async def until(self, condition) -> None:
        while not condition():
            event = await anext(self._events)
            if isinstance(event, FrameBlock):
                self.blocks.append(event)
                self.clock.shown(self.began, self.newest - 3)
            elif isinstance(event, PromptStatus):
                self.statuses.append(event)
            elif isinstance(event, Restarted):
                self.restarts += 1
                self.blocks, self.statuses = [], []
            else:
                self.errors.append(event)

    def follow(self, clock: Clock) -> None:
        """Another server has taken the place of the first; ``clock`` is its clock."""
        self.clock, self.began = clock, clock.now

    async def until_frame(self, frame: int) -> None:
        await self.until(lambda: self.newest >= frame)

    async def until_status(self, prompt_id: str, status: str) -> None:
        await self.until(lambda: status in self.status(prompt_id))

    @property
    def newest(self) -> int:
        return self._newest(self.blocks)

    def newest_of(self, character: str) -> int:
        return self._newest([block for block in self.blocks if block.character == character])

    def poses(self) -> dict[int, Poses]:
        """Each frame as it came last."""
        return {block.first + at: block.poses[at : at + 1] for block in self.blocks for at in range(len(block.poses))}

    @staticmethod
    def _newest(blocks: list[FrameBlock]) -> int:
        return max((block.first + len(block.poses) - 1 for block in blocks), default=-1)

    def status(self, prompt_id: str) -> list[str]:
        return [status.status for status in self.statuses if status.id == prompt_id]

    def frames(self) -> dict[int, tuple[str | None, np.ndarray, float]]:
        held = {}
        for block in self.blocks:
            for at in range(len(block.poses)):
                elbow = rot.angle_between(block.poses.rotations[at, BENT_JOINT].astype(float), rot.identity())
                held[block.first + at] = (block.prompt, block.poses.root[at], float(elbow))
        return held
