"""The cache folder with everything that was downloaded: installing a published model into it, and checking it later."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.cache import EMBEDDED, clip_path
from server.files import write_atomically
from server.hub.archive import unpack
from server.hub.catalogue import BY_NAME, CLIP, Download, Entry
from server.hub.download import DownloadError, Remedy, download, sha256_of

INSTALLED = "installed.json"


class StoreError(RuntimeError):
    """Something in the cache folder that is not as it must be; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """Where a download is taken from instead of the authors' address: another ``url``, or a ``file`` that is there already.

    ``sha256`` is what the file must have; ``renew`` forgets the checksum of an earlier download.
    """

    url: str | None = None
    file: Path | None = None
    sha256: str | None = None
    renew: bool = False


class Store:
    """One cache folder. Nothing is made in it before something is put there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """Where the model ``name`` lives, whether it is there or not."""
        return EMBEDDED if BY_NAME[name].archive is None else self.root / "models" / name

    def installed(self, name: str) -> bool:
        """Whether a model is on this machine."""
        return BY_NAME[name].archive is None or (self.folder(name) / INSTALLED).is_file()

    def record(self, name: str) -> dict[str, Any]:
        """What was noted when the model was installed: ``archive`` and its ``sha256``, ``source``, ``files`` and theirs."""
        return _read_json(self.folder(name) / INSTALLED)

    def accepted(self, entry: Entry) -> bool:
        """Whether these very terms were accepted before."""
        return _read_json(self.root / "accepted.json").get(entry.name) == _digest(entry.terms)

    def accept(self, entry: Entry) -> None:
        """Remember that the terms were accepted."""
        self._note("accepted.json", entry.name, _digest(entry.terms))

    def checksum(self, file: Download) -> str | None:
        """The SHA-256 a file must have: the published one, or that of the first download, if there was one."""
        known = file.sha256 or _read_json(self.root / "checksums.json").get(file.file)
        return str(known) if known else None

    def fetch(
        self, file: Download, source: Source, option: str, pause: Callable[[float], object] = time.sleep
    ) -> tuple[Path, str]:
        """The file on this disk and its SHA-256, downloaded unless ``source`` has it; ``option`` would hand it over.

        DownloadError when it cannot be had or is not the one that it must be.
        """
        if source.file is not None:
            if not source.file.is_file():
                raise DownloadError(f"{source.file} is not a file; name the archive from {file.page}")
            path = source.file
        else:
            path = self.root / "downloads" / file.file
            if not path.is_file():
                download(source.url or file.url, path, Remedy(file.page, option), file.limit, pause=pause)
        try:
            return path, self._check(file, path, source)
        except DownloadError:
            if source.file is None:
                path.unlink(missing_ok=True)
            raise

    def _check(self, file: Download, path: Path, source: Source) -> str:
        found = sha256_of(path)
        known = None if source.renew and file.sha256 is None else self.checksum(file)
        for wanted, whose in ((source.sha256, "--sha256 says"), (known, self._whose(file))):
            if wanted is not None and found != wanted.lower():
                remedy = "" if file.sha256 or wanted is source.sha256 else "; if you trust it, pass --new-checksum"
                raise DownloadError(
                    f"{path} has SHA-256 {found}, but {whose} {wanted}: it is damaged or another file{remedy}"
                )
        return found

    def _whose(self, file: Download) -> str:
        return "its publisher names" if file.sha256 else f"the first {file.file} on this machine had"

    def install(
        self,
        entry: Entry,
        source: Source,
        say: Callable[[str], object] = print,
        *,
        keep: bool = False,
        pause: Callable[[float], object] = time.sleep,
    ) -> Path:
        """Bring a published model onto this machine as a bundle and return its folder, replaced only when the new one is whole.

        ``keep`` leaves the downloaded archive in place. Raises DownloadError, ArchiveError or CheckpointError.
        """
        from server.models.checkpoint import load_bundle

        assert entry.archive is not None
        known = self.checksum(entry.archive)
        path, sha256 = self.fetch(entry.archive, source, "--archive FILE", pause)
        say(_checksum_line(entry.archive, sha256, known, source))
        (self.root / "models").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.root, prefix="unpack-") as scratch:
            unpacked, bundle = Path(scratch, "archive"), Path(scratch, "bundle")
            unpacked.mkdir()
            unpack(path, unpacked)
            say("converting ...")
            convert(unpacked, bundle)
            load_bundle(bundle)
            files = {file.name: sha256_of(file) for file in sorted(bundle.iterdir())}
            record = {
                "model": entry.name,
                "archive": entry.archive.file,
                "sha256": sha256,
                "source": str(source.file or source.url or entry.archive.url),
                "files": files,
            }
            _write_json(bundle / INSTALLED, record)
            self._put(bundle, self.folder(entry.name), Path(scratch, "old"))
        self._note("checksums.json", entry.archive.file, sha256)
        if source.file is None and not keep:
            path.unlink()
        return self.folder(entry.name)

    def install_clip(
        self, source: Source, say: Callable[[str], object] = print, pause: Callable[[float], object] = time.sleep
    ) -> Path:
        """Bring CLIP's weights onto this machine, unless they are there. Raises DownloadError."""
        target = clip_path(self.root)
        if target.is_file() and source.file is None:
            return target
        path, sha256 = self.fetch(CLIP, source, "--clip FILE", pause)
        say(_checksum_line(CLIP, sha256, self.checksum(CLIP), source))
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.file is not None:
            write_atomically(target, lambda partial: shutil.copyfile(path, partial))
        else:
            os.replace(path, target)
        return target

    def verify(self, name: str) -> list[str]:
        """What is wrong with an installed model, one line each: changed files, and weights that do not load."""
        from server.models.checkpoint import CheckpointError, load_bundle
        from server.models.text import load_embedded_text

        folder = self.folder(name)
        faults = []
        for file, wanted in self.record(name).get("files", {}).items():
            path = folder / file
            if not path.is_file():
                faults.append(f"{path} is missing")
            elif sha256_of(path) != wanted:
                faults.append(f"{path} is not as it was installed")
        try:
            load_bundle(folder)
            if BY_NAME[name].text_encoder == "embedded":
                load_embedded_text(folder)
        except CheckpointError as error:
            faults.append(str(error))
        clip = clip_path(self.root)
        if BY_NAME[name].text_encoder == "clip" and clip.is_file() and sha256_of(clip) != CLIP.sha256:
            faults.append(f"{clip} is not OpenAI's file")
        return faults

    def _put(self, bundle: Path, target: Path, old: Path) -> None:
        """A whole new folder in the place of the old one; ``old`` is where that goes to be deleted."""
        if target.exists():
            target.rename(old)
        bundle.rename(target)

    def _note(self, file: str, key: str, value: str) -> None:
        _write_json(self.root / file, _read_json(self.root / file) | {key: value})


def convert(source: Path, target: Path, name: str | None = None, half: bool = False) -> None:
    """A folder in the layout of the published checkpoints as a bundle; CheckpointError says why it cannot be."""
    import torch

    from server.models.original import convert_original

    convert_original(checkpoint_root(source), target, torch.float16 if half else torch.float32, name)


def checkpoint_root(folder: Path) -> Path:
    """The one folder at or below ``folder`` whose folders have an ``opt.txt`` each; StoreError when it is not one."""
    roots = sorted({path.parent.parent for path in folder.rglob("opt.txt")})
    if len(roots) != 1:
        found = ", ".join(str(root.relative_to(folder)) for root in roots) or "none"
        raise StoreError(
            f"{folder} must hold the folders of one checkpoint, each with an opt.txt (found: {found}); "
            "give the path to checkpoints/t2m or checkpoints/kit"
        )
    return roots[0]


def _checksum_line(file: Download, sha256: str, known: str | None, source: Source) -> str:
    if file.sha256:
        return f"{file.file}: SHA-256 {sha256}, as its publisher names it"
    if source.sha256:
        return f"{file.file}: SHA-256 {sha256}, as you asked for"
    if known == sha256:
        return f"{file.file}: SHA-256 {sha256}, the same as at the first download"
    return (
        f"{file.file}: SHA-256 {sha256}. Its authors publish none to compare it with; it is recorded, and later downloads "
        "must be the same"
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file, empty when there is none; StoreError when the file holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); delete it") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} holds no table; delete it")
    return content


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))
