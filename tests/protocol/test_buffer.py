import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.buffer import FrameBuffer
from protocol.codec import FrameBlock
from protocol.poses import Poses


def block(first, count, mark=0.0, prompt=None):
    """Frames whose root x is their index and root y is ``mark``."""
    root = np.zeros((count, 3), dtype=np.float32)
    root[:, 0] = np.arange(first, first + count)
    root[:, 1] = mark
    rotations = np.tile(np.array([0, 0, 0, 1], dtype=np.float32), (count, 22, 1))
    return FrameBlock("main", first, 30.0, prompt, Poses(root, rotations, np.full(count, 3, dtype=np.uint8)))


def test_holds_what_came_in():
    buffer = FrameBuffer(16)
    assert buffer.newest == -1
    assert buffer.buffered(-1) == 0
    assert buffer.insert(block(0, 4, prompt="p1")) == 4
    poses = buffer.poses(1, 3)
    assert poses.root[:, 0].tolist() == [1, 2, 3]
    assert poses.contacts.tolist() == [3, 3, 3]
    assert (buffer.newest, buffer.frame_rate, buffer.prompt(2)) == (3, 30.0, "p1")


def test_the_newest_wins_for_each_index():
    buffer = FrameBuffer(16)
    buffer.insert(block(0, 8, mark=1.0, prompt="p1"))
    buffer.insert(block(4, 2, mark=2.0, prompt="p2"))
    assert buffer.poses(0, 8).root[:, 1].tolist() == [1, 1, 1, 1, 2, 2, 1, 1]
    assert [buffer.prompt(i) for i in (3, 4, 6)] == ["p1", "p2", "p1"]
    assert buffer.newest == 7


def test_gaps_end_the_buffered_run_and_cannot_be_read():
    buffer = FrameBuffer(16)
    buffer.insert(block(0, 3))
    buffer.insert(block(5, 2))
    assert buffer.buffered(0) == 2
    assert buffer.buffered(4) == 2
    assert 3 not in buffer
    with pytest.raises(KeyError, match="frame 3 is not held; the newest is 6"):
        buffer.poses(0, 6)


def test_old_frames_fall_out_and_late_ones_are_ignored():
    buffer = FrameBuffer(8)
    buffer.insert(block(0, 8))
    buffer.insert(block(8, 3))
    assert 2 not in buffer
    assert 3 in buffer
    assert buffer.insert(block(0, 4, mark=9.0)) == 1  # only frame 3 is still within the window
    assert buffer.poses(3, 8).root[:, 1].tolist() == [9, 0, 0, 0, 0, 0, 0, 0]


def test_a_jump_far_ahead_leaves_no_ghosts_of_the_same_slot():
    buffer = FrameBuffer(8)
    buffer.insert(block(0, 8))
    buffer.insert(block(1003, 1))
    assert [index for index in range(1010) if index in buffer] == [1003]


def test_a_block_longer_than_the_buffer_keeps_its_end():
    buffer = FrameBuffer(4)
    assert buffer.insert(block(10, 9)) == 4
    assert buffer.poses(15, 4).root[:, 0].tolist() == [15, 16, 17, 18]


def test_what_is_read_is_a_copy():
    buffer = FrameBuffer(8)
    buffer.insert(block(0, 2))
    buffer.poses(0, 2).root[:] = 99
    assert buffer.poses(0, 2).root[:, 0].tolist() == [0, 1]


def test_capacity_must_be_positive():
    with pytest.raises(ValueError, match="capacity is 0"):
        FrameBuffer(0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12), st.integers(1, 24))
def test_any_order_of_blocks_equals_a_plain_dictionary(blocks, capacity):
    buffer, model, newest = FrameBuffer(capacity), {}, -1
    for mark, (first, count) in enumerate(blocks):
        buffer.insert(block(first, count, mark=mark))
        newest = max(newest, first + count - 1)
        model |= {index: mark for index in range(first, first + count) if index > newest - capacity}
        model = {index: mark for index, mark in model.items() if index > newest - capacity}
    assert {i: int(buffer.poses(i, 1).root[0, 1]) for i in range(90) if i in buffer} == model
