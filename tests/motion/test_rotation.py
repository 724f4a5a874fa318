import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from server.motion import rotation as rot


@pytest.fixture
def quaternions() -> np.ndarray:
    return rot.normalize(np.random.default_rng(0).normal(size=(200, 4)))


def same(a, b):
    return np.degrees(rot.angle_between(a, b)).max() < 1e-5


def test_products_matrices_and_vectors_agree_with_scipy(quaternions):
    a, b = quaternions[:100], quaternions[100:]
    v = np.random.default_rng(1).normal(size=(100, 3))
    assert same(rot.mul(a, b), (Rotation.from_quat(a) * Rotation.from_quat(b)).as_quat())
    np.testing.assert_allclose(rot.mul_vec(a, v), Rotation.from_quat(a).apply(v), atol=1e-12)
    np.testing.assert_allclose(rot.to_matrix(a), Rotation.from_quat(a).as_matrix(), atol=1e-12)
    assert same(rot.from_matrix(rot.to_matrix(a)), a)
    assert same(rot.from_6d(rot.to_6d(a)), a)


@pytest.mark.parametrize("order", ["XYZ", "ZXY", "ZYX", "YXZ"])
def test_euler_angles_are_intrinsic_in_column_order(order):
    angles = np.random.default_rng(2).uniform(-3, 3, size=(50, 3))
    assert same(rot.from_euler(angles, order), Rotation.from_euler(order, angles).as_quat())


def test_zxy_angles_come_back_even_at_gimbal_lock(quaternions):
    locked = rot.from_euler(np.array([[0.3, np.pi / 2, 0.4], [-1.0, -np.pi / 2, 2.0]]), "ZXY")
    for q in (quaternions, locked):
        back = rot.from_euler(rot.to_euler_zxy(q), "ZXY")
        assert np.degrees(rot.angle_between(back, q)).max() < 1e-3


def test_between_turns_one_direction_into_the_other_also_when_opposite():
    rng = np.random.default_rng(3)
    a, b = rot.normalize(rng.normal(size=(50, 3))), rot.normalize(rng.normal(size=(50, 3)))
    b[:5] = -a[:5]
    np.testing.assert_allclose(rot.mul_vec(rot.between(a, b), a), b, atol=1e-6)


def test_slerp_takes_the_short_way_at_even_speed(quaternions):
    a, b = quaternions[:100], -quaternions[100:]
    half = rot.slerp(a, b, np.full(100, 0.5))
    np.testing.assert_allclose(rot.angle_between(a, half), rot.angle_between(a, b) / 2, atol=1e-6)


def test_unroll_keeps_neighbours_in_one_hemisphere(quaternions):
    unrolled = rot.unroll(quaternions[:, None])
    assert ((unrolled[1:] * unrolled[:-1]).sum(-1) >= 0).all()
    assert same(unrolled[:, 0], quaternions)


def test_positive_yaw_turns_to_the_characters_left():
    np.testing.assert_allclose(
        rot.mul_vec(rot.about_y(np.array(np.pi / 2)), np.array([0.0, 0.0, 1.0])), [1, 0, 0], atol=1e-12
    )


def test_rotation_vectors_are_of_the_shorter_arc_as_scipy_has_them(quaternions):
    vectors = rot.to_vector(quaternions)
    np.testing.assert_allclose(vectors, Rotation.from_quat(quaternions).as_rotvec(), atol=1e-12)
    np.testing.assert_allclose(rot.to_vector(-quaternions), vectors, atol=1e-12)
    assert same(rot.from_vector(vectors), quaternions)
    np.testing.assert_array_equal(rot.to_vector(rot.identity()), np.zeros(3))
