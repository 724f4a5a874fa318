import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_bundle import write_tiny_bundle

from server.engine import Engine, load_engine, next_size, useful_threads
from server.models.checkpoint import CheckpointError
from server.motion import kinematics
from server.motion import rotation as rot
from server.motion.foot_lock import lock_clip
from server.motion.human_limits import top_speeds
from server.motion.in_turn import generate_in_turn
from server.motion.motion import Motion, MotionRequest
from server.motion.transition import append


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Engine:
    return load_engine(write_tiny_bundle(tmp_path_factory.mktemp("bundle")), "cpu")


def degrees(a, b):
    return np.degrees(rot.angle_between(a, b))


def test_asked_and_estimated_lengths(engine: Engine):
    motions = engine.generate(
        [MotionRequest("a person walks", frames=n) for n in (1, 37, 196, 500)] + [MotionRequest("a person bows")]
    )
    assert [len(m) for m in motions[:4]] == [1, 37, 196, 196]
    assert 20 <= len(motions[4]) <= 196
    for motion in motions:
        assert np.isfinite(motion.root).all()
        np.testing.assert_allclose(np.linalg.norm(motion.rotations, axis=-1), 1.0, atol=1e-6)
        np.testing.assert_allclose(motion.root[0, [0, 2]], 0.0, atol=1e-9)
        assert motion.contacts.shape == (len(motion), 4)


def test_each_stage_of_a_call_is_timed(engine: Engine):
    told: list[tuple[str, float]] = []
    engine.stopwatch.told = lambda *stage: told.append(stage)
    try:
        motion = engine.generate([MotionRequest("a person walks", frames=40)])[0]
        engine.edit(motion, [(8, 16)], "a person waves")
    finally:
        engine.stopwatch.told = None
    stages = [name for name, _ in told]
    assert stages[:6] == ["text", "length", "base", "residual", "decode", "solve"]
    assert stages[6:] == ["text", "encode", "base", "residual", "decode", "solve"]
    assert all(seconds > 0 for _, seconds in told)


def test_memory_is_that_of_a_gpu(engine: Engine):
    assert engine.memory() == {}


def test_the_same_seed_gives_the_same_motion_whatever_else_is_in_the_batch(engine: Engine):
    alone = engine.generate([MotionRequest("a person waves", frames=60, seed=5)])[0]
    others = [MotionRequest("a person walks", frames=n, seed=n) for n in (20, 120)]
    together = engine.generate([others[0], MotionRequest("a person waves", frames=60, seed=5), others[1]])[1]
    np.testing.assert_allclose(together.root, alone.root, atol=1e-4)
    assert degrees(together.rotations, alone.rotations).max() < 0.1
    different = engine.generate([MotionRequest("a person waves", frames=60, seed=6)])[0]
    assert degrees(different.rotations, alone.rotations).max() > 1.0


def test_static_shapes_and_the_batch_change_nothing_but_roundings(engine: Engine):
    before = engine.generate([MotionRequest("a person walks", frames=64, seed=1)])[0]
    requests = [
        MotionRequest("a person waves", frames=60, seed=5),
        MotionRequest("a person bows", frames=41, seed=6, context=before),
        MotionRequest("a person walks", frames=60, seed=7),
    ]
    static = Engine(engine.bundle, engine._text.encoder, static_shapes=True)
    for motion, padded, alone in zip(
        engine.generate(requests),
        static.generate(requests),
        (engine.generate([request])[0] for request in requests),
        strict=True,
    ):
        for other in (padded, alone):
            np.testing.assert_allclose(other.root, motion.root, atol=1e-4)
            assert degrees(other.rotations, motion.rotations).max() < 0.1


def test_the_same_batch_again_is_the_same_bit_for_bit(engine: Engine):
    requests = [MotionRequest("a person waves", frames=n, seed=n) for n in (60, 20)]
    for first, second in zip(engine.generate(requests), engine.generate(requests), strict=True):
        np.testing.assert_array_equal(first.root, second.root)
        np.testing.assert_array_equal(first.rotations, second.rotations)


def test_sizes_to_pad_to():
    assert [next_size(n, (2, 4)) for n in (1, 2, 3, 4, 5)] == [2, 2, 4, 4, 5]


def turned(motion: Motion, angle: float, shift) -> Motion:
    turn = rot.about_y(np.array(angle))
    rotations = motion.rotations.copy()
    rotations[:, 0] = rot.mul(turn, rotations[:, 0])
    root = rot.mul_vec(turn, motion.root) + np.asarray(shift)
    return Motion(root, rotations, motion.contacts, motion.features, motion.heading + angle)


@pytest.mark.parametrize("angle", np.radians([0, 100, 190, 280]))
def test_a_continuation_starts_where_the_context_stands(engine: Engine, angle):
    before = engine.generate([MotionRequest("a person walks", frames=64, seed=1)])[0]
    plain = engine.generate([MotionRequest("a person waves", frames=40, seed=2, context=before)])[0]
    moved = engine.generate(
        [MotionRequest("a person waves", frames=40, seed=2, context=turned(before, angle, [3, 0, -2]))]
    )[0]
    expected = turned(plain, angle, [3, 0, -2])
    np.testing.assert_allclose(moved.root, expected.root, atol=1e-6)
    assert degrees(moved.rotations, expected.rotations).max() < 1e-3
    assert len(plain) == 40


class TestSentencesThatShareTheirFrames:
    def test_the_first_gets_its_share_and_the_rest_is_left(self, engine: Engine):
        rest = ("a person waves", "a person bows")
        given, chosen, alone = engine.generate(
            [
                MotionRequest("a person walks", frames=150, rest=rest),
                MotionRequest("a person walks", rest=rest),
                MotionRequest("a person walks", frames=30, rest=rest),
            ]
        )
        assert len(given) % 4 == 0
        assert (len(given) >= 20, given.left >= 40) == (True, True)
        assert len(given) + given.left == 150
        assert len(chosen) + chosen.left <= engine.max_frames
        assert (len(alone), alone.left) == (30, 0)

    def test_they_are_made_in_turn_as_one_motion(self, engine: Engine):
        sentence = "a person walks, then waves"
        requests = [
            MotionRequest(sentence, frames=101, seed=4),
            MotionRequest("a person bows", frames=40, seed=4),
            MotionRequest(sentence, frames=196, seed=4),
        ]
        both, single, longest = generate_in_turn(engine, requests)
        assert [len(motion) for motion in (both, single, longest)] == [101, 40, 196]
        first = engine.generate([MotionRequest("a person walks", frames=101, seed=4, rest=("a person waves",))])[0]
        second = engine.generate([MotionRequest("a person waves", frames=first.left, seed=5, context=first)])[0]
        joined = append(first, second, engine.fps, fastest=top_speeds(engine.skeleton))
        np.testing.assert_allclose(both.root, joined.root, atol=1e-4)
        assert degrees(both.rotations, joined.rotations).max() < 0.1
        again = generate_in_turn(engine, requests)[0]
        np.testing.assert_array_equal(again.rotations, both.rotations)

    def test_a_model_of_whole_sentences_is_asked_once(self, engine: Engine, monkeypatch):
        monkeypatch.setattr(engine, "one_action", False)
        request = MotionRequest("a person walks, then waves", frames=60)
        (whole,) = generate_in_turn(engine, [request])
        np.testing.assert_array_equal(whole.root, engine.generate([request])[0].root)


def test_frames_outside_an_edit_stay_bit_identical_and_the_seams_are_small(engine: Engine):
    source = engine.generate([MotionRequest("a person walks", frames=100, seed=3)])[0]
    source = turned(source, 2.0, [1, 0, 1])
    edited = engine.edit(source, [(30, 61), (90, 100)], "a person bows", seed=4)
    inside = np.zeros(100, dtype=bool)
    inside[30:61] = inside[90:] = True
    for name in ("root", "rotations", "contacts", "features", "heading"):
        np.testing.assert_array_equal(getattr(edited, name)[~inside], getattr(source, name)[~inside])
    assert degrees(edited.rotations[inside], source.rotations[inside]).max() > 1.0
    steps = np.linalg.norm(np.diff(edited.root, axis=0), axis=-1)
    inner = [k for k in range(99) if k not in (29, 60, 89)]
    assert steps[[29, 60, 89]].max() < 3 * steps[inner].max() + 0.02


def test_nothing_that_is_made_goes_through_the_floor(engine: Engine, monkeypatch):
    decoded = engine.representation.positions
    monkeypatch.setattr(engine.representation, "positions", lambda features: decoded(features) - [0.0, 0.1, 0.0])
    made = engine.generate([MotionRequest("a person walks", frames=100, seed=3)])[0]
    assert lowest(made, engine).min() < -0.05  # as planned, the feet are free
    assert lowest(lock_clip(made, engine.skeleton, engine.fps), engine).min() > -0.02
    assert lowest(engine.edit(made, [(30, 61)], "a person bows", seed=4), engine)[30:61].min() > -0.02


def lowest(motion: Motion, engine: Engine) -> np.ndarray:
    return kinematics.positions(motion.rotations, motion.root, engine.skeleton)[..., 1].min(axis=-1)


@pytest.mark.parametrize("bad", [(-1, 5), (5, 5), (90, 101)])
def test_a_range_outside_the_clip_is_named(engine: Engine, bad):
    source = engine.generate([MotionRequest("a person walks", frames=100)])[0]
    with pytest.raises(ValueError, match="not within the clip's 100 frames"):
        engine.edit(source, [bad], "a person bows")


def test_poses_from_outside_have_the_features_and_heading_of_the_model(engine: Engine):
    source = turned(engine.generate([MotionRequest("a person walks", frames=80, seed=3)])[0], 1.0, [2, 0, 0])
    again = engine.motion_from_pose(source.root, source.rotations)
    assert again.features.shape == source.features.shape
    joints = kinematics.positions(source.rotations, source.root, engine.skeleton)
    from server.motion.features import recover_positions

    shape = recover_positions(again.features, engine.layout)
    turn = rot.about_y(np.array(again.heading[0]))
    back = rot.mul_vec(turn, shape) * [1, 0, 1]
    flat = joints * [1, 0, 1]
    np.testing.assert_allclose(back - back[:1, :1], flat - flat[:1, :1], atol=1e-3)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_engine(tmp_path)


@pytest.mark.parametrize(
    ("requests", "most", "large", "threads"),
    [
        (1, 8, False, 1),
        (8, 8, False, 1),
        (16, 8, False, 2),
        (64, 8, False, 7),  # one core is left to the rest of the server
        (64, 2, False, 1),
        (1, 1, False, 1),
        (1, 8, True, 8),
    ],
)
def test_a_small_model_takes_no_more_threads_than_it_has_work_for(requests, most, large, threads):
    assert useful_threads(requests, most, large=large) == threads


def test_threads_are_set_only_where_a_server_says_so(engine: Engine):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        engine.generate([MotionRequest("a person walks", frames=20)])
        assert torch.get_num_threads() == 2
        engine.most_threads = 2
        engine.generate([MotionRequest("a person walks", frames=20)])
        assert torch.get_num_threads() == 1
    finally:
        engine.most_threads = None
        torch.set_num_threads(before)
