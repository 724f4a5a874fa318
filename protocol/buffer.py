"""A bounded store of one character's received frames, by absolute frame index, in which the newest wins."""

from __future__ import annotations

import numpy as np

from protocol.codec import FrameBlock
from protocol.limits import JOINT_COUNT
from protocol.poses import Poses

DEFAULT_CAPACITY = 1024
EMPTY = -1


class FrameBuffer:
    """The last ``capacity`` frame indices of a character's timeline, up to the highest one received.

    A frame received again replaces the one held, as SPEC.md demands of clients. Frames older than the window are
    ignored, and a far jump ahead empties it, so memory never grows.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, must be at least 1")
        self.capacity = capacity
        self.newest = EMPTY
        """Highest frame index received; -1 before the first."""
        self.frame_rate = 0.0
        """Frames per second of the last block; 0 before the first."""
        self._indices = np.full(capacity, EMPTY, dtype=np.int64)
        self._root = np.zeros((capacity, 3), dtype=np.float32)
        self._rotations = np.zeros((capacity, JOINT_COUNT, 4), dtype=np.float32)
        self._contacts = np.zeros(capacity, dtype=np.uint8)
        self._prompts: list[str | None] = [None] * capacity

    def insert(self, block: FrameBlock) -> int:
        """Takes a block in and returns how many of its frames were kept."""
        self.frame_rate = block.frame_rate
        self.newest = max(self.newest, block.first + len(block.poses) - 1)
        oldest = self.newest - self.capacity + 1
        skipped = max(0, oldest - block.first)
        poses = block.poses[skipped:]
        indices = np.arange(block.first + skipped, block.first + len(block.poses), dtype=np.int64)  # (K,)
        slots = indices % self.capacity
        self._indices[slots] = indices
        self._root[slots] = poses.root
        self._rotations[slots] = poses.rotations
        self._contacts[slots] = poses.contacts
        for slot in slots.tolist():
            self._prompts[slot] = block.prompt
        return len(indices)

    def __contains__(self, index: int) -> bool:
        return self.newest - self.capacity < index <= self.newest and self._indices[index % self.capacity] == index

    def buffered(self, frame: int) -> int:
        """How many frames without a gap follow ``frame``: what a `playhead` message reports."""
        count = 0
        while frame + count + 1 in self:
            count += 1
        return count

    def prompt(self, index: int) -> str | None:
        """The prompt that a frame belongs to, None for idle motion. KeyError when the frame is not held."""
        return self._prompts[self._slot(index)]

    def poses(self, first: int, count: int) -> Poses:
        """A copy of ``count`` frames from ``first``. KeyError names the first one that is not held."""
        slots = np.array([self._slot(index) for index in range(first, first + count)], dtype=np.int64)
        return Poses(self._root[slots], self._rotations[slots], self._contacts[slots])

    def _slot(self, index: int) -> int:
        if index not in self:
            raise KeyError(f"frame {index} is not held; the newest is {self.newest}, the capacity {self.capacity}")
        return index % self.capacity
