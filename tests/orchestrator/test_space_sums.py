"""Fixed sums: every division of the total is equally likely, and a division tells its coordinates."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.search.space import locate, read_axis, sample, spell_axis
from orchestrator.search.sums import Sum
from tests.orchestrator.spaces import Space

units = st.floats(0, 1)
totals = st.floats(1e-6, 1e6)


def key(count: int) -> str:
    return " + ".join(f"weights.{number}" for number in range(count))


@given(totals, st.lists(units, min_size=1, max_size=6))
def test_the_members_are_short_numbers_that_add_up(total, us):
    values = Sum(total).at(us)
    assert len(values) == len(us) + 1
    assert all(value >= 0 and value in (float(f"{value:.6g}"), total) for value in values)
    assert math.isclose(math.fsum(values), total, rel_tol=1e-5)


@given(totals, st.lists(units, min_size=1, max_size=6))
def test_a_division_tells_its_coordinates(total, us):
    values = Sum(total).at(us)
    again = Sum(total).of(values)
    assert again is not None
    assert all(0 <= u <= 1 for u in again)
    # At the very end of the stick the digits of a coordinate decide about nothing, so the values are compared.
    assert Sum(total).at(again) == pytest.approx(values, abs=2e-5 * total)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_member_has_the_distribution_of_a_uniform_division(count):
    """Of n parts, each is Beta(1, n - 1): the chance to be above s is (1 - s)^(n - 1), and two share -1/(n - 1) of it."""
    draws: list[list[Any]] = [list(sample({key(count): Sum(1)}, 0, index).values()) for index in range(4000)]
    for member in range(count):
        for share in (0.1, 0.3, 0.6):
            above = sum(draw[member] > share for draw in draws) / len(draws)
            chance = (1 - share) ** (count - 1)
            assert abs(above - chance) < 4 * math.sqrt(chance * (1 - chance) / len(draws)), (member, share)
    variance = sum((draw[0] - 1 / count) * (draw[-1] - 1 / count) for draw in draws) / len(draws)
    assert variance == pytest.approx(-1 / (count**2 * (count + 1)), rel=0.25)


def test_a_draw_names_its_members():
    space: Space = {"weights.a + weights.b": Sum(10)}
    values = sample(space, 0, 1)
    assert values == {"weights.a": 0.262937, "weights.b": 9.73706}, "a sweep of last year must be extended today"
    where = locate("weights.a + weights.b", Sum(10), values)
    assert where is not None
    assert where == pytest.approx({"weights.a": 0.0262937})


@pytest.mark.parametrize("values", [[4, 5.9], [-1, 11], [5, None], ["5", 5], [True, 9], [math.nan, 5]])
def test_what_is_no_division_has_no_coordinates(values):
    assert Sum(10).of(values) is None


def test_a_share_of_nothing_lies_in_the_middle():
    assert Sum(10).of([10, 0, 0]) == [1, 0.5]


@pytest.mark.parametrize("total", [0, -1, "10", True, [10], None, math.inf])
def test_a_total_is_a_number_above_0(total):
    with pytest.raises(ValueError) as caught:
        read_axis({"sum": total})
    shown = {True: "true", None: "null"}.get(total, repr(total)) if not isinstance(total, list) else "[10]"
    assert str(caught.value) == f"sum must be a number above 0, such as {{sum: 10}}, not {shown}"


def test_a_sum_is_spelled_as_it_is_read():
    axis = read_axis({"sum": 10})
    assert axis == Sum(10.0)
    assert spell_axis(axis) == {"sum": 10.0}
    assert str(axis) == "fixed sum of 10"
