"""The order of rows: what a few seeds can say of it, on values made up."""

import math

import pytest

from orchestrator.literature.file import Score
from orchestrator.literature.order import kendall, order_of, told

MORE = Score(metric="eval/ssim", mode="max", published_as="SSIM")
LESS = Score(metric="eval/kid", mode="min", published_as="people", published_mode="max")
PAPER = {"a": 0.1, "b": 0.2, "c": 0.3}


def verdicts(order):
    return {pair.better + pair.worse: pair.verdict for pair in order.pairs}


def test_seeds_that_lie_apart_decide_and_others_do_not():
    order = order_of(MORE, PAPER, {"a": [0.50, 0.51], "b": [0.10, 0.11], "c": [0.45, 0.60]})
    assert verdicts(order) == {"ba": "disagrees", "ca": "undecided", "cb": "undecided"}
    # Welch's, by hand: two means of two, each of variance 5e-5; 2 degrees of freedom, 4.303 x sqrt(5e-5)
    assert order.pairs[0].difference == pytest.approx(-0.4)
    assert order.pairs[0].margin == pytest.approx(4.303 * math.sqrt(5e-5), rel=1e-6)


def test_a_row_that_varies_more_has_fewer_degrees_of_freedom():
    order = order_of(MORE, {"a": 1.0, "b": 2.0}, {"a": [0.5, 0.5], "b": [0.8, 0.9]})
    assert order.pairs[0].margin == pytest.approx(12.706 * 0.05), "1 degree of freedom: b alone varies"


def test_what_is_better_when_lower_may_be_published_as_what_is_better_when_higher():
    measured = {"a": [0.9, 0.91], "b": [0.5, 0.51], "c": [0.1, 0.11]}
    order = order_of(LESS, PAPER, measured)
    assert set(verdicts(order).values()) == {"agrees"}
    assert order.tau == 1.0
    assert order_of(MORE, PAPER, measured).tau == -1.0


def test_one_seed_decides_nothing_and_a_row_without_values_is_no_pair():
    order = order_of(MORE, PAPER, {"a": [0.1], "b": [0.9], "c": []})
    assert verdicts(order) == {"ba": "undecided"}
    assert order.tau == 1.0
    lines = told("x", MORE, order, {"a": "A", "b": "B", "c": "C"})
    assert lines[1] == "  open: B and A (0.8)", "without an interval, which one seed does not give"
    assert told("x", MORE, order_of(MORE, PAPER, {}), {}) == [
        "x: no two rows have both a published order and a measured value."
    ]


def test_rows_that_tie_in_print_are_no_pair():
    order = order_of(MORE, {"a": 0.2, "b": 0.2, "c": 0.3}, {"a": [0, 0], "b": [1, 1], "c": [2, 2]})
    assert verdicts(order) == {"ca": "agrees", "cb": "agrees"}


def test_kendall_s_tau_knows_ties():
    # the classic worked example: 4 things, one exchanged pair of six
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    # tau-b with a tie on one side: 2 concordant of 3 pairs, one tied: 2 / sqrt(3 x 2)
    assert kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(6))
    assert math.isnan(kendall([1, 1], [1, 2]))


def test_kendall_s_tau_is_scipy_s():
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed, which the extra `examples` brings")
    for one, other in (([1, 2, 2, 3, 5], [2, 1, 4, 4, 3]), ([0.3, 0.1, 0.2, 0.2], [5, 5, 1, 2])):
        assert kendall(one, other) == pytest.approx(float(stats.kendalltau(one, other).statistic))
