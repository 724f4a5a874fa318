"""Metrics of one replica, on Ray's own Prometheus endpoints: those that the server has itself when the model is in its process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ray.util.metrics import Counter, Histogram

from server.metrics import ALL_STAGES, BATCH_SIZES, PREFIX, SECONDS
from server.observer import Observer


class ReplicaMetrics(Observer):
    """Ray puts `ray_` before the names, and labels with node and process."""

    def __init__(self) -> None:
        self._batch = Histogram(
            f"{PREFIX}_batch_size", "Requests in one call of the model", [float(size) for size in BATCH_SIZES]
        )
        self._generation = Histogram(
            f"{PREFIX}_generation_seconds", "Time that the model took, by stage", list(SECONDS), ("stage",)
        )
        self._failures = Counter(f"{PREFIX}_generation_failures", "Calls of the model that failed")

    @contextlib.contextmanager
    def batch(self, size: int) -> Iterator[None]:
        self._batch.observe(size)
        started = time.perf_counter()
        try:
            yield
        except Exception:
            self._failures.inc()
            raise
        finally:
            self.stage(ALL_STAGES, time.perf_counter() - started)

    def stage(self, name: str, seconds: float) -> None:
        self._generation.observe(seconds, {"stage": name})
