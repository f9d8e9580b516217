"""A search as a whole: what does not fit together is told, and fixed settings decide about conditions once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.search.space import Choice, IntUniform, Scalar, Uniform, sample
from orchestrator.search.space_check import check_space, renamed, settle
from orchestrator.search.sums import Sum
from tests.orchestrator.spaces import Space, spaces

HELD: dict[str, Scalar | None] = {
    "hyper.penalty": "none",
    "hyper.width": 8,
    "hyper.spectral": True,
    "weights.a": 1.0,
    "weights.b": 2.0,
    "weights.gp": 10.0,
}
PENALTY = Choice(("none", "gp", "lp"))
LOW = Uniform(0, 1)


def when(parent, *values):
    return Uniform(0, 1, ((parent, values),))


@pytest.mark.parametrize(
    ("space", "line"),
    [
        (
            {"weights.gp": when("hyper.penlty", "gp")},
            "search.weights.gp.when: unknown setting 'hyper.penlty'; nearest: hyper.penalty",
        ),
        (
            {"weights.gp": when("penalty", "gp")},
            "search.weights.gp.when: unknown setting 'penalty'; nearest: hyper.penalty",
        ),
        ({"weights.gp": when("zzz", 1)}, "search.weights.gp.when: unknown setting 'zzz'"),
        (
            {"weights.gp": when("hyper.penalty", "gpp"), "hyper.penalty": PENALTY},
            "search.weights.gp.when: hyper.penalty is never 'gpp'; nearest: gp; has: none, gp, lp",
        ),
        (
            {"weights.gp": when("hyper.spectral", 1), "hyper.spectral": Choice((True, False))},
            "search.weights.gp.when: hyper.spectral is never 1; has: true, false",
        ),
        (
            {"weights.gp": when("hyper.width", 8), "hyper.width": IntUniform(8, 16)},
            "search.weights.gp.when: hyper.width is searched as whole numbers from 8 to 16; "
            "only a choice or a fixed setting decides",
        ),
        (
            {"weights.gp": when("weights.a", 1), "weights.a + weights.b": Sum(3)},
            "search.weights.gp.when: weights.a is part of weights.a + weights.b; only a choice or a fixed setting decides",
        ),
        (
            {"hyper.penalty": Choice(("gp", "lp"), (("hyper.penalty", ("gp",)),))},
            "search.hyper.penalty.when: goes round in a circle: hyper.penalty waits for hyper.penalty",
        ),
        (
            {
                "hyper.width": Choice((8, 16), (("hyper.penalty", ("gp",)),)),
                "hyper.penalty": Choice(("gp", "lp"), (("hyper.spectral", (True,)),)),
                "hyper.spectral": Choice((True, False), (("hyper.width", (8,)),)),
                "weights.a": when("hyper.width", 8),
            },
            "search.hyper.width.when: goes round in a circle: hyper.width waits for hyper.penalty waits for "
            "hyper.spectral waits for hyper.width",
        ),
        (
            {"weights.a": Sum(3)},
            "search.weights.a: a sum is shared by two settings or more, such as weights.a + weights.b",
        ),
        (
            {"weights.a +": Sum(3)},
            "search.weights.a +: a sum is shared by two settings or more, such as weights.a + weights.b",
        ),
        (
            {"weights.a + weights.b": LOW},
            "search.weights.a + weights.b: several settings share a sum, such as {sum: 10}, not uniform from 0 to 1",
        ),
        (
            {"weights.a + hyper.width": Sum(3)},
            "search.weights.a + hyper.width: only weights share a sum, not 'hyper.width'",
        ),
        ({"weights.a + weights.a": Sum(3)}, "search.weights.a + weights.a: names weights.a twice"),
        (
            {"weights.a": LOW, "weights.a + weights.b": Sum(3)},
            "search.weights.a + weights.b: sets weights.a, which search.weights.a sets already; keep one of the two",
        ),
        (
            {"weights.a + weights.b": Sum(3), "weights.b": LOW},
            "search.weights.b: sets weights.b, which search.weights.a + weights.b sets already; keep one of the two",
        ),
        (
            {"weights.a + weights.b": Sum(3), "weights.b + weights.gp": Sum(2)},
            "search.weights.b + weights.gp: sets weights.b, which search.weights.a + weights.b sets already; "
            "keep one of the two",
        ),
    ],
)
def test_a_space_that_does_not_fit_together_is_told_in_one_line(space, line):
    assert [str(refusal) for refusal in check_space(space, HELD)] == [line]


def test_each_mistake_has_its_line():
    space: Space = {"weights.a + weights.a": Sum(3), "weights.gp": when("hyper.penlty", "gp")}
    assert len(check_space(space, HELD)) == 2


@given(spaces())
def test_what_fits_together_is_not_refused(space):
    assert check_space(space, {}) == []
    assert settle(space, {}) == (space, [])


def test_a_fixed_setting_decides_once():
    space: Space = {"weights.gp": when("hyper.penalty", "gp", "lp"), "weights.a": when("hyper.width", 8.0)}
    assert settle(space, HELD) == ({"weights.a": LOW}, ["weights.gp is not searched: hyper.penalty is 'none'"])
    assert settle(space, {**HELD, "hyper.penalty": "lp"}) == ({"weights.gp": LOW, "weights.a": LOW}, [])
    assert settle({"weights.a": when("hyper.spectral", 1)}, HELD)[1] == [
        "weights.a is not searched: hyper.spectral is true"
    ]


def test_what_hangs_on_an_axis_left_out_is_left_out():
    """Even where the preset holds the value that is asked for: nobody searches it."""
    space: Space = {
        "weights.gp": when("hyper.spectral", True),
        "hyper.spectral": Choice((True, False), (("hyper.penalty", ("gp",)),)),
        "weights.a": LOW,
    }
    assert settle(space, HELD) == (
        {"weights.a": LOW},
        [
            "hyper.spectral is not searched: hyper.penalty is 'none'",
            "weights.gp is not searched: hyper.spectral is not searched",
        ],
    )


def test_all_conditions_count_and_those_on_axes_stay():
    both = Uniform(0, 1, (("hyper.width", (8,)), ("hyper.penalty", ("gp",))))
    space: Space = {"weights.gp": both, "hyper.penalty": PENALTY}
    assert settle(space, HELD)[0] == {"weights.gp": when("hyper.penalty", "gp"), "hyper.penalty": PENALTY}
    assert settle(space, {**HELD, "hyper.width": 16}) == (
        {"hyper.penalty": PENALTY},
        ["weights.gp is not searched: hyper.width is 16"],
    )


@given(spaces(), st.integers(0, 9))
def test_the_same_search_under_other_names_draws_the_same(space, index):
    """`weights.A` for `weights.a`, and the members of a sum in another order."""

    def nickname(name):
        return name.upper().replace("WEIGHTS", "weights").replace("HYPER", "hyper")

    def canonical(name):
        part, _, rest = name.partition(".")
        return f"{part}.{rest.lower()}"

    other = {"+".join(map(nickname, reversed(key.split(" + ")))): axis for key, axis in space.items()}
    assert renamed(other, canonical) == space
    assert sample(renamed(other, canonical), 0, index) == sample(space, 0, index)


def test_the_parents_are_renamed_too():
    space: Space = {"weights.gp": when("weights.lambda_a", 1)}
    assert renamed(space, lambda name: name.replace("lambda_", "")) == {"weights.gp": when("weights.a", 1)}
