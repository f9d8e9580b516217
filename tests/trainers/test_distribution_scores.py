"""FID and IS beside their formulas in numpy and scipy, and the promises that their numbers rest on."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch

from trainers.fid import Moments, fid, moments
from trainers.inception import inception_score
from trainers.kid import kid, kid_spread


def features(count, width=6, seed=0, shift=0.0):
    drawn = np.random.default_rng(seed)
    return torch.from_numpy(drawn.normal(size=(count, width)) @ drawn.normal(size=(width, width)) + shift)


def by_scipy(x, y):
    x, y = x.numpy(), y.numpy()
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(c1 @ c2).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * root))


def distance(x, y):
    return fid(moments(x), moments(y))


def test_fid_is_the_formula():
    x, y = features(300, seed=1), features(200, seed=2, shift=1.0)
    assert distance(x, y) == pytest.approx(by_scipy(x, y), rel=1e-9)
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-12)


def test_fid_of_normal_distributions_by_hand():
    # Variances 4 and 9 in one column, 1 and 1 in the other, means 3 apart: 9 + (2 - 3)^2.
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64) * 0.75**0.5
    scaled = [signs * torch.tensor([deviation, 1.0]) for deviation in (2.0, 3.0)]
    assert distance(scaled[0], scaled[1] + torch.tensor([0.0, 3.0])) == pytest.approx(10.0, rel=1e-12)


@pytest.mark.parametrize("count", [5, 40, 500])
def test_fid_of_a_set_with_itself_is_0_whatever_its_rank(count):
    x = features(count, width=40, seed=3) * 1e3
    assert distance(x, x.clone()) == pytest.approx(0.0, abs=1e-9 * float(x.var(0).sum()))


def test_fid_of_fewer_pictures_than_features_is_that_of_their_span():
    # The same pictures in more columns, all the others 0: no root of a rounding error may come in.
    x, y = features(30, width=5, seed=1), features(30, width=5, seed=2)
    wide = torch.from_numpy(scipy.stats.ortho_group.rvs(60, random_state=0)[:5])
    assert distance(x @ wide, y @ wide) == pytest.approx(distance(x, y), rel=1e-9)


def test_fid_keeps_its_digits_around_a_large_mean():
    x, y = features(300, seed=1), features(200, seed=2)
    assert distance(x + 1e6, y + 1e6) == pytest.approx(distance(x, y), rel=1e-6)


def test_moments_do_not_hang_on_blocks_and_hold_no_pictures():
    x, parts = features(3000, seed=4), Moments(6)
    for part in x.split(170):
        parts.add(part)
    mean, covariance = parts.of()
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(x.numpy(), rowvar=False), rtol=1e-10)
    assert sum(value.numel() for value in vars(parts).values() if isinstance(value, torch.Tensor)) == 6 * 6 + 2 * 6
    tracemalloc.start()
    for _ in range(50):
        parts.add(x)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 50_000, "150,000 more pictures"


def test_what_is_not_finite_is_not_a_distance():
    x = features(9)
    broken = x.clone()
    broken[0, 0] = torch.nan
    assert np.isnan(distance(x, broken))


def by_numpy(logits, parts):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    scores = []
    for part in np.array_split(p, parts):
        scores.append(np.exp(np.mean(np.sum(part * (np.log(part) - np.log(part.mean(0))), 1))))
    return np.mean(scores), np.std(scores)


@pytest.mark.parametrize(("count", "parts"), [(7, 1), (999, 1), (1000, 10), (1234, 10)])
def test_the_inception_score_is_the_formula(count, parts):
    logits = np.random.default_rng(1).normal(size=(count, 5)) * 3
    score, deviation = inception_score(torch.from_numpy(logits))
    mean, spread = by_numpy(logits, parts)
    assert score == pytest.approx(mean, rel=1e-12)
    assert deviation == (pytest.approx(spread, rel=1e-9) if parts > 1 else None)


def test_the_inception_score_is_from_1_to_the_number_of_classes():
    sure = torch.eye(4, dtype=torch.float64).repeat(5, 1) * 1e3
    assert inception_score(sure)[0] == pytest.approx(4.0)
    assert inception_score(sure[:1].repeat(9, 1))[0] == 1.0
    assert inception_score(torch.zeros(9, 4))[0] == 1.0


def test_the_spread_of_kid_is_that_of_new_samples():
    """Half of 200 pictures, drawn anew each time, differ about as much as its random halves say."""
    drawn = np.random.default_rng(0)

    def some(count):
        return torch.from_numpy(drawn.normal(size=(count, 3)))

    anew = np.std([kid(some(100), some(100)) for _ in range(300)])
    told = np.mean([kid_spread(some(200), some(200)) for _ in range(10)])
    assert 0.5 < told / anew < 1.1, "halves of one set overlap, so a little less"


def test_kid_is_unbiased_where_fid_is_not():
    drawn, few = np.random.default_rng(1), list[list[float]]([[], []])
    for _ in range(300):
        x, y = (torch.from_numpy(drawn.normal(size=(12, 4))) for _ in range(2))
        few[0].append(kid(x, y))
        few[1].append(distance(x, y))
    assert abs(np.mean(few[0])) < 3 * np.std(few[0]) / 300**0.5
    assert np.mean(few[1]) > 20 * np.std(few[1]) / 300**0.5


def test_the_spread_for_pairs_leaves_out_the_truth_of_each():
    x = features(20)
    assert kid_spread(x, x.clone(), paired=True) == pytest.approx(0.0, abs=1e-12)
    assert kid_spread(x, x.clone()) > 0.0
    assert kid_spread(x, features(30, seed=2)) == kid_spread(x, features(30, seed=2)), "the same subsets every time"
