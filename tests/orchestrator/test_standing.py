"""Settings are judged by the mean over their seeds, and none is judged better for what it lost."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.objective import Objective
from orchestrator.results.outcome import judge
from orchestrator.results.standing import Goal, rank, ranked, standings, violation
from orchestrator.search.searching import Search, make_searcher
from orchestrator.sweep_file.search import Constraint
from tests.orchestrator.unrun import L1, SSIM, STEPS, Log

GOALS = [Goal("eval/l1", "min")]
BOTH = [Goal("eval/l1", "min"), Goal("eval/ssim", "max")]


def order(log, goals=GOALS, constraints=()):
    """The numbers of the settings, the best first."""
    return [one.setting for one in ranked(standings(log.state.trials, goals, constraints), goals)]


def standing(log, setting=0, goals=GOALS, constraints=(), **seeds):
    return next(s for s in standings(log.state.trials, goals, constraints, **seeds) if s.setting == setting)


def scores(l1, ssim):
    return {STEPS: {"eval/l1": l1, "eval/ssim": ssim}}


def test_with_one_seed_a_setting_is_its_trial():
    one = standing(Log().trial([0.5, 0.4]).trial([0.6, 0.3]), 1)
    assert (one.trials, one.of, one.lost, one.step, one.state) == ((1,), 1, 0, 200, "done")
    assert (one.means, one.params, one.seconds) == ((0.3,), {"weights.cyc": 11.0}, 20.0)
    assert math.isnan(one.spreads[0]), "of one training nobody knows the spread"


def test_seeds_are_judged_by_their_mean_with_its_sample_deviation():
    one = standing(Log().seeds(0, [0.1, 0.2, 0.6]), seeds=3)
    assert one.means == (pytest.approx(0.3),)
    assert one.spreads == (pytest.approx(statistics.stdev([0.1, 0.2, 0.6])),)
    assert (one.trials, one.of, one.step) == ((0, 1, 2), 3, STEPS)


def test_the_better_mean_comes_first_whichever_way_is_better():
    log = Log().seeds(0, [0.5, 0.1]).seeds(1, [0.2, 0.2]).seeds(2, [0.9, 0.9])
    assert order(log) == [1, 0, 2]
    assert order(log, [Goal("eval/l1", "max")]) == [2, 0, 1]


@pytest.mark.parametrize(
    ("state", "value"), [("failed", 0.1), ("failed", math.nan), ("stopped", 0.9), ("done", math.nan)]
)
def test_a_setting_is_not_better_for_a_training_that_it_lost(state, value):
    log = Log().seeds(0, [0.5, 0.5]).seeds(1, [0.1]).seeds(1, [value], state, first=1)
    lost = standing(log, 1)
    assert (lost.means, lost.trials, lost.lost) == ((0.1,), (2,), 1)
    assert order(log) == [0, 1], "whatever its mean"


def test_a_setting_that_was_stopped_as_a_whole_has_lost_nothing():
    log = Log().trial([0.5, 0.4, 0.3, 0.2]).trial([0.7], "stopped", setting=1, seed=0)
    log.trial([0.6, 0.5], "stopped", setting=1, seed=1).trial({}, "stopped", setting=1, seed=2)
    one = standing(log, 1)
    assert (one.trials, one.lost, one.step) == ((1, 2), 0, 100), "judged where both were evaluated"
    assert one.means == (pytest.approx(0.65),)


def test_while_seeds_are_missing_those_that_are_done_speak_for_it():
    log = Log().trial({STEPS: 0.2}, seed=0, setting=0).trial([0.9], "running", seed=1, setting=0)
    one = standing(log, seeds=3)
    assert (one.means, one.trials, one.of, one.state) == ((0.2,), (0,), 3, "running")


def test_what_has_no_value_comes_last_in_its_order():
    log = Log().trial([math.nan]).trial([0.1], "failed", error="x").trial({}, "pending").trial([0.9])
    assert order(log) == [3, 0, 1, 2]
    assert not standing(log, 1).is_judged
    assert standing(log, 1).means == (0.1,), "it is shown all the same"


def test_the_final_s_fresh_seeds_decide_and_whom_it_judged_comes_first():
    log = Log().seeds(0, [0.3]).seeds(1, [0.1]).seeds(2, [0.2])
    log.seeds(0, [0.4, 0.4], first=5, finalist=True).seeds(1, [0.45, 0.45], first=5, finalist=True)
    assert order(log) == [0, 1, 2], "1 was lucky, and 2 was not in the final"
    one = standing(log, 1, final_seeds=2)
    assert (one.means, one.trials, one.of, one.finalist) == ((0.45,), (5, 6), 2, True)


def test_until_a_training_of_the_final_is_done_the_search_s_decide():
    log = Log().seeds(0, [0.3]).seeds(0, [0.9], "running", finalist=True).seeds(0, [0.9], "failed", finalist=True)
    assert (standing(log).means, standing(log).state) == ((0.3,), "running")


def test_kept_constraints_come_before_every_merit():
    limit = Constraint("eval/ssim", ">=", 0.5)
    log = Log().trial(scores(0.9, 0.5)).trial(scores(0.1, 0.3)).trial(scores(0.2, 0.4)).trial({STEPS: 0.05})
    assert order(log, constraints=[limit]) == [0, 2, 1, 3], "then whoever breaks them least; no value is broken most"
    assert [one.may_be_named for one in standings(log.state.trials, GOALS, [limit])] == [True, False, False, False]


def test_a_constraint_is_kept_by_each_training_not_by_their_mean():
    limit = Constraint("eval/l1", "<=", 0.3)
    one = standing(Log().seeds(0, [0.1, 0.4]), constraints=[limit])
    assert (one.means[0] < 0.3, one.violation, one.held) == (True, pytest.approx(0.1), (0.4,))


def test_a_violation_is_that_of_the_constraint_broken_most():
    limits = [Constraint("eval/l1", "<=", 0.3), Constraint("eval/ssim", ">=", 0.5)]
    assert violation(limits, {"eval/l1": 0.4, "eval/ssim": 0.1}) == pytest.approx(0.4)
    assert violation(limits, {"eval/l1": 0.3, "eval/ssim": 0.5}) == 0
    assert violation(limits, {"eval/l1": 0.1}) == math.inf
    assert violation([], {}) == 0


def test_several_objectives_rank_by_fronts_and_then_by_room():
    log = Log(objectives=[L1, SSIM])
    points = [(0.5, 0.5), (0.1, 0.1), (0.4, 0.49), (0.9, 0.9), (0.6, 0.4), (0.7, 0.3)]
    for l1, ssim in points:
        log.trial(scores(l1, ssim))
    assert order(log, BOTH) == [1, 3, 0, 2, 4, 5]
    assert [one.setting for one in judge(log.state).front] == [0, 1, 2, 3]


def test_a_setting_lacking_one_of_the_objectives_is_not_judged():
    log = Log().trial(scores(0.5, 0.5)).trial({STEPS: 0.1})
    assert order(log, BOTH) == [0, 1]
    assert not standing(log, 1, BOTH).is_judged


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["done", "stopped", "failed", "running"])), max_size=8))
def test_with_one_seed_the_order_is_that_of_the_last_values(trials):
    log = Log()
    for value, state in trials:
        log.trial([value], state)
    judged = sorted((value, index) for index, (value, state) in enumerate(trials) if state != "failed")
    failed = [index for index, (_, state) in enumerate(trials) if state == "failed"]
    assert order(log) == [*(index for _, index in judged), *failed]


@given(st.permutations(range(4)))
def test_the_order_does_not_depend_on_who_was_suggested_first(places):
    values = {0: [0.5, 0.25], 1: [0.125, 0.25], 2: [0.375, 0.375], 3: [0.75, 0.25]}
    log = Log()
    for setting in places:
        log.seeds(setting, values[setting])
    assert order(log) == [1, 0, 2, 3]


def test_only_whole_settings_that_may_be_named_come_to_the_final():
    limit = Constraint("eval/l1", ">=", 0.05)
    log = Log().seeds(0, [0.5, 0.5]).seeds(1, [0.3, 0.3]).seeds(2, [0.1]).seeds(2, [0.1], "failed", first=1)
    log.seeds(3, [0.1, 0.1], "stopped").seeds(4, [0.2, 0.2]).seeds(5, [0.01, 0.01]).seeds(6, [0.1, math.nan])
    assert rank(log.state.trials, GOALS, [limit]) == [4, 1, 0]


def test_what_the_final_comes_to_does_not_change_who_is_in_it():
    log = Log().seeds(0, [0.5]).seeds(1, [0.3]).seeds(2, [0.4])
    before = rank(log.state.trials, GOALS, [])
    log.seeds(1, [0.9], first=1, finalist=True).seeds(2, [math.nan], "failed", first=1, finalist=True)
    log.seeds(0, [0.1], "running", first=1, finalist=True)
    assert rank(log.state.trials, GOALS, []) == before == [1, 2, 0]
    assert rank(log.state.trials, BOTH, []) == []


@pytest.mark.parametrize(("ssim", "broken"), [((0.9, 0.3), 0.2), ((0.6, 0.5), 0.0), ((0.9, math.nan), math.inf)])
def test_a_searcher_is_told_of_constraints_as_settings_are_ranked(ssim, broken):
    constraints = (Constraint("eval/ssim", ">=", 0.5),)
    log = Log()
    for seed, value in enumerate(ssim):
        log.trial(scores(0.2, value), setting=0, seed=seed)
    goals = [Objective(goal.metric, goal.mode) for goal in GOALS]
    search = Search(make_searcher("random", {}, (), 0, []), goals, constraints, STEPS)
    told = search.told(list(log.state.trials.values()))
    assert told.violation == standing(log, constraints=constraints).violation == pytest.approx(broken)
    assert told.values == (0.2,)
