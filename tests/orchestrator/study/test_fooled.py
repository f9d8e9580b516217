"""The interval beside what can be computed without drawing anything, and beside many simulated studies."""

import math
from itertools import product

import numpy as np
import pytest

from orchestrator.study.fooled import interval

LOW, HIGH = 0.025, 0.975


def binomial(count, chance):
    """P(0), P(1), ... of so many throws."""
    return [math.comb(count, hits) * chance**hits * (1 - chance) ** (count - hits) for hits in range(count + 1)]


def quantile(shares, weights, level):
    """The least share whose cumulated weight reaches the level."""
    total = 0.0
    for share, weight in sorted(zip(shares, weights, strict=True)):
        total += weight
        if total >= level:
            return share
    raise AssertionError(total)


@pytest.mark.parametrize(("hits", "count"), [(12, 40), (1, 40), (20, 40), (3, 7)])
def test_one_participant_s_trials_are_throws_of_a_coin(hits, count):
    """Drawing n trials of which k are hits, with replacement, is n throws at k / n."""
    found = interval([1] * hits + [0] * (count - hits), [1] * count, 20_000, 0)
    shares = [number / count for number in range(count + 1)]
    wanted = [quantile(shares, binomial(count, hits / count), level) for level in (LOW, HIGH)]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_few_participants_beside_every_draw_there_is():
    hits, counts = [4, 19, 30, 9], [40, 40, 38, 20]
    draws = list(product(range(4), repeat=4))
    shares = [sum(hits[i] for i in draw) / sum(counts[i] for i in draw) for draw in draws]
    found = interval(hits, counts, 40_000, 1)
    wanted = [quantile(shares, [1 / len(draws)] * len(draws), level) for level in (LOW, HIGH)]
    assert found == pytest.approx(wanted, abs=0.02)
    assert found[0] > min(shares)
    assert found[1] < max(shares)


def test_who_answered_more_counts_more():
    low, high = interval([0, 100], [10, 100], 5_000, 0)
    assert (low, high) == (0.0, 1.0)
    assert interval([5, 5], [10, 10], 100, 0) == (0.5, 0.5), "nobody differs"


def test_it_is_the_same_again_and_other_for_another_seed():
    hits = list(range(30))
    first = interval(hits, [40] * 30, 1_000, 1)
    assert interval(hits, [40] * 30, 1_000, 1) == first
    assert interval(hits, [40] * 30, 1_000, 2) != first


def test_pieces_are_drawn_as_one(monkeypatch):
    hits = list(range(30))
    whole = interval(hits, [40] * 30, 1_000, 0)
    monkeypatch.setattr("orchestrator.study.fooled.AT_ONCE", 900)
    assert interval(hits, [40] * 30, 1_000, 0) == whole


def test_it_holds_the_truth_as_often_as_it_says():
    """People differ, each by a chance of one's own around 0.3: of 300 studies with 25 people, about 95 % should hold it."""
    numbers, held = np.random.default_rng(7), 0
    for study in range(300):
        chances = numbers.beta(6, 14, 25)
        low, high = interval(numbers.binomial(40, chances).tolist(), [40] * 25, 1_000, study)
        held += low <= 0.3 <= high
    assert 0.89 <= held / 300 <= 0.99
    pooled = sum(abs(np.sort(numbers.binomial(1000, 0.3, 300)) / 1000 - 0.3) < 1.96 * math.sqrt(0.21 / 1000)) / 300
    assert pooled > 0.9, "the check itself: of people who are all alike a binomial interval holds"
