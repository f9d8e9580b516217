"""What a sweep may cost, whoever drives it: failures, time, trials, and being asked to stop."""

import pytest

from cluster.conductor import NothingToRunOn
from cluster.job import Asha
from cluster.log.lock import SweepBusy
from cluster.log.records import CONTINUE, STOP
from cluster.report import HALTED
from data_shards.errors import DataError, Unreachable
from tests.cluster.conducting import crash, evaluated, started


def test_a_crashed_trial_is_tried_again_while_the_budget_lasts(sweep):
    conductor = sweep.attempt(failures=2, trials=2)
    assert started(conductor) == [0, 1]
    conductor.ended(1, "done", None)
    for count in (1, 2):
        crash(conductor, 0, "OSError: disk full")
        assert (conductor.state.trials[0].state, conductor.state.trials[0].failures) == ("pending", count)
        assert not conductor.is_finished()
        conductor = sweep.attempt(failures=2, trials=2)  # the budget is the sweep's, not the attempt's
        assert started(conductor) == [0]
    crash(conductor, 0, "OSError: disk full")
    assert conductor.state.trials[0].error == (
        "OSError: disk full (failed 3 times: 3 x a worker died; budget.failures is 2)"
    )
    assert started(conductor) == []
    assert conductor.is_finished()
    assert conductor.close() == "done", "others came through"


def test_failures_of_every_kind_add_up_to_one_number(sweep):
    conductor = sweep.attempt(failures=3, workers=2)
    started(conductor)
    assert conductor.stumbled(0, "step 20: the checkpoint could not be written: disk full") == CONTINUE
    assert conductor.state.trials[0].state == "running", "it trains on"
    assert conductor.fell(0, "crashed", 25, "worker 1 died") == CONTINUE
    assert conductor.fell(0, "crashed", 25, "step 26 stalled for 600 s on rank 1") == CONTINUE
    assert conductor.state.trials[0].failures == 3
    assert conductor.stumbled(0, "no space left") == STOP
    trial = conductor.state.trials[0]
    assert (trial.state, trial.starts) == ("failed", 3)
    assert trial.error == (
        "no space left (failed 4 times: 2 x a checkpoint was not written, 1 x a worker died, 1 x a step stalled; "
        "budget.failures is 3)"
    )
    assert conductor.fell(0, "crashed", 25, "its workers were stopped") == STOP
    assert conductor.stumbled(0, "late") == STOP
    assert conductor.state.trials[0] == trial


def test_what_was_announced_counts_as_nothing(sweep):
    conductor = sweep.attempt(workers=2, trials=1)
    started(conductor)
    assert conductor.fell(0, "preempted", 10, None) == CONTINUE
    assert conductor.fell(0, "resize", 20, None) == CONTINUE
    conductor.noticed(0, 20, "goes on with 4 workers")
    trial = conductor.state.trials[0]
    assert (trial.failures, trial.starts, trial.notices) == (0, 3, [(20, "goes on with 4 workers")])
    sweep.stop.make()
    assert conductor.fell(0, "preempted", 30, None) == STOP
    assert conductor.is_finished()
    assert conductor.close() == "interrupted"
    again = sweep.attempt(workers=2, trials=1)
    sweep.stop.withdraw()
    assert started(again) == [0]
    assert again.state.trials[0].starts == 4, "numbers of starts never come back"


def test_one_worker_that_leaves_its_machine_starts_elsewhere_and_its_death_is_no_news(sweep):
    conductor = sweep.attempt(trials=1)
    started(conductor)
    conductor.left(0, 10)
    assert conductor.state.trials[0].state == "pending"
    assert started(conductor) == [0]
    conductor.crashed(0, 1, "this process has told why it ends")
    trial = conductor.state.trials[0]
    assert (trial.state, trial.failures, trial.starts) == ("running", 0, 2)


def test_a_trial_whose_groups_were_replaced_is_started_again_when_its_own_process_dies(sweep):
    conductor = sweep.attempt(failures=3, workers=2, trials=1)
    started(conductor)
    assert conductor.fell(0, "crashed", 10, "worker 1 died") == CONTINUE
    conductor.crashed(0, 1, "the trial's process died")  # it knows the start that it was handed out as
    assert (conductor.state.trials[0].state, conductor.state.trials[0].failures) == ("pending", 2)
    assert started(conductor) == [0]
    assert conductor.state.trials[0].starts == 3
    conductor.crashed(0, 1, "told late")
    assert conductor.state.trials[0].state == "running"


def test_a_sweep_whose_every_trial_failed_has_failed(sweep):
    conductor = sweep.attempt(trials=2)
    started(conductor)
    crash(conductor, 0, "RuntimeError: no")
    conductor.ended(1, "failed", "step 3: not finite: d_a")
    assert [trial.state for trial in conductor.state.trials.values()] == ["failed", "failed"]
    assert conductor.close() == "failed"


def test_a_crash_after_the_end_changes_nothing(sweep):
    conductor = sweep.attempt(schedule=Asha(2, 2), failures=1)
    started(conductor)
    conductor.ended(0, "done", None)
    evaluated(conductor, 1, 2, 0.1)
    assert evaluated(conductor, 2, 2, 0.9) == STOP
    records = len(sweep.seen)
    for index in (0, 2):
        crash(conductor, index, "killed")
        conductor.ended(index, "done", None)
    assert len(sweep.seen) == records


def test_asked_to_stop_it_starts_nothing_and_can_go_on(sweep):
    conductor = sweep.attempt()
    conductor.next_trial()
    sweep.stop.make()
    assert started(conductor) == []
    assert not conductor.is_finished(), "one still saves"
    conductor.reported(0, 3, {"loss/d": 1.0}, evaluated=False)
    conductor.ended(0, "interrupted", None)
    assert conductor.is_finished()
    assert conductor.close() == "interrupted"
    sweep.stop.withdraw()
    assert started(sweep.attempt()) == [0, 1, 2, 3]


def test_a_trial_that_saw_the_request_first_is_not_started_again(sweep):
    """In a remote storage the driver looks for it now and then."""
    conductor = sweep.attempt()
    assert started(conductor) == [0, 1, 2, 3]
    conductor.ended(0, "interrupted", None)
    assert started(conductor) == []
    assert not conductor.is_finished(), "three still save"
    for index in (1, 2, 3):
        conductor.ended(index, "interrupted", None)
    assert conductor.close() == "interrupted"
    assert [trial.starts for trial in sweep.logged().trials.values()] == [1, 1, 1, 1]


@pytest.fixture
def clock(monkeypatch):
    """clock[0] is the time in seconds, of every kind."""
    now = [1000.0]
    for kind in ("monotonic", "time"):
        monkeypatch.setattr(f"time.{kind}", lambda: now[0])
    return now


def test_after_the_wall_time_nothing_is_started_and_what_runs_is_asked_to_save(sweep, clock):
    conductor = sweep.attempt(wall=60.0)
    assert conductor.next_trial() is not None
    clock[0] += 59
    assert conductor.next_trial() is not None
    assert not sweep.stop.is_made()
    clock[0] += 2
    assert conductor.reported(0, 3, {"loss/d": 1.0}, evaluated=False) == CONTINUE, "it saves before it ends"
    assert sweep.stop.is_made()
    assert conductor.next_trial() is None
    for index in (0, 1):
        assert not conductor.is_finished()
        conductor.ended(index, "interrupted", None)
    assert conductor.is_finished()
    assert conductor.close() == "stopped"


def test_every_attempt_has_the_wall_time_to_itself(sweep, clock):
    sweep.attempt(wall=60.0).next_trial()
    clock[0] += 70
    again = sweep.attempt(wall=60.0)
    clock[0] += 50
    assert started(again) == [0, 1, 2, 3]


def test_more_trials_extend_a_finished_sweep(sweep):
    conductor = sweep.attempt(trials=2)
    for index in started(conductor):
        conductor.ended(index, "done", None)
    assert conductor.close() == "done"
    more = sweep.attempt(trials=4)
    assert not more.is_finished()
    assert [*iter(more.next_trial, None)] == [(2, {"weights.cyc": 1.0}), (3, {"weights.cyc": 1.5})]


def test_submitting_again_tries_what_crashed_once_more(sweep):
    conductor = sweep.attempt(trials=2, failures=1)
    started(conductor)
    conductor.ended(1, "failed", "step 3: not finite: d")
    for _ in range(2):
        crash(conductor, 0, "OSError: no space left")
        conductor.next_trial()
    assert conductor.close() == "failed"
    again = sweep.attempt(trials=2, failures=1)
    assert started(again) == [0], "a trial that failed by its own numbers stays failed"
    assert again.state.trials[0].error is None
    crash(again, 0, "OSError: no space left")
    assert started(again) == [0], "with the whole budget"


def test_what_no_trial_can_do_without_ends_the_sweep_and_is_tried_again_by_the_next_submit(sweep):
    conductor = sweep.attempt(trials=3, failures=5)
    assert [conductor.next_trial()[0] for _ in range(2)] == [0, 1]
    conductor.ended(0, HALTED, "s3://b: no answer for 300 s")
    assert conductor.state.trials[0].error == "s3://b: no answer for 300 s"
    assert sweep.stop.is_made(), "the other one saves"
    assert started(conductor) == []
    crash(conductor, 0, "its group ended")
    conductor.ended(1, HALTED, "s3://b: no answer for 301 s")
    assert conductor.is_finished()
    assert conductor.close() == "failed"
    assert (sweep.logged().reason, sweep.logged().state) == ("s3://b: no answer for 300 s", "failed")
    sweep.stop.withdraw()
    again = sweep.attempt(trials=3, failures=5)
    assert started(again) == [0, 1, 2]
    assert again.state.reason is None
    for index in range(3):
        again.ended(index, "done", None)
    assert again.close() == "done"


def test_a_sweep_fails_as_a_whole_though_every_other_trial_is_done(sweep):
    conductor = sweep.attempt(trials=2)
    started(conductor)
    conductor.ended(0, "done", None)
    conductor.ended(1, HALTED, "no")
    assert conductor.close() == "failed"
    sweep.stop.withdraw()
    assert started(sweep.attempt(trials=2)) == [1]


@pytest.mark.parametrize("error", [Unreachable("gone"), DataError("403"), SweepBusy("another")])
def test_a_storage_that_fails_is_remembered(sweep, monkeypatch, error):
    def fails(*arguments, **fields):
        raise error

    conductor = sweep.attempt(wall=0.0)
    monkeypatch.setattr(sweep.stop, "make", fails)
    with pytest.raises(type(error)):
        conductor.next_trial()  # its time is over: the trials are to be asked to stop
    assert conductor.book.failure is error

    conductor = sweep.attempt()
    monkeypatch.setattr(conductor.book._log, "append", fails)
    with pytest.raises(type(error)):
        conductor.next_trial()
    assert conductor.book.failure is error


def test_a_crashed_trial_waits_a_little_longer_each_time(sweep, clock):
    conductor = sweep.attempt(trials=1, failures=9, pause=1.0)
    conductor.next_trial()
    waited = []
    for _ in range(6):
        crash(conductor, 0, "OSError: no space left")
        since = clock[0]
        while conductor.next_trial() is None:
            assert not conductor.is_finished()
            clock[0] += 1
        waited.append(clock[0] - since)
    assert waited == [2, 4, 8, 16, 30, 30]
    conductor.reported(0, 3, {"loss/d": 1.0}, evaluated=False)
    crash(conductor, 0, "OSError: no space left")
    clock[0] += 2
    assert conductor.next_trial() is not None, "it had trained in between"


def test_a_sweep_without_a_living_node_says_so(sweep):
    conductor = sweep.attempt(trials=1)
    started(conductor)
    conductor.book.check()
    conductor.lose_all_nodes()
    with pytest.raises(NothingToRunOn, match=r"every node of this Ray is dead .* submit the same file again"):
        conductor.book.check()
