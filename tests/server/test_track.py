"""Feet on the client's frames: locked across splices, without touching what may have been sent."""

from dataclasses import replace

import numpy as np
import pytest

from protocol.poses import Poses, contact_flags
from protocol.skeleton import default_skeleton
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.motion import Motion
from server.track import Track

FPS, RATE = 20.0, 30.0
SKELETON = default_skeleton()
FEET = list(SKELETON.feet)


def standing(frames: int, shift: float = 0.0, bend: float = 25.0, heading: float = 0.0) -> Motion:
    """Still, knees bent by twice ``bend`` degrees, both feet flat on the ground, ``shift`` metres to the left."""
    rotations = rot.identity(frames, 22)
    for side in ("left", "right"):
        for joint, degrees in (("hip", -bend), ("knee", 2 * bend), ("ankle", -bend)):
            turn = rot.from_axis_angle(np.array(rot.AXES["X"]), np.full(frames, np.radians(degrees)))
            rotations[:, SKELETON.index(f"{side}_{joint}")] = turn
    rotations[:, 0] = rot.about_y(np.full(frames, heading))
    height = 0.085 + 0.79 * np.cos(np.radians(bend)) + 0.08
    root = np.tile([shift, height, 0.0], (frames, 1))
    contacts = np.ones((frames, 4), dtype=bool)
    return Motion(root, rotations, contacts, np.zeros((frames, 3)), np.full(frames, heading))


def shown(track: Track, first: int = 0, end: int | None = None) -> Poses:
    """Client frames ``first`` to ``end``, or all."""
    return track.poses(first, track.reach(end if end is not None else 10_000))


def feet_of(track: Track, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 4, 3) and contacts (n, 4) of the feet that the client gets."""
    poses = shown(track, first)
    joints = kinematics.positions(poses.rotations.astype(float), poses.root.astype(float), SKELETON)
    return joints[:, FEET], contact_flags(poses.contacts).astype(bool)


def spliced(foot_lock: bool) -> Track:
    """Stands; from model frame 20 on it stands 8 cm further to the left and deeper, planned without a step."""
    track = Track(FPS, RATE, 0.1, foot_lock=foot_lock)
    track.splice(0, standing(40))
    track.splice(20, standing(60, shift=0.08, bend=35.0, heading=0.1))
    return track


def test_planted_feet_stay_while_a_difference_decays():
    slides = {}
    for foot_lock in (False, True):
        feet, contacts = feet_of(spliced(foot_lock))
        assert contacts.all()
        slides[foot_lock] = np.linalg.norm((feet - feet[0])[..., [0, 2]], axis=-1).max()
    assert slides[False] > 0.06
    assert slides[True] < 0.002


@pytest.mark.parametrize("at", [12, 21, 30])
def test_a_new_future_changes_no_frame_before_it(at):
    track = spliced(True)
    first = track.first_frame(at)
    before = shown(track, 0, first)
    kept = [array.copy() for array in (before.root, before.rotations, before.contacts)]
    track.splice(at, standing(50, shift=-0.1, heading=-0.2))
    after = shown(track, 0, first)
    for old, new in zip(kept, (after.root, after.rotations, after.contacts), strict=True):
        np.testing.assert_array_equal(new, old)
    feet, contacts = feet_of(track, max(0, first - 1))
    assert contacts.all()
    np.testing.assert_allclose(
        feet[..., [0, 2]], np.broadcast_to(feet[0][:, [0, 2]], feet[..., [0, 2]].shape), atol=2e-3
    )


def test_a_stretch_appended_goes_on_with_the_same_locks():
    whole, parts = Track(FPS, RATE, 0.1), Track(FPS, RATE, 0.1)
    first = standing(21)
    drift = standing(80)
    drift.root[:, 0] += 0.002 * np.arange(80)
    whole.splice(0, first)
    parts.splice(0, first)
    whole.splice(21, drift)
    parts.splice(21, drift[:40])
    parts.splice(61, drift[40:])
    np.testing.assert_allclose(shown(parts, 0, 140).rotations, shown(whole, 0, 140).rotations, atol=1e-5)
    np.testing.assert_allclose(shown(parts, 0, 140).root, shown(whole, 0, 140).root, atol=1e-5)


def test_what_the_model_continues_from_is_not_locked():
    locked, planned = spliced(True), spliced(False)
    for track in (locked, planned):
        track.forget(60, 10)
    ours, plain = locked.context(50, 10), planned.context(50, 10)
    np.testing.assert_array_equal(ours.root, plain.root)
    np.testing.assert_array_equal(ours.rotations, plain.rotations)


def test_forgetting_keeps_the_locks():
    forgetful, whole = spliced(True), spliced(True)
    forgetful.forget(60, 10)
    for track in (forgetful, whole):
        track.splice(60, standing(40, shift=0.12))
    first = forgetful.first_frame(60) - 3
    np.testing.assert_array_equal(
        shown(forgetful, first, first + 40).rotations, shown(whole, first, first + 40).rotations
    )


def test_on_the_spot_the_feet_are_free():
    locked, planned = (Track(FPS, RATE, 0.1, foot_lock=on) for on in (True, False))
    drift = standing(80)
    drift.root[:, 0] += 0.002 * np.arange(80)
    for track in (locked, planned):
        track.set_travel(0, False)
        track.splice(0, drift)
    ours, plain = shown(locked, 0, 100), shown(planned, 0, 100)
    np.testing.assert_array_equal(ours.rotations, plain.rotations)
    np.testing.assert_array_equal(ours.contacts, plain.contacts)
    np.testing.assert_allclose(ours.root[:, 0], ours.root[0, 0], atol=1e-6)


@pytest.mark.parametrize("foot_lock", [False, True])
def test_no_foot_is_shown_under_the_floor(foot_lock):
    at_once, bit_by_bit = (Track(FPS, RATE, 0.1, foot_lock=foot_lock) for _ in range(2))
    deep = standing(80, shift=0.05)
    deep.root[:, 1] -= 0.12 * np.sin(np.pi * np.arange(80) / 79) ** 2
    for track in (at_once, bit_by_bit):
        track.splice(0, standing(20))
        track.splice(20, deep)
    for end in range(1, 140):
        bit_by_bit.reach(end)
    for name in ("root", "rotations"):
        np.testing.assert_array_equal(getattr(shown(bit_by_bit, 0, 140), name), getattr(shown(at_once, 0, 140), name))
    assert feet_of(at_once)[0][..., 1].min() > -0.02


def test_what_is_shown_does_not_depend_on_when_it_is_asked_for():
    at_once, bit_by_bit = (Track(FPS, RATE, 0.1) for _ in range(2))
    flickering = standing(80, shift=0.05, heading=0.1)
    flickering.contacts[20:80:7] = False
    for track in (at_once, bit_by_bit):
        track.splice(0, standing(20))
        track.splice(20, flickering)
    for end in range(1, 140):
        bit_by_bit.reach(end)
    ours, theirs = shown(at_once, 0, 140), shown(bit_by_bit, 0, 140)
    np.testing.assert_array_equal(ours.rotations, theirs.rotations)
    np.testing.assert_array_equal(ours.contacts, theirs.contacts)


def test_the_model_gets_its_features_back_as_float32_over_every_splice():
    track = Track(FPS, RATE, 0.1)
    features = np.random.default_rng(1).normal(size=(60, 3))
    for at in (0, 40):
        track.splice(at, replace(standing(60), features=features))
    context = track.context(50, 20)
    assert context is not None
    assert context.features.dtype == np.float32
    wanted = np.concatenate([features[30:40], features[:10]])
    np.testing.assert_array_equal(context.features, wanted.astype(np.float32))
