"""How sentences that follow each other share the frames of one motion."""

from hypothesis import given
from hypothesis import strategies as st

from server.motion.in_turn import first_share

STEP, LEAST = 4, 20


def test_shares_are_as_the_expected_lengths():
    assert first_share(120, [30.0, 10.0], STEP, LEAST) == 88
    assert first_share(120, [1.0, 1.0, 1.0], STEP, LEAST) == 40
    assert first_share(121, [1.0, 1.0], STEP, LEAST) == 60


def test_each_gets_a_second_or_nothing():
    assert first_share(100, [50.0, 1.0], STEP, LEAST) == 80
    assert first_share(100, [1.0, 50.0], STEP, LEAST) == 20
    assert first_share(39, [1.0, 1.0], STEP, LEAST) == 39
    assert first_share(10, [1.0, 1.0], STEP, LEAST) == 10


@given(st.integers(1, 196), st.lists(st.floats(0.1, 49), min_size=1, max_size=6))
def test_nothing_is_lost_and_all_but_the_last_are_whole_steps(frames: int, expected: list[float]):
    shares, left = [], frames
    while left:
        shares.append(first_share(left, expected[len(shares) :], STEP, LEAST))
        left -= shares[-1]
    assert sum(shares) == frames
    assert len(shares) == min(len(expected), max(1, frames // LEAST))
    assert all(share % STEP == 0 for share in shares[:-1])
    assert all(share >= LEAST for share in shares) or len(shares) == 1
