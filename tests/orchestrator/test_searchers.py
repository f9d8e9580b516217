"""Searchers: the same suggestion from the same facts, better ones from more facts, and valid ones always."""

import logging
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.search.conditions import in_force
from orchestrator.search.searchers import Grid, Optuna, Random, Searcher, Told
from orchestrator.search.space import Choice, IntUniform, LogUniform, Uniform, locate, sample, settings_of
from orchestrator.search.sums import Sum
from tests.orchestrator.spaces import Space, spaces

ROOT = Path(__file__).resolve().parents[2]
LINE: Space = {"x": Uniform(0, 1)}
BRANCHES: Space = {
    "hyper.penalty": Choice(("none", "gp", "lp")),
    "weights.gp": LogUniform(1, 100, (("hyper.penalty", ("gp", "lp")),)),
    "weights.a + weights.b + weights.c": Sum(10),
    "hyper.depth": IntUniform(1, 9),
}


def done(params, *values, violation=0.0):
    return Told(params, values, 100, 100, "done", violation)


def run(searcher: Searcher, judge, trials):
    """A search of trials one after another, without a preset; judge(params) -> Told."""
    told: list[Told] = []
    for index in range(1, trials):
        told.append(judge(searcher.suggest(index, told)))
    return told


def ended(params, chance):
    """A trial that ran, ended by `chance`."""
    outcome = chance.choice(("done", "done", "done", "stopped", "stopped", "failed", "diverged"))
    values = (chance.gauss(0, 1), chance.gauss(0, 1)) if outcome in ("done", "stopped") else None
    return params._replace(outcome=outcome, values=values, step=chance.randint(1, 99), violation=chance.gauss(0, 1))


def history(space, seed, chance, objectives, trials):
    """(index, told) at each suggestion of a search with several trials at once; those that run end in any order."""
    searcher = Optuna(space, seed, ["min", "max"][:objectives], startup=3)
    told = [done(sample(space, seed + 1, 0), *([0.5, 0.5][:objectives]))]
    for index in range(1, trials):
        suggestion = searcher.suggest(index, told)
        yield index, list(told), suggestion
        told.append(Told(suggestion, None, 0, 100, "running"))
        for number, one in enumerate(told):
            if one.outcome == "running" and chance.random() < 0.4:
                result = ended(one, chance)
                told[number] = result._replace(values=result.values and result.values[:objectives])


@settings(max_examples=20, deadline=None)
@given(spaces(), st.integers(0, 99), st.randoms(use_true_random=False), st.sampled_from([1, 2]))
def test_a_driver_that_starts_anew_suggests_the_same(space, seed, chance, objectives):
    for index, told, suggestion in history(space, seed, chance, objectives, 14):
        if chance.random() < 0.3:
            fresh = Optuna(space, seed, ["min", "max"][:objectives], startup=3)
            assert fresh.suggest(index, told) == suggestion


@settings(max_examples=20, deadline=None)
@given(spaces(), st.integers(0, 99), st.randoms(use_true_random=False), st.sampled_from([1, 2]))
def test_a_suggestion_lies_on_the_axes_in_force(space, seed, chance, objectives):
    for _, _, suggestion in history(space, seed, chance, objectives, 14):
        live = in_force(space, suggestion)
        assert list(suggestion) == [name for key, axis in live.items() for name in settings_of(key, axis)]
        assert all(locate(key, axis, suggestion) is not None for key, axis in live.items())
        numbers = [value for value in suggestion.values() if isinstance(value, float)]
        assert numbers == [float(f"{number:.6g}") for number in numbers]


@pytest.mark.parametrize("objectives", [1, 2])
def test_the_cache_forgets_what_was_told_otherwise(objectives):
    """Another search's trials, fewer of them, or an end that is no end any more, as after `retry`."""
    stories = [list(history(BRANCHES, seed, random.Random(seed), objectives, 12))[-1] for seed in (1, 2)]
    reused = Optuna(BRANCHES, 1, ["min", "max"][:objectives], startup=3)
    (index, told, expected), (_, others, _) = stories
    again = [told[0], told[1]._replace(outcome="running", values=None), *told[2:]]
    for facts in (told, others, told, told[:5], again, told):
        fresh = Optuna(BRANCHES, 1, ["min", "max"][:objectives], startup=3)
        assert reused.suggest(index, facts) == fresh.suggest(index, facts)
    assert reused.suggest(index, told) == expected


@pytest.mark.parametrize("objectives", [1, 2])
def test_nothing_outside_decides_and_nothing_outside_changes(objectives, capfd):
    """Not the global generators, not the logger; warnings are errors in all tests."""
    logger = logging.getLogger("optuna")
    *_, (index, told, expected) = history(BRANCHES, 0, random.Random(0), objectives, 12)
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        before = random.getstate(), str(np.random.get_state()), logger.level
        assert Optuna(BRANCHES, 0, ["min", "max"][:objectives], startup=3).suggest(index, told) == expected
        assert (random.getstate(), str(np.random.get_state()), logger.level) == before
    assert capfd.readouterr() == ("", "")


PROGRAM = """
import random
from tests.orchestrator.test_searchers import BRANCHES, history
for objectives in (1, 2):
    print([suggestion for *_, suggestion in history(BRANCHES, 0, random.Random(0), objectives, 12)])
"""


def test_another_process_suggests_the_same():
    """Python orders its sets of words differently in each process, and Optuna keeps axes in sets."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.count("weights.c") == 22


def test_the_first_trials_are_those_of_a_random_search():
    optuna, draws = Optuna(BRANCHES, 7, ["min"], startup=5), Random(BRANCHES, 7)
    told: list[Told] = []
    for index in range(1, 9):
        suggestion = optuna.suggest(index, told)
        assert (suggestion == draws.suggest(index, told)) == (len(told) < 5), index
        told.append(done(suggestion, 0.1 * index))
    running = [one._replace(outcome="running", values=None) for one in told]
    assert optuna.suggest(9, running) == draws.suggest(9, running), "nothing has ended yet"


def test_a_grid_is_its_points_in_order():
    grid = Grid([{"x": 1}, {"x": 2}])
    assert [grid.suggest(index, []) for index in (1, 2)] == [{"x": 1}, {"x": 2}]
    with pytest.raises(IndexError):
        grid.suggest(3, [])


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize(
    "preset",
    [
        {"hyper.penalty": "dragan", "weights.a": 1.0, "weights.b": 1.0, "weights.c": 8.0, "hyper.depth": 3},
        {"hyper.penalty": "gp", "weights.a": 1.0, "weights.b": 1.0, "weights.c": 8.0, "hyper.depth": 3},
        {"hyper.penalty": "none", "weights.a": 1.0, "weights.b": 1.0, "weights.c": 1.0, "hyper.depth": 3},
        {"hyper.penalty": "none", "weights.a": 1.0, "weights.b": 1.0, "weights.c": 8.0, "hyper.depth": 30},
    ],
    ids=["another option", "a missing weight", "another total", "outside the range"],
)
def test_a_preset_outside_the_axes_is_not_told(preset, objectives):
    modes = ["min", "min"][:objectives]
    others = [done(sample(BRANCHES, 0, index), *[0.1 * index] * objectives) for index in range(1, 5)]
    bad, good = ([done(preset, *[value] * objectives), *others] for value in (100.0, -100.0))
    assert Optuna(BRANCHES, 0, modes, startup=4).suggest(5, bad) == Optuna(BRANCHES, 0, modes, startup=4).suggest(
        5, good
    )
    assert Optuna(BRANCHES, 0, modes, startup=5).suggest(5, bad) == sample(BRANCHES, 0, 5), "nor is it counted"


def test_a_preset_inside_the_axes_is_told():
    preset = {"hyper.penalty": "none", "weights.a": 1.0, "weights.b": 1.0, "weights.c": 8.0, "hyper.depth": 3}
    others = [done(sample(BRANCHES, 0, index), 0.1 * index) for index in range(1, 5)]
    facts = [[done(preset, value), *others] for value in (100.0, -100.0)]
    assert Optuna(BRANCHES, 0, ["min"], 5).suggest(5, facts[0]) != Optuna(BRANCHES, 0, ["min"], 5).suggest(5, facts[1])


def test_a_setting_is_not_suggested_twice_while_there_are_others():
    space: Space = {"x": Choice((1, 2, 3, 4)), "y": IntUniform(1, 4)}
    searcher = Optuna(space, 0, ["min"], startup=2)
    everything = [done({"x": x, "y": y}, float(x + y)) for x in (1, 2, 3, 4) for y in (1, 2, 3, 4)]
    most, rest = everything[:12], [one.params for one in everything[12:]]
    assert all(searcher.suggest(index, most) in rest for index in range(12, 20)), "though the best ones were tried"
    assert searcher.suggest(16, everything)["x"] == 1, "all were tried: the best again"


def share_below(modes, told):
    """Of the suggestions on a line after these trials, the share below 0.5."""
    found: list[Any] = [
        Optuna(LINE, seed, modes).suggest(index, told)["x"] for seed in range(8) for index in range(20, 25)
    ]
    return sum(x < 0.5 for x in found) / len(found)


@pytest.mark.parametrize("modes", [["min"], ["max"], ["min", "max"]])
@pytest.mark.parametrize(
    "bad",
    [
        {"outcome": "diverged"},
        {"outcome": "failed", "values": None},
        {"values": (math.nan, math.nan)},
        {"outcome": "stopped", "step": 10},
        {"violation": 0.1},
        {"violation": math.nan},
    ],
    ids=str,
)
def test_what_went_wrong_is_avoided(modes, bad):
    """Above 0.5 are the best results, but for what went wrong."""
    told = []
    for index in range(20):
        x = 1 - (index + 0.5) / 20
        told.append(done({"x": x}, *((x > 0.5) * (-100.0 if mode == "min" else 100.0) for mode in modes)))
    assert share_below(modes, told) < 0.25
    wrong = [one._replace(**bad) if one.params["x"] > 0.5 else one for one in told]
    assert share_below(modes, wrong) > 0.75


def test_where_trials_fail_tpe_goes_less_often_than_where_there_are_none():
    told = [done({"x": x}, 0.0) for x in (0.49, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05)]
    failed = [Told({"x": 1 - one.params["x"]}, None, 50, 100, "failed") for one in told]
    assert share_below(["min"], told + failed) > share_below(["min"], told)


def test_running_trials_are_kept_away_from():
    told = [done({"x": (index + 0.5) / 20}, abs((index + 0.5) / 20 - 0.3)) for index in range(20)]
    busy = [*told, *[Told({"x": 0.3 + 0.01 * step}, None, 0, 100, "running") for step in range(-5, 6)]]
    near = {}
    for name, facts in (("alone", told), ("busy", busy)):
        found: list[Any] = [Optuna(LINE, seed, ["min"]).suggest(len(facts), facts)["x"] for seed in range(30)]
        near[name] = sum(0.25 <= x <= 0.35 for x in found)
    assert near["busy"] < near["alone"]


def test_tpe_finds_a_minimum_sooner_than_random_draws():
    space: Space = {"x": Uniform(-5, 5), "y": Uniform(-5, 5), "z": LogUniform(1e-3, 1e3)}

    def judge(params):
        return done(params, (params["x"] - 1) ** 2 + (params["y"] + 2) ** 2 + (math.log10(params["z"]) - 1) ** 2)

    def best(searcher):
        return min(one.values[0] for one in run(searcher, judge, 60))

    tpe = sum(best(Optuna(space, seed, ["min"])) for seed in range(10))
    assert tpe < 0.3 * sum(best(Random(space, seed)) for seed in range(10))


def volume(told, edge):
    """The area between the front of two minimised objectives and (edge, edge)."""
    area, lowest = 0.0, edge
    for first, second in sorted(one.values for one in told):
        if first < edge and second < lowest:
            area += (edge - first) * (lowest - second)
            lowest = second
    return area


def test_nsga_finds_a_wider_front_than_random_draws():
    space: Space = {f"x{number}": Uniform(0, 1) for number in range(4)}

    def judge(params):
        return done(params, *(sum((x - best) ** 2 for x in params.values()) for best in (0.2, 0.7)))

    def front(searcher):
        return volume(run(searcher, judge, 60), edge=1.0)

    ours, theirs = (
        [front(kind(seed)) for seed in range(8)]
        for kind in (lambda seed: Optuna(space, seed, ["min", "min"]), lambda seed: Random(space, seed))
    )
    assert sum(ours) > 1.04 * sum(theirs)
    assert sum(our > their for our, their in zip(ours, theirs, strict=True)) >= 7


@pytest.mark.parametrize("objectives", [1, 2])
def test_constraints_are_kept_more_often_than_by_random_draws(objectives):
    """The objective pulls to x = 1, and only what is below 0.3 is allowed."""
    space: Space = {"x": Uniform(0, 1), "y": Uniform(0, 1)}

    def judge(params):
        return done(params, *[(1 - params["x"]) ** 2, params["y"]][:objectives], violation=params["x"] - 0.3)

    def kept(searcher):
        return sum(one.violation <= 0 for one in run(searcher, judge, 50)[10:])

    ours = sum(kept(Optuna(space, seed, ["min"] * objectives)) for seed in range(5))
    assert ours > 1.8 * sum(kept(Random(space, seed)) for seed in range(5))
