"""Engines as a Ray Serve deployment: each replica is one process with a model thread like that of a server of its own.

Batches are made by our own `Batcher`, not by `serve.batch`: it keeps an edit alone, tries a failed batch in halves, remembers
which size the GPU's memory bears, and drops what is cancelled.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve import Application

from server.backend import Deliver, Need
from server.batcher import Batcher
from server.cluster.replica_metrics import ReplicaMetrics
from server.engine_process import LoadModel
from server.memory import settle_allocator
from server.model_calls import GenerationError, Request, Result
from server.model_info import ModelInfo
from server.motion.motion import MotionEngine
from server.precision import Precision

APP: Final = "motionbridge"
"""Name of the Serve application."""
HEALTH_SECONDS: Final = 5.0


class EngineSettings(BaseModel):
    """What engines are deployed with; `args` of the application in a Serve config file. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: Path
    """Folder of the model, the same on every machine."""
    device: str = "auto"
    precision: Precision = "auto"
    replicas: int = Field(default=1, ge=1, le=4096)
    """At least."""
    max_replicas: int | None = Field(default=None, ge=1, le=4096)
    """At most, as the load asks for; None: always ``replicas``."""
    cpus: float = Field(default=1.0, gt=0.0, le=256.0)
    """Of each replica."""
    gpus: float = Field(default=0.0, ge=0.0, le=16.0)
    """Of each replica: 1, or a part of one."""
    max_batch: int = Field(default=16, ge=1, le=256)
    batch_window_seconds: float = Field(default=0.005, ge=0.0, le=0.25)
    generation_timeout: float = Field(default=60.0, gt=0.0, le=600.0)


def ongoing(max_batch: int) -> int:
    """Requests that a replica has at once: the batch that it makes, and the next."""
    return 2 * max_batch


class Engines:
    """One replica. ``load`` makes its engine, and another one when that breaks."""

    def __init__(self, load: Callable[[], MotionEngine], settings: EngineSettings) -> None:
        settle_allocator()
        engine = load()
        self._model = ModelInfo.of(engine)
        self._batcher = Batcher(
            engine,
            max_batch=settings.max_batch,
            window_seconds=settings.batch_window_seconds,
            capacity=ongoing(settings.max_batch),
            load=load,
            longest_call=settings.generation_timeout,
            observer=ReplicaMetrics(),
        )
        self._numbers = itertools.count()
        self._batcher.start()

    async def model(self) -> ModelInfo:
        """What sessions must know of the engine."""
        return self._model

    async def make(self, request: Request, need: Need) -> Result:
        """A motion, or why there is none; cancelled, the request leaves the queue. It was let in at the gateway, as Ray was asked."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        key = ("", next(self._numbers))
        self._batcher.submit(key, request, need._replace(sure=True), _deliver(loop, answer))
        try:
            return _portable(await answer)
        except asyncio.CancelledError:
            self._batcher.cancel(key)
            raise

    async def check_health(self) -> None:
        """RuntimeError when the model is not well: Ray ends the process after some of these and starts another."""
        fault = self._batcher.fault()
        if fault is not None:
            raise RuntimeError(fault)


def application(load: Callable[[], MotionEngine], settings: EngineSettings) -> Application:
    """The deployment of engines that ``load`` makes."""
    most = settings.max_replicas or settings.replicas
    scaling = {
        "min_replicas": settings.replicas,
        "max_replicas": most,
        "target_ongoing_requests": settings.max_batch,
        "upscale_delay_s": 10.0,
        "downscale_delay_s": 300.0,
    }
    return (
        serve.deployment(Engines)
        .options(
            **({"num_replicas": most} if most == settings.replicas else {"autoscaling_config": scaling}),
            ray_actor_options={"num_cpus": settings.cpus, "num_gpus": settings.gpus},
            max_ongoing_requests=ongoing(settings.max_batch),
            health_check_period_s=HEALTH_SECONDS,
            health_check_timeout_s=4 * HEALTH_SECONDS,
            graceful_shutdown_timeout_s=settings.generation_timeout,
            max_constructor_retry_count=3,
        )
        .bind(load, settings)
    )


def build(args: dict[str, Any]) -> Application:
    """For a Serve config file: ``import_path: server.cluster.engines:build``, ``args`` those of :class:`EngineSettings`."""
    settings = EngineSettings.model_validate(args)
    return application(LoadModel(settings.model, settings.device, settings.precision), settings)


def _deliver(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Result]) -> Deliver:
    def arrive(result: Result) -> None:
        if not answer.done():
            answer.set_result(result)

    return lambda result: _unless_closed(loop, arrive, result)


def _unless_closed(loop: asyncio.AbstractEventLoop, arrive: Deliver, result: Result) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(arrive, result)


def _portable(result: Result) -> Result:
    """The result, its exception as one that every server can read."""
    if not isinstance(result, Exception):
        return result
    return GenerationError(str(result) or type(result).__name__)
