"""What a session and the model thread tell their observers, in numbers."""

from __future__ import annotations

import contextlib

import pytest

from server.metrics import Metrics, Snapshot
from server.observer import Journal, Observer, Observers
from server.stopwatch import Stopwatch


class Recorder(Observer):
    def __init__(self) -> None:
        self.told: list[tuple] = []

    @contextlib.contextmanager
    def batch(self, size):
        self.told.append(("batch", size))
        yield
        self.told.append(("made", size))

    def stage(self, name, seconds):
        self.told.append(("stage", name, seconds))

    def frames_sent(self, count):
        self.told.append(("sent", count))

    def frames_dropped(self, count):
        self.told.append(("dropped", count))

    def prompt_status(self, status):
        self.told.append(("status", status))

    def first_frame(self, session, character, prompt, seconds):
        self.told.append(("first", session, character, prompt, seconds))

    def refused(self, code):
        self.told.append(("refused", code))

    def engine_lost(self) -> None:
        self.told.append(("lost",))


def metrics(**now) -> Metrics:
    standing = {"connected": 0, "parked": 0, "characters": 0, "queue_depth": 0, "gpu_memory": {}, **now}
    return Metrics(lambda: Snapshot(**standing), model="tiny", version="1.2", clock=iter(range(0, 1000, 3)).__next__)


def test_the_time_to_the_first_frame_is_told_once_for_each_prompt():
    recorder = Recorder()
    journal = Journal(recorder, "s1")
    journal.prompted("main", "p1", 10.0)
    journal.sent([("main", None)], 3, 10.1)
    journal.sent([("main", "p0")], 4, 10.2)
    journal.sent([("npc", "p1")], 5, 10.2)
    journal.sent([("main", "p1")], 6, 10.25)
    journal.sent([("main", "p1")], 7, 10.3)
    assert [told for told in recorder.told if told[0] == "first"] == [
        ("first", "s1", "main", "p1", pytest.approx(0.25))
    ]
    assert sum(told[1] for told in recorder.told if told[0] == "sent") == 25


def test_a_prompt_that_is_replaced_or_whose_character_is_gone_has_no_first_frame():
    recorder = Recorder()
    journal = Journal(recorder, "s1")
    journal.prompted("main", "p1", 0.0)
    journal.prompted("main", "p2", 1.0)
    journal.sent([("main", "p1")], 1, 2.0)
    journal.removed("main")
    journal.removed("never there")
    journal.sent([("main", "p2")], 1, 3.0)
    journal.dropped(0)
    journal.dropped(2)
    assert recorder.told == [("sent", 1), ("sent", 1), ("dropped", 2)]


def test_several_observers_are_told_the_same():
    recorders = Recorder(), Recorder()
    both = Observers(recorders)
    with both.batch(4):
        both.stage("text", 0.5)
    both.frames_sent(1)
    both.frames_dropped(2)
    both.prompt_status("accepted")
    both.first_frame("s", "c", "p", 0.1)
    both.refused("busy")
    both.engine_lost()
    assert recorders[0].told == recorders[1].told
    assert [told[0] for told in recorders[0].told] == [
        "batch",
        "stage",
        "made",
        "sent",
        "dropped",
        "status",
        "first",
        "refused",
        "lost",
    ]


def test_every_method_of_an_observer_is_passed_on():
    methods = [name for name in vars(Observer) if not name.startswith("_")]
    assert all(name in vars(Observers) for name in methods)
    assert all(name in vars(Recorder) for name in methods)


def test_stages_and_batches_are_timed():
    seen = metrics()
    with seen.batch(5):
        seen.stage("text", 0.2)
    get = seen.registry.get_sample_value
    assert get("motionbridge_generation_seconds_sum", {"stage": "all"}) == 3.0
    assert get("motionbridge_generation_seconds_sum", {"stage": "text"}) == 0.2
    assert get("motionbridge_batch_size_sum") == 5
    assert get("motionbridge_generation_failures_total") == 0


def test_a_batch_that_fails_is_counted_and_fails_all_the_same():
    seen = metrics()
    with pytest.raises(RuntimeError, match="out of memory"), seen.batch(1):
        raise RuntimeError("out of memory")
    assert seen.registry.get_sample_value("motionbridge_generation_failures_total") == 1
    assert seen.registry.get_sample_value("motionbridge_generation_seconds_count", {"stage": "all"}) == 1


def test_what_is_read_off_when_asked():
    get = metrics(connected=2, parked=1, characters=7, queue_depth=3, gpu_memory={"allocated": 5}).registry
    assert get.get_sample_value("motionbridge_sessions", {"state": "connected"}) == 2
    assert get.get_sample_value("motionbridge_sessions", {"state": "parked"}) == 1
    assert get.get_sample_value("motionbridge_characters") == 7
    assert get.get_sample_value("motionbridge_queue_depth") == 3
    assert get.get_sample_value("motionbridge_gpu_memory_bytes", {"kind": "allocated"}) == 5
    assert get.get_sample_value("motionbridge_info", {"model": "tiny", "version": "1.2"}) == 1


def test_two_servers_in_one_process_count_apart():
    one, other = metrics(), metrics()
    one.frames_sent(3)
    assert other.registry.get_sample_value("motionbridge_frames_sent_total") == 0


def test_a_stopwatch_tells_each_stage_and_only_when_asked():
    watch = Stopwatch(iter([1.0, 3.5]).__next__)
    with watch("text"):
        pass
    told: list[tuple[str, float]] = []
    watch.told = lambda *stage: told.append(stage)
    with watch("base"):
        pass
    assert told == [("base", 2.5)]
