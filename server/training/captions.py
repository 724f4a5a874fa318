"""Further captions of a dataset's clips: other ways in which people ask for what the clips show.

A file of them has a JSON object per line: ``{"clips": ["walk_*"], "captions": ["off we go", ...]}``, with shell patterns of
the groups or ids of the clips that every one of the captions is true of. ``@standing`` names the clips of standing still that a
training makes itself. In the captions of mirrored clips left and right are swapped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.motion.mirror import mirror_caption
from server.training.dataset import Clip, DatasetError

STANDING = "@standing"


@dataclass(frozen=True)
class CaptionSet:
    """Captions that say the same, and patterns of the groups or ids of the clips that they describe."""

    clips: tuple[str, ...]
    captions: tuple[str, ...]

    def describes(self, clip: Clip) -> bool:
        """Whether they are true of the clip."""
        return any(clip.is_like(pattern) for pattern in self.clips)


def read_caption_sets(path: Path) -> list[CaptionSet]:
    """The sets of a file as described above; DatasetError names the line that is not so."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    sets = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            made = CaptionSet(*(tuple(_texts(row[name])) for name in ("clips", "captions")))
        except (ValueError, KeyError, TypeError) as error:
            expected = '{"clips": ["walk_*", ...], "captions": ["...", ...]}'
            raise DatasetError(f"{path}, line {number}: expected {expected}: {error}") from error
        sets.append(made)
    return sets


def _texts(given: object) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(text, str) and text.strip() for text in given):
        raise ValueError("both must be lists of at least one text")
    return [text.strip() for text in given]


def captions_of(clip: Clip, sets: Sequence[CaptionSet]) -> list[tuple[str, ...]]:
    """The captions of each set that describes the clip."""
    found = [caption_set.captions for caption_set in sets if caption_set.describes(clip)]
    return [tuple(map(mirror_caption, captions)) for captions in found] if clip.mirrored else found


def check_patterns(sets: Sequence[CaptionSet], clips: Sequence[Clip]) -> None:
    """DatasetError naming a pattern that describes no clip: it is misspelt, or the file is of other data."""
    for pattern in {pattern for caption_set in sets for pattern in caption_set.clips} - {STANDING}:
        if not any(clip.is_like(pattern) for clip in clips):
            raise DatasetError(
                f"captions: no training clip and no group has a name like {pattern!r}; correct or remove it"
            )
