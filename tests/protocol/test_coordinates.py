import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from protocol.coordinates import TARGETS

FORWARD, UP, LEFT = np.eye(3)[[2, 1, 0]]
EXPECTED = {  # where the character's forward, up and left go, in metres of the target's unit
    "unity": ([0, 0, 1], [0, 1, 0], [-1, 0, 0]),
    "unreal_actor": ([1, 0, 0], [0, 0, 1], [0, -1, 0]),
    "unreal_mesh": ([0, 1, 0], [0, 0, 1], [1, 0, 0]),
}


@pytest.mark.parametrize("target", TARGETS)
def test_axes_go_where_the_engine_has_them(target):
    axes = TARGETS[target]
    for source, wanted in zip((FORWARD, UP, LEFT), EXPECTED[target], strict=True):
        np.testing.assert_allclose(axes.position(source) / axes.scale, wanted)


@pytest.mark.parametrize("target", TARGETS)
def test_rotating_then_converting_equals_converting_then_rotating(target):
    axes = TARGETS[target]
    rotations = Rotation.random(200, rng=np.random.default_rng(3))
    points = np.random.default_rng(4).normal(size=(200, 3))
    there = axes.position(rotations.apply(points))
    converted = Rotation.from_quat(axes.rotation(rotations.as_quat()))
    np.testing.assert_allclose(converted.apply(axes.position(points)), there, atol=1e-10)


@pytest.mark.parametrize("target", TARGETS)
def test_rotations_compose_after_conversion(target):
    axes = TARGETS[target]
    first, second = (Rotation.random(100, rng=np.random.default_rng(seed)) for seed in (5, 6))
    together = Rotation.from_quat(axes.rotation((first * second).as_quat()))
    apart = Rotation.from_quat(axes.rotation(first.as_quat())) * Rotation.from_quat(axes.rotation(second.as_quat()))
    assert (together * apart.inv()).magnitude().max() < 1e-9
