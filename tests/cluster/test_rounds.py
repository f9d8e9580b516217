"""Sweeps whose trials wait for one another: killed after any record, they end as the undisturbed one does."""

from typing import Any

import pytest

from cluster.job import PBT, Asha, Finalists, Halving
from cluster.log.records import read_records
from cluster.log.store import read_log
from tests.cluster.conducting import PATHS
from tests.cluster.running import Runner, halve, outcome, value

pytestmark = pytest.mark.usefixtures("disk")  # thousands of records
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


def flat(trial):
    """A rule that gives up on some trainings, by their seed and values alone."""
    return ("flat", "nothing moves") if trial.history and value(trial, 0) < 0.3 else None


def test_seeds_of_a_setting_that_is_out_are_not_run_whatever_record_the_driver_dies_after(make_sweep):
    job = {"schedule": Asha(2, 2), "trials": 6, "seeds": 2, "stops": flat}
    whole = make_sweep()
    Runner(whole, **job)
    records = len(list(read_records(read_log(whole.store, PATHS))))
    causes = {trial.by for trial in whole.logged().trials.values() if trial.why.startswith("its setting")}
    assert causes == {"asha", "flat"}, "the sweep has a case of each"
    for dies_at in range(records):
        sweep = make_sweep()
        assert Runner(sweep, dies_at=dies_at, **job).attempt(), dies_at
        trials = sweep.logged().trials
        assert len(trials) == 12
        ended = [r["trial"] for r in read_records(read_log(sweep.store, PATHS)) if r["kind"] == "ended"]
        assert sorted(ended) == sorted(trials), "each trial ends once"
        for trial in trials.values():
            cause, _, other = trial.why.rpartition("stopped as trial ")
            assert not cause or trials[int(other)].by == trial.by, "a seed is out by what its setting is out by"


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


def test_no_seed_of_the_preset_is_stopped(sweep):
    conductor = sweep.attempt(schedule=Asha(2, 2), seeds=2, trials=2)
    assert [conductor.next_trial()[0] for _ in range(4)] == [0, 1, 2, 3]
    assert conductor.reported(2, 2, {"eval/l1": 0.1}, True) == "continue"
    assert conductor.reported(1, 2, {"eval/l1": 0.9}, True) == "continue"
    assert conductor.state.decisions[1, 2] == "continue"
    assert conductor.reported(3, 2, {"eval/l1": 0.9}, True) == "stop", "another setting that does as badly is"
    assert {i: trial.state for i, trial in conductor.state.trials.items()} == {
        0: "running",
        1: "running",
        2: "stopped",
        3: "stopped",
    }


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
