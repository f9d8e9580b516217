"""Budgets bind over all attempts: what was spent is in the log."""

import pytest

from cluster.job import Limits
from tests.cluster.conducting import started


@pytest.fixture
def clock(monkeypatch):
    """The time that records bear; it stands still but for what a test adds to clock[0]."""
    now = [1_000_000.0]
    monkeypatch.setattr("cluster.log.store.time.time", lambda: now[0])
    return now


def report(conductor, index, step, **metrics):
    return conductor.reported(index, step, metrics, evaluated=False)


@pytest.mark.parametrize(
    ("limits", "job", "text"),
    [
        (Limits(cpu_hours=2.0), {}, "budget.cpu_hours: 2 of 2 are spent"),
        (Limits(gpu_hours=1.0), {"gpus_per_worker": 0.5}, "budget.gpu_hours: 1 of 1 are spent"),
        (Limits(cost=3.0, price=1.5), {"gpus_per_worker": 1.0}, "budget.cost: 3 of 3 are spent"),
    ],
)
def test_a_budget_ends_the_sweep_at_the_report_that_exceeds_it(sweep, clock, limits, job, text):
    conductor = sweep.attempt(limits=limits, trials=2, **job)
    assert started(conductor) == [0, 1]
    clock[0] += 3000
    assert report(conductor, 0, 1) == "continue"
    clock[0] += 600
    assert report(conductor, 1, 1) == "continue"
    assert not sweep.stop.is_made(), "1.83 hours: one trial has been heard of after 3,000 s, the other after 3,600"
    assert report(conductor, 0, 2) == "continue"
    assert sweep.stop.is_made(), "2 hours: the trials are asked to save and end"
    assert conductor.next_trial() is None
    for index in (0, 1):
        conductor.ended(index, "interrupted", None)
    assert conductor.is_finished()
    assert conductor.close() == "stopped"
    assert sweep.logged().reason == text


def test_what_was_spent_counts_over_attempts_but_not_between_them(sweep, clock):
    conductor = sweep.attempt(limits=Limits(cpu_hours=1.0), trials=1)
    started(conductor)
    clock[0] += 1800
    report(conductor, 0, 1)
    clock[0] += 36_000  # nobody drives it
    again = sweep.attempt(limits=Limits(cpu_hours=1.0), trials=1)
    assert started(again) == [0]
    clock[0] += 1700
    report(again, 0, 2)
    assert not sweep.stop.is_made()
    clock[0] += 200
    report(again, 0, 3)
    assert sweep.stop.is_made()
    assert again.state.trials[0].seconds == 3700


def test_a_group_counts_as_its_workers(sweep, clock):
    conductor = sweep.attempt(limits=Limits(cpu_hours=1.0), trials=1, workers=4, least_workers=1)
    started(conductor)
    clock[0] += 1000
    report(conductor, 0, 1, **{"resources/workers": 2.0})
    report(conductor, 0, 2, **{"resources/workers": 2.0})
    assert not sweep.stop.is_made(), "2 workers, not the 4 that it may have"
    clock[0] += 1000
    report(conductor, 0, 3, **{"resources/workers": 2.0})
    assert sweep.stop.is_made()


def test_a_raised_budget_goes_on(sweep, clock):
    conductor = sweep.attempt(limits=Limits(cpu_hours=0.1), trials=1)
    started(conductor)
    clock[0] += 3600
    report(conductor, 0, 1)
    conductor.ended(0, "interrupted", None)
    assert conductor.close() == "stopped"
    sweep.stop.withdraw()
    again = sweep.attempt(limits=Limits(cpu_hours=2.0), trials=1)
    assert started(again) == [0]
    assert report(again, 0, 3) == "continue"
    again.ended(0, "done", None)
    assert again.close() == "done"
    assert sweep.logged().reason is None
