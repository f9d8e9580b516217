"""Conditional axes: in force exactly where their condition says, and never in the way of the others' draws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.search.conditions import is_same, parents_first
from orchestrator.search.space import (
    Choice,
    LogUniform,
    Scalar,
    Uniform,
    grid,
    keep,
    read_axis,
    sample,
    settings_of,
    spell_axis,
)
from orchestrator.search.sums import Sum
from tests.orchestrator.spaces import Space, spaces

GP_OR_LP = (("hyper.penalty", ("gp", "lp")),)


def test_a_condition_is_one_value_or_a_list_beside_the_distribution():
    when = {"hyper.penalty": ["gp", "lp"], "hyper.spectral": True}
    axis = read_axis({"log_uniform": [1, 100], "when": when})
    assert axis == LogUniform(1, 100, (*GP_OR_LP, ("hyper.spectral", (True,))))
    assert spell_axis(axis) == {
        "log_uniform": [1, 100],
        "when": {"hyper.penalty": ["gp", "lp"], "hyper.spectral": [True]},
    }
    assert str(axis) == "log-uniform from 1 to 100 where hyper.penalty is 'gp' or 'lp' and hyper.spectral is true"


@given(spaces())
def test_an_axis_is_spelled_as_it_is_read(space):
    assert {key: read_axis(spell_axis(axis)) for key, axis in space.items()} == space


@given(spaces(), st.integers(0, 99), st.integers(0, 99))
def test_an_axis_has_a_value_exactly_where_its_condition_holds(space, seed, index):
    values = sample(space, seed, index)
    for key, axis in space.items():
        met = all(any(is_same(values.get(parent), one) for one in options) for parent, options in axis.when)
        assert all((name in values) == met for name in settings_of(key, axis))


@given(spaces(), st.integers(0, 99), st.integers(0, 99))
def test_a_condition_leaves_the_draws_as_they_were(space, seed, index):
    free = {key: type(axis)(*list(vars(axis).values())[:-1]) for key, axis in space.items()}
    assert not any(axis.when for axis in free.values())
    assert sample(free, seed, index).items() >= sample(space, seed, index).items()


def test_an_axis_that_hangs_on_one_out_of_force_is_out_of_force():
    space: Space = {
        "weights.gp": Uniform(1, 2, (("hyper.penalty", ("gp",)),)),
        "hyper.penalty": Choice(("gp", "lp"), (("hyper.gan", ("wgan",)),)),
        "hyper.gan": Choice(("wgan", "lsgan")),
    }
    written: dict[str, Scalar] = {"hyper.gan": "lsgan", "hyper.penalty": "gp", "weights.gp": 1.5}
    assert keep(space, written) == {"hyper.gan": "lsgan"}
    assert keep(space, {**written, "hyper.gan": "wgan"}) == {**written, "hyper.gan": "wgan"}
    assert list(keep(space, {**written, "hyper.gan": "wgan"})) == list(space)
    assert parents_first(space) == ["hyper.gan", "hyper.penalty", "weights.gp"]


def test_one_is_not_true():
    space: Space = {"hyper.a": Choice((1, True)), "hyper.b": Uniform(0, 1, (("hyper.a", (True,)),))}
    assert keep(space, {"hyper.a": 1, "hyper.b": 0.5}) == {"hyper.a": 1}
    assert keep(space, {"hyper.a": True, "hyper.b": 0.5}) == {"hyper.a": True, "hyper.b": 0.5}


def test_what_the_preset_lacks_is_left_out():
    space: Space = {"weights.a + weights.b": Sum(1), "weights.cyc": Uniform(1, 2)}
    assert keep(space, {"weights.a": 3.0, "weights.b": 4.0}) == {"weights.a": 3.0, "weights.b": 4.0}


def test_a_grid_crosses_only_axes_that_are_in_force():
    points = grid(
        {
            "weights.gp": Choice((1, 10), (("hyper.penalty", ("gp", "lp")),)),
            "hyper.penalty": Choice(("none", "gp")),
            "hyper.width": Choice((8, 16)),
        }
    )
    assert points == [
        {"hyper.penalty": "none", "hyper.width": 8},
        {"hyper.penalty": "none", "hyper.width": 16},
        {"weights.gp": 1, "hyper.penalty": "gp", "hyper.width": 8},
        {"weights.gp": 1, "hyper.penalty": "gp", "hyper.width": 16},
        {"weights.gp": 10, "hyper.penalty": "gp", "hyper.width": 8},
        {"weights.gp": 10, "hyper.penalty": "gp", "hyper.width": 16},
    ]
    assert [list(point) for point in points[2:3]] == [["weights.gp", "hyper.penalty", "hyper.width"]]


def test_a_grid_of_branches_is_counted_by_its_branches():
    space = {"hyper.branch": Choice(("a", "b", "c", "d"))}
    for branch in "abcd":
        for number in range(4):
            space[f"weights.{branch}{number}"] = Choice(tuple(range(10)), (("hyper.branch", (branch,)),))
    assert len(grid(space)) == 4 * 10**4, "the full product is 4e16"


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("gp", "when must be a mapping, such as {hyper.penalty: [gp, lp]}, not 'gp'"),
        ({}, "when must be a mapping, such as {hyper.penalty: [gp, lp]}, not {}"),
        (None, "when must be a mapping, such as {hyper.penalty: [gp, lp]}, not null"),
        ({True: 1}, "when must be a mapping, such as {hyper.penalty: [gp, lp]}, not {True: 1}"),
        ({"hyper.a": []}, "when hyper.a must name at least one value"),
        ({"hyper.a": ["x", "x"]}, "when hyper.a names 'x' twice"),
        ({"hyper.a": None}, "when hyper.a must hold numbers, words, true or false, not null"),
        ({"hyper.a": {"x": 1}}, "when hyper.a must hold numbers, words, true or false, not {'x': 1}"),
        ({"hyper.a": float("nan")}, "when hyper.a must hold numbers, words, true or false, not nan"),
    ],
)
def test_a_slip_in_a_condition_is_told(when, problem):
    with pytest.raises(ValueError) as caught:
        read_axis({"uniform": [1, 2], "when": when})
    assert str(caught.value) == problem


def test_a_condition_alone_is_no_axis():
    with pytest.raises(ValueError) as caught:
        read_axis({"when": {"hyper.a": 1}})
    assert str(caught.value) == (
        "must be a distribution, such as {uniform: [1, 9]}, not {'when': {'hyper.a': 1}}; "
        "has: choice, uniform, log_uniform, int_uniform, sum"
    )
