"""One motion to every kind of file, by its ending; what the pictures show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from characters import character, played, rig
from PIL import Image
from synthetic import SKELETON, positions_of, walker

from server.export import formats, video
from server.export.canvas import PAPER, Camera, Canvas
from server.export.character import read_character
from server.export.contact_sheet import contact_sheet
from server.export.formats import ENDINGS, FormatError
from server.export.mannequin import PART_COLOURS
from server.export.npz import read_npz
from server.export.raster import rasterize
from server.export.take import Take
from server.motion import rotation as rot
from server.motion.bvh import read_bvh

FPS = 20.0


def take(frames: int = 6, fps: float = FPS, **walk: float) -> Take:
    rotations, root = walker(frames=frames, **walk)
    contacts = np.random.default_rng(0).random((frames, 4)) > 0.5
    return Take(root, rotations, contacts, fps, ((0, "a person walks"), (4, "then waves")))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Films of few pixels."""
    monkeypatch.setattr(video, "MP4_SIZE", (160, 120))
    monkeypatch.setattr(video, "GIF_SIZE", (160, 120))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_is_written_whole_and_alone(ending: str, tmp_path: Path):
    path = tmp_path / "new" / f"walk{ending}"
    formats.write(path, take())
    begins = {".bvh": b"HIERARCHY", ".glb": b"glTF", ".npz": b"PK", ".gif": b"GIF89a", ".png": b"\x89PNG"}
    data = path.read_bytes()
    assert data.startswith(begins.get(ending, data[:4] + b"ftyp"))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_files_hold_the_same_motion(tmp_path: Path):
    made = take(frames=12, heading=1.0)
    for ending in (".bvh", ".npz", ".glb"):
        formats.write(tmp_path / f"walk{ending}", made)
    archive = read_npz(tmp_path / "walk.npz", SKELETON)
    assert (archive.fps, archive.text) == (FPS, "a person walks; then waves")
    np.testing.assert_array_equal(archive.contacts, made.contacts)
    clip, transforms = read_bvh(tmp_path / "walk.bvh"), played(tmp_path / "walk.glb")[0]
    in_bvh = clip.forward()[0] / 100.0
    for joint, name in enumerate(SKELETON.names):
        np.testing.assert_allclose(in_bvh[:, clip.names.index(name)], archive.positions[:, joint], atol=1e-4)
        np.testing.assert_allclose(transforms[name][:, :3, 3], archive.positions[:, joint], atol=1e-4)


def test_a_character_takes_the_mannequins_place(tmp_path: Path):
    character(rig("mixamo")).write(tmp_path / "character.glb")
    found = read_character(tmp_path / "character.glb")
    formats.write(tmp_path / "walk.glb", take(), found)
    assert "mixamorig:Hips" in played(tmp_path / "walk.glb")[0]
    with pytest.raises(FormatError, match=r"walk.bvh ends in '.bvh'; it must be .glb"):
        formats.write(tmp_path / "walk.bvh", take(), found)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("walk.fbx", r"ends in '.fbx'; it must be .bvh, .glb, .npz, .mp4, .gif or .png \(there is no free library"),
        ("walk.gltf", r"ends in '.gltf'; .* \(write .glb, which is the same in one file\)"),
        ("walk.abc", r"ends in '.abc'; it must be .* or .png$"),
        ("walk", "has no ending; it must be"),
    ],
)
def test_an_unknown_ending_is_told_the_known_ones(name: str, message: str, tmp_path: Path):
    with pytest.raises(FormatError, match=message):
        formats.write(tmp_path / name, take())
    assert list(tmp_path.iterdir()) == []


def test_a_film_without_ffmpeg_is_told_before_the_work(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(FormatError, match=r"walk.mp4 needs ffmpeg: .*imageio-ffmpeg.* or write a .gif"):
        formats.check_ending(Path("walk.mp4"))
    formats.check_ending(Path("walk.gif"))


@pytest.mark.usefixtures("small")
def test_the_film_has_every_frame_at_its_rate_and_the_sentence_in_it(tmp_path: Path):
    import imageio_ffmpeg

    formats.write(tmp_path / "walk.mp4", take(frames=9))
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "walk.mp4"))
    about = next(reader)
    assert (about["size"], about["fps"]) == ((160, 120), FPS)
    assert len(list(reader)) == 9
    assert b"a person walks; then waves" in (tmp_path / "walk.mp4").read_bytes()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("fps", "pictures"), [(20.0, 10), (60.0, 4), (30.0, 5)])
def test_a_gif_lasts_as_long_as_the_motion(fps: float, pictures: int, tmp_path: Path):
    formats.write(tmp_path / "walk.gif", take(frames=10, fps=fps))
    with Image.open(tmp_path / "walk.gif") as gif:
        waits = [gif.seek(n) or gif.info["duration"] for n in range(gif.n_frames)]
        assert (gif.n_frames, gif.info["loop"]) == (pictures, 0)
    assert sum(waits) == pytest.approx(1000.0 * 10 / fps, abs=10.0)
    assert min(waits) >= 20  # ms: viewers slow down what is faster


def test_the_camera_goes_along_and_left_is_left():
    made = take(frames=40, speed=3.0)
    standing = take(frames=40, speed=0.0)
    for motion in (made, standing):
        (picture,) = video.frames(motion, (320, 240), np.array([20]))
        pixels = np.asarray(picture).astype(int)
        columns = {}
        for side in ("left", "right"):
            red, _, blue = PART_COLOURS[side]
            hue = (pixels[..., 0] - pixels[..., 2]) * np.sign(red - blue)
            columns[side] = np.argwhere(hue > 60)[:, 1]
            assert len(columns[side]) > 30
        # Seen from the front, the figure's left is on the right.
        assert columns["left"].mean() > columns["right"].mean() + 5
        assert abs(np.concatenate(list(columns.values())).mean() - 160) < 60


def test_a_caption_changes_with_the_sentence():
    made = take(frames=6)
    assert [made.caption(frame) for frame in (0, 3, 4, 5)] == ["a person walks"] * 2 + ["then waves"] * 2
    assert Take(made.root, made.rotations, made.contacts, FPS, ((2, "late"),)).caption(0) == "late"


def test_a_sheet_has_a_row_for_each_motion(tmp_path: Path):
    contact_sheet([take(frames=20), positions_of(frames=20)], ["body", "bones"], tmp_path / "sheet.png", poses=4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    for row in np.split(pixels, 2):
        figures = np.abs(row - np.array(PAPER)).max(-1)[60:240] > 60
        filled = np.flatnonzero(figures.any(axis=0))
        assert 1 + (np.diff(filled) > 2).sum() == 4  # figures apart from each other
    with pytest.raises(ValueError, match="2 motions and 1 titles"):
        contact_sheet([take(), take()], ["one"], tmp_path / "sheet.png")


def test_the_nearer_triangle_hides_the_farther_and_backs_are_not_seen():
    square = np.array([[1.0, 1.0], [9.0, 1.0], [9.0, 9.0], [1.0, 9.0]])
    faces = np.array([[0, 2, 1], [0, 3, 2]])
    both = np.concatenate([faces, faces + 4])
    values = np.repeat([[1.0], [2.0]], 4, axis=0)
    for far_first, expected in ((True, 2.0), (False, 1.0)):
        depth = np.repeat([5.0, 3.0] if far_first else [3.0, 5.0], 4)
        covered, drawn = rasterize(np.concatenate([square, square]), depth, both, values, (12, 10))
        assert set(covered.tolist()) == {row * 12 + column for row in range(1, 9) for column in range(1, 9)}
        np.testing.assert_allclose(drawn, expected)
    nothing, _ = rasterize(square, np.zeros(4), faces[:, ::-1], values[:4], (12, 10))
    assert len(nothing) == 0
    behind, _ = rasterize(square, np.zeros(4), faces[:, ::-1], values[:4], (12, 10), both_sides=True)
    assert len(behind) == 64


def test_values_run_evenly_across_a_triangle():
    points = np.array([[0.0, 0.0], [0.0, 20.0], [20.0, 0.0]])
    covered, drawn = rasterize(points, np.zeros(3), np.array([[0, 1, 2]]), points, (20, 20))
    middles = np.stack([covered % 20, covered // 20], axis=-1) + 0.5
    np.testing.assert_allclose(drawn, middles, atol=1e-9)


@pytest.mark.parametrize("distance", [None, 5.0])
def test_a_camera_puts_its_target_in_the_middle_and_near_things_before_far_ones(distance: float | None):
    camera = Camera(np.array([1.0, 0.9, 2.0]), np.radians(30.0), np.radians(10.0), 100.0, distance)
    towards = np.array([np.sin(np.radians(30.0)), 0.0, np.cos(np.radians(30.0))])
    side = rot.mul_vec(rot.about_y(np.array(np.pi / 2)), towards)
    points, depth = camera.project(camera.target + np.stack([0 * side, side, towards, [0.0, 1.0, 0.0]]), (200, 100))
    np.testing.assert_allclose(points[0], [100.0, 50.0])
    np.testing.assert_allclose(points[1], [200.0, 50.0], atol=1e-6)
    assert depth[2] < depth[0]
    assert points[3, 1] < 0 < points[2, 1]


def test_long_text_goes_on_below():
    canvas = Canvas((200, 120))
    canvas.text((10, 10), "a person walks forward, then turns around and waves with both hands", 12)
    rows = np.flatnonzero((np.asarray(canvas.finished()) < 128).all(-1).any(axis=1))
    assert rows.max() - rows.min() > 30
    assert not (np.asarray(canvas.finished()) < 128).all(-1)[:, 195:].any()
