"""The conductor is a function of the log: killed anywhere, it goes on as if nothing had been."""

import copy
import math
import pickle
import random

import pytest

from cluster.conductor import Conductor
from cluster.job import Asha
from cluster.log.records import CONTINUE, STOP
from tests.cluster.conducting import STEPS, evaluated, started


def test_a_sweep_from_beginning_to_end(sweep):
    conductor = sweep.attempt()
    assert conductor.next_trial() == (0, {"weights.cyc": 0.0})
    assert started(conductor) == [1, 2, 3]
    for index in range(4):
        assert not conductor.is_finished()
        assert evaluated(conductor, index, STEPS, 0.1) == CONTINUE
        conductor.ended(index, "done", None)
    assert conductor.is_finished()
    assert conductor.close() == "done" == sweep.seen[-1].state
    assert [trial.metrics for trial in sweep.seen[-1].trials.values()] == [{"eval/l1": 0.1}] * 4


def test_after_a_crash_the_finished_stay_finished_and_the_interrupted_go_first(sweep):
    conductor = sweep.attempt(schedule=Asha(2, 2))
    for _ in range(3):
        conductor.next_trial()
    evaluated(conductor, 0, 2, 0.1)
    conductor.ended(0, "done", None)
    assert evaluated(conductor, 1, 2, 0.2) == STOP

    def suggest(index, trials):
        assert index >= 3, "what was suggested stands, and is never asked for again"
        return {"weights.cyc": -1.0}

    again = sweep.attempt(schedule=Asha(2, 2), suggest=suggest)
    assert not again.is_finished()
    assert [*iter(again.next_trial, None)] == [(2, {"weights.cyc": 1.0}), (3, {"weights.cyc": -1.0})]
    assert again.state.attempt == 2
    again.ended(2, "done", None)
    again.ended(3, "done", None)
    assert again.close() == "done"
    assert sweep.attempt().is_finished(), "a third attempt has nothing to do"


def stopped_but_not_ended(sweep):
    """A new attempt; the last one died between its decision to stop trial 1 and the record that trial 1 ended."""
    conductor = sweep.attempt(schedule=Asha(2, 2))
    started(conductor)
    evaluated(conductor, 0, 2, 0.1)
    assert evaluated(conductor, 1, 2, 0.9) == STOP
    sweep.crash(lose_last=True)
    state = sweep.logged()
    assert (state.decisions[1, 2], state.trials[1].state) == ("stop", "running")
    return sweep.attempt(schedule=Asha(2, 2))


def test_a_decision_stands_when_its_evaluation_is_told_again(sweep):
    again = stopped_but_not_ended(sweep)
    started(again)
    assert evaluated(again, 1, 2, 0.01) == STOP
    assert again.state.trials[1].state == "stopped"
    assert evaluated(again, 0, 2, 0.1) == CONTINUE
    assert again.state.order == [(0, 2, 0.1), (1, 2, 0.9)], "it is not decided twice"


@pytest.mark.parametrize("is_evaluated", [True, False])
def test_a_decision_stands_when_the_trial_had_run_ahead(sweep, is_evaluated):
    again = stopped_but_not_ended(sweep)
    if 1 in started(again):
        assert again.reported(1, 3, {"eval/l1": 0.01}, is_evaluated) == STOP
    assert again.state.trials[1].state == "stopped"


@pytest.mark.parametrize("mode", ["min", "max"])
def test_rungs_after_a_replay_are_what_they_were(sweep, mode):
    draw = random.Random(3)
    reports = [(index, step, draw.random()) for step in (2, 4, 6) for index in draw.sample(range(9), 9)]
    settings = {"schedule": Asha(2, 2), "trials": 9, "mode": mode}
    straight = sweep.attempt(**settings)
    started(straight)
    decisions = [evaluated(straight, *report) for report in reports]
    assert 3 <= decisions.count(STOP) <= 24
    sweep.forget()
    conductor = sweep.attempt(**settings)
    started(conductor)
    crashing = []
    for report in reports:
        crashing.append(evaluated(conductor, *report))
        conductor = sweep.attempt(**settings)
    assert crashing == decisions


def test_the_preset_is_never_stopped(sweep):
    conductor = sweep.attempt(schedule=Asha(1, 2))
    started(conductor)
    for step in range(1, STEPS):
        assert evaluated(conductor, 1, step, 0.1) == evaluated(conductor, 2, step, 0.05) == CONTINUE
        assert evaluated(conductor, 0, step, 0.9) == CONTINUE
    assert evaluated(conductor, 3, 1, 0.9) == STOP, "another trial that does as badly is"
    assert evaluated(conductor, 3, 2, 0.0) == STOP, "and it stays so, whatever it says later"
    assert conductor.state.trials[3].step == 1


def test_a_trial_at_its_last_step_is_done_not_stopped(sweep):
    conductor = sweep.attempt(schedule=Asha(2, 2))
    started(conductor)
    assert evaluated(conductor, 1, STEPS, 0.1) == evaluated(conductor, 2, STEPS, 0.9) == CONTINUE
    conductor.ended(2, "done", None)
    assert conductor.state.trials[2].state == "done"


@pytest.mark.parametrize("metrics", [{"eval/l1": math.nan}, {"eval/l1": math.inf}, {"loss/d": 1.0}])
def test_what_is_not_a_number_decides_nothing(sweep, metrics):
    conductor = sweep.attempt(schedule=Asha(1, 2))
    started(conductor)
    assert evaluated(conductor, 0, 1, 0.5) == CONTINUE
    assert conductor.reported(1, 1, metrics, evaluated=True) == CONTINUE
    assert evaluated(conductor, 2, 1, 0.4) == CONTINUE
    between = conductor.reported(2, 1, {"eval/l1": 0.9}, evaluated=False)
    assert between == CONTINUE, "nor does a report between evaluations"
    assert conductor.state.order == [(0, 1, 0.5), (2, 1, 0.4)]


def test_it_survives_being_copied_by_tune(sweep):
    conductor = sweep.attempt()
    assert copy.deepcopy(conductor) is conductor
    assert not isinstance(pickle.loads(pickle.dumps(conductor)), Conductor)
