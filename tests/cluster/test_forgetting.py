"""What Tune keeps of each trial for ever is next to nothing once that has ended: a sweep may have thousands."""

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.experiment import Trial

from cluster.report import Report
from cluster.tune_bridge import ATTEMPT, INDEX, REPORT, RUN, ConductedScheduler
from tests.cluster.conducting import started

LARGE = "x" * 100_000


class Controller:
    """Tune's controller, as far as a scheduler may use it."""

    def __init__(self, *trials):
        self.trials = trials

    def get_trials(self):
        return self.trials


def trained(index):
    """A trial as Tune has it after a report."""
    config = {INDEX: index, ATTEMPT: 1, RUN: {"storage": LARGE}}
    nowhere: Any = SimpleNamespace(trial_driver_staging_path="")
    trial = Trial("toy", config=config, evaluated_params={"run/storage": LARGE}, storage=nowhere, stub=True)
    trial.set_status(Trial.RUNNING)
    metrics = {f"time/{number}": 1.0 for number in range(100)}
    trial.update_last_result({REPORT: Report(1, {LARGE: 1.0}), "config": config, "training_iteration": 1, **metrics})
    return trial


def size(trial):
    parts = (trial.config, trial.evaluated_params, trial.last_result, vars(trial.run_metadata))
    return len(pickle.dumps(parts))


@pytest.mark.parametrize("status", [Trial.TERMINATED, Trial.ERROR])
def test_of_a_trial_that_ended_next_to_nothing_is_kept(sweep, status):
    conductor = sweep.attempt(trials=2)
    scheduler, ended, other = ConductedScheduler(conductor), trained(0), trained(1)
    assert started(conductor) == [0, 1]
    if status == Trial.ERROR:
        scheduler.on_trial_error(Controller(ended, other), ended)
    else:
        conductor.ended(0, "done", None)
        scheduler.on_trial_complete(Controller(ended, other), ended, {})
    assert size(ended) > len(LARGE), "Tune still tells others of its end"
    ended.set_status(status)
    assert scheduler.choose_trial_to_run(Controller(ended, other)) is None
    assert size(ended) < 2_000
    assert ended.config[INDEX] == 0
    assert size(other) > len(LARGE), "one that runs needs what it has"
