import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import positions_of

from server.motion import rotation as rot
from server.motion.features import (
    HUMANML3D,
    KIT,
    FeatureError,
    extract,
    facing,
    inverse_kinematics,
    localize,
    offsets_from_frame,
    recover_positions,
    recover_positions_from_rotations,
    recover_root,
    recover_smooth_positions,
    uniform_skeleton,
)

GOLDEN = Path(__file__).parents[2] / ".." / "shared" / "golden" / "features"
FILES = ["bandai_dance", "bandai_walk_turn", "humanml3d_012314", "momask_000612", "kit_layout_walk_turn"]


needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden arrays (shared/golden) are not here")


@pytest.fixture(params=FILES)
def golden(request):
    """The arrays of one file, its layout, and the tolerance for lengths; KIT counts in millimetres."""
    with np.load(GOLDEN / f"{request.param}.npz", allow_pickle=False) as arrays:
        layout = KIT if request.param.startswith("kit") else HUMANML3D
        return dict(arrays), layout, 2e-5 * (1000 if layout is KIT else 1)


@needs_golden
def test_the_skeleton_is_the_originals(golden):
    arrays, layout, _ = golden
    assert [list(chain) for chain in layout.chains] == json.loads(str(arrays["kinematic_chains"]))
    assert list(layout.parents) == arrays["parents"].tolist()
    assert [layout.hips[1], layout.hips[0], layout.shoulders[1], layout.shoulders[0]] == arrays[
        "face_joint_indx"
    ].tolist()
    assert list(layout.leg) == arrays["leg_joints"].tolist()
    assert list(layout.feet) == [*arrays["foot_left"], *arrays["foot_right"]]
    assert layout.contact_threshold == arrays["foot_threshold"]
    assert layout.fps == arrays["fps"]


@needs_golden
def test_equals_the_original(golden):
    golden, layout, metres = golden
    offsets = golden["target_offsets"].astype(np.float64)

    np.testing.assert_array_equal(layout.raw_offsets, golden["raw_offsets"])
    uniform = uniform_skeleton(golden["joints_raw"].astype(np.float64), offsets, layout)
    np.testing.assert_allclose(uniform, golden["uniform"], atol=metres)

    got = extract(golden["uniform"], layout, continuous=False)
    np.testing.assert_allclose(got.positions, golden["global_positions"], atol=metres)
    np.testing.assert_allclose(localize(got.positions, got.root_to_z), golden["local_positions"], atol=metres)
    for part in ("root_velocity", "root_height", "local_positions", "velocities"):
        columns = getattr(layout, part)
        np.testing.assert_allclose(got.features[:, columns], golden["features"][:, columns], atol=metres, err_msg=part)
    for part in ("yaw_velocity", "rotations"):
        columns = getattr(layout, part)
        np.testing.assert_allclose(got.features[:, columns], golden["features"][:, columns], atol=1e-4, err_msg=part)
    np.testing.assert_array_equal(got.features[:, layout.contacts], golden["features"][:, layout.contacts])
    quaternions = inverse_kinematics(got.positions, got.root_to_z, layout)[..., [3, 0, 1, 2]]
    np.testing.assert_allclose(quaternions, golden["quat_smooth"], atol=1e-4)
    np.testing.assert_allclose(
        got.features[:, layout.root_velocity], golden["root_linear_velocity"], atol=metres, rtol=0
    )
    unsmoothed = rot.inv(facing(got.positions, layout, hips=False, smooth=False))
    unsmoothed[0] = rot.identity()
    plain = inverse_kinematics(got.positions, unsmoothed, layout)[..., [3, 0, 1, 2]]
    np.testing.assert_allclose(plain, golden["quat_plain"], atol=1e-4)

    root_to_z, root = recover_root(golden["features"].astype(np.float64), layout)
    np.testing.assert_allclose(root_to_z[:, [3, 0, 1, 2]], golden["recovered_root_quat"], atol=1e-5)
    np.testing.assert_allclose(root, golden["recovered_root_pos"], atol=metres)
    np.testing.assert_allclose(recover_positions(golden["features"], layout), golden["recovered_ric"], atol=metres)
    recovered = recover_positions_from_rotations(golden["features"], offsets, layout)
    np.testing.assert_allclose(recovered, golden["recovered_rot"], atol=metres)


@needs_golden
@pytest.mark.parametrize(
    ("name", "early", "later"),
    [("humanml3d_012314", 1e-5, 0.0135), ("momask_000612", 0.004, None)],
)
def test_agrees_with_the_published_vectors(name, early, later):
    """The published clips were one frame longer, which the smoothing feels in the last 80 frames."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        published = golden["reference_features"]
        ours = extract(golden["uniform"], HUMANML3D, continuous=False).features
    difference = np.abs(published[: len(ours)] - ours)
    assert difference[:-80].max() < early
    if later is not None:
        assert difference.max() < later
        assert difference[:, HUMANML3D.local_positions].max() < 0.007
        np.testing.assert_array_equal(ours[:, HUMANML3D.contacts], published[: len(ours), HUMANML3D.contacts])


@needs_golden
def test_equals_the_original_from_the_raw_joints_on(golden):
    arrays, layout, metres = golden
    uniform = uniform_skeleton(arrays["joints_raw"].astype(np.float64), arrays["target_offsets"].astype(float), layout)
    ours, wanted = extract(uniform, layout, continuous=False).features, arrays["features"]
    lengths = np.r_[layout.root_velocity, layout.root_height, layout.local_positions, layout.velocities]
    np.testing.assert_allclose(ours[:, lengths], wanted[:, lengths], atol=metres)
    np.testing.assert_allclose(ours[:, layout.rotations], wanted[:, layout.rotations], atol=1e-4)
    np.testing.assert_allclose(ours[:, layout.yaw_velocity], wanted[:, layout.yaw_velocity], atol=1e-5)


@pytest.mark.parametrize("heading", np.radians([0, 45, 90, 135, 180, 225, 270, 315]))
@pytest.mark.parametrize("turn", [0.0, 4 * np.pi, -3.0])
def test_positions_come_back_at_every_heading(heading, turn):
    extracted = extract(positions_of(heading=heading, turn=turn), HUMANML3D)
    np.testing.assert_allclose(recover_positions(extracted.features, HUMANML3D), extracted.positions[:-1], atol=1e-9)


def test_the_rotations_in_the_vector_give_the_same_positions():
    positions = positions_of(turn=1.0)
    offsets = offsets_from_frame(positions[0], HUMANML3D)
    uniform = uniform_skeleton(positions, offsets, HUMANML3D)
    extracted = extract(uniform, HUMANML3D)
    recovered = recover_positions_from_rotations(extracted.features, offsets, HUMANML3D)
    np.testing.assert_allclose(recovered, extracted.positions[:-1], atol=1e-9)


def test_the_originals_flaw_at_180_degrees_is_only_there_when_asked_for():
    positions = positions_of(turn=2 * np.pi)
    error = {}
    for continuous in (True, False):
        extracted = extract(positions, HUMANML3D, continuous=continuous)
        error[continuous] = np.abs(recover_positions(extracted.features, HUMANML3D) - extracted.positions[:-1]).max()
    assert error[True] < 1e-9
    assert error[False] > 0.05


def test_features_do_not_depend_on_place_or_heading():
    one = extract(positions_of(heading=0.0), HUMANML3D).features
    other = extract(positions_of(heading=2.0) + np.array([3.0, 0.0, -7.0]), HUMANML3D).features
    np.testing.assert_allclose(one, other, atol=1e-8)


def test_turning_left_has_a_negative_yaw_channel_and_the_root_turns_back_to_z():
    extracted = extract(positions_of(turn=1.5), HUMANML3D)
    assert extracted.features[:, 0].sum() * 2 == pytest.approx(-1.5, abs=0.2)
    assert rot.mul_vec(rot.inv(extracted.root_to_z[-1]), np.array([0.0, 0.0, 1.0]))[0] > 0.8


def test_contacts_follow_the_threshold():
    positions = positions_of()
    loose = extract(positions, HUMANML3D).features[:, HUMANML3D.contacts]
    tight = extract(positions, replace(HUMANML3D, contact_threshold=1e-5)).features[:, HUMANML3D.contacts]
    assert tight.sum() < loose.sum()
    assert extract(np.repeat(positions[:1], 5, 0), HUMANML3D).features[:, HUMANML3D.contacts].all()


@pytest.mark.parametrize("shape", [(1, 22, 3), (10, 21, 3), (10, 22, 2)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(FeatureError, match="expected"):
        extract(np.zeros(shape), HUMANML3D)


def test_channel_counts():
    assert (HUMANML3D.channels, KIT.channels) == (263, 251)
    assert HUMANML3D.contacts.stop == 263
    assert KIT.contacts.stop == 251


def test_positions_and_velocities_together_are_smoother_and_nearer_than_positions_alone() -> None:
    truth = positions_of(frames=81, turn=1.0)
    features = extract(truth, HUMANML3D).features
    exact = recover_positions(features, HUMANML3D)
    assert np.abs(recover_smooth_positions(features, HUMANML3D) - exact).max() < 1e-3, (
        "clean features must come through"
    )
    noisy = features.copy()
    noisy[:, HUMANML3D.local_positions] += np.random.default_rng(0).normal(0, 0.002, (len(features), 63))
    plain, smooth = recover_positions(noisy, HUMANML3D), recover_smooth_positions(noisy, HUMANML3D)

    def jerk(positions: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(positions, n=3, axis=0), axis=-1).mean())

    assert np.abs(smooth - exact).mean() < 0.6 * np.abs(plain - exact).mean()
    assert jerk(smooth) - jerk(exact) < 0.25 * (jerk(plain) - jerk(exact))
