"""Downloads from a real web server on this machine that breaks off, changes, refuses and lies."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from web import Site, serving

from server.hub import download as module
from server.hub.download import ATTEMPTS, DownloadError, Remedy, download, sha256_of

CONTENT = b"PK\x03\x04" + random.Random(0).randbytes(300_000)
REMEDY = Remedy("https://example.org/page", "--archive FILE")
LIMIT = 1 << 20


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/model.zip": CONTENT})) as site:
        yield site


def get(site: Site, target: Path, limit: int = LIMIT, path: str = "/model.zip") -> list[float]:
    pauses: list[float] = []
    download(site.url + path, target, REMEDY, limit, pause=pauses.append)
    return pauses


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_leaves_nothing_beside_it(site: Site, tmp_path: Path):
    assert get(site, tmp_path / "new" / "model.zip") == []
    assert (tmp_path / "new" / "model.zip").read_bytes() == CONTENT
    assert only(tmp_path / "new") == ["model.zip"]
    assert len(sha256_of(tmp_path / "new" / "model.zip")) == 64


def test_a_connection_dropped_in_the_middle_is_taken_up_again(site: Site, tmp_path: Path):
    site.cuts = [100_000, 50_000, 0, None]
    assert len(get(site, tmp_path / "model.zip")) == 3
    assert (tmp_path / "model.zip").read_bytes() == CONTENT
    assert site.requests == ["", "bytes=100000-", "bytes=150000-", "bytes=150000-"]


def test_without_a_length_a_file_comes_too(site: Site, tmp_path: Path):
    site.lengths = False
    get(site, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


def test_the_next_call_goes_on_after_an_interruption(site: Site, tmp_path: Path, monkeypatch):
    site.cuts = [120_000]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(f"{site.url}/model.zip", tmp_path / "model.zip", REMEDY, LIMIT, pause=interrupt)
    assert (tmp_path / "model.zip.part").stat().st_size == 120_000
    get(site, tmp_path / "model.zip")
    assert site.requests[-1] == "bytes=120000-"
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


def interrupted(site: Site, target: Path) -> None:
    site.cuts = [120_000] + [0] * ATTEMPTS
    with pytest.raises(
        DownloadError, match=r"broke off 5 times at 120000 bytes .* goes on from there, or get the file"
    ):
        get(site, target)


def test_it_gives_up_after_tries_without_a_byte_and_keeps_the_part(site: Site, tmp_path: Path):
    interrupted(site, tmp_path / "model.zip")
    assert (tmp_path / "model.zip.part").stat().st_size == 120_000


@pytest.mark.parametrize("etag", ['"2"', None])
def test_a_file_that_has_changed_starts_again(site: Site, tmp_path: Path, etag):
    interrupted(site, tmp_path / "model.zip")
    site.etag = etag
    site.files["/model.zip"] = CONTENT[:4] + CONTENT[4:][::-1] + b"more"
    get(site, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == site.files["/model.zip"]


def test_a_server_without_ranges_starts_again(site: Site, tmp_path: Path):
    interrupted(site, tmp_path / "model.zip")
    site.ranges = False
    get(site, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_taken_up(site: Site, tmp_path: Path):
    interrupted(site, tmp_path / "model.zip")
    site.files["/mirror.zip"] = CONTENT[:4] + b"mirror"
    get(site, tmp_path / "model.zip", path="/mirror.zip")
    assert (tmp_path / "model.zip").read_bytes() == CONTENT[:4] + b"mirror"


def test_a_part_that_is_whole_is_taken_as_it_is(site: Site, tmp_path: Path):
    interrupted(site, tmp_path / "model.zip")
    (tmp_path / "model.zip.part").write_bytes(CONTENT)
    get(site, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path):
    site.status = [503, 429]
    assert len(get(site, tmp_path / "model.zip")) == 2
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("answer", [b"", b"no HTTP at all\r\n\r\n"])
def test_a_server_that_hangs_up_or_talks_nonsense_is_asked_again(site: Site, tmp_path: Path, answer):
    site.answers = [answer, answer]
    assert len(get(site, tmp_path / "model.zip")) == 2
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


def test_a_length_that_is_no_number_is_as_good_as_none(site: Site, tmp_path: Path):
    site.answers = [b"HTTP/1.0 200 OK\r\nContent-Type: application/zip\r\nContent-Length: many\r\n\r\n" + CONTENT]
    assert get(site, tmp_path / "model.zip") == []
    assert (tmp_path / "model.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (b"<html><title>Google Drive - Quota exceeded</title>", "too many people have downloaded it today"),
        (b"<html>can't scan this file for viruses", "asks for a confirmation"),
        (b"<!doctype html><p>Sign in", "gives a web page, not the file"),
    ],
)
def test_a_web_page_in_place_of_the_file_is_told(site: Site, tmp_path: Path, page, why):
    site.files["/model.zip"], site.content_type = page, "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match=why) as caught:
        get(site, tmp_path / "model.zip")
    assert "get the file with a browser from https://example.org/page and pass it with --archive FILE" in str(
        caught.value
    )
    assert not (tmp_path / "model.zip").exists()


def test_something_else_in_place_of_the_file_is_told_and_thrown_away(site: Site, tmp_path: Path):
    site.files["/model.zip"] = b"not an archive"
    with pytest.raises(DownloadError, match="is not a zip archive; get the file with a browser"):
        get(site, tmp_path / "model.zip")
    assert only(tmp_path) == []


def test_a_missing_file_is_told_with_the_remedy(site: Site, tmp_path: Path):
    with pytest.raises(DownloadError, match=r"answers HTTP 404 .*; get the file with a browser"):
        get(site, tmp_path / "model.zip", path="/gone.zip")


@pytest.mark.parametrize("lengths", [True, False])
def test_more_bytes_than_accepted_are_refused(site: Site, tmp_path: Path, lengths):
    site.lengths = lengths
    with pytest.raises(DownloadError, match=r"at most 1000|more than 1000 bytes"):
        get(site, tmp_path / "model.zip", limit=1000)
    assert only(tmp_path) == []


def test_no_network_is_told_with_the_remedy(tmp_path: Path):
    with serving(Site()) as site:
        url = site.url
    with pytest.raises(
        DownloadError, match=r"127.0.0.1 cannot be reached .* is there a network\? If not, get the file"
    ):
        download(f"{url}/model.zip", tmp_path / "model.zip", REMEDY, LIMIT)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "model.zip", "ftp://example.org/model.zip"])
def test_only_web_addresses_are_taken(tmp_path: Path, url):
    with pytest.raises(DownloadError, match="is not an http or https address"):
        download(url, tmp_path / "model.zip", REMEDY, LIMIT)


def test_a_full_disk_is_told_before_it_is_full(site: Site, tmp_path: Path, monkeypatch):
    usage = module.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"300004 more bytes do not fit .*, 1000 are free"):
        get(site, tmp_path / "model.zip")
