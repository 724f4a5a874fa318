"""OpenTelemetry traces: a span for each call of the model with its stages, and one for each prompt until its first frame.

Needs the extra `otel`. Where the spans go is said by the library's own environment variables, such as
`OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_SERVICE_NAME`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode, use_span

from server.observer import Observer

BATCH_SPAN, STAGE_SPAN, PROMPT_SPAN = "motionbridge.batch", "motionbridge.stage", "motionbridge.prompt"
SERVICE: Final = "motionbridge"
NANOSECONDS: Final = 1_000_000_000


class Tracing(Observer):
    """Spans of the server's work. None holds a prompt's text: sessions, characters and prompts are named by their ids."""

    def __init__(self, processor: SpanProcessor, clock: Callable[[], int] = time.time_ns) -> None:
        """``clock`` gives the nanoseconds since 1970 that spans are stamped with."""
        named = Resource.create({"service.name": SERVICE}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=named)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE)
        self._clock = clock

    @classmethod
    def to_collector(cls) -> Tracing:
        """Sends spans by OTLP over HTTP, in batches, from a thread of its own."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def close(self) -> None:
        """Sends what has not been sent yet."""
        self._provider.shutdown()

    @contextlib.contextmanager
    def batch(self, size: int) -> Iterator[None]:
        span = self._tracer.start_span(
            BATCH_SPAN, start_time=self._clock(), attributes={"motionbridge.batch_size": size}
        )
        # An exception's own words are left out: they may quote what it was about.
        with use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                span.end(self._clock())

    def stage(self, name: str, seconds: float) -> None:
        self._finished(STAGE_SPAN, seconds, {"motionbridge.stage": name})

    def first_frame(self, session: str, character: str, prompt: str, seconds: float) -> None:
        ids = {"session": session, "character": character, "prompt": prompt}
        self._finished(PROMPT_SPAN, seconds, {f"motionbridge.{name}": value for name, value in ids.items()})

    def _finished(self, name: str, seconds: float, attributes: dict[str, str]) -> None:
        """A span that ends now and began ``seconds`` ago; below the current one of this thread, if there is one."""
        now = self._clock()
        span = self._tracer.start_span(name, start_time=now - round(seconds * NANOSECONDS), attributes=attributes)
        span.end(now)
