"""The metrics against the original's arrays (``shared/golden/metrics.npz``), and against other ways to compute them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import linalg, stats

from server.evaluation import metrics

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "metrics.npz"


@pytest.fixture
def golden():
    if not GOLDEN.is_file():
        pytest.skip(f"golden arrays (shared) are not at {GOLDEN}")
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.mark.parametrize(("first", "second", "name"), [("gt", "gen", "fid"), ("gt", "gt", "fid_same")])
def test_fid_is_the_originals(golden, first: str, second: str, name: str):
    for part, stem in ((first, "1"), (second, "2")):
        mean, covariance = metrics.gaussian(golden[part])
        np.testing.assert_allclose(mean, golden[f"{name}_mu{stem}"], atol=1e-6)
        np.testing.assert_allclose(covariance, golden[f"{name}_cov{stem}"], atol=1e-6)
    assert metrics.fid(golden[first], golden[second]) == pytest.approx(float(golden[name]), rel=1e-4, abs=1e-6)


def test_fid_of_fewer_samples_than_dimensions_is_the_originals(golden):
    gaussians = [(golden[f"fid_few_mu{n}"].astype(float), golden[f"fid_few_cov{n}"]) for n in (1, 2)]
    assert metrics.frechet_distance(*gaussians) == pytest.approx(float(golden["fid_few"]), rel=1e-4)


def test_retrieval_is_the_originals(golden):
    texts, made = golden["text"], golden["gen"]
    for batch, expected in enumerate(golden["distance_matrices"]):
        rows = slice(32 * batch, 32 * batch + 32)
        np.testing.assert_allclose(metrics.distances(texts[rows], made[rows]), expected, rtol=1e-4)
    np.testing.assert_array_equal(metrics.matching_hits(texts[:32], made[:32]), golden["top_k_bool_batch0"])
    assert metrics.matching_hits(texts[:32], made[:32]).sum(0).tolist() == golden["r_precision_batch0"].tolist()
    precision, apart = metrics.matching(texts, made)
    np.testing.assert_allclose(precision, golden["r_precision_top123"])
    assert apart == pytest.approx(float(golden["matching_score"]), rel=1e-5)


def test_spread_and_joint_error_are_the_originals(golden):
    pairs = golden["diversity_first"], golden["diversity_second"]
    assert metrics.pair_distance(golden["gen"], *pairs) == pytest.approx(float(golden["diversity"]), rel=1e-5)
    pairs = golden["multimodality_first"], golden["multimodality_second"]
    spread = metrics.pair_distance(golden["multimodal_embeddings"].swapaxes(0, 1), *pairs)
    assert spread == pytest.approx(float(golden["multimodality"]), rel=1e-5)
    np.testing.assert_allclose(metrics.mpjpe(golden["mpjpe_gt"], golden["mpjpe_pred"]), golden["mpjpe"], rtol=1e-5)


def test_fid_is_that_of_a_matrix_root():
    random = np.random.default_rng(1)
    real = random.normal(size=(200, 12)) @ random.normal(size=(12, 12))
    made = random.normal(0.3, 1.0, size=(150, 12)) @ random.normal(size=(12, 12))
    first, second = np.cov(real.T), np.cov(made.T)
    expected = ((real.mean(0) - made.mean(0)) ** 2).sum()
    expected += np.trace(first + second - 2 * np.real(linalg.sqrtm(first @ second)))
    assert metrics.fid(real, made) == pytest.approx(expected, rel=1e-8)


def test_fid_of_a_shift_and_a_scale_has_a_closed_form():
    real = np.random.default_rng(2).normal(size=(64, 5))
    assert metrics.fid(real, real) == pytest.approx(0.0, abs=1e-9)
    assert metrics.fid(real, real + 3.0) == pytest.approx(5 * 9.0)
    centred = real - real.mean(0)
    assert metrics.fid(centred, 2.0 * centred) == pytest.approx(np.trace(np.cov(real.T)))


def test_retrieval_by_counting():
    random = np.random.default_rng(3)
    texts = random.normal(size=(70, 6))
    motions = texts + random.normal(scale=1.2, size=texts.shape)
    hits, apart = np.zeros(3), []
    for start in (0, 32):
        for row in range(start, start + 32):
            ways = [float(np.sqrt(sum((texts[row] - motions[other]) ** 2))) for other in range(start, start + 32)]
            rank = int(stats.rankdata(ways)[row - start])
            hits += [rank <= 1, rank <= 2, rank <= 3]
            apart.append(ways[row - start])
    precision, mean = metrics.matching(texts, motions)
    np.testing.assert_allclose(precision, hits / 64)
    assert 0.2 < precision[0] < precision[2] < 1.0
    assert mean == pytest.approx(np.mean(apart))


def test_spread_of_random_pairs_is_that_of_the_whole():
    random = np.random.default_rng(4)
    rows = random.normal(size=(2000, 8))
    whole = np.linalg.norm(rows[:300, None] - rows[None, :300], axis=-1)
    assert metrics.diversity(rows, random) == pytest.approx(whole[~np.eye(300, dtype=bool)].mean(), rel=0.06)
    of_a_text = random.normal(size=(40, 1, 8)) * 9 + 0.5 * random.normal(size=(40, 30, 8))
    assert metrics.multimodality(of_a_text, random) == pytest.approx(0.5 * metrics.diversity(rows, random), rel=0.15)


def test_what_is_too_little_is_said():
    with pytest.raises(ValueError, match=r"31 pairs.*at least 32"):
        metrics.matching(np.zeros((31, 4)), np.zeros((31, 4)))
    with pytest.raises(ValueError, match=r"expected \(N >= 2, D\)"):
        metrics.fid(np.zeros((1, 4)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="same frames"):
        metrics.mpjpe(np.zeros((4, 22, 3)), np.zeros((5, 22, 3)))


def test_an_interval_is_the_papers():
    values = [1.0, 2.0, 4.0, 5.0]
    interval = metrics.Interval.of(values)
    assert interval.mean == 3.0
    assert interval.half == pytest.approx(1.96 * np.sqrt(2.5) / 2)
