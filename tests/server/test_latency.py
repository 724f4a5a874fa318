"""How much time is left to the model."""

import pytest

from server.latency import Latency


def test_the_reserve_follows_what_generation_takes():
    latency = Latency(0.1)
    assert latency.reserve == 0.1
    for _ in range(50):
        latency.observe(0.8)
    assert latency.reserve == pytest.approx(0.8, abs=0.05)
    for _ in range(50):
        latency.observe(100.0)
    assert latency.reserve == 4.0
