"""Search spaces: draws are a pure function, lie where they should, and slips are told."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.search.space import Axis, Choice, IntUniform, LogUniform, Uniform, grid, read_axis, sample, spell_axis

numbers = st.floats(-1e300, 1e300)
positive = st.floats(1e-300, 1e300)


def distinct(pair):
    return pair[0] < pair[1]


axes = st.one_of(
    st.lists(st.text(max_size=3), min_size=1, unique=True).map(lambda values: Choice(tuple(values))),
    st.tuples(numbers, numbers).filter(distinct).map(lambda pair: Uniform(*pair)),
    st.tuples(positive, positive).filter(distinct).map(lambda pair: LogUniform(*pair)),
    st.tuples(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
    .filter(distinct)
    .map(lambda pair: IntUniform(*pair)),
)
spaces = st.dictionaries(st.text(min_size=1, max_size=8), axes, max_size=4)


@given(axes, st.integers(0, 2**63 - 1), st.integers(0, 10**6))
def test_a_draw_lies_on_its_axis(axis, seed, index):
    value = sample({"x": axis}, seed, index)["x"]
    if isinstance(axis, Choice):
        assert value in axis.options
    else:
        assert axis.lo <= value <= axis.hi
        assert isinstance(value, int if isinstance(axis, IntUniform) else float)


@given(spaces, st.integers(0, 99), st.integers(0, 99), axes)
def test_a_draw_depends_on_its_own_name_alone(space, seed, index, other):
    before = sample(space, seed, index)
    assert sample(dict(reversed(space.items())), seed, index) == before
    wider = sample({"a further axis": other, **space}, seed, index)
    assert {name: wider[name] for name in space} == before
    assert all(sample({name: axis}, seed, index)[name] == before[name] for name, axis in space.items())


@given(axes, st.integers(0, 99))
def test_a_draw_tells_its_coordinate(axis, index):
    value: Any = sample({"x": axis}, 0, index)["x"]
    u = axis.of(value)
    assert 0 <= u <= 1
    again = axis.at(u)
    assert again == value or math.isclose(again, value, rel_tol=2e-5, abs_tol=1e-9 * max(map(abs, axis.extremes())))


@pytest.mark.parametrize(
    ("axis", "value"),
    [
        (Choice((1, "a")), True),
        (Choice((1, "a")), "b"),
        (Choice((1, "a")), None),
        (Uniform(1, 2), 2.1),
        (Uniform(1, 2), "1.5"),
        (Uniform(0, 2), True),
        (LogUniform(1, 2), 0),
        (LogUniform(1, 2), None),
        (IntUniform(1, 3), 4),
        (IntUniform(1, 3), 1.5),
    ],
)
def test_what_lies_outside_has_no_coordinate(axis, value):
    assert axis.of(value) is None


@given(axes)
def test_an_axis_is_spelled_as_it_is_read(axis):
    assert read_axis(spell_axis(axis)) == axis


def test_draws_spread_over_the_axis():
    space: dict[str, Axis] = {
        "log": LogUniform(1e-3, 1e3),
        "flat": Uniform(0, 10),
        "whole": IntUniform(1, 3),
        "one": Choice(("a", "b")),
    }
    draws: list[dict[str, Any]] = [dict(sample(space, 0, index)) for index in range(2000)]
    assert len({draw["log"] for draw in draws}) > 1900
    assert abs(sum(math.log10(draw["log"]) for draw in draws) / 2000) < 0.15
    assert abs(sum(draw["flat"] for draw in draws) / 2000 - 5) < 0.25
    for name, values in (("whole", {1, 2, 3}), ("one", {"a", "b"})):
        counts = [sum(draw[name] == value for draw in draws) for value in values]
        assert min(counts) > 0.9 * 2000 / len(values)


def test_axes_and_seeds_are_independent():
    space = {"x": Uniform(0, 1), "y": Uniform(0, 1)}
    assert sample(space, 0, 1)["x"] != sample(space, 0, 1)["y"]
    assert sample(space, 0, 1) != sample(space, 1, 1)
    assert sample(space, 1, 0) != sample(space, 0, 1)


def test_these_draws_never_change():
    """A sweep of last year must propose the same trials when it is extended today."""
    space: dict[str, Axis] = {
        "weights.cyc": LogUniform(1, 30),
        "hyper.width": IntUniform(8, 16),
        "hyper.gan": Choice(("lsgan", "vanilla")),
    }
    assert sample(space, 0, 1) == {"weights.cyc": 1.09119, "hyper.width": 12, "hyper.gan": "lsgan"}


def test_a_grid_is_every_combination_in_the_order_written():
    points = grid({"x": Choice((1, 2)), "y": Choice(("a", "b"))})
    assert points == [{"x": 1, "y": "a"}, {"x": 1, "y": "b"}, {"x": 2, "y": "a"}, {"x": 2, "y": "b"}]


def test_a_grid_that_nobody_could_train_is_refused():
    many = Choice(tuple(range(1000)))
    with pytest.raises(ValueError) as caught:
        grid({"x": many, "y": many})
    assert str(caught.value) == "the grid has more than 100000 points; use searcher: random"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ([1, 2], "must be a distribution, such as {uniform: [1, 9]}, not [1, 2]; has: choice, uniform, log_uniform"),
        ({}, "must be a distribution"),
        ({"uniform": [1, 2], "choice": [1]}, "must be a distribution"),
        ({"loguniform": [1, 2]}, "unknown distribution 'loguniform'; nearest: log_uniform; has: choice, uniform"),
        ({"uniform": 3}, "uniform must be a list, not 3"),
        ({"uniform": [1]}, "uniform must be two numbers [lowest, highest], not [1]"),
        ({"uniform": [1, "2"]}, "uniform must be two numbers [lowest, highest], not [1, '2']"),
        ({"uniform": [0, float("inf")]}, "uniform must be two numbers [lowest, highest]"),
        ({"uniform": [2, 1]}, "uniform must go from the lower to the higher number, not from 2 to 1"),
        ({"uniform": [1, 1]}, "uniform must go from the lower to the higher number, not from 1 to 1"),
        ({"log_uniform": [0, 1]}, "log_uniform must start above 0, not at 0; use uniform to include 0"),
        ({"int_uniform": [1, 2.5]}, "int_uniform must be two whole numbers, not [1, 2.5]"),
        ({"log_uniform": [-1, 1]}, "log_uniform must start above 0, not at -1; use uniform to include 0"),
        ({"log_uniform": [10, 1]}, "log_uniform must go from the lower to the higher number, not from 10 to 1"),
        ({"choice": []}, "choice must name at least one value"),
        ({"choice": [1, 2, 1.0]}, "choice names 1.0 twice"),
        ({"choice": [[1]]}, "choice must hold numbers, words, true or false, not [1]"),
        ({"choice": [None]}, "choice must hold numbers, words, true or false, not null"),
    ],
)
def test_a_slip_in_an_axis_is_told(written, problem):
    with pytest.raises(ValueError) as caught:
        read_axis(written)
    assert str(caught.value).startswith(problem)


def test_true_is_not_one():
    assert read_axis({"choice": [True, 1]}) == Choice((True, 1))
