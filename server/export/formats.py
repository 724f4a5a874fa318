"""The files that a motion can be written to, by their ending. The writers' own imports wait until one is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.export.character import Character
    from server.export.take import Take


class FormatError(ValueError):
    """An ending that cannot be written here; the message says what can be done instead."""


def _write_bvh(path: Path, take: Take) -> None:
    from protocol.skeleton import default_skeleton
    from server.motion.bvh import write_bvh

    write_bvh(path, take.rotations, take.root, default_skeleton(), take.fps)


def _write_npz(path: Path, take: Take) -> None:
    from protocol.skeleton import default_skeleton
    from server.export.npz import to_npz_motion, write_npz

    skeleton = default_skeleton()
    write_npz(path, to_npz_motion(take.root, take.rotations, take.contacts, skeleton, take.fps, take.text))


def _write_glb(path: Path, take: Take) -> None:
    from server.export.mannequin_glb import write_mannequin

    write_mannequin(path, take.rotations, take.root, take.fps, take.text)


def _write_mp4(path: Path, take: Take) -> None:
    from server.export.video import write_mp4

    write_mp4(path, take)


def _write_gif(path: Path, take: Take) -> None:
    from server.export.video import write_gif

    write_gif(path, take)


def _write_png(path: Path, take: Take) -> None:
    from server.export.contact_sheet import write_sheet

    write_sheet(path, take)


_WRITERS: Final[dict[str, Callable[[Path, Take], None]]] = {
    ".bvh": _write_bvh,
    ".glb": _write_glb,
    ".npz": _write_npz,
    ".mp4": _write_mp4,
    ".gif": _write_gif,
    ".png": _write_png,
}

ENDINGS: Final = tuple(_WRITERS)
CHARACTER_ENDINGS: Final = (".glb",)
"""Those that can hold a character of the user's own."""

UNWRITTEN: Final = {
    ".fbx": "there is no free library that writes FBX; .glb and .bvh open in the same programs",
    ".gltf": "write .glb, which is the same in one file",
}
"""Endings that people try, and what to do instead."""


def check_ending(path: Path, possible: Sequence[str] = ENDINGS) -> None:
    """FormatError when a file has none of the endings ``possible``, or needs a library that is not installed."""
    if path.suffix not in possible:
        ending = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        hint = f" ({UNWRITTEN[path.suffix]})" if path.suffix in UNWRITTEN else ""
        raise FormatError(f"{path} {ending}; it must be {listed(possible)}{hint}")
    if path.suffix == ".mp4" and find_spec("imageio_ffmpeg") is None:
        raise FormatError(f'{path} needs ffmpeg: python -m pip install "imageio-ffmpeg>=0.5", or write a .gif')


def listed(endings: Sequence[str]) -> str:
    """``.a, .b or .c``"""
    return " or ".join([", ".join(endings[:-1]), endings[-1]] if len(endings) > 1 else endings)


def write(path: Path, take: Take, character: Character | None = None) -> None:
    """Write a take to a file whose ending is one of ``ENDINGS``; folders on the way to it are made.

    A ``character``, which only .glb has room for, takes the mannequin's place. FormatError for an ending that cannot be
    written; OSError when the file cannot.
    """
    check_ending(path, ENDINGS if character is None else CHARACTER_ENDINGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    if character is None:
        _WRITERS[path.suffix](path, take)
    else:
        from server.export.character import write_character

        write_character(path, character, take.rotations, take.root, take.fps, take.text)
