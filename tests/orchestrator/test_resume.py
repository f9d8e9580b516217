"""The same file again goes on, a changed one starts anew and says what changed."""

from dataclasses import replace

import pytest

from cluster.job import Asha
from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.records import NewerLog, TrialState
from cluster.log.store import open_log
from data_shards.store import open_store
from orchestrator.errors import Refusal
from orchestrator.job import make_job
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.resume import plan_again
from orchestrator.sweep_file.sweep import read_sweep

MACHINE = Machine(cpus=4, gpus=0)
SEARCH = (
    "search: {weights.cyc: {log_uniform: [1, 30]}}\nobjective: {metric: eval/l1}\ntrials: 4\n"
    "scheduler: {asha: {grace: 0.2, reduction: 2}}\nbudget: {wall: 1h, failures: 1}\n"
)


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path):
    """Where the sweeps are kept."""
    return str(tmp_path) if request.param == "folder" else request.getfixturevalue("bucket")


@pytest.fixture
def again(values, storage):
    """again("seed: 1", "trials: 4\\n"): the small search with a key added, and some text left out of it."""

    def plan(more="", without=""):
        text = f"{SEARCH.replace(without, '')}storage: {storage}\n{more}"
        return plan_again(read_sweep(values(text), "sweep.yaml"), "sweep.yaml", MACHINE)

    return plan


@pytest.fixture
def submitted(again):
    """The plan of the small search on 4 workers, with its first trial done in the log."""
    plan, state = again("resources: {workers: 4}")
    assert state is None
    store, paths = open_store(plan.storage), SweepPaths(plan.id)
    with driving(store, paths) as driver:
        log = open_log(store, paths, driver)
        log.append("opened", id=plan.id, name="toy", attempt=1, about=dict(make_job(plan).about))
        log.append("suggested", trial=0, params=plan.params(0))
        log.append("ended", trial=0, state="done")
        log.close()
    return plan


def test_a_plan_becomes_a_job(again):
    plan, _ = again()
    job = make_job(plan)
    assert (job.id, job.trials, job.metric, job.mode) == (plan.id, 4, "eval/l1", "min")
    assert (job.steps, job.workers, job.failures, job.wall) == (1000, 1, 1, 3600)
    assert job.schedule == Asha(200, 2)
    trial = TrialState(2, job.suggest(2, {}) or {})
    assert job.run(trial) == plan.run(2, plan.params(2))
    assert job.run(replace(trial, seed=7)).seed == 7


def test_the_same_file_goes_on_with_what_auto_became(again, submitted):
    plan, state = again("resources: {workers: 2}")
    assert plan.id == submitted.id
    assert plan.sizes.replicas == 4
    assert plan.notes == ("submitted before: 1 of 4 trials have ended, and submit goes on with the rest",)
    assert state is not None
    assert state.trials[0].state == "done"


def test_more_trials_extend_a_sweep_and_fewer_are_refused(again, submitted):
    more, _ = again("trials: 9", without="trials: 4\n")
    assert (more.id, more.trials) == (submitted.id, 9)
    with pytest.raises(Refusal) as caught:
        again("trials: 3", without="trials: 4\n")
    assert caught.value.lines() == [
        "sweep.yaml: trials: this sweep was submitted with 4 trials, which can be raised but not lowered to 3; "
        "nearest: 4"
    ]


def test_a_changed_file_says_what_changed(again, submitted):
    plan, state = again("seed: 1")
    assert plan.id != submitted.id
    assert state is None
    assert plan.notes == (f"a new sweep: it differs from {submitted.id} in seed",)


def test_a_sweep_with_little_in_common_is_not_mentioned(again, submitted):
    plan, _ = again("seed: 1\nhyper: {width: 8, pool: 1, critic_width: 8}")
    assert plan.notes == ()


def test_a_newer_log_is_refused_for_its_own_sweep_only(again, submitted):
    store, paths = open_store(submitted.storage), SweepPaths(submitted.id)
    store.write(f"{paths.segments}/00000004.jsonl" if store.remote else paths.log, b'{"v": 99, "kind": "opened"}\n')
    assert again("seed: 1")[0].notes == ()
    with pytest.raises(NewerLog):
        again()


def test_planning_alone_looks_at_no_log(values, submitted, storage):
    sweep = read_sweep(values(f"{SEARCH}storage: {storage}"), "sweep.yaml")
    assert make_plan(sweep, "sweep.yaml", machine=MACHINE).sizes.replicas == 1
