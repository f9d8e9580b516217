"""The kernel inception distance: the formula, another library's, and that it is unbiased, by every sample there can be."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

import trainers.kid
from trainers.kid import kid


def features(count, width=5, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, width)))


def kernel(x, y):
    return float(np.dot(x, y) / len(x) + 1) ** 3


def by_hand(x, y, paired=False):
    x, y = x.numpy(), y.numpy()
    pairs = range(len(x)), range(len(y))
    within = [np.mean([kernel(z[i], z[j]) for i, j in product(range(len(z)), repeat=2) if i != j]) for z in (x, y)]
    between = np.mean([kernel(x[i], y[j]) for i, j in product(*pairs) if i != j or not paired])
    return sum(within) - 2 * between


@pytest.mark.parametrize("counts", [(2, 2), (3, 7), (6, 4)])
def test_it_is_the_formula(counts):
    x, y = features(counts[0], seed=1), features(counts[1], seed=2)
    assert kid(x, y) == pytest.approx(by_hand(x, y), rel=1e-12)


def test_for_pairs_the_truth_of_each_is_left_out():
    x, y = features(5, seed=1), features(5, seed=2)
    assert kid(x, y, paired=True) == pytest.approx(by_hand(x, y, paired=True), rel=1e-12)
    assert kid(x, x.clone(), paired=True) == 0.0
    assert kid(x, x.clone()) < 0, "two equal sets are nearer than chance would have it"


def test_it_is_torchmetrics():
    x, y = features(9, seed=1), features(9, seed=2) + 0.3
    assert kid(x, y) == pytest.approx(float(poly_mmd(x, y)), rel=1e-9)


def test_the_mean_over_all_smaller_samples_is_the_whole():
    """An unbiased estimate: how many pictures there are does not move it."""
    x, y = features(5, seed=1), features(4, seed=2)
    parts = [
        kid(x[list(some)], y[list(others)])
        for some in combinations(range(5), 3)
        for others in combinations(range(4), 2)
    ]
    assert np.mean(parts) == pytest.approx(kid(x, y), rel=1e-12)


def test_two_samples_of_one_distribution_are_at_distance_0_on_average():
    three = features(3)
    drawn = list(product(range(3), repeat=2))  # every sample of two, each as likely
    assert np.mean([kid(three[list(x)], three[list(y)]) for x in drawn for y in drawn]) == pytest.approx(0, abs=1e-12)


def test_pairs_that_depend_on_each_other_are_at_distance_0_on_average():
    three = features(3)
    turned = three[[1, 2, 0]]  # the truth of each is another one of the same distribution, always the same one
    drawn = [list(x) for x in product(range(3), repeat=2)]
    assert np.mean([kid(three[x], turned[x], paired=True) for x in drawn]) == pytest.approx(0, abs=1e-12)
    assert np.mean([kid(three[x], turned[x]) for x in drawn]) != pytest.approx(0, abs=1e-3), "the usual mean is biased"


def test_the_distance_of_other_distributions_is_above_0():
    x, y = features(200, seed=1), features(200, seed=2)
    assert abs(kid(x, y)) < 0.1 < 1 < kid(x, y + 1)


def test_blocks_change_nothing(monkeypatch):
    x, y = features(30, seed=1), features(23, seed=2)
    whole = kid(x, y)
    monkeypatch.setattr(trainers.kid, "BLOCK", 7)
    assert kid(x, y) == pytest.approx(whole, rel=1e-12)


def test_single_precision_features_are_multiplied_in_double():
    x, y = features(20, seed=1).float(), features(20, seed=2).float()
    assert kid(x, y) == kid(x.double(), y.double())
    assert torch.get_default_dtype() == torch.float32
