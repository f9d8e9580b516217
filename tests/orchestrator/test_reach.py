"""Every combination that a search may come to is looked at when it is planned, whoever proposes it later."""

import pytest

from orchestrator.search.reach import MOST, NOT_ALL, combinations
from orchestrator.search.space import Choice, IntUniform, LogUniform, Uniform
from tests.orchestrator.spaces import Space

PAIRS = "system: pix2pix\ntrials: 3\nobjective: {metric: eval/l1}\n"
BATCH_NORM = "a critic with batch norm has no gradient of one sample to penalise; nearest: hyper.norm instance"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            PAIRS + "search: {hyper.penalty: {choice: [none, gp]}, hyper.norm: {choice: [instance, batch]}}",
            f"search.hyper.penalty: with hyper.norm batch, 'gp' does not fit: {BATCH_NORM}; or search it only beside what it "
            "fits, with when: {hyper.norm: [instance]}",
        ),
        (
            PAIRS + "hyper: {norm: batch}\nsearch: {hyper.penalty: {choice: [none, gp]}}",
            f"search.hyper.penalty: 'gp' does not fit: {BATCH_NORM}",
        ),
        (
            PAIRS + "hyper: {penalty: gp}\nsearch: {hyper.norm: {choice: [instance, batch]}}",
            f"search.hyper.norm: with hyper.norm batch, hyper.penalty 'gp' does not fit: {BATCH_NORM}",
        ),
        (
            PAIRS + "search: {hyper.gan: {choice: [vanilla, began]}, hyper.critic: {choice: [patch70, autoencoder]}}",
            "search.hyper.gan: with hyper.critic autoencoder, 'vanilla' does not fit: an autoencoder's errors are judged by "
            "began alone; nearest: hyper.gan began",
        ),
        (
            PAIRS + "search: {hyper.smoothing: {uniform: [0, 0.2]}, hyper.gan: {choice: [vanilla, wgan]}}",
            "search.hyper.smoothing: with hyper.gan wgan, 0.2 does not fit: wgan has no target to smooth; these have: lsgan, "
            "vanilla, minimax; or search it only beside what it fits, with when: {hyper.gan: [vanilla]}",
        ),
        (
            "trials: 3\nobjective: {metric: eval/identity}\nsearch: {hyper.identity: {choice: [true, false]}}",
            "objective.metric: with hyper.identity false, eval/identity does not exist",
        ),
        (
            "trials: 3\nobjective: {metric: eval/l1}\nconstraints: [eval/identity <= 0.3]\n"
            "search: {hyper.identity: {choice: [true, false]}}",
            "constraints: with hyper.identity false, eval/identity does not exist",
        ),
    ],
)
@pytest.mark.parametrize("searcher", ["optuna", "random"])
def test_a_combination_that_does_not_fit_is_named_though_nobody_has_drawn_it(refused, searcher, text, line):
    (told,) = refused(f"{text}\nsearcher: {searcher}")
    assert told == f"sweep.yaml: {line}"


def test_a_condition_keeps_two_settings_apart(planned):
    apart = "{choice: [gp, lp], when: {hyper.norm: [instance]}}"
    plan = planned(f"{PAIRS}search: {{hyper.norm: {{choice: [instance, batch]}}, hyper.penalty: {apart}}}")
    assert plan.searched == ["hyper.norm", "hyper.penalty"]


def test_a_weight_that_is_searched_where_it_weighs_nothing_is_a_note(planned):
    axes = "hyper.penalty: {choice: [none, gp, lp]}, weights.gp: {uniform: [1, 9]"
    when = "when: {hyper.penalty: [gp, lp]}"
    note = f"weights.gp is searched also where there is no such loss; keep it to where there is, with {when}"
    assert note in planned(f"{PAIRS}search: {{{axes}}}}}").notes
    assert note not in planned(f"{PAIRS}search: {{{axes}, {when}}}}}").notes


def test_a_range_stands_for_its_ends_and_few_whole_numbers_for_themselves():
    space: Space = {
        "hyper.a": Choice(("x", "y")),
        "hyper.b": IntUniform(1, 3, (("hyper.a", ("x",)),)),
        "hyper.c": LogUniform(0.1, 10, (("hyper.a", ("y",)),)),
        "weights.w": Uniform(0, 1),
        "balance.turns": IntUniform(1, 100),
    }
    points, whole = combinations(space)
    assert whole
    assert points == [
        {"hyper.a": "x", "hyper.b": 1},
        {"hyper.a": "x", "hyper.b": 2},
        {"hyper.a": "x", "hyper.b": 3},
        {"hyper.a": "y", "hyper.c": 0.1},
        {"hyper.a": "y", "hyper.c": 10},
    ]


def test_what_decides_about_a_setting_is_part_of_the_combination():
    space: Space = {"hyper.a": Choice((1, 2), (("balance.x", (True,)),)), "balance.x": Choice((True, False))}
    assert combinations(space)[0] == [
        {"balance.x": True, "hyper.a": 1},
        {"balance.x": True, "hyper.a": 2},
        {"balance.x": False},
    ]


def test_of_too_many_combinations_those_of_every_two_are_looked_at():
    space: Space = {f"hyper.x{i}": Choice(tuple(range(5))) for i in range(8)}
    points, whole = combinations(space)
    assert not whole, "5 ** 8 are more than it looks at"
    assert len(points) == 28 * 25
    pairs = {tuple(sorted(point.items())) for point in points}
    assert (("hyper.x2", 4), ("hyper.x7", 3)) in pairs
    assert len(combinations({f"hyper.x{i}": Choice(tuple(range(5_000))) for i in range(8)})[0]) == MOST


def test_a_search_that_cannot_be_looked_at_as_a_whole_says_so(planned):
    axes = [f"hyper.{name}: {{choice: [8, 9, 10, 11, 12, 13]}}" for name in ("width", "critic_width")]
    axes += [f"hyper.{name}: {{choice: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}}" for name in ("beta1", "beta2", "decay_from")]
    axes += ["hyper.dropout: {choice: [0.1, 0.2, 0.3]}"]
    assert NOT_ALL in planned(f"{PAIRS}search: {{{', '.join(axes)}}}").notes
