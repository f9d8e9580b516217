"""Which axes mattered: found where one did, held against chance, and never claimed of a handful of settings."""

import random

import pytest

from orchestrator.results.importance import LEAST, importances
from orchestrator.results.outcome import judge
from tests.orchestrator.unrun import L1, SSIM, STEPS, Log

AXES = {"weights.cyc": "log-uniform from 1 to 100", "hyper.gan": "choice of ...", "balance.turns": "whole numbers"}


def searched(count, cost, axes=AXES, seeds=1, **about):
    """A random search over AXES, where `cost(params)` is what each setting comes to."""
    chance, log = random.Random(7), Log(axes=axes, seeds=seeds, **about)
    for setting in range(count):
        params = {
            "weights.cyc": 10 ** chance.uniform(0, 2),
            "hyper.gan": chance.choice(["lsgan", "minimax", True]),
            "balance.turns": chance.randint(1, 5),
        }
        for seed in range(seeds):
            value = cost(params) + 0.01 * chance.gauss(0, 1)
            log.trial({STEPS: value}, params=params, setting=setting, seed=seed)
    return importances(judge(log.state))


@pytest.mark.parametrize(
    ("axis", "cost"),
    [
        ("weights.cyc", lambda params: params["weights.cyc"] ** 0.5),
        ("hyper.gan", lambda params: params["hyper.gan"] == "lsgan"),
        ("balance.turns", lambda params: abs(params["balance.turns"] - 3)),
    ],
)
def test_the_axis_that_decides_is_found(axis, cost):
    found = searched(24, cost)
    first, *others = found.by_metric["eval/l1"]
    assert (found.settings, found.note, first.axis) == (24, "", axis)
    assert first.share > 0.5 and first.chance <= 0.05
    assert sum(one.share for one in [first, *others]) == pytest.approx(1)
    assert min(one.chance for one in others) > 0.05


def test_where_nothing_matters_chance_does_as_much():
    found = searched(24, lambda params: 0.0)
    assert min(one.chance for one in found.by_metric["eval/l1"]) > 0.05


def test_the_same_outcome_gives_the_same_answer():
    assert searched(9, lambda params: params["weights.cyc"]) == searched(9, lambda params: params["weights.cyc"])


def test_an_axis_has_no_scale_of_its_own():
    def stretched(values):
        log = Log(axes=AXES)
        for cyc, turns, value in values:
            log.trial({STEPS: value}, params={"weights.cyc": cyc, "balance.turns": turns})
        return importances(judge(log.state)).by_metric

    chance = random.Random(1)
    values = [(chance.uniform(0, 9), chance.randint(1, 3), chance.random()) for _ in range(12)]
    assert stretched(values) == stretched([(10.0**cyc, 7 * turns, 5 * value) for cyc, turns, value in values])


def test_each_objective_has_axes_of_its_own():
    log, chance = Log(axes=AXES, objectives=[L1, SSIM]), random.Random(3)
    for _ in range(24):
        cyc, turns = chance.uniform(1, 30), chance.randint(1, 5)
        metrics = {"eval/l1": cyc, "eval/ssim": turns}
        log.trial({STEPS: metrics}, params={"weights.cyc": cyc, "balance.turns": turns})
    found = importances(judge(log.state)).by_metric
    assert {metric: axes[0].axis for metric, axes in found.items()} == {
        "eval/l1": "weights.cyc",
        "eval/ssim": "balance.turns",
    }


def test_seeds_count_as_one_setting():
    assert searched(LEAST - 1, lambda params: params["weights.cyc"], seeds=3).by_metric == {}
    assert searched(LEAST, lambda params: params["weights.cyc"], seeds=3).settings == LEAST


def test_the_parts_of_a_sum_are_one_axis_and_one_that_never_changes_is_none():
    log, chance = Log(axes={"weights.a + weights.b": "fixed sum of 10", "hyper.width": "choice of 8"}), random.Random(5)
    for _ in range(12):
        a = chance.uniform(0, 10)
        log.trial({STEPS: a}, params={"weights.a": a, "weights.b": 10 - a, "hyper.width": 8})
    (one,) = importances(judge(log.state)).by_metric["eval/l1"]
    assert (one.axis, one.share, one.chance) == ("weights.a + weights.b", 1.0, 0.01)


def test_an_axis_that_is_not_always_in_force_is_weighed_where_it_is():
    log, chance = Log(axes={"hyper.penalty": "choice of ...", "weights.gp": "uniform ..."}), random.Random(2)
    for index in range(20):
        gp = chance.uniform(0, 10)
        params = {"hyper.penalty": "gp", "weights.gp": gp} if index % 2 else {"hyper.penalty": "none"}
        log.trial({STEPS: gp if index % 2 else 100.0 + chance.random()}, params=params)
    found = importances(judge(log.state)).by_metric["eval/l1"]
    assert {one.axis for one in found} == {"hyper.penalty", "weights.gp"}
    assert found[0].axis == "hyper.penalty"


def test_why_nothing_is_told_is_told():
    assert searched(7, lambda params: 0.0).note == (
        "which axis mattered can be told from 8 judged settings on; so far there are 7"
    )
    same = Log().trial([0.1], params={"weights.cyc": 1}).trial([0.2], params={"weights.cyc": 1})
    assert importances(judge(same.state)).note == "no axis has two values"
    cloned = Log().trial([0.1], "running").trial([0.2], "running").clone(1, 0, 100, **{"weights.cyc": 9})
    assert importances(judge(cloned.state)).note == (
        "trials went on from one another with other values, so no axis can be told to have mattered"
    )
