"""The scene, as it stands on the server's side of the page."""

import numpy as np
import pytest

viser = pytest.importorskip("viser", reason="viser is not installed")

from protocol import rotation as rot  # noqa: E402
from protocol.poses import Poses  # noqa: E402
from server.preview.character import Character, SentPrompt  # noqa: E402
from server.preview.figure import ROOT  # noqa: E402
from server.preview.page import quiet_viser  # noqa: E402
from server.preview.playback import Playback  # noqa: E402
from server.preview.stage import Stage  # noqa: E402

DOWN = np.array([0.0, -1.0, 0.0])


@pytest.fixture(scope="module")
def server():
    quiet_viser()
    started = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    yield started
    started.stop()


@pytest.fixture
def stage(server):
    server.scene.reset()
    return Stage(server)


def character(name: str = "main", spawn: tuple[float, float] = (0.0, 0.0)) -> Character:
    return Character(name, spawn, (42, 111, 151), Playback(0.25))


def pose(x: float, z: float, contacts: int = 0) -> Poses:
    root = np.array([[x, 0.95, z]], dtype=np.float32)
    return Poses(root, rot.identity(1, 22).astype(np.float32), np.array([contacts], dtype=np.uint8))


def node(server, name: str):
    return server.scene.get_handle_by_name(f"{ROOT}/{name}")


def test_a_character_stands_where_its_frame_says_beside_the_others(server, stage):
    second = character("character 2", (1.4, 0.0))
    stage.update({"main": character(), "character 2": second}, set())
    stage.draw([(second, pose(2.0, 3.0))], "main", 1 / 30)
    body = node(server, "character 2/body").vertices
    assert body[:, 0].mean() == pytest.approx(2.0, abs=0.05)
    assert body[:, 2].mean() == pytest.approx(3.0, abs=0.05)
    assert node(server, "character 2").position == pytest.approx((1.4, 0.0, 0.0))
    name, ground = stage.pick(np.array([3.4, 5.0, 3.0]), DOWN)
    assert (name, ground) == ("character 2", pytest.approx((3.4, 3.0)))
    stage.update({"main": character()}, set())
    assert node(server, "character 2/body") is None
    assert stage.pick(np.array([3.4, 5.0, 3.0]), DOWN)[0] is None


def test_the_view_goes_with_the_selected_character_and_clicks_go_with_the_view(server, stage):
    one = character()
    stage.update({"main": one}, set())
    stage.draw([(one, pose(4.0, -2.0))], "main", 100.0)
    assert server.scene.get_handle_by_name(ROOT).position == pytest.approx((-4.0, 0.0, 2.0))
    assert stage.pick(np.array([0.0, 5.0, 0.0]), DOWN) == ("main", pytest.approx((4.0, -2.0)))
    assert stage.pick(np.array([1.0, 5.0, 0.0]), DOWN) == (None, pytest.approx((5.0, -2.0)))
    stage.follow = False
    stage.draw([(one, pose(9.0, 9.0))], "main", 100.0)
    assert server.scene.get_handle_by_name(ROOT).position == pytest.approx((-4.0, 0.0, 2.0))


def test_a_ray_into_the_sky_meets_no_ground_and_the_nearest_character_is_picked(stage):
    near, far = character("near", (0.0, 2.0)), character("far", (0.0, -2.0))
    stage.update({"near": near, "far": far}, set())
    eye = np.array([0.0, 1.0, 8.0])
    assert stage.pick(eye, np.array([0.0, 0.0, -1.0])) == ("near", None)
    assert stage.pick(eye, np.array([0.0, 0.3, 1.0])) == (None, None)


def test_feet_are_marked_where_they_land_until_they_lift(server, stage):
    one = character()
    stage.update({"main": one}, set())
    stage.draw([(one, pose(1.0, 1.0, contacts=0b0001))], "main", 0.1)
    marks = [node(server, f"main/contact{foot}") for foot in range(4)]
    assert [mark.visible for mark in marks] == [True, False, False, False]
    landed = tuple(marks[0].position)
    assert landed[2] == pytest.approx(1.0, abs=0.01)
    stage.draw([(one, pose(1.0, 1.2, contacts=0b1001))], "main", 0.1)
    assert tuple(marks[0].position) == landed
    assert marks[3].visible
    stage.set_visible("contacts", False)
    assert not any(mark.visible for mark in marks)
    stage.set_visible("contacts", True)
    stage.draw([(one, pose(1.0, 1.4, contacts=0b1000))], "main", 0.1)
    assert [mark.visible for mark in marks] == [False, False, False, True]


def test_words_trail_and_waypoints_follow_what_the_character_does(server, stage):
    one = character()
    stage.update({"main": one}, set())
    one.prompts["p"] = SentPrompt("a person walks", 0.0)
    one._playing = "p"
    one.path = [(0.0, 2.0), (1.0, 3.0)]
    for step in range(13):
        stage.draw([(one, pose(0.0, 0.1 * step))], "main", 1 / 30)
    assert node(server, "main/label").text == "a person walks"
    assert node(server, "main/trail").points[..., 2].max() == pytest.approx(1.2)
    assert node(server, "main/trail").points[..., 2].min() == pytest.approx(0.0)
    assert node(server, "main/waypoint1").position == pytest.approx((1.0, 0.006, 3.0))
    one.path.pop(0)
    stage.draw([(one, pose(0.0, 1.3))], "main", 1 / 30)
    assert node(server, "main/waypoint1") is None
    assert node(server, "main/waypoint0").position == pytest.approx((1.0, 0.006, 3.0))
