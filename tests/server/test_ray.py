"""Engines and sessions in a local Ray cluster: two replicas, one killed under load, two servers that share their sessions."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import fake_engine
import pytest
import yaml
from fake_engine import FakeEngine
from live_server import Watcher
from test_handover import Balancer

from server.app import Cluster, serve
from server.config import ServeConfig

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
if sys.platform != "linux":
    pytest.skip("local Ray is tried on Linux only", allow_module_level=True)
ray_connect = pytest.importorskip("server.cluster.connect", reason="the extra ray is not installed")
engines = pytest.importorskip("server.cluster.engines", reason="the extra ray is not installed")

BOUND = 240.0
CHARACTERS = [f"character {number}" for number in range(8)]


class Engine(FakeEngine):
    """Takes its time, so that there is always work under way. The first to be asked for a fall is killed over it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def generate(self, requests):
        time.sleep(0.1)
        fallen = self.folder / "fallen"
        if any("falls" in request.text for request in requests) and not fallen.exists():
            fallen.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(requests)


class Load:
    """Runs in the replica."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Engine:
        return Engine(self.folder)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def config() -> ServeConfig:
    return ServeConfig(port=0, engine="ray", replicas=2, replica_gpus=0.0, max_batch=4, horizon_seconds=1.0)


@pytest.fixture(scope="module")
def cluster(config: ServeConfig, replicas: Path):
    """A cluster with two engines, as a server finds it that joins one which others use too."""
    for module in (sys.modules[__name__], fake_engine):
        ray.cloudpickle.register_pickle_by_value(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # of 15: other work on this machine would starve them
        patch.setenv(
            "PYTHONPATH", os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        )
        patch.setattr(
            ray_connect,
            "_join",
            lambda address: (
                not ray.init(
                    "local",
                    num_cpus=4,
                    include_dashboard=False,
                    object_store_memory=128 << 20,
                    log_to_driver=False,
                    namespace=ray_connect.NAMESPACE,
                )
            ),
        )
        with ray_connect.connected(config, Path("unused"), "cpu", "auto", print, Load(replicas)) as made:
            yield made
    for module in (sys.modules[__name__], fake_engine):
        ray.cloudpickle.unregister_pickle_by_value(module)


@contextlib.asynccontextmanager
async def gateway(cluster: Cluster, config: ServeConfig):
    """A server of real time; gives its URL and what stops it."""
    ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    task = asyncio.create_task(serve(config, cluster, ready=ready.set_result, stop=stop))
    try:
        await asyncio.wait({ready, task}, return_when=asyncio.FIRST_COMPLETED)
        yield ready.result(), stop
    finally:
        stop.set()
        await task


class Ignored:
    """The clock of a `Watcher` whose server has a real one: frames may be skipped, so `test_handover` counts them instead."""

    now = 0.0

    def shown(self, first_frame_at: float, frame: int) -> None:
        pass


async def two_run() -> None:
    """Until two replicas take requests."""
    while True:
        status = await asyncio.to_thread(ray.serve.status)
        if ray_connect._count(status.applications[engines.APP]) == {"running": 2}:
            return
        await asyncio.sleep(0.2)


def test_a_config_file_of_ray_serve_can_deploy_the_engines(tmp_path: Path):
    app = engines.build({"model": str(tmp_path), "replicas": 2, "max_replicas": 5, "gpus": 0.5})
    deployment = app._bound_deployment
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 5, 16)
    assert deployment.ray_actor_options["num_gpus"] == 0.5
    assert deployment.max_ongoing_requests == engines.ongoing(engines.EngineSettings(model=tmp_path).max_batch)
    example = yaml.safe_load((Path(__file__).parents[2] / "deploy/ray-serve.yaml").read_text(encoding="utf-8"))
    (written,) = example["applications"]
    assert (written["name"], written["import_path"]) == (engines.APP, f"{engines.__name__}:build")
    assert engines.build(written["args"])._bound_deployment.max_ongoing_requests == 64
    with pytest.raises(ValueError, match="replicas"):
        engines.build({"model": str(tmp_path), "replicas": 0})


async def test_streams_go_on_when_a_replica_is_killed_under_load(cluster: Cluster, config: ServeConfig, replicas: Path):
    assert cluster.model.name == "fake"
    assert cluster.model.edits
    lost = []
    connected = cluster.connect

    def counted(observer):
        backend = connected(observer)
        backend._observer.engine_lost = lambda: lost.append(1)
        return backend

    async with (
        asyncio.timeout(BOUND),
        gateway(Cluster(cluster.model, counted, cluster.store), config) as (url, _),
        Balancer() as balancer,
    ):
        balancer.turn(url)
        await two_run()
        async with balancer.client() as client:
            watcher = Watcher(client, Ignored())
            for name in CHARACTERS:
                await client.prompt("a person walks", character=name, seconds=2.0, on_end="repeat")
            await watcher.until(lambda: min(map(watcher.newest_of, CHARACTERS)) > 60)
            before = max(map(watcher.newest_of, CHARACTERS))
            fall = await client.prompt("a person falls", character=CHARACTERS[0], seconds=2.0)
            for name in CHARACTERS[1:]:
                await client.prompt("a person waves", character=name, seconds=2.0, on_end="repeat")
            await watcher.until_status(fall, "finished")
            await watcher.until(lambda: min(map(watcher.newest_of, CHARACTERS)) > before + 90)
            replaced = asyncio.create_task(two_run())
            await watcher.until(replaced.done)
            killed = int((replicas / "fallen").read_text())
            assert not Path(f"/proc/{killed}").exists()
            assert lost
            assert not [status for status in watcher.statuses if status.status == "failed"]
            assert watcher.errors == []
            assert client.restarted == client.resumed == 0


async def test_a_session_goes_from_gateway_to_gateway_through_ray(cluster: Cluster, config: ServeConfig):
    stores = [ray_connect._store() for _ in range(2)]
    one, two = (Cluster(cluster.model, cluster.connect, store) for store in stores)
    async with (
        asyncio.timeout(BOUND),
        gateway(one, config) as (first, stop),
        gateway(two, config) as (second, _),
        Balancer() as balancer,
    ):
        balancer.turn(first)
        async with balancer.client() as client:
            watcher = Watcher(client, Ignored())
            await client.prompt("a person walks", seconds=9.0, on_end="repeat")
            await watcher.until_frame(20)
            session = client.welcome.session
            balancer.turn(second)
            client._socket.transport.abort()
            await watcher.until_frame(50)
            balancer.turn(first)
            client._socket.transport.abort()
            await watcher.until_frame(80)
            balancer.turn(second)
            stop.set()
            await watcher.until_frame(110)
            assert (client.resumed, client.restarted) == (3, 0)
            assert client.welcome.session == session
            assert watcher.errors == []


async def test_the_registry_comes_back_and_learns_again_who_has_what(cluster: Cluster):
    store, other = ray_connect._store(), ray_connect._store()
    ray.kill(ray.get_actor(ray_connect.REGISTRY), no_restart=False)
    async with asyncio.timeout(BOUND):
        taken = None
        while taken is None:
            with contextlib.suppress(ray_connect.StoreError):
                asked, asking = await asyncio.gather(store.wanted(["t"]), other.take("t"))
                taken = asking
                for token in asked:
                    await store.give(token, b"session", 30.0)
                    taken = taken or await other.take(token)
        assert taken == b"session"
