"""What is exported of a sweep is a fold over its log: exact across attempts and drivers, bounded, and gone with its trial."""

import itertools
import math

import pytest

from cluster.checkpoints.committer import COUNTED
from cluster.monitoring import series as s
from cluster.monitoring.fold import Fold
from cluster.monitoring.numbers import series_of
from cluster.monitoring.series import ALL, Kind, Labels
from cluster.monitoring.words import STATES
from data_shards.counters import NAMES
from tests.cluster import recorded as log
from tests.cluster.recorded import folded, lines, samples

FEW = (log.opened(), log.suggested(0), log.started(0))


def values(series, fold):
    """Label values -> value of one series."""
    return {labels: value for (name, labels), value in samples(fold).items() if name == series.name}


def test_every_declared_series_has_a_value():
    told = {name for name, _ in samples(folded(lines(*log.STORY)))}
    assert log.names() - told == set(), "never set"
    assert told <= log.names()


def test_every_number_of_a_report_is_exported_or_named_here():
    of_the_process = {f"data/{name}" for name in NAMES} | set(COUNTED)
    unsaid = {name for name in of_the_process if not series_of(name)}
    assert unsaid == {"checkpoint/failed"}, "that is counted by the records of failures"


def test_what_a_report_says_is_there_as_it_is():
    fold = folded(lines(*FEW, log.reported(0, 10, 12, True, **log.EVERYTHING)))
    assert values(s.LOSS, fold)["0", "adv"] == 1.5
    assert math.isnan(values(s.LOSS, fold)["0", "d"]), "a loss that is no number is no gap"
    assert values(s.LOSS, fold)["0", "gp"] == math.inf
    assert values(s.OUTPUT, fold) == {("0", "d", "real"): 0.9, ("0", "d", "fake"): -0.9}
    assert values(s.SCORE, fold) == {("0", "ssim"): 0.75}, "the number of samples is no score"
    assert values(s.SAMPLES, fold) == {("0",): 128}
    assert values(s.IMAGES, fold) == {("0",): 50}
    assert values(s.PROGRESS, fold) == {("0",): 0.1}
    assert values(s.NONFINITE, fold) == {("skip",): 2, ("rollback",): 1, ("stop",): 0}
    assert values(s.REPORTED_AT, fold) == values(s.SAVED_AT, fold) == {("0",): log.START + 12}
    assert values(s.S3_BYTES, fold) == {("received",): 5000, ("sent",): 700}
    retries = values(s.S3_RETRIES, fold)
    assert retries.pop(("timeout",)) == 3
    assert retries and set(retries.values()) == {0.0}, "a cause that was never met is there, as 0"


def test_what_an_attempt_counts_is_added_to_the_attempts_before():
    """A worker counts from 0; a driver that is killed says nothing of it."""
    story = [*FEW]
    for attempt, requests in enumerate([40, 3, 50]):
        again = [log.failed(0, 3), log.started(0, 4)] if attempt == 1 else [log.opened(5, 2), log.started(0, 6)]
        story += again if attempt else []
        story += [log.reported(0, 10, 7, data__requests=requests / 2), log.reported(0, 20, 8, data__requests=requests)]
    assert values(s.S3_REQUESTS, folded(lines(*story))) == {(): 93}


def test_a_step_counts_once_however_often_it_is_trained():
    story = [*FEW, log.reported(0, 30, 3), log.failed(0, 4), log.started(0, 5), log.reported(0, 20, 6)]
    fold = folded(lines(*story))
    assert (values(s.STEPS, fold), values(s.PROGRESS, fold)) == ({("0",): 30}, {("0",): 0.2})
    folded(lines(log.reported(0, 40, 7)), fold)
    assert values(s.STEPS, fold) == {("0",): 40}
    assert values(s.SWEEP_IMAGES, fold) == {(): 200}


def test_a_trial_that_goes_on_from_another_one_counts_nothing_of_what_that_did():
    story = [*FEW, log.suggested(1), log.started(1)]
    story += [log.reported(0, 10, 3, nonfinite__skipped_g=5), log.reported(1, 10, 3, nonfinite__skipped_g=1)]
    story += [log.settled(4, 10, [log.CLONE]), log.started(1, 5), log.reported(1, 10, 6, nonfinite__skipped_g=5)]
    fold = folded(lines(*story))
    assert values(s.NONFINITE, fold)["skip",] == 6
    folded(lines(log.reported(1, 20, 7, nonfinite__skipped_g=7)), fold)
    assert values(s.NONFINITE, fold)["skip",] == 8
    assert values(s.SKIPPED, fold) == {("0", "g"): 5, ("1", "g"): 3}
    assert values(s.EXPLOITS, fold) == {(): 1}


def test_restarts_and_failures_are_told_by_their_reason():
    fold = folded(lines(*log.STORY))
    assert values(s.RESTARTED, fold) == {
        (reason,): 1.0 for reason in ("crash", "stall", "preempted", "moved", "resize", "retry", "driver")
    }
    assert values(s.FAILED, fold) == {(reason,): 1.0 for reason in ("crash", "stall", "checkpoint", "halt")}
    assert values(s.CHECKPOINT_FAILURES, fold) == {(): 1}
    assert values(s.STOPPED, fold) == {("pbt",): 1}
    assert values(s.DRIVERS, fold) == {(): 2}
    assert values(s.NONFINITE, fold)["stop",] == 1


def test_states_budgets_and_what_is_spent():
    fold = folded(lines(*FEW, log.reported(0, 10, 102)))
    assert values(s.TRIALS, fold) == {(state,): float(state == "running") for state in STATES}
    assert values(s.GPU_SECONDS, fold) == {(): 200}, "two workers of one GPU for 100 s"
    assert values(s.CPU_SECONDS, fold) == {(): 600}
    assert values(s.COST, fold) == {(): 2}
    assert values(s.WALL_BUDGET, fold) == {(): 600}
    assert values(s.ELAPSED, fold) == {(): 102}
    assert values(s.BEST, fold) == {("eval/ssim",): 0.5}
    assert values(s.INFO, fold) == {("toy", "cyclegan", "random", "pbt", "eval/ssim", "lsgan"): 1}
    unlimited = folded(lines(log.opened(limits={"cost": None}), *FEW[1:]))
    assert values(s.COST_BUDGET, unlimited) == values(s.WALL_BUDGET, unlimited) == {}


def test_what_ran_when_a_driver_went_waits_for_the_next_one():
    fold = folded(lines(*FEW, log.opened(3, 2)))
    assert (values(s.TRIALS, fold)["running",], values(s.TRIALS, fold)["pending",]) == (0, 1)
    folded(lines(log.started(0, 4)), fold)
    assert (values(s.TRIALS, fold)["running",], values(s.TRIALS, fold)["pending",]) == (1, 0)


def test_only_a_trial_that_runs_tells_when_it_was_heard_of():
    fold = folded(lines(*FEW))
    assert values(s.HEARD_AT, fold) == {("0",): log.START + 2}
    folded(lines(log.reported(0, 10, 12), log.failed(0, 13, kind="stumbled")), fold)
    assert values(s.HEARD_AT, fold) == {("0",): log.START + 13}
    folded(lines(log.preempted(0, 20)), fold)
    assert (values(s.HEARD_AT, fold), values(s.REPORTED_AT, fold)) == ({}, {("0",): log.START + 12})
    folded(lines(log.started(0, 30)), fold)
    assert values(s.HEARD_AT, fold) == {("0",): log.START + 30}
    folded(lines((40, "waits", {"trial": 0, "step": 10, "text": "for room"})), fold)
    assert values(s.HEARD_AT, fold) == {}
    folded(lines(log.started(0, 50), log.opened(60, 2)), fold)
    assert values(s.HEARD_AT, fold) == {}, "it waits for the new driver"


def test_how_long_a_training_is_and_when_it_is_due_to_be_saved():
    fold = folded(lines(*FEW))
    assert (values(s.LENGTH, fold), values(s.SAVED_EVERY, fold)) == ({(): 100}, {(): 10})


def test_a_log_of_before_these_numbers_is_folded_as_well():
    bare = (0, "opened", {"id": "a1", "name": "toy", "attempt": 1, "about": {}})
    fold = folded(lines(bare, *FEW[1:], log.reported(0, 10, 12, eval__l1=1), log.ended(0, 13)))
    assert values(s.SWEEP_STEPS, fold) == {(): 10}
    assert samples(Fold()) == {}


def counters(fold):
    kinds = {series.name: series.kind for series in ALL}
    return {key: value for key, value in samples(fold).items() if kinds[key[0]] is Kind.counter}


def test_at_every_record_replaying_comes_to_the_same_and_no_counter_goes_back():
    """A driver may be killed after any record; the next one reads the log from its beginning."""
    story, living = [lines(one) for one in log.STORY], Fold(lambda state: {"eval/ssim": 0.5})
    before: dict[tuple[str, Labels], float] = {}
    for count, line in enumerate(story, 1):
        folded(line, living)
        replayed = folded(b"".join(story[:count]))
        assert str(samples(replayed)) == str(samples(living)), "NaN is not equal to itself, but its name is"
        now = counters(living)
        assert all(now.get(key, math.inf) >= value for key, value in before.items())
        before = now


def test_finished_trials_take_their_series_with_them_and_leave_the_sums():
    """200 trials at once, each with more terms than any system here has."""
    numbers = {f"loss__term_{i}": 1.0 for i in range(8)} | {f"weight__term_{i}": 1.0 for i in range(8)} | log.EVERYTHING
    begun = itertools.chain.from_iterable((log.suggested(i), log.started(i)) for i in range(200))
    fold = folded(lines(log.opened(), *begun, *(log.reported(i, 10, 12, True, **numbers) for i in range(200))))
    live = samples(fold)
    assert 200 * 30 < len(live) <= 12_000
    folded(lines(*(log.ended(i, 13) for i in range(200))), fold)
    left = samples(fold)
    assert not [name for (name, _) in left if name.startswith(("i2i_train", "i2i_eval"))]
    assert len(left) < 100
    assert values(s.SWEEP_IMAGES, fold) == {(): 200 * 50}
    assert values(s.S3_REQUESTS, fold) == {(): 200 * 100}


def test_a_trial_that_is_tried_again_is_not_counted_again():
    story = [*FEW, log.reported(0, 30, 3), log.failed(0, 4), log.ended(0, 4, "failed")]
    story += [log.opened(5, 2), log.retried(0, 6), log.started(0, 7), log.reported(0, 30, 8), log.reported(0, 40, 9)]
    fold = folded(lines(*story))
    assert values(s.SWEEP_STEPS, fold) == {(): 40}
    assert values(s.STEPS, fold) == {("0",): 40}, "it is there again, and goes on where it was"


def test_names_are_of_prometheus_kind():
    for series in ALL:
        assert series.name.startswith("i2i_")
        assert series.name.endswith("_total") == (series.kind is Kind.counter), series.name
        assert len(series.help) > 5 and series.help.endswith("."), series.name
        for source, labels in series.sources.items():
            assert len(labels) == len(series.labels) - series.of_trial, (series.name, source)
    assert len(log.names()) == len(ALL)


@pytest.mark.parametrize("kind", ["gauge", "info", "counter"])
def test_there_are_series_of_each_kind(kind):
    assert [series for series in ALL if series.kind == kind]
