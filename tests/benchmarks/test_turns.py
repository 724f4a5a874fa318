"""The turns of a loop: what falls due at a random moment waits for the end of the turn under way."""

import asyncio
import time

import numpy as np
import pytest

from tests.benchmarks.turns import timed_loop, wait_p99


def test_the_wait_is_that_of_random_moments():
    turns = np.random.default_rng(1).exponential(0.004, 800)
    passed = float(turns.sum() + 2.0)
    moments = np.random.default_rng(2).uniform(0.0, passed, 400_000)
    ends = np.cumsum(turns)  # one after the other, then 2 s of nothing
    at = np.searchsorted(ends, moments)
    waits = np.where(at < len(turns), ends[np.minimum(at, len(turns) - 1)] - moments, 0.0)
    assert wait_p99(turns, passed) == pytest.approx(np.percentile(waits, 99), rel=0.03)


@pytest.mark.parametrize("turns", [[], [0.0, 0.0], [0.009]])
def test_a_loop_with_next_to_nothing_to_do_lets_no_one_wait(turns):
    assert wait_p99(np.array(turns), 1.0) == 0.0


def test_a_loop_tells_how_long_it_worked():
    loop, selector = timed_loop()

    async def work() -> None:
        await asyncio.sleep(0)
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work())
    turns = selector.take()
    assert turns.longest >= 20.0
    assert turns.real_longest >= 20.0
