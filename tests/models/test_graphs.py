from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tiny_models import conditions, masked_model
from torch import Tensor

from server.models.graphs import GraphedForward, use_graphs
from server.models.sampling import generate_base


class Tape:
    """Stands for CUDA: replays a run on the memory it was captured with, into one output."""

    def __init__(self) -> None:
        self.captured = 0

    def __call__(self, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.captured += 1
        output = run()
        return lambda: output.copy_(run())


def test_one_graph_for_each_shape_and_argument() -> None:
    tape = Tape()
    forward = GraphedForward(lambda x, factor, extra: x * factor + (0 if extra is None else extra), tape)
    for value in (1.0, 2.0):
        for shape in ((2,), (3, 1)):
            x = torch.full(shape, value)
            assert torch.equal(forward(x, 3, None), x * 3)
            assert torch.equal(forward(x, 4, x), x * 5)
    assert tape.captured == 4


def test_beyond_the_limit_it_is_eager() -> None:
    tape = Tape()
    forward = GraphedForward(lambda x: x + 1, tape, limit=1)
    for size in (1, 2, 1, 3):
        assert torch.equal(forward(torch.zeros(size)), torch.ones(size))
    assert tape.captured == 1


def test_a_failed_capture_falls_back_once_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    def fail(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        nonlocal calls
        calls += 1
        raise RuntimeError("operation not permitted when stream is capturing")

    forward = GraphedForward(lambda x: x + 1, fail)
    for size in (1, 2, 1):
        assert torch.equal(forward(torch.zeros(size)), torch.ones(size))
    assert calls == 1
    assert [record.getMessage() for record in caplog.records] == [
        "no CUDA graphs, the networks run eagerly: operation not permitted when stream is capturing"
    ]


def test_sampling_on_replayed_memory_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"temperature": 0.0, "static_shapes": True}
    plain = generate_base(masked_model(), conditions(2), [9, 4], **options)
    model, tape = masked_model(), Tape()
    use_graphs(model)
    monkeypatch.setattr(model.forward, "capture", tape)
    assert torch.equal(generate_base(model, conditions(2), [9, 4], **options), plain)
    assert tape.captured == 1
