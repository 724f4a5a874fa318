"""A motion that is to be written to a file, with the sentences it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from server.motion.rotation import Array


@dataclass(frozen=True, eq=False)
class Take:
    """T frames in the wire's frame of reference.

    ``root`` (T, 3) metres; ``rotations`` (T, 22, 4) local, xyzw; ``contacts`` (T, 4) in the order of ``Skeleton.feet``;
    ``captions``: at least one (first frame, sentence), in order.
    """

    root: Array
    rotations: Array
    contacts: np.ndarray
    fps: float
    captions: tuple[tuple[int, str], ...]

    def __len__(self) -> int:
        return len(self.root)

    @property
    def text(self) -> str:
        """All sentences."""
        return "; ".join(text for _, text in self.captions)

    def caption(self, frame: int) -> str:
        """The sentence that is being carried out at a frame."""
        return next((text for first, text in reversed(self.captions) if first <= frame), self.captions[0][1])
