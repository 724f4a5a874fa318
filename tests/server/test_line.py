"""The line before the model: urgency, turns between owners, no one left behind, room. The clock is in the test's hand."""

import random

import pytest

from server.backend import AT_ONCE_SECONDS, BusyError, Need
from server.line import Line
from server.motion.motion import MotionRequest


class Queue:
    """A line, a clock, and short names instead of requests: owner and number are ``key``."""

    def __init__(self, capacity: int = 256) -> None:
        self.now = 100.0
        self.line = Line(capacity, lambda: self.now)
        self.number = 0

    def ask(self, owner: str, within: float = AT_ONCE_SECONDS, waited: float = 0.0, *, sure: bool = False) -> None:
        self.number += 1
        self.line.add((owner, self.number), MotionRequest(owner), Need(within, waited, sure), lambda result: None)

    def take(self, count: int = 1) -> list[str]:
        return [one.key[0] for one in self.line.take(count)]


def test_a_prompt_passes_what_is_made_ahead():
    queue = Queue()
    queue.ask("idles", 24.0)
    queue.ask("goes on", 2.0)
    queue.ask("prompt")
    assert queue.take() == ["prompt"]
    queue.now += 1.0
    queue.ask("prompt")
    assert queue.take() == ["goes on"]  # has waited for half of the time that it may; the prompt has only come
    assert queue.take() == ["prompt"]
    assert queue.take() == ["idles"]


def test_what_is_about_to_run_dry_is_as_urgent_as_a_prompt():
    queue = Queue()
    queue.ask("dry", 0.01)
    queue.now += 0.1
    queue.ask("prompt")
    assert queue.take(2) == ["dry", "prompt"]


def test_equals_go_oldest_first():
    queue = Queue()
    for owner in "abcd":
        queue.ask(owner, 3.0)
        queue.now += 0.001
    assert queue.take(3) == ["a", "b", "c"]
    assert queue.take(3) == ["d"]


def test_nothing_waits_for_ever_behind_prompts_that_never_end():
    queue, served, prompts = Queue(), None, []
    queue.ask("idles", 24.0)
    for step in range(1000):  # always four prompts in line, one of them served each tenth of a second
        while len(queue.line) < 5:
            queue.ask(f"prompt {queue.number}")
        queue.now += 0.1
        prompts += queue.take()
        if prompts[-1] == "idles":
            served = step
            break
    assert served is not None
    assert 200 < served < 600  # its patience is 96 times theirs, and they wait 0.4 s


def test_who_asks_for_very_much_does_not_hold_back_the_others():
    queue = Queue()
    for _ in range(64):
        queue.ask("greedy")
    queue.now += 1.0
    for owner in ("a", "b", "c"):
        queue.ask(owner)
        queue.ask(owner)
    queue.now += 1.0
    batch = queue.take(8)
    assert set(batch) == {"greedy", "a", "b", "c"}
    assert [batch.count(owner) for owner in "abc"] == [2, 2, 1]


def test_what_has_waited_before_has_not_lost_its_place():
    queue = Queue()
    queue.ask("a")
    queue.now += 1.0
    queue.ask("b")
    queue.ask("came back", waited=0.5)
    assert queue.take(2) == ["a", "came back"]
    (last,) = queue.line.take(1)
    queue.now += 3.0
    assert queue.line.need(last) == (AT_ONCE_SECONDS, pytest.approx(3.0), False)


def test_without_room_only_what_is_sure_of_a_place_comes_in():
    queue = Queue(capacity=3)
    for owner in "abc":
        queue.ask(owner, 3.0)
    assert queue.line.problem() == "3 requests wait for the model, the limit is 3"
    with pytest.raises(BusyError, match="the limit is 3; try again"):
        queue.ask("clip")
    queue.ask("prompt", sure=True)
    assert queue.take() == ["prompt"]
    queue.take()
    assert queue.line.problem() is None
    queue.ask("clip")


def test_characters_take_no_room_from_clips():
    queue = Queue(capacity=2)
    for number in range(9):  # of bad clients, it may be
        queue.ask(f"character {number}", sure=True)
    assert queue.line.problem() == "9 requests wait for the model, the limit is 2"
    queue.ask("clip")
    queue.ask("clip")
    with pytest.raises(BusyError, match="2 clips wait for the model, the limit is 2; try again"):
        queue.ask("clip")


def test_what_is_taken_out_is_not_served():
    queue = Queue()
    for owner in "aabc":
        queue.ask(owner)
    queue.line.remove(("c", 4))
    queue.line.remove(("c", 9))
    queue.line.remove_owner("a")
    assert queue.take(9) == ["b"]
    queue.ask("d")
    queue.line.clear()
    assert queue.take(9) == []


def test_prompts_are_prompt_and_idle_motion_still_comes_when_the_model_is_too_slow():
    """Twenty sessions, each with five characters that always want more; two prompts and five motions a second."""
    queue, rng = Queue(), random.Random(3)
    waited: dict[str, list[float]] = {"prompt": [], "idle": []}
    asked: dict[tuple[str, int], tuple[str, float]] = {}

    def ask(owner: str, kind: str) -> None:
        queue.ask(owner, AT_ONCE_SECONDS if kind == "prompt" else rng.uniform(12.0, 24.0))
        asked[owner, queue.number] = (kind, queue.now)

    for owner in range(20):
        for _ in range(5):
            ask(f"s{owner}", "idle")
    for _ in range(600):
        for _ in range(6):
            ask(f"s{rng.randrange(20)}", "prompt")
        queue.now += 3.0
        for one in queue.line.take(16):
            kind, since = asked.pop(one.key)
            waited[kind].append(queue.now - since)
            if kind == "idle":
                ask(one.key[0], "idle")
    assert max(waited["prompt"]) <= 6.0
    assert len(waited["idle"]) == 6000
    assert max(waited["idle"]) < 75.0
    assert max(queue.now - since for _, since in asked.values()) < 75.0
