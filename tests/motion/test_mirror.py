import numpy as np
import pytest
from synthetic import SKELETON, positions_of

from server.motion.mirror import mirror_caption, mirror_positions


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("a person waves the left hand", "a person waves the right hand"),
        ("turns right, then LEFT", "turns left, then RIGHT"),
        ("Right-handed punch", "Left-handed punch"),
        ("steps leftwards and rightward", "steps rightwards and leftward"),
        ("spins clockwise", "spins counterclockwise"),
        ("spins counter-clockwise", "spins clockwise"),
        ("walks left with no energy left", "walks right with no energy left"),
        ("stands upright and leaves right away", "stands upright and leaves right away"),
    ],
)
def test_sides_swap_in_captions(text, mirrored):
    assert mirror_caption(text) == mirrored


def test_mirroring_twice_changes_nothing_and_once_swaps_the_sides():
    positions = positions_of(turn=1.0)
    mirrored = mirror_positions(positions, SKELETON)
    np.testing.assert_array_equal(mirror_positions(mirrored, SKELETON), positions)
    left, right = SKELETON.index("left_wrist"), SKELETON.index("right_wrist")
    np.testing.assert_array_equal(mirrored[:, left], positions[:, right] * [-1, 1, 1])
