"""Angles by hand: what names say, how far readings are off, and what is left after the best turn and mirroring."""

import math

import pytest
import torch

from trainers.angles import NoAngle, angles_of, degrees_of, off, spread, units

ROUND = torch.arange(0.0, 360.0, 15.0, dtype=torch.float64)


def of(*degrees: float) -> torch.Tensor:
    return torch.tensor(degrees, dtype=torch.float64)


def test_names_are_numbers_of_degrees():
    assert degrees_of(("000", "015", "-75", "+7.5", "345")) == (0.0, 15.0, -75.0, 7.5, 345.0)


@pytest.mark.parametrize("name", ["", "left", "15°", "1e3", "nan", "inf", "1_0", " 15", "15\n", ".5", "٣"])
def test_other_names_are_told(name):
    with pytest.raises(NoAngle) as caught:
        degrees_of(("000", name))
    assert caught.value.name == name
    assert str(caught.value) == f"{name!r} is no number of degrees"


def test_the_difference_is_the_short_way_round():
    assert off(of(359, 1, 0, -170, 90, 725), of(1, 359, 180, 170, 90, 0)).tolist() == [2, 2, 180, 20, 0, 5]


def test_a_pair_points_to_its_angle_whatever_its_length():
    assert angles_of(units((0.0, 90.0, -120.0)) * 0.01).tolist() == pytest.approx([0.0, 90.0, -120.0], abs=1e-4)
    assert angles_of(torch.zeros(1, 2)).tolist() == [0.0], "nothing is read as something"


@pytest.mark.parametrize("turn", [0.0, 1.0, 90.0, 180.0, -77.7])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_turned_and_mirrored_readings_have_no_spread(turn, direction):
    said = direction * ROUND + turn
    assert spread(said, ROUND) == pytest.approx(0.0, abs=1e-5)
    assert (off(said, ROUND).mean() > 0) == ((turn, direction) != (0.0, 1.0))


def test_the_spread_is_the_circular_standard_deviation():
    # Two readings of three quarters are right, and the third is a quarter off: the mean of 1, 1 and i is as long as sqrt(5) / 3.
    assert spread(of(10, 20, 120), of(10, 20, 30)) == pytest.approx(
        math.degrees(math.sqrt(-2 * math.log(math.sqrt(5) / 3)))
    )
    small = torch.linspace(-3, 3, 101, dtype=torch.float64)
    assert spread(small + 50, torch.full((101,), 12.0)) == pytest.approx(small.std(correction=0).item(), rel=1e-3), (
        "of small angles it is the usual one"
    )


def test_wrap_around_is_no_spread():
    over, below = spread(of(359, 1, 0, 92), of(1, 359, 0, 90)), spread(of(-1, 1, 0, 92), of(1, -1, 0, 90))
    assert over == pytest.approx(below) and 1 < over < 2
    assert str(spread(of(10, 20), of(10, 20))) == "0.0"


def test_readings_that_know_nothing_have_a_spread_that_is_large_and_finite():
    always = spread(torch.zeros_like(ROUND), ROUND)
    assert 180 < always < 487
    random = torch.rand(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 360
    assert 90 < spread(random, ROUND.repeat(42)[:1000]) < 300
