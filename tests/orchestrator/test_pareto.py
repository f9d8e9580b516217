"""Fronts, hypervolume and knee: what the words mean, checked against counting."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results.pareto import crowding, dominates, front, fronts, hypervolume, knee, worst

SIDE = 6  # of the grid that volumes are counted on


@st.composite
def clouds(draw, least=0, most=8):
    """Points on a grid of 2, 3 or 4 dimensions, many of them equal in some objective."""
    size = draw(st.integers(2, 4))
    coordinate = st.integers(0, SIDE).map(float)
    return size, draw(st.lists(st.tuples(*[coordinate] * size), min_size=least, max_size=most))


def counted(points, size):
    """How many unit cubes of the grid some point reaches: the hypervolume by counting."""
    cubes = itertools.product(range(SIDE), repeat=size)
    return sum(any(all(a <= c for a, c in zip(point, cube, strict=True)) for point in points) for cube in cubes)


@given(clouds())
def test_a_front_is_all_that_none_dominates(cloud):
    _, points = cloud
    assert front(points) == [
        i for i, one in enumerate(points) if not any(dominates(other, one) for other in points if other is not one)
    ]


@given(clouds())
def test_each_front_is_the_front_of_what_is_left(cloud):
    _, points = cloud
    left = list(range(len(points)))
    for one in fronts(points):
        assert one == [left[i] for i in front([points[i] for i in left])]
        left = [i for i in left if i not in one]
    assert not left


@given(clouds())
def test_a_hypervolume_is_what_counting_says(cloud):
    size, points = cloud
    assert hypervolume(points, (float(SIDE),) * size) == counted(points, size)


@given(clouds(least=1), st.randoms(use_true_random=False))
def test_a_hypervolume_knows_no_order_and_grows_with_every_point(cloud, chance):
    size, points = cloud
    reference = (SIDE - 0.5,) * size
    shuffled = chance.sample(points, len(points))
    volume = hypervolume(points, reference)
    assert hypervolume(shuffled, reference) == volume
    assert hypervolume(points[1:], reference) <= volume
    assert hypervolume([points[i] for i in front(points)], reference) == volume, "what is dominated adds nothing"


@given(st.lists(st.tuples(*[st.floats(-5, 5)] * 3), max_size=6))
def test_a_volume_of_three_dimensions_is_that_of_included_and_excluded_boxes(points):
    reference = (4.0, 5.0, 6.0)
    boxes = 0.0
    for count in range(1, len(points) + 1):
        for some in itertools.combinations(points, count):
            sides = [max(0.0, r - max(costs)) for r, costs in zip(reference, zip(*some, strict=True), strict=True)]
            boxes -= (-1) ** count * math.prod(sides)
    assert hypervolume(points, reference) == pytest.approx(boxes, rel=1e-9, abs=1e-9)


def test_the_reference_itself_adds_nothing():
    assert hypervolume([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)], (3.0, 3.0)) == 1.0
    assert hypervolume([], (1.0, 1.0)) == 0.0
    assert hypervolume([(0.25,), (0.5,)], (1.0,)) == 0.75
    assert worst([(1.0, 3.0), (2.0, 2.0)]) == (2.0, 3.0)


def test_equal_points_are_all_on_the_front():
    assert fronts([(1.0, 1.0), (1.0, 1.0), (1.0, 2.0)]) == [[0, 1], [2]]


def test_the_knee_is_nearest_to_the_best_of_each_whatever_the_units():
    points = [(0.0, 10.0), (1.0, 2.0), (4.0, 1.0), (10.0, 0.0)]
    assert knee(points) == 1
    assert knee([(1000 * a, b / 1000) for a, b in points]) == 1
    assert knee([(0.0, 1.0), (1.0, 0.0)]) == 0, "the first of equally near ones"
    assert knee([(3.0, 7.0)]) == 0
    assert knee([(5.0, 2.0, 0.0), (5.0, 1.0, 1.0), (5.0, 0.0, 9.0)]) == 1, "where all are equal nothing is decided"


@given(clouds(least=1), st.integers(0, 3))
def test_the_knee_is_on_the_front_and_has_no_units(cloud, axis):
    size, points = cloud
    best = [points[i] for i in front(points)]
    chosen = best[knee(best)]
    assert chosen in best
    turned = [tuple(c * 4 + 8 if i == axis % size else c for i, c in enumerate(point)) for point in best]
    assert best[knee(turned)] == chosen


def test_crowding_is_the_gap_between_the_neighbours():
    assert crowding([(0.0, 4.0), (1.0, 2.0), (4.0, 0.0)]) == [math.inf, 2.0, math.inf]
    assert crowding([(0.0, 4.0), (1.0, 3.0), (2.0, 2.0), (4.0, 0.0)])[1:3] == [1.0, 1.5]
    assert crowding([(1.0, 1.0)]) == [math.inf]
    assert crowding([]) == []
