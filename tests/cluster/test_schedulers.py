"""Who goes on: each scheduler on values that a person can check."""

import math

import pytest

from cluster.log.records import TrialState
from cluster.schedulers.decisions import CLONE, CONTINUE, PAUSE, STOP
from cluster.schedulers.halving import Brackets, rungs
from cluster.schedulers.median import Medians
from cluster.schedulers.pbt import Population


def waiting(values, step, scheduler, **states):
    """Trials that all wait at `step` with these values; `states` for those in another one, by t<number>."""
    trials = {}
    for index, value in enumerate(values):
        trials[index] = TrialState(index, {"lr": float(index)}, states.get(f"t{index}", "paused"), step, setting=index)
        if trials[index].state == "paused":
            assert scheduler.report(index, step, value).action == PAUSE
    return trials


def actions(decisions):
    return {decision.trial: decision.action for decision in decisions}


@pytest.mark.parametrize(
    ("grace", "reduction", "steps", "expected"),
    [(1, 3, 9, (1, 3)), (1, 3, 10, (1, 3, 9)), (2, 2, 8, (2, 4)), (8, 2, 8, ()), (3, 1.5, 10, (3, 4, 7))],
)
def test_rungs_grow_by_the_reduction_and_end_below_the_last_step(grace, reduction, steps, expected):
    assert rungs(grace, reduction, steps) == expected


def test_halving_waits_for_the_last_of_the_bracket():
    brackets = Brackets(1, 2, 4, 4, 8, "min")
    trials = waiting([0.4, 0.3, 0.2], 1, brackets)
    assert brackets.settle(trials) == [], "the fourth was not even suggested"
    trials[3] = TrialState(3, {}, "running", 1, setting=3)
    assert brackets.settle(trials) == []
    trials[3].state = "failed"
    assert actions(brackets.settle(trials)) == {0: CONTINUE, 1: CONTINUE, 2: CONTINUE}, "2 of 4, and the preset"


@pytest.mark.parametrize(("mode", "best"), [("min", {3, 4}), ("max", {1, 2})])
def test_halving_keeps_the_better_half_and_the_preset(mode, best):
    brackets = Brackets(1, 2, 5, 5, 8, mode)
    found = brackets.settle(waiting([0.5, 0.9, 0.8, 0.1, 0.2], 1, brackets))
    assert {t for t, action in actions(found).items() if action == CONTINUE} == best | {0}
    stopped = next(decision for decision in found if decision.action == STOP)
    assert stopped.why == "not among the 2 best of its bracket at step 1"


def test_halving_breaks_a_tie_by_the_number_and_takes_no_number_for_the_worst():
    brackets = Brackets(1, 2, 4, 4, 8, "min")
    assert actions(brackets.settle(waiting([math.inf, 0.2, 0.2, 0.2], 1, brackets))) == {
        0: CONTINUE,
        1: CONTINUE,
        2: CONTINUE,
        3: STOP,
    }


def test_halving_takes_brackets_apart():
    brackets = Brackets(1, 2, 2, 4, 8, "min")
    trials = waiting([0.4, 0.3, 0.2, 0.1], 1, brackets, t1="running")
    assert actions(brackets.settle(trials)) == {2: STOP, 3: CONTINUE}


def test_halving_at_a_later_rung_keeps_one_of_the_whole_bracket():
    brackets = Brackets(1, 2, 4, 4, 8, "min")
    trials = waiting([0.4, 0.3, 0.2, 0.1], 2, brackets, t0="done", t1="stopped")
    assert actions(brackets.settle(trials)) == {2: STOP, 3: CONTINUE}


def test_no_value_stops_before_the_grace_or_at_the_end():
    medians = Medians(4, 1, 8, "min")
    for trial in range(4):
        for step in (2, 4, 8):
            action = medians.report(trial, step, float(trial)).action
            assert action == (STOP if trial > 0 and step == 4 else CONTINUE), (trial, step)


def test_the_median_is_of_what_the_others_were_like_up_to_that_step():
    medians = Medians(1, 2, 9, "min")
    for step, values in ((1, (0.9, 0.5, 0.7)), (2, (0.1, 0.3, 0.5))):
        for trial, value in enumerate(values):
            medians.report(trial, step, value)
    # Others' running means at step 2: 0.5, 0.4, 0.6. The trial's best so far counts.
    medians.report(3, 1, 0.51)
    found = medians.report(3, 2, 0.6)
    assert (found.action, found.why) == (STOP, "worse at step 2 than the median of 3 others, 0.5")
    medians.report(4, 1, 0.49)
    assert medians.report(4, 2, 9.0).action == CONTINUE


def test_the_median_needs_others_that_came_as_far():
    medians = Medians(1, 2, 9, "max")
    medians.report(1, 5, 0.9)
    medians.report(2, 1, 0.9)
    assert medians.report(3, 5, 0.0).action == CONTINUE


def population(explore=lambda params, number, trial: {"lr": 2 * params["lr"]}, **changes):
    settings = {"every": 2, "quantile": 0.25, "seed": 0, "trials": 4, "steps": 8, "mode": "min", **changes}
    return Population(explore=explore, **settings)


def test_the_worst_go_on_from_the_best_with_perturbed_values():
    pbt = population()
    assert pbt.pauses == (2, 4, 6)
    found = pbt.settle(waiting([0.4, 0.3, 0.2, 0.9], 2, pbt))
    assert actions(found) == {3: CLONE, 0: CONTINUE, 1: CONTINUE, 2: CONTINUE}
    assert (found[0].donor, found[0].params, found[0].why) == (2, {"lr": 4.0}, "goes on from trial 2 at step 2")


def test_a_donor_is_never_a_clone_and_is_drawn_by_seed_and_round():
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    seen = set()
    for seed in range(20):
        pbt = population(quantile=0.5, trials=8, seed=seed)
        trials = waiting(values, 2, pbt)
        clones = [decision for decision in pbt.settle(trials) if decision.action == CLONE]
        assert {decision.trial for decision in clones} == {4, 5, 6, 7}
        assert {decision.donor for decision in clones} <= {0, 1, 2, 3}
        assert pbt.settle(trials) == pbt.settle(trials)
        seen.add(tuple(decision.donor for decision in clones))
    assert len(seen) > 10


def test_a_population_waits_for_all_and_goes_on_without_the_failed():
    pbt = population()
    trials = waiting([0.4, 0.3, 0.2], 2, pbt)
    assert pbt.settle(trials) == []
    trials[3] = TrialState(3, {"lr": 0.0}, "pending", 0, setting=3)
    assert pbt.settle(trials) == []
    trials[3].state = "failed"
    assert actions(pbt.settle(trials)) == {0: CONTINUE, 1: CLONE, 2: CONTINUE}, "0 is the worst, and the preset"


def test_a_population_of_one_clones_nobody():
    pbt = population()
    assert actions(pbt.settle(waiting([0.4], 2, pbt) | {i: TrialState(i, {}, "failed") for i in (1, 2, 3)})) == {
        0: CONTINUE
    }
