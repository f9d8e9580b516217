"""Sweeps whose trials wait for one another: killed after any record, they end as the undisturbed one does."""

import hashlib
import json
from typing import Any

import pytest

from cluster.conductor import Conductor
from cluster.job import PBT, Asha, Finalists, Halving
from cluster.log.records import read_records
from cluster.log.store import read_log
from tests.cluster.conducting import PATHS, STEPS

EVERY = 2


def value(trial, step):
    """What a trial scores: by its values and its seed alone."""
    text = json.dumps([trial.params, trial.seed, step]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") / 2**32


class Runner:
    conductor: Conductor

    """Runs what a conductor hands out, two at a time, and dies after its `dies_at`-th record."""

    def __init__(self, sweep, dies_at=None, **job):
        self.sweep, self.job = sweep, job
        self.steps = {}  # trial -> where its checkpoint is
        self.trained = []  # (trial, step) as they were trained
        self.attempt(dies_at)

    def attempt(self, dies_at=None):
        """A driver's life."""
        self.left, self.seen = dies_at, set()
        try:
            self.conductor = self.sweep.attempt(clone=self._clone, observe=self._observe, **self.job)
            self._run()
            self.conductor.close()
        except InterruptedError:
            return False
        return True

    def _observe(self, state):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise InterruptedError

    def _clone(self, donor, trial, step, attempt):
        assert self.steps[donor] == step, "a donor stands still until its checkpoint is given"
        assert attempt == self.conductor_state().trials[trial].starts + 1
        self.steps[trial] = step

    def conductor_state(self):
        return self.sweep.logged()

    def _run(self):
        running: list[int] = []
        while True:
            while len(running) < 2 and (found := self.conductor.next_trial()) is not None:
                running.append(found[0])
                self.seen.discard(found[0])
            if not running:
                assert self.conductor.is_finished(), "nothing runs and nothing is handed out: a deadlock"
                return
            running = [index for index in running if self._advance(index)]

    def _advance(self, index):
        """A trial trains on to its next evaluation; says whether it still runs."""
        trial = self.conductor.state.trials[index]
        step = self.steps.get(index, 0)
        if step and index not in self.seen:
            step -= EVERY  # a trial that was started again says its last evaluation again
        self.seen.add(index)
        step += EVERY
        self.trained.append((index, step))
        self.steps[index] = step
        assert trial.state == "running"
        verdict = self.conductor.reported(index, step, {"eval/l1": value(trial, step)}, True)
        if verdict == "continue" and step == STEPS:
            self.conductor.ended(index, "done", None)
        return verdict == "continue" and step < STEPS


def outcome(sweep):
    state = sweep.logged()
    return {
        i: (t.params, t.seed, t.setting, t.state, t.step, t.metrics, t.lineage, t.by, t.finalist)
        for i, t in state.trials.items()
    }


def halve(params, number, trial):
    return {"weights.cyc": params["weights.cyc"] / 2 + number + trial}


JOBS: dict[str, dict[str, Any]] = {
    "halving": {"schedule": Halving(2, 2, 4)},
    "brackets": {"schedule": Halving(2, 2, 2)},
    "pbt": {"schedule": PBT(2, 0.25, halve)},
    "final": {"schedule": Halving(2, 2, 4), "finalists": Finalists(2, 2, lambda trials: (3, 1, 0, 2))},
    "seeds": {"seeds": 2, "trials": 3, "finalists": Finalists(1, 2, lambda trials: (2, 1, 0))},
}


@pytest.mark.parametrize("kind", JOBS)
def test_killed_after_any_record_a_sweep_ends_as_the_undisturbed_one(kind, make_sweep):
    whole = make_sweep()
    Runner(whole, **JOBS[kind])
    expected, records = outcome(whole), len(list(read_records(read_log(whole.store, PATHS))))
    assert whole.logged().state == "done"
    for dies_at in range(records):
        sweep = make_sweep()
        runner = Runner(sweep, dies_at=dies_at, **JOBS[kind])
        assert runner.attempt(), dies_at
        assert outcome(sweep) == expected, dies_at


def test_asha_killed_after_any_record_loses_nothing_and_promotes_nobody_twice(make_sweep):
    job = {"schedule": Asha(2, 2), "trials": 8}
    whole = make_sweep()
    Runner(whole, **job)
    for dies_at in range(0, len(list(read_records(read_log(whole.store, PATHS)))), 3):
        sweep = make_sweep()
        runner = Runner(sweep, dies_at=dies_at, **job)
        assert runner.attempt()
        state = sweep.logged()
        assert {i: t.params for i, t in state.trials.items()} == {i: t.params for i, t in whole.logged().trials.items()}
        assert all(trial.state in ("done", "stopped") for trial in state.trials.values())
        decided = [(trial, step) for trial, step, _ in state.order]
        assert len(decided) == len(set(decided)), "each evaluation is decided on once"
        ended = [r["trial"] for r in read_records(read_log(sweep.store, PATHS)) if r["kind"] == "ended"]
        assert sorted(ended) == sorted(state.trials), "each trial ends once"


def test_a_setting_that_is_stopped_takes_its_other_seeds_with_it(sweep):
    conductor = sweep.attempt(schedule=Asha(2, 2), seeds=2, trials=3)
    assert [conductor.next_trial()[0] for _ in range(3)] == [0, 1, 2]
    trials = conductor.state.trials
    assert [(trial.setting, trial.seed) for trial in trials.values()] == [(0, 0), (0, 1), (1, 0)]
    conductor.reported(0, 2, {"eval/l1": 0.1}, True)
    assert conductor.reported(2, 2, {"eval/l1": 0.9}, True) == "stop"
    assert (trials[2].by, trials[2].why) == ("asha", "not among the better ones at step 2")
    assert conductor.next_trial()[0] == 4, "trial 3, the same setting with another seed, is not worth a start"
    assert (trials[3].state, trials[3].by, trials[3].why) == ("stopped", "asha", "its setting was stopped as trial 2")


def test_a_rule_stops_a_trial_and_is_named(sweep):
    conductor = sweep.attempt(stops=lambda trial: ("collapse", "all pictures alike") if trial.step >= 4 else None)
    conductor.next_trial()
    assert conductor.reported(0, 2, {}, False) == "continue"
    assert conductor.reported(0, 4, {}, False) == "stop"
    trial = conductor.state.trials[0]
    assert (trial.state, trial.by, trial.why) == ("stopped", "collapse", "all pictures alike")


def test_only_the_trials_that_were_asked_for_go_on(sweep):
    conductor = sweep.attempt()
    for _ in range(3):
        conductor.next_trial()
    conductor.ended(0, "failed", "not a number")
    again = sweep.attempt(only=frozenset({0, 2}))
    assert [*iter(again.next_trial, None)] == [(0, {"weights.cyc": 0.0}), (2, {"weights.cyc": 1.0})]
    again.ended(0, "done", None)
    again.ended(2, "done", None)
    assert again.is_finished()
    assert again.close() == "interrupted", "trial 1 and one that was not suggested yet are left"


@pytest.mark.parametrize("ends", ["fell", "stumbled", "crashed"])
def test_whoever_fails_for_good_is_waited_for_no_longer(sweep, ends):
    conductor = sweep.attempt(schedule=Halving(2, 2, 2), trials=2, failures=0)
    for _ in range(2):
        conductor.next_trial()
    assert conductor.reported(0, 2, {"eval/l1": 0.1}, True) == "stop"
    if ends == "fell":
        assert conductor.fell(1, "crashed", 1, "died") == "stop"
    elif ends == "stumbled":
        assert conductor.stumbled(1, "disk full") == "stop"
    else:
        conductor.crashed(1, 1, "died")
    assert conductor.state.trials[1].state == "failed"
    assert not conductor.is_stuck()
    assert conductor.next_trial() == (0, {"weights.cyc": 0.0})
