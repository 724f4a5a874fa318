"""Motion archives: what is written is read back, and what is not such an archive is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import SKELETON, positions_of, walker

from server.export.npz import NpzError, NpzMotion, read_npz, to_npz_motion, write_npz


@pytest.fixture
def motion() -> NpzMotion:
    rotations, root = walker(frames=30, heading=2.0, turn=1.0)
    contacts = np.random.default_rng(0).random((30, 4)) > 0.5
    return to_npz_motion(root, rotations, contacts, SKELETON, 20.0, "a person walks, d\u00e9cid\u00e9")


def test_the_stored_types_and_positions(motion: NpzMotion):
    types = {
        name: (array.dtype, array.shape) for name, array in motion._asdict().items() if name not in ("fps", "text")
    }
    assert types == {
        "positions": (np.float32, (30, 22, 3)),
        "rotations": (np.float32, (30, 22, 4)),
        "root": (np.float32, (30, 3)),
        "contacts": (np.uint8, (30, 4)),
    }
    np.testing.assert_allclose(motion.positions, positions_of(frames=30, heading=2.0, turn=1.0), atol=1e-5)


def test_a_round_trip_is_bit_identical(motion: NpzMotion, tmp_path: Path):
    path = tmp_path / "walk.npz"
    write_npz(path, motion)
    again = read_npz(path, SKELETON)
    for name in ("positions", "rotations", "root", "contacts"):
        assert getattr(again, name).tobytes() == getattr(motion, name).tobytes()
    assert (again.fps, again.text) == (motion.fps, motion.text)
    with np.load(path, allow_pickle=False) as archive:
        assert set(archive.files) == set(NpzMotion._fields)
    assert [file.name for file in tmp_path.iterdir()] == ["walk.npz"]


def test_a_write_that_fails_leaves_the_old_file(motion: NpzMotion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "walk.npz"
    write_npz(path, motion)

    def half(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(OSError, match="no space"):
        write_npz(path, motion)
    monkeypatch.undo()
    assert read_npz(path, SKELETON).text == motion.text
    assert [file.name for file in tmp_path.iterdir()] == ["walk.npz"]


def bad(name: str, value: object):
    return lambda motion: motion._asdict() | {name: value}


def spoilt(name: str, index: tuple[int, ...], value: float):
    def change(motion: NpzMotion) -> dict:
        arrays = {key: np.array(array) for key, array in motion._asdict().items()}
        arrays[name][index] = value
        return arrays

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda motion: {"root": motion.root, "fps": 20.0}, "arrays positions, rotations, contacts, text are missing"),
        (bad("positions", np.zeros((30, 21, 3))), r"positions is float64 \(30, 21, 3\), expected .*\(30, 22, 3\)"),
        (bad("rotations", np.zeros((29, 22, 4))), r"rotations is float64 \(29, 22, 4\), expected .*\(30, 22, 4\)"),
        (bad("root", np.float32(1.0)), r"root is float32 \(\), expected"),
        (bad("contacts", np.full((30, 4), "yes")), r"contacts is <U3 \(30, 4\), expected numbers"),
        (bad("fps", np.array([20.0])), r"fps is float64 \(1,\), expected"),
        (bad("fps", 0.0), "30 frames at 0 frames per second; both must be above 0"),
        (bad("fps", np.nan), "fps holds values that are not finite"),
        (spoilt("root", (3, 1), np.inf), "root holds values that are not finite"),
        (spoilt("rotations", (3, 1), 0.0), "rotations are not unit quaternions"),
        (bad("text", np.array([{"a": 1}], dtype=object)), "is damaged: Object arrays cannot be loaded"),
        (lambda motion: {key: np.array(value)[:0] for key, value in motion._asdict().items() if key not in ("fps", "text")}
         | {"fps": 20.0, "text": ""}, "0 frames at 20 frames per second"),
    ],
)  # fmt: skip
def test_an_archive_of_something_else_is_named(motion: NpzMotion, tmp_path: Path, change, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **change(motion))
    with pytest.raises(NpzError, match=message) as raised:
        read_npz(path, SKELETON)
    assert "bad.npz" in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"HIERARCHY", b"PK\x03\x04 half"])
def test_a_file_that_is_no_archive_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(NpzError, match=r"bad\.npz is not an \.npz archive"):
        read_npz(tmp_path / "bad.npz", SKELETON)


def test_a_cut_and_a_damaged_archive_are_named(motion: NpzMotion, tmp_path: Path):
    path = tmp_path / "walk.npz"
    write_npz(path, motion)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NpzError, match=r"walk\.npz is not an \.npz archive"):
        read_npz(path, SKELETON)
    path.write_bytes(whole[:400] + bytes(20) + whole[420:])
    with pytest.raises(NpzError, match=r"walk\.npz is damaged"):
        read_npz(path, SKELETON)


def test_no_file_is_named(tmp_path: Path):
    with pytest.raises(NpzError, match=r"none\.npz cannot be read: No such file"):
        read_npz(tmp_path / "none.npz", SKELETON)
