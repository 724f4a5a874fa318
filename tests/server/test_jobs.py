"""What a session asks of the model, and who gets the answer."""

from dataclasses import dataclass, field

import pytest

from server.backend import Need
from server.jobs import Jobs
from server.model_calls import LateError
from server.motion.motion import MotionRequest


@dataclass
class Asker:
    waits: bool = True
    told: list = field(default_factory=list)

    def deliver(self, result, now):
        self.told.append(result)

    def refuse(self, reason, now):
        self.told.append(reason)


def submit(jobs: Jobs, **asker) -> tuple[int, Asker]:
    who = Asker(**asker)
    jobs.submit(MotionRequest("walk"), who, 0.0, Need())
    return jobs.take()[-1].number, who


@pytest.mark.parametrize("answer", ["deliver", "refuse"])
def test_an_answer_comes_once_and_only_to_who_still_waits(answer):
    jobs = Jobs(5.0)
    number, who = submit(jobs)
    other, gone = submit(jobs)
    gone.waits = False
    for at in (number, number, other, 99):
        getattr(jobs, answer)(at, "an answer", 1.0)
    assert who.told == ["an answer"]
    assert gone.told == []
    assert list(jobs.askers) == []


def test_what_takes_too_long_fails_and_is_cancelled():
    jobs = Jobs(5.0)
    number, who = submit(jobs)
    jobs.sweep(4.9)
    assert who.told == []
    jobs.sweep(5.0)
    assert [type(error) for error in who.told] == [LateError]
    assert jobs.take_cancelled() == [number]
    assert jobs.take_cancelled() == []


def test_a_drop_cancels_all():
    jobs = Jobs(5.0)
    numbers = [submit(jobs)[0] for _ in range(2)]
    jobs.drop()
    assert jobs.take_cancelled() == numbers
    assert list(jobs.askers) == []


def test_what_is_superseded_before_it_was_taken_never_reaches_the_model():
    jobs = Jobs(5.0)
    first, second = Asker(), Asker()
    jobs.submit(MotionRequest("walk"), first, 0.0, Need())
    first.waits = False
    jobs.submit(MotionRequest("wave"), second, 0.0, Need())
    jobs.sweep(0.0)
    assert [job.request.text for job in jobs.take()] == ["wave"]
    assert jobs.take_cancelled() == []
