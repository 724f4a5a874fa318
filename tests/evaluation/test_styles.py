import bodies
import pytest

from server.evaluation.measures import Measures, measure
from server.evaluation.styles import MEASURES, STYLES, WALKS, StyleModel, auc, style_scores


def walk(speed: float, steps: float) -> Measures:
    return measure(bodies.walk(speed, steps), bodies.FPS)


def test_every_style_scores_best_at_its_own_medians():
    base = walk(1.2, 1.8)
    for style, medians in WALKS.medians.items():
        typical = type(base)(**{**vars(base), **dict(zip(MEASURES, medians, strict=True))})
        scores = style_scores(typical)
        assert scores[style] == pytest.approx(0.0)
        assert WALKS.likeliest(typical) == style
        assert tuple(scores) == STYLES
        assert all(score < 0.0 for other, score in scores.items() if other != style)


def test_a_score_is_minus_the_mean_squared_distance_in_spreads():
    model = StyleModel({"slow": (0.0,) * 6, "quick": (0.0, 0.0, 0.0, 0.0, 0.0, 6.0)}, (1.0, 1.0, 1.0, 1.0, 1.0, 2.0))
    base = walk(1.2, 1.8)
    still = type(base)(**{**vars(base), **dict.fromkeys(MEASURES, 0.0)})
    assert model.scores(still) == {"slow": pytest.approx(0.0), "quick": pytest.approx(-9.0 / 6.0)}


def test_fitted_styles_name_walks_like_their_own():
    walks = {
        "slow": [walk(speed, 1.4) for speed in (0.6, 0.65, 0.7)],
        "quick": [walk(speed, 2.2) for speed in (1.3, 1.4, 1.5)],
    }
    model = StyleModel.fit(walks)
    assert model.medians["slow"][0] == pytest.approx(0.65, rel=0.03)
    assert model.likeliest(walk(0.62, 1.5)) == "slow"
    assert model.likeliest(walk(1.45, 2.1)) == "quick"


def test_each_style_weighs_the_same_in_the_spread():
    one = {"a": [walk(0.6, 1.8), walk(0.8, 1.8)], "b": [walk(1.2, 1.8), walk(1.6, 1.8)]}
    many = {"a": one["a"] * 5, "b": one["b"]}
    assert StyleModel.fit(many).spread == pytest.approx(StyleModel.fit(one).spread)


def test_a_style_without_walks_is_named():
    with pytest.raises(ValueError, match="'happy' has no walk"):
        StyleModel.fit({"old": [walk(0.6, 1.8)], "happy": []})


@pytest.mark.parametrize(
    ("higher", "lower", "chance"),
    [([2.0, 3.0], [0.0, 1.0], 1.0), ([0.0], [1.0], 0.0), ([1.0], [1.0], 0.5), ([1.0, 3.0], [2.0, 2.0], 0.5)],
)
def test_auc_is_the_chance_to_be_higher(higher: list[float], lower: list[float], chance: float):
    assert auc(higher, lower) == chance


def test_auc_of_nothing_says_what_is_missing():
    with pytest.raises(ValueError, match="not 1 and 0"):
        auc([1.0], [])
