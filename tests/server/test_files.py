"""A file is replaced whole or not at all, also where a scanner holds it for a moment."""

import os
from pathlib import Path

import pytest

from server.files import write_atomically


def test_a_file_appears_and_is_replaced(tmp_path: Path):
    path = tmp_path / "weights.bin"
    for text in ("old", "new"):
        write_atomically(path, lambda temporary, text=text: temporary.write_text(text))
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "weights.bin"
    path.write_text("old")

    def half(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("held", "written"), [(2, True), (100, False)])
def test_a_target_that_is_held_is_tried_again_within_a_bound(tmp_path: Path, monkeypatch, held, written):
    path = tmp_path / "weights.bin"
    path.write_text("old")
    replace, pauses = os.replace, []

    def refusing(source: Path, target: Path) -> None:
        if len(pauses) < held:
            raise PermissionError(13, "used by another process", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refusing)
    if written:
        write_atomically(path, lambda temporary: temporary.write_text("new"), pauses.append)
        assert len(pauses) == held
    else:
        with pytest.raises(PermissionError, match="used by another process"):
            write_atomically(path, lambda temporary: temporary.write_text("new"), pauses.append)
        assert sum(pauses) < 2.0
    assert path.read_text() == ("new" if written else "old")
    assert list(tmp_path.iterdir()) == [path]
