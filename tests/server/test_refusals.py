"""The limits on what a client may ask and get wrong, and the messages that refuse it."""

from protocol import limits
from protocol.codec import encode
from protocol.errors import ErrorCode
from server.refusals import Allowance, RefusalWindow, refusal, unknown_character


def test_a_refusal_fits_the_wire_however_long_its_text():
    message = refusal(ErrorCode.INVALID_FIELD, "x" * 5000, "p1", "main", "text")
    assert len(message.message) == limits.MAX_ERROR_CHARACTERS
    assert (message.id, message.character, message.field) == ("p1", "main", "text")
    assert encode(message)


def test_an_unknown_character_is_named():
    message = unknown_character("hero", "p1")
    assert message.code == ErrorCode.UNKNOWN_CHARACTER
    assert "'hero'" in message.message
    assert message.character == "hero"


def test_an_allowance_passes_its_rate_and_fills_again():
    allowance = Allowance(10.0)
    assert [allowance.take(5.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert not allowance.take(5.05)
    assert [allowance.take(5.35) for _ in range(4)] == [True] * 3 + [False]
    assert [allowance.take(1000.0) for _ in range(11)] == [True] * 10 + [False]


def test_a_clock_that_steps_back_gives_nothing_away():
    allowance = Allowance(1.0)
    assert allowance.take(5.0)
    assert not allowance.take(4.0)
    assert not allowance.take(4.5)


def test_being_over_the_rate_is_told_once_a_second():
    allowance = Allowance(1.0)
    assert [allowance.tell(now) for now in (0.0, 0.5, 0.99, 1.0, 1.5, 3.0)] == [True, False, False, True, False, True]


def test_too_many_errors_within_the_window_end_it():
    window = RefusalWindow()
    assert not any(window.add(0.01 * n) for n in range(limits.MAX_ERRORS))
    assert window.add(limits.ERROR_WINDOW_SECONDS - 0.01)


def test_as_many_errors_over_a_longer_time_are_borne():
    window = RefusalWindow()
    apart = 1.01 * limits.ERROR_WINDOW_SECONDS / limits.MAX_ERRORS
    assert not any(window.add(apart * n) for n in range(10 * limits.MAX_ERRORS))
