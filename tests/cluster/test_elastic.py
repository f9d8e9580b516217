"""How many workers: powers of two that divide the replicas, and the largest that the nodes have room for."""

import pytest

from cluster.workers.elastic import choose, room, sizes

CPU = {"CPU": 1.0}
GPU = {"CPU": 2.0, "GPU": 1.0}


@pytest.mark.parametrize(
    ("least", "most", "replicas", "expected"),
    [
        (1, 8, 8, [1, 2, 4, 8]),
        (2, 8, 4, [2, 4]),
        (3, 7, 8, [4]),
        (1, 6, 8, [1, 2, 4]),
        (2, 2, 2, [2]),
        (1, 1, 1, [1]),
        (5, 7, 8, []),
        (2, 8, 1, []),
    ],
)
def test_sizes(least, most, replicas, expected):
    assert sizes(least, most, replicas) == expected


def test_a_worker_does_not_span_nodes():
    assert room({"CPU": 2.0}, [{"CPU": 3.0}, {"CPU": 1.0}]) == 1


def test_what_a_worker_does_not_take_is_not_asked_for():
    assert room({"CPU": 1.0, "GPU": 0.0}, [{"CPU": 3.0}]) == 3


def test_the_scarcest_counts():
    assert room(GPU, [{"CPU": 16.0, "GPU": 3.0}, {"CPU": 5.0, "GPU": 8.0}, {"CPU": 64.0}]) == 5


def test_a_sum_of_fractions_is_not_short_by_its_rounding():
    assert room({"CPU": 0.1}, [{"CPU": 1.0 - 0.1 - 0.1 - 0.1}]) == 7


@pytest.mark.parametrize(
    ("free", "expected"),
    [([{"CPU": 8.0}], 8), ([{"CPU": 7.9}], 4), ([{"CPU": 1.0}] * 3, 2), ([{"CPU": 1.5}], None), ([], None)],
)
def test_the_largest_that_fits(free, expected):
    assert choose(2, 8, 8, CPU, free) == expected


def test_no_more_than_the_replicas():
    assert choose(1, 8, 2, CPU, [{"CPU": 100.0}]) == 2
