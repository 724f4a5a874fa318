"""Two minutes of `bench soak` at small size, judged by counts and never by times; and that its judges see what is wrong."""

import asyncio
import random

import numpy as np
import pytest

from protocol.codec import FrameBlock
from protocol.messages import Error, PromptStatus
from protocol.poses import Poses
from server.motion import rotation as rot
from tests.benchmarks import soak
from tests.benchmarks.soak_client import Account, GoodClient

SECONDS = 120.0
CHARACTERS, CONNECTIONS = 8, 4


async def test_two_minutes_of_everything_at_once():
    outcome = await soak.soak(CHARACTERS, CONNECTIONS, SECONDS, seed=3, model=None)
    account = outcome.account
    assert account.errors == {}
    assert account.lost_characters == 0
    assert account.frames > 0
    assert account.did["resumed"] >= account.did["drop"] > 0
    assert account.did["prompt"] > 0
    assert sum(outcome.attacks.values()) > 2
    assert soak.report(outcome, "two minutes").count("\n") > 10


class Nobody:
    """Stands in for the client of which only the account is kept."""


def judged(*events):
    async def judge():
        client = GoodClient(Nobody(), ["main"], random.Random(1), Account())
        client._owe("main", "p")
        for event in events:
            client._take(event)
        return client._account

    return asyncio.run(judge())


def block(first, *z):
    root = np.array([[0.0, 0.9, at] for at in z], dtype=np.float32)
    return FrameBlock("main", first, 30.0, "p", Poses(root, rot.identity(len(z), 22), np.zeros(len(z), np.uint8)))


def status(what, prompt="p"):
    return PromptStatus(character="main", id=prompt, status=what)


def test_what_is_as_it_should_be_is_no_error():
    started = [status("accepted"), status("started"), block(0, 0.0, 0.1), block(2, 0.2), block(1, 0.1, 0.2, 0.3)]
    started += [block(2, 0.9, 1.2), block(4, 1.3)]  # overwritten by a faster motion up to the newest, then on
    account = judged(*started, status("finished"))
    assert account.errors == {}
    assert (account.frames, account.skipped) == (9, 0)


@pytest.mark.parametrize(
    "events",
    [
        [Error(code="internal", message="a fault")],
        [status("accepted"), status("failed")],
        [status("started")],
        [status("accepted"), status("accepted")],
        [status("accepted"), status("finished"), status("cancelled")],
        [block(0, 0.0, 3.0)],
        [block(0, 0.0, 0.1), block(2, 5.0)],
        ["something else"],
    ],
    ids=["error", "failed", "out of order", "twice", "two ends", "a jump", "a jump between messages", "unknown"],
)
def test_what_is_not_is_one(events):
    assert sum(judged(*events).errors.values()) == 1


def test_frames_that_never_came_are_counted():
    assert judged(block(0, 0.0, 0.1), block(5, 0.2)).skipped == 3


def test_the_slope_is_that_of_the_settled_part():
    outcome = soak.Outcome(1, 1, seconds=100.0)
    outcome.memory = [(float(at), 500.0 * (at < 10) + 100.0 + at / 360.0) for at in range(100)]
    assert outcome.slope == pytest.approx(10.0)
    assert soak.Outcome(1, 1, seconds=100.0).slope == 0.0
