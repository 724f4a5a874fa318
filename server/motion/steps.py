"""Work that can be done in steps, with something else in between: a generator that yields after each and returns the result."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]


def done(steps: Steps[T]) -> T:
    """All steps at once; what they give."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
