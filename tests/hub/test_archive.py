"""Archives that are whole, damaged and hostile."""

from __future__ import annotations

import random
import stat
import zipfile
from pathlib import Path

import pytest

from server.hub.archive import ArchiveError, unpack


def make(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "target"
    folder.mkdir(parents=True)
    return folder


def outside(tmp_path: Path, target: Path) -> list[Path]:
    """What was written beside the target."""
    return [
        path for path in tmp_path.rglob("*") if path.is_file() and target not in path.parents and path.suffix != ".zip"
    ]


def test_files_come_out_as_they_went_in_without_the_system_s_litter(tmp_path: Path, target: Path):
    archive = make(
        tmp_path / "a.zip", ("t2m/", b""), ("t2m/vq/opt.txt", b"x: 1"), ("__MACOSX/t2m/._opt.txt", b"?"), ("t2m/.DS_Store", b"?")
    )  # fmt: skip
    assert unpack(archive, target) == [target / "t2m" / "vq" / "opt.txt"]
    assert (target / "t2m" / "vq" / "opt.txt").read_bytes() == b"x: 1"


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/evil", "C:evil", "C:/evil", "..\\evil", "a\\..\\..\\evil", "//host/share/evil"],
)
def test_an_entry_that_leads_out_of_the_folder_is_refused(tmp_path: Path, target: Path, name):
    archive = make(tmp_path / "a.zip", ("good", b"1"), (name, b"evil"))
    with pytest.raises(ArchiveError, match="leads out of the folder"):
        unpack(archive, target)
    assert outside(tmp_path, target) == []
    assert list(target.iterdir()) == []


def test_a_link_is_refused(tmp_path: Path, target: Path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ArchiveError, match="is a link or a device"):
        unpack(make(tmp_path / "a.zip", (link, b"/etc")), target)


def test_two_files_of_one_name_are_refused_also_where_case_counts_not(tmp_path: Path, target: Path):
    with pytest.raises(ArchiveError, match="two files of one name"):
        unpack(make(tmp_path / "a.zip", ("opt.txt", b"1"), ("OPT.txt", b"2")), target)


def test_too_many_files_are_refused(tmp_path: Path, target: Path):
    with pytest.raises(ArchiveError, match="holds 4 files; at most 3"):
        unpack(make(tmp_path / "a.zip", *((str(n), b"") for n in range(4))), target, max_files=3)


def test_a_bomb_that_says_so_is_refused_before_it_goes_off(tmp_path: Path, target: Path):
    bomb = make(tmp_path / "a.zip", ("zeros", bytes(1 << 20)))
    assert bomb.stat().st_size < 5000
    with pytest.raises(ArchiveError, match="unpacks to 1048576 bytes; at most 100000"):
        unpack(bomb, target, max_bytes=100_000)
    assert list(target.iterdir()) == []


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path: Path, target: Path):
    bomb = make(tmp_path / "a.zip", ("zeros", bytes(1 << 20)))
    content = bomb.read_bytes()
    # The size stands in the local header and in the directory; both say 1000 now.
    bomb.write_bytes(content.replace((1 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(ArchiveError):
        unpack(bomb, target, max_bytes=100_000)
    assert sum(path.stat().st_size for path in target.rglob("*")) <= 100_000


def test_an_encrypted_entry_is_refused(tmp_path: Path, target: Path):
    archive = make(tmp_path / "a.zip", ("secret", b"1"))
    content = bytearray(archive.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="is encrypted"):
        unpack(archive, target)


def test_a_compression_that_python_does_not_know_is_no_damage(tmp_path: Path, target: Path):
    archive = make(tmp_path / "a.zip", ("weights", b"1" * 100))
    content = bytearray(archive.read_bytes())
    for header, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(header) + method] = 9  # Deflate64, as Windows packs large files
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"a\.zip is packed in a way .*; unpack it and pack it again"):
        unpack(archive, target)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_archive_is_named(tmp_path: Path, target: Path, damage):
    archive = make(tmp_path / "a.zip", ("weights", bytes(range(256)) * 40))
    content = bytearray(archive.read_bytes())
    if damage == "flipped":
        content[60] ^= 0xFF
    archive.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[damage])
    with pytest.raises(ArchiveError, match=r"a\.zip is not a whole zip archive .*; download it again"):
        unpack(archive, target)


def test_damage_under_every_compression_is_named(tmp_path: Path, target: Path):
    for number, method in enumerate((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
        path, weights = tmp_path / f"{number}.zip", random.Random(0).randbytes(3000)
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("weights", weights)
        content = bytearray(path.read_bytes())
        content[60:80] = bytes(20)
        path.write_bytes(content)
        (target / f"{number}").mkdir()
        with pytest.raises(ArchiveError, match=r"is not a whole zip archive .*; download it again"):
            unpack(path, target / f"{number}")
