"""Random search spaces for property tests: conditions two deep, sums, and every kind of axis."""

from collections.abc import Callable

from hypothesis import strategies as st

from orchestrator.search.conditions import When
from orchestrator.search.space import Axis, Choice, IntUniform, LogUniform, Uniform
from orchestrator.search.sums import Sum

Space = dict[str, Axis]
OPTIONS = ("a", "b", True, 1)


def _when(parents):
    """A condition on one of `parents`, or none."""
    some = st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=2, unique_by=repr).map(tuple)
    one = st.tuples(st.sampled_from(parents), some).map(lambda condition: (condition,))
    return st.one_of(st.just(()), one)


@st.composite
def spaces(draw):
    """Axes that fit together, children sometimes before their parents."""
    space: Space = {"hyper.c": Choice(OPTIONS), "hyper.d": Choice(OPTIONS, draw(_when(["hyper.c"])))}
    kinds: dict[str, Callable[[When], Axis]] = {
        "weights.u": lambda when: Uniform(-2, 3, when),
        "weights.l": lambda when: LogUniform(1e-3, 1e2, when),
        "hyper.i": lambda when: IntUniform(-3, 9, when),
        "weights.x + weights.y": lambda when: Sum(10, when),
        "weights.p + weights.q + weights.r": lambda when: Sum(0.1, when),
    }
    for key in draw(st.lists(st.sampled_from(list(kinds)), unique=True)):
        space[key] = kinds[key](draw(_when(["hyper.c", "hyper.d"])))
    return dict(draw(st.permutations(list(space.items()))))
