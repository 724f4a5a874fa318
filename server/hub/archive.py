"""Unpacking a zip archive from somewhere else: nothing lands outside the folder, nothing fills the disk."""

from __future__ import annotations

import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm

MAX_FILES = 1000
MAX_BYTES = 4 << 30  # unpacked, all files together
_CHUNK = 1 << 18
_LEFT_OUT = ("__MACOSX", ".DS_Store")


class ArchiveError(ValueError):
    """An archive that is damaged or not to be trusted; the message names the entry and what to do."""


def unpack(archive: Path, target: Path, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> list[Path]:
    """Unpack a zip into the folder ``target`` and return the files. ArchiveError leaves parts in ``target``.

    Refused are entries that lead out of the folder (absolute, with ``..``, a drive or a backslash), links, encrypted ones,
    two of one name, more than ``max_files``, and more than ``max_bytes`` in all, whatever the archive declares.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return _unpack(opened, archive, target, max_files, max_bytes)
    except NotImplementedError as error:  # zipfile's word for compression and versions that it does not know
        raise ArchiveError(
            f"{archive} is packed in a way that Python cannot read ({error}); unpack it and pack it again as a plain zip"
        ) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk; bz2's of damaged data has no number
            raise
        raise ArchiveError(f"{archive} is not a whole zip archive ({error}); download it again") from error


def _unpack(opened: zipfile.ZipFile, archive: Path, target: Path, max_files: int, max_bytes: int) -> list[Path]:
    entries = [entry for entry in opened.infolist() if not entry.is_dir()]
    if len(entries) > max_files:
        raise ArchiveError(f"{archive} holds {len(entries)} files; at most {max_files} are accepted")
    declared = sum(entry.file_size for entry in entries)
    if declared > max_bytes:
        raise ArchiveError(f"{archive} unpacks to {declared} bytes; at most {max_bytes} are accepted")
    free = shutil.disk_usage(target if target.is_dir() else target.parent).free
    if declared > free:
        raise ArchiveError(f"{archive} unpacks to {declared} bytes, {free} are free on the disk of {target}")
    places = {entry.filename: _place(archive, entry) for entry in entries}
    if len({str(place).lower() for place in places.values()}) != len(entries):
        raise ArchiveError(f"{archive} holds two files of one name; it is refused")
    written: list[Path] = []
    left = max_bytes
    with tqdm(total=declared, unit="B", unit_scale=True, desc=f"unpacking {archive.name}", disable=None) as bar:
        for entry in entries:
            place = places[entry.filename]
            if any(part in _LEFT_OUT for part in place.parts):
                continue
            path = target / place
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, path.open("xb") as file:
                while block := source.read(_CHUNK):
                    left -= len(block)
                    if left < 0:
                        raise ArchiveError(f"{archive} unpacks to more than {max_bytes} bytes; it is refused")
                    file.write(block)
                    bar.update(len(block))
            written.append(path)
    return written


def _place(archive: Path, entry: zipfile.ZipInfo) -> Path:
    """Where an entry belongs below the target; ArchiveError when it would lie elsewhere or is no plain file."""
    # zipfile cuts names at a null and turns the system's separator into a slash; the name as stored is judged.
    name = entry.orig_filename
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or PureWindowsPath(name).drive
    if outside or ":" in name or not path.parts:
        raise ArchiveError(f"{archive}: entry {name!r} leads out of the folder; the archive is refused")
    mode = entry.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise ArchiveError(f"{archive}: entry {name!r} is a link or a device; the archive is refused")
    if entry.flag_bits & 0x1:
        raise ArchiveError(f"{archive}: entry {name!r} is encrypted; take the authors' archive as it is")
    return Path(*path.parts)
