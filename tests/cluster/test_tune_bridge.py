"""What Tune does without a word, and what is made of it: trials without a process, and processes that do not get free."""

import time
from types import SimpleNamespace

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from cluster.log.records import read_records
from cluster.log.store import read_log
from cluster.report import Report
from cluster.tune_bridge import ATTEMPT, INDEX, REPORT, ConductedScheduler
from cluster.workers.trial import SingleTrial, StillBusy
from tests.cluster.conducting import PATHS, started


class Controller:
    """Tune's controller, as far as a scheduler may use it, with trials that no process was found for, and one that has one."""

    def __init__(self, placed, *unplaced):
        self.trials = [trial(placed, "a process"), *(trial(index) for index in unplaced)]

    def get_trials(self):
        return self.trials

    def stop_trial(self, trial):
        trial.status = Trial.TERMINATED


def trial(index, process=None, error_file=None):
    return SimpleNamespace(
        status=Trial.PENDING if process is None else Trial.RUNNING,
        config={INDEX: index, ATTEMPT: 1},
        temporary_state=SimpleNamespace(ray_actor=process),
        placement_group_factory=SimpleNamespace(required_resources={"CPU": 1.0}),
        error_file=error_file,
    )


def ask(sweep, monkeypatch):
    sweep.stop.make()


def pass_the_time(sweep, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)


@pytest.mark.parametrize(("make_it_end", "ends"), [(ask, "interrupted"), (pass_the_time, "stopped")])
def test_who_waits_for_a_process_is_not_waited_for_when_the_sweep_is_to_end(sweep, monkeypatch, make_it_end, ends):
    conductor = sweep.attempt(trials=4, wall=3600.0)
    scheduler, controller = ConductedScheduler(conductor), Controller(0, 1, 2)
    assert started(conductor) == [0, 1, 2, 3]
    chosen = scheduler.choose_trial_to_run(controller)
    assert chosen is not None and chosen.config[INDEX] == 1
    conductor.ended(3, "done", None)
    make_it_end(sweep, monkeypatch)
    assert scheduler.choose_trial_to_run(controller) is None
    assert [one.status for one in controller.trials] == [Trial.RUNNING, Trial.TERMINATED, Trial.TERMINATED]
    assert not conductor.is_finished(), "trial 0 has to save yet"
    conductor.ended(0, "interrupted", None)
    assert conductor.is_finished()
    assert conductor.close() == ends
    again = sweep.attempt(trials=4)
    sweep.stop.withdraw()
    assert started(again) == [0, 1, 2], "nothing is lost"


def test_a_process_that_does_not_get_free_is_no_fault_of_the_next_trial(sweep, tmp_path):
    conductor = sweep.attempt(trials=1, failures=0)
    scheduler, file = ConductedScheduler(conductor), tmp_path / "error.txt"
    file.write_text("Traceback\nStillBusy: this process has not come to an end\n")
    assert started(conductor) == [0]
    scheduler.on_trial_error(None, trial(0, error_file=str(file)))
    last = list(read_records(read_log(sweep.store, PATHS)))[-1]
    told = "it starts in another process: StillBusy: this process has not come to an end"
    assert (last["kind"], last["trial"], last["why"]) == ("preempted", 0, told)
    assert conductor.state.trials[0].failures == 0
    assert started(conductor) == [0], "at once"


def test_a_group_that_finds_no_room_is_told_of_until_its_next_report(sweep):
    conductor = sweep.attempt(trials=1, workers=2)
    scheduler = ConductedScheduler(conductor)
    assert started(conductor) == [0]
    for report in (Report(0, waits="waiting for 2 workers"), Report(0), Report(1, {"eval/l1": 1.0})):
        assert scheduler.on_trial_result(None, trial(0), {REPORT: report}) == TrialScheduler.CONTINUE
    kinds = [record["kind"] for record in read_records(read_log(sweep.store, PATHS))]
    assert kinds[2:] == ["started", "waits", "placed", "reported"]
    assert conductor.state.trials[0].notices == [(0, "waiting for 2 workers")]


@pytest.mark.parametrize("is_free", [True, False])
def test_a_process_that_is_not_free_says_so(monkeypatch, is_free):
    monkeypatch.setattr(SingleTrial.__bases__[0], "reset_config", lambda self, config: is_free)
    monkeypatch.setattr("cluster.workers.trial.heed_sigterm", lambda: None)
    process = SingleTrial.__new__(SingleTrial)
    if is_free:
        assert process.reset_config({}) is True
        return
    with pytest.raises(StillBusy, match="has not come to an end with the trial that it had before"):
        process.reset_config({})
