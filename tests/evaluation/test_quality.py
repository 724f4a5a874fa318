import bodies
import numpy as np
import pytest

from server.evaluation.quality import quality


def standing(frames: int = 40) -> np.ndarray:
    """Feet at rest, the toes 2 cm over the floor."""
    return bodies.stand(seconds=frames / bodies.FPS)


def test_standing_still_is_clean():
    made = quality(standing(), bodies.FPS)
    assert (made.foot_slide, made.penetration) == (0.0, 0.0)
    assert made.floating == pytest.approx(0.02)
    assert made.jerk == pytest.approx(0.0, abs=1e-6)


def test_gliding_feet_slide_at_the_glide_s_speed():
    glide = standing() + np.linspace(0.0, 39 / bodies.FPS, 40)[:, None, None] * np.array([0.3, 0.0, 0.4])
    assert quality(glide, bodies.FPS).foot_slide == pytest.approx(0.5)


def test_feet_in_the_air_do_not_slide():
    leap = standing() + np.linspace(0.0, 1.0, 40)[:, None, None] * np.array([3.0, 0.0, 0.0])
    height = np.where(np.arange(40) < 4, 0.0, 0.5)
    leap = leap + height[:, None, None] * np.array([0.0, 1.0, 0.0])
    still = leap.copy()
    still[:4] = leap[:1]
    assert quality(still, bodies.FPS).foot_slide == pytest.approx(0.0)


@pytest.mark.parametrize("depth", [0.05, 0.1])
def test_a_body_under_the_floor_penetrates_and_one_above_floats(depth: float):
    under = quality(standing() - np.array([0.0, 0.02 + depth, 0.0]), bodies.FPS)
    assert under.penetration == pytest.approx(depth)
    assert under.floating == pytest.approx(-depth)
    above = quality(standing() + np.array([0.0, depth, 0.0]), bodies.FPS)
    assert above.penetration == 0.0
    assert above.floating == pytest.approx(0.02 + depth)


def test_jerk_is_the_third_derivative_in_metres_per_second_cubed():
    time = np.arange(40) / bodies.FPS
    cubic = standing() + (2.0 * time**3)[:, None, None] * np.array([1.0, 0.0, 0.0])
    assert quality(cubic, bodies.FPS).jerk == pytest.approx(12.0)


def test_too_short_a_clip_is_named():
    with pytest.raises(ValueError, match="3 frames"):
        quality(standing(3), bodies.FPS)
