"""What is sent, and what is sent again after a drop."""

import pytest

from server.outbox import Outbox


def filled() -> Outbox:
    """Sent: accepted, started, frames of a, frames of b, finished, frames of a, a clip; numbers 1 to 7."""
    outbox = Outbox(100)
    outbox.greet(b"welcome")
    outbox.put(b"accepted")
    outbox.put(b"started")
    outbox.put_frames(b"a0", "a", 0)
    outbox.put_frames(b"b5", "b", 5)
    outbox.put(b"finished")
    outbox.put_frames(b"a8", "a", 8)
    outbox.put(b"clip", repeats=False)
    order = [b"welcome", b"accepted", b"started", b"a0", b"b5", b"finished", b"a8", b"clip"]
    assert outbox.take() == order
    return outbox


@pytest.mark.parametrize(
    ("received", "firsts", "order"),
    [
        (0, {"a": 0, "b": 5}, [b"accepted", b"started", b"again", b"finished"]),
        (2, {"a": 0, "b": 5}, [b"again", b"finished"]),
        (3, {"a": 8, "b": 5}, [b"again", b"finished"]),
        (4, {"a": 8}, [b"finished", b"again"]),
        (6, {}, [b"again"]),
        (7, {}, [b"again"]),
        (99, {}, [b"again"]),
    ],
)
def test_what_was_not_received_comes_again_in_order(received, firsts, order):
    outbox = filled()
    outbox.drop_passing()
    assert outbox.rewind(received) == firsts
    outbox.put_frames(b"again", "a", 0)
    assert outbox.take() == order
    assert outbox.take() == []


def test_it_can_be_lost_again():
    outbox = filled()
    outbox.rewind(4)
    outbox.put_frames(b"again", "a", 8)
    outbox.put(b"new")
    assert outbox.take() == [b"finished", b"again", b"new"]  # 5, 6, 7
    assert outbox.rewind(5) == {"a": 8}
    outbox.put_frames(b"third", "a", 8)
    assert outbox.take() == [b"third", b"new"]
    assert outbox.rewind(7) == {}


def test_it_is_bounded_and_the_reason_for_the_end_still_fits():
    outbox = Outbox(2)
    assert outbox.put(b"1")
    assert outbox.put_frames(b"2", "a", 0)
    assert not outbox.put(b"3")
    assert not outbox.put_frames(b"4", "a", 1)
    outbox.put_last_words(b"too slow")
    assert outbox.take() == [b"1", b"2", b"too slow"]
    for at in range(10_000):
        outbox.put(b"%d" % at)
        outbox.take()
    outbox.rewind(0)
    assert len(outbox.take()) == 512
