"""Prometheus metrics: what the server counts as it goes, and what it reads off when it is asked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from server.observer import Observer

PREFIX: Final = "motionbridge"
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ALL_STAGES: Final = "all"
"""Label of the whole call of the engine, beside those of its stages."""


class Snapshot(NamedTuple):
    """How things stand at one moment."""

    connected: int
    """Sessions with a connection."""
    parked: int
    """Sessions whose client may come back."""
    characters: int
    queue_depth: int
    """Requests that wait for the model."""
    gpu_memory: Mapping[str, int]
    """Bytes by kind; empty without a GPU."""
    replicas: Mapping[str, int] = {}
    """Engines that run elsewhere, by state; empty when the only one is here."""


class Metrics(Observer):
    """Counters and histograms in a registry of their own; ``snapshot`` gives the gauges, in the thread that asks."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        *,
        model: str = "",
        version: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._clock = clock

        def histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

        self._generation = histogram(
            "generation_seconds", "Time that the model took for a batch, by stage", SECONDS, ("stage",)
        )
        self._batch = histogram("batch_size", "Requests in one call of the model", BATCH_SIZES)
        self._latency = histogram(
            "prompt_latency_seconds", "From a prompt with mode replace to the sending of its first frame", SECONDS
        )
        self._failures = counter("generation_failures", "Calls of the model that failed")
        self._sent = counter("frames_sent", "Frames given to connections")
        self._dropped = counter("frames_dropped", "Frames skipped because a client did not read")
        self._prompts = counter("prompt_statuses", "Statuses of prompts sent to clients", ("status",))
        self._refusals = counter("refusals", "Messages and connections refused, by error code", ("code",))
        self._engines_lost = counter("engines_lost", "Requests whose engine ended before it answered")
        Info(PREFIX, "The server", registry=self.registry).info({"model": model, "version": version})
        self.registry.register(_Gauges(snapshot))
        ProcessCollector(registry=self.registry)

    def exposition(self, accept: str = "") -> tuple[str, str]:
        """Content type and text of all metrics, in the format that an `Accept` header asks for."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self.registry).decode()

    @contextlib.contextmanager
    def batch(self, size: int) -> Iterator[None]:
        self._batch.observe(size)
        started = self._clock()
        try:
            yield
        except Exception:
            self._failures.inc()
            raise
        finally:
            self.stage(ALL_STAGES, self._clock() - started)

    def stage(self, name: str, seconds: float) -> None:
        self._generation.labels(name).observe(seconds)

    def frames_sent(self, count: int) -> None:
        self._sent.inc(count)

    def frames_dropped(self, count: int) -> None:
        self._dropped.inc(count)

    def prompt_status(self, status: str) -> None:
        self._prompts.labels(status).inc()

    def first_frame(self, session: str, character: str, prompt: str, seconds: float) -> None:
        self._latency.observe(seconds)

    def refused(self, code: str) -> None:
        self._refusals.labels(code).inc()

    def engine_lost(self) -> None:
        self._engines_lost.inc()


class _Gauges(Collector):
    """A snapshot as gauges."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        sessions = GaugeMetricFamily(f"{PREFIX}_sessions", "Sessions, by whether a client is there", labels=["state"])
        sessions.add_metric(["connected"], now.connected)
        sessions.add_metric(["parked"], now.parked)
        yield sessions
        yield GaugeMetricFamily(f"{PREFIX}_characters", "Characters of all sessions", value=now.characters)
        yield GaugeMetricFamily(f"{PREFIX}_queue_depth", "Requests that wait for the model", value=now.queue_depth)
        memory = GaugeMetricFamily(f"{PREFIX}_gpu_memory_bytes", "Memory of the GPU, by kind", labels=["kind"])
        for kind, count in now.gpu_memory.items():
            memory.add_metric([kind], count)
        yield memory
        if now.replicas:
            replicas = GaugeMetricFamily(f"{PREFIX}_engine_replicas", "Engines elsewhere, by state", labels=["state"])
            for state, count in now.replicas.items():
                replicas.add_metric([state], count)
            yield replicas
