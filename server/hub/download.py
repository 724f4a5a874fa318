"""Downloads that go on where they were interrupted: by the network, by Ctrl-C, or yesterday."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from server.files import write_atomically

CHUNK = 1 << 18
ATTEMPTS = 5  # in a row without a single new byte
TIMEOUT_S = 30.0
_PAUSES_S = (1.0, 2.0, 5.0, 10.0)
_PAGE_BYTES = 1 << 16
_MAGIC = b"PK\x03\x04"  # a zip, and so are the files of torch


class DownloadError(RuntimeError):
    """A file that cannot be had; the message names the address, the cause and the remedy."""


@dataclass(frozen=True)
class Remedy:
    """What to do about a file that does not come: ``page`` to get it with a browser, ``option`` to hand it over."""

    page: str
    option: str

    def __str__(self) -> str:
        return f"get the file with a browser from {self.page} and pass it with {self.option}"


class _Interrupted(Exception):  # noqa: N818 - never leaves this module
    """The connection broke; what has come so far is kept."""


@dataclass
class _Part:
    """What has come so far: the file, and of which version of which address it is."""

    path: Path
    url: str
    validator: str = ""
    total: int = 0

    @property
    def notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @classmethod
    def at(cls, path: Path, url: str) -> _Part:
        """The part of an earlier try, if it is of the same address; else an empty one."""
        part = cls(path, url)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            notes = json.loads(part.notes.read_text(encoding="utf-8"))
            if notes["url"] == url:
                part.validator, part.total = str(notes["validator"]), int(notes["total"])
                return part
        path.unlink(missing_ok=True)
        return part

    def note(self) -> None:
        text = json.dumps({"url": self.url, "validator": self.validator, "total": self.total})
        write_atomically(self.notes, lambda path: path.write_text(text, encoding="utf-8"))

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    remedy: Remedy,
    limit: int,
    *,
    pause: Callable[[float], object] = time.sleep,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Bring the zip-like file at ``url`` (http or https) to ``target``, going on with ``target``.part if that is there.

    DownloadError when it cannot be had, is a web page instead, is no zip, or has more than ``limit`` bytes. A broken
    connection is tried again; KeyboardInterrupt leaves the part for the next call. ``pause`` waits for so many seconds.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url} is not an http or https address; give --url one, or a file with {remedy.option}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part.at(target.with_name(f"{target.name}.part"), url)
    failures = 0
    with tqdm(
        total=part.total or None, initial=part.size, unit="B", unit_scale=True, unit_divisor=1024, desc=target.name,
        disable=None,
    ) as bar:  # fmt: skip
        while True:
            before = part.size
            try:
                _fetch(part, remedy, limit, timeout_s, bar)
                break
            except _Interrupted as error:
                failures = 0 if part.size > before else failures + 1
                if failures >= ATTEMPTS:
                    raise DownloadError(
                        f"{target.name} broke off {failures} times at {part.size} bytes ({error}); the same command goes "
                        f"on from there, or {remedy}"
                    ) from error
                pause(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
    with part.path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            part.discard()
            raise DownloadError(f"what came from {url} is not a zip archive; {remedy}")
    os.replace(part.path, target)
    part.discard()


def _fetch(part: _Part, remedy: Remedy, limit: int, timeout_s: float, bar: Any) -> None:
    """One request for what is missing; returns when the file is whole."""
    have = part.size
    headers = {"User-Agent": "motionbridge", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.validator:
            headers["If-Range"] = part.validator
    try:
        answer = urllib.request.urlopen(urllib.request.Request(part.url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        _refused(error, part, remedy)
        return
    except urllib.error.URLError as error:
        raise DownloadError(
            f"{urlsplit(part.url).hostname} cannot be reached ({error.reason}): is there a network? If not, {remedy}"
        ) from error
    except (http.client.HTTPException, OSError) as error:
        raise _Interrupted(str(error) or type(error).__name__) from error
    with answer:
        total = _begin(answer, part, have, remedy)
        if total > limit:
            part.discard()
            raise DownloadError(f"{part.url} has {total} bytes; at most {limit} are accepted; {remedy}")
        free = shutil.disk_usage(part.path.parent).free
        if total - part.size > free:
            raise DownloadError(
                f"{total - part.size} more bytes do not fit on the disk of {part.path}, {free} are free"
            )
        bar.total, bar.n = total or None, part.size
        bar.refresh()
        _receive(answer, part, total, limit, bar)


def _refused(error: urllib.error.HTTPError, part: _Part, remedy: Remedy) -> None:
    """A status that is an error: nothing when the part is whole already, else the exception for it."""
    with error:
        page = _start_of(error) if error.fp else b""
    if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        if part.total and part.size == part.total:
            return
        part.discard()
        raise _Interrupted("the part did not fit the file; starting again") from error
    if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
        raise _Interrupted(f"HTTP {error.code}") from error
    raise DownloadError(f"{part.url} answers HTTP {error.code} {_why(page) or error.reason}; {remedy}") from error


def _begin(answer: Any, part: _Part, have: int, remedy: Remedy) -> int:
    """Check what the answer is of, and make the part fit it; the file's whole size, 0 when the server does not tell."""
    if answer.headers.get_content_type() == "text/html":
        page = _start_of(answer)
        raise DownloadError(f"{part.url} gives a web page{_why(page) and f' ({_why(page)})'}, not the file; {remedy}")
    validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    validator = "" if validator.startswith("W/") else validator
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else 0
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        place, _, size = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        total = int(size) if size.isdigit() else 0
        if place.split("-")[0] != str(have) or (part.total and total != part.total) or validator != part.validator:
            part.discard()
            raise _Interrupted("the file has changed; starting again")
    else:
        part.path.unlink(missing_ok=True)
    part.validator, part.total = validator, total
    part.note()
    return total


def _receive(answer: Any, part: _Part, total: int, limit: int, bar: Any) -> None:
    with part.path.open("ab") as file:
        size = file.tell()
        while True:
            try:
                block = answer.read(CHUNK)
            except (http.client.HTTPException, OSError) as error:
                raise _Interrupted(str(error) or type(error).__name__) from error
            if not block:
                break
            size += len(block)
            if size > limit or (total and size > total):
                file.close()
                part.discard()
                raise DownloadError(f"{part.url} sends more than {min(limit, total or limit)} bytes; it is refused")
            file.write(block)
            bar.update(len(block))
    if size < total:
        raise _Interrupted(f"{total - size} of {total} bytes are missing")


def _start_of(answer: Any) -> bytes:
    """The beginning of a page, as far as it comes."""
    try:
        return bytes(answer.read(_PAGE_BYTES))
    except (http.client.HTTPException, OSError):
        return b""


def _why(page: bytes) -> str:
    """What a page in place of the file is about, if it is one of Google Drive's."""
    text = page.decode("utf-8", errors="replace").lower()
    if "quota" in text or "too many users" in text:
        return "too many people have downloaded it today; Google Drive lets it go again within a day"
    return "Google Drive asks for a confirmation" if "virus" in text else ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in lower-case hexadecimal digits."""
    digest, size = hashlib.sha256(), path.stat().st_size
    hidden = None if size > 64 * CHUNK else True  # None: where no one watches
    with (
        path.open("rb") as file,
        tqdm(total=size, unit="B", unit_scale=True, desc=f"checking {path.name}", disable=hidden, leave=False) as bar,
    ):
        while block := file.read(CHUNK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()
