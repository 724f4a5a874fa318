"""Joins a Ray cluster, starts the engines there unless they run already, and tells the server how to ask them."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import ray
from ray import serve
from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, RayError, WorkerCrashedError
from ray.serve.api import RunTarget
from ray.serve.exceptions import RayServeException, ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ApplicationStatus

from server.app import Cluster
from server.backend import Need
from server.cluster.engines import APP, EngineSettings, application, ongoing
from server.cluster.registry import Registry
from server.cluster.remote import EngineLostError, RemoteBackend
from server.config import ServeConfig
from server.engine_process import LoadModel
from server.handover import TAKE_SECONDS, StoreError
from server.model_calls import Request, Result
from server.model_info import ModelInfo
from server.motion.motion import MotionEngine
from server.observer import Observer
from server.precision import Precision

LOG = logging.getLogger(__name__)
REGISTRY: Final = "motionbridge-sessions"
NAMESPACE: Final = "motionbridge"
STATUS_SECONDS: Final = 5.0
"""Between looks at how many engines run."""
ASK_SECONDS: Final = 30.0
"""For an answer of a cluster that runs."""
_ENDED: Final = (RayActorError, WorkerCrashedError, NodeDiedError, ObjectLostError, ReplicaUnavailableError)


class ClusterError(RuntimeError):
    """There is no cluster, or it makes no engines; its text says what to do."""


@contextlib.contextmanager
def connected(
    config: ServeConfig,
    model: Path,
    device: str,
    precision: Precision,
    say: Callable[[str], object],
    load: Callable[[], MotionEngine] | None = None,
) -> Iterator[Cluster]:
    """The engines of the cluster that ``config`` names; ClusterError when they cannot be had.

    ``load``, instead of ``model``, ``device`` and ``precision``, makes each engine where it runs. Engines in a cluster of the server's own
    end with it, others stay for the next server.
    """
    own = _join(config.ray_address)
    states = None
    try:
        handle = _engines(config, model, device, precision, say, load)
        info: ModelInfo = handle.model.remote().result(timeout_s=ASK_SECONDS)
        states = _States()
        yield Cluster(info, _connect(config, handle, states), None if own else _store())
    except (RayError, RayServeException) as error:
        raise ClusterError(f"the Ray cluster fails: {error}") from error
    finally:
        if states is not None:
            states.stop()
        ray.shutdown()


def _join(address: str | None) -> bool:
    """Joins the cluster, or starts one; returns whether it is our own and ends with us."""
    logging.getLogger("ray").setLevel(logging.WARNING)
    options: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.WARNING}
    try:
        if address is None and "RAY_ADDRESS" not in os.environ:
            ray.init("local", include_dashboard=False, **options)
            return True
        ray.init(address, **options)
        return False
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no Ray cluster can be joined at {address or 'RAY_ADDRESS'}: {error}") from error


def _engines(
    config: ServeConfig,
    model: Path,
    device: str,
    precision: Precision,
    say: Callable[[str], object],
    load: Callable[[], MotionEngine] | None,
) -> DeploymentHandle:
    """The engines: those that run, or new ones."""
    known = serve.status().applications.get(APP)
    if known is None or known.status in (ApplicationStatus.DELETING, ApplicationStatus.DEPLOY_FAILED):
        gpus = config.replica_gpus
        settings = EngineSettings(
            model=model.resolve(),
            device=device,
            precision=precision,
            replicas=config.replicas,
            max_replicas=config.max_replicas,
            cpus=config.replica_cpus,
            gpus=gpus if gpus is not None else float(ray.cluster_resources().get("GPU", 0.0) > 0.0),
            max_batch=config.max_batch,
            batch_window_seconds=config.batch_window_seconds,
            generation_timeout=config.generation_timeout,
        )
        say(f"starting {settings.replicas} engines in Ray ...")
        serve.start(proxy_location="Disabled")
        target = RunTarget(
            application(load or LoadModel(settings.model, device, precision), settings), APP, route_prefix=None
        )
        serve.run_many([target], wait_for_applications_running=False)
    else:
        say("engines run in Ray already and are used as they are: the settings of this server do not change them")
    _wait(config.ray_seconds)
    return serve.get_app_handle(APP)


def _wait(seconds: float) -> None:
    """Waits until an engine runs; ClusterError when none does."""
    deadline = time.monotonic() + seconds
    while True:
        known = serve.status().applications.get(APP)
        if known is not None and _count(known).get("running", 0) > 0:
            return
        messages = [known.message, *(deployment.message for deployment in known.deployments.values())] if known else []
        why = "; ".join(filter(None, messages)) or "Ray gives no reason; see its logs"
        if known is not None and known.status is ApplicationStatus.DEPLOY_FAILED:
            raise ClusterError(f"the engines do not start: {why}")
        if time.monotonic() > deadline:
            raise ClusterError(f"no engine runs after {seconds:g} s: {why}; `ray status` shows what the cluster has")
        time.sleep(0.2)


def _count(known: Any) -> dict[str, int]:
    """Replicas of an application by state, in small letters."""
    states: Counter[str] = Counter()
    for deployment in known.deployments.values():
        states.update(
            {str(getattr(state, "value", state)).lower(): n for state, n in deployment.replica_states.items()}
        )
    return dict(states)


class _States:
    """Looks from time to time how many engines run."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._states: Mapping[str, int] = {}
        self._look()
        self._thread = threading.Thread(target=self._run, name="motionbridge-replicas", daemon=True)
        self._thread.start()

    def __call__(self) -> Mapping[str, int]:
        return self._states

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(ASK_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(STATUS_SECONDS * random.uniform(0.8, 1.2)):  # not all servers at once
            self._look()

    def _look(self) -> None:
        try:
            known = serve.status().applications.get(APP)
            self._states = _count(known) if known is not None else {}
        except Exception as error:
            LOG.warning("Ray does not say how many engines run: %s", error)
            self._states = {}


def _connect(config: ServeConfig, handle: DeploymentHandle, states: _States) -> Callable[[Observer], RemoteBackend]:
    return lambda observer: RemoteBackend(
        _asker(handle),
        states,
        capacity=config.max_waiting,
        ongoing=ongoing(config.max_batch),
        timeout=config.generation_timeout,
        observer=observer,
    )


def _asker(handle: DeploymentHandle) -> Callable[[Request, Need], Awaitable[Result]]:
    make = handle.make

    async def ask(request: Request, need: Need) -> Result:
        response = make.remote(request, need)
        try:
            return await response
        except _ENDED as error:
            raise EngineLostError(str(error).splitlines()[0]) from error
        except BaseException:
            response.cancel()
            raise

    return ask


def _store() -> RayStore:
    options = {"name": REGISTRY, "lifetime": "detached", "get_if_exists": True, "num_cpus": 0, "max_restarts": -1}
    return RayStore(ray.remote(Registry).options(**options, max_concurrency=1000).remote())


class RayStore:
    """A :class:`server.handover.SessionStore`: a :class:`Registry` as an actor that outlives the servers."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self._server = secrets.token_hex(8)

    def announce(self, token: str) -> None:
        """This server has the session of that token."""
        with contextlib.suppress(RayError):
            self._registry.announce.remote(self._server, token)

    async def wanted(self, tokens: Collection[str]) -> list[str]:
        """Those of this server's ``tokens`` that are wanted elsewhere; waits a while for some to be."""
        return await self._ask("wanted", list(tokens))

    async def give(self, token: str, session: bytes | None, seconds: float) -> None:
        """Gives the session away, kept for ``seconds`` if no one waits for it."""
        await self._ask("give", token, session, seconds)

    async def take(self, token: str) -> bytes | None:
        """The session of a token, from the server that has it, or None."""
        return await self._ask("take", token, TAKE_SECONDS - 0.5)

    async def _ask(self, method: str, *args: Any) -> Any:
        try:
            return await getattr(self._registry, method).remote(self._server, *args)
        except RayError as error:
            raise StoreError(str(error).splitlines()[0]) from error
