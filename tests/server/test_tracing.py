"""OpenTelemetry traces of a live server, exported into memory."""

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from live_server import Watcher, running
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.tracing import BATCH_SPAN, PROMPT_SPAN, STAGE_SPAN, Tracing


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(exporter), clock=iter(range(10**12, 2 * 10**12, 10**9)).__next__)


def test_stages_lie_within_their_batch(tracing, exporter):
    with tracing.batch(3):
        tracing.stage("text", 0.5)
        tracing.stage("base", 0.25)
    text, base, batch = exporter.get_finished_spans()
    assert [span.name for span in (text, base, batch)] == [STAGE_SPAN, STAGE_SPAN, BATCH_SPAN]
    assert batch.attributes == {"motionbridge.batch_size": 3}
    assert text.attributes == {"motionbridge.stage": "text"}
    assert text.parent.span_id == base.parent.span_id == batch.context.span_id
    assert text.end_time - text.start_time == 500_000_000
    assert batch.start_time < text.start_time < text.end_time < base.end_time < batch.end_time
    assert batch.resource.attributes["service.name"] == "motionbridge"


def test_a_batch_that_fails_says_so_without_the_words_of_its_error(tracing, exporter):
    with pytest.raises(RuntimeError), tracing.batch(1):
        raise RuntimeError("a person waves")
    (span,) = exporter.get_finished_spans()
    assert (span.status.is_ok, span.status.description) == (False, "RuntimeError")
    assert not span.events


def test_the_service_can_be_named_by_the_environment(monkeypatch, exporter):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    tracing = Tracing(SimpleSpanProcessor(exporter))
    tracing.stage("text", 0.1)
    assert exporter.get_finished_spans()[0].resource.attributes["service.name"] == "mine"


async def test_a_prompt_is_traced_to_its_first_frame(tracing, exporter):
    async with running(observers=[tracing]) as server, server.client() as client:
        watcher = Watcher(client, server.clock)
        prompt = await client.prompt("a person waves")
        await watcher.until_frame(5)
        session = client.welcome.session
    spans = exporter.get_finished_spans()
    (span,) = [span for span in spans if span.name == PROMPT_SPAN]
    assert span.attributes == {
        "motionbridge.session": session,
        "motionbridge.character": "main",
        "motionbridge.prompt": prompt,
    }
    assert sum(span.name == BATCH_SPAN for span in spans) == len(server.engine.calls)
    assert "waves" not in "".join(span.to_json() for span in spans)
