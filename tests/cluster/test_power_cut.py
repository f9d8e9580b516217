"""A power cut takes what the disk had not taken: nothing that anybody acted on, and no evaluation that a trial went on from."""

from contextlib import closing

import pytest

from cluster.book import Book
from cluster.job import PBT, Asha, Halving
from cluster.log.records import MAY_WAIT, fold, read_records
from cluster.log.store import LONGEST_S, FileLog, read_log
from tests.cluster.conducting import PATHS
from tests.cluster.running import EVERY, Runner, halve, outcome

SUGGESTED = {"trial": 0, "params": {"weights.cyc": 1.0}}


class PoweredRunner(Runner):
    """The power is cut when it dies: the log is what the disk has of it. Looks at the disk whenever it acts."""

    def __init__(self, sweep, disk, dies_at=None, **job):
        self.disk, self.path, self.lost = disk, sweep.store.path(PATHS.log), 0
        super().__init__(sweep, dies_at=dies_at, between=True, **job)

    def attempt(self, dies_at=None):
        if super().attempt(dies_at):
            return True
        left = self.disk.holds(self.path)
        self.lost = len(self.path.read_bytes()) - len(left)
        self.sweep.crash()
        self.path.write_bytes(left)
        return False

    def _clone(self, donor, trial, step, attempt):
        assert self.disk.holds(self.path) == self.path.read_bytes()
        super()._clone(donor, trial, step, attempt)

    def _advance(self, index):
        goes_on = super()._advance(index)
        if not goes_on or not self.steps[index] % EVERY:
            assert self.disk.holds(self.path) == self.path.read_bytes(), "a verdict that others act on"
        return goes_on


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep" / "log.jsonl"


@pytest.mark.parametrize("schedule", [Halving(2, 2, 4), PBT(2, 0.25, halve), None], ids=["halving", "pbt", "none"])
def test_a_sweep_ends_as_the_undisturbed_one_whenever_the_power_is_cut(schedule, make_sweep, disk):
    whole = make_sweep()
    Runner(whole, between=True, schedule=schedule)
    expected, records = outcome(whole), len(list(read_records(read_log(whole.store, PATHS))))
    lost = 0
    for dies_at in range(records):
        sweep = make_sweep()
        runner = PoweredRunner(sweep, disk, dies_at=dies_at, schedule=schedule)
        lost += runner.lost
        assert runner.attempt(), dies_at
        assert outcome(sweep) == expected, dies_at
    assert lost, "something was lost that nobody misses"


def test_every_evaluation_is_at_its_rung_whenever_the_power_is_cut(make_sweep, disk):
    job = {"schedule": Asha(2, 2), "trials": 6}
    whole = make_sweep()
    Runner(whole, between=True, **job)
    for dies_at in range(0, len(list(read_records(read_log(whole.store, PATHS)))), 2):
        sweep = make_sweep()
        assert PoweredRunner(sweep, disk, dies_at=dies_at, **job).attempt()
        state = sweep.logged()
        for trial in state.trials.values():
            passed = list(range(EVERY, trial.step + 1, EVERY))
            assert [step for step, _ in trial.history] == passed
            assert [step for index, step, _ in state.order if index == trial.index] == passed


def test_one_sync_makes_sure_of_all_that_waits(path, disk):
    with closing(FileLog(path)) as log:
        log.append("opened", id="a1", name="toy", attempt=1, about={})
        log.append("suggested", **SUGGESTED)
        assert fold(path.read_bytes()) == log.state != fold(disk.holds(path)), "it outlives its writer, not the machine"
        log.append("started", trial=0, attempt=1)
        assert fold(disk.holds(path)) == log.state
        before = disk.syncs
        for step in range(1, 50):
            log.append("reported", trial=0, step=step, metrics={}, evaluated=False)
            log.append("noticed", trial=0, step=step, text="a bad sample")
        assert disk.syncs == before
        log.append("ended", trial=0, state="done", error=None)
        assert disk.syncs == before + 1
        assert fold(disk.holds(path)) == log.state


def test_what_waits_is_synced_soon_whether_anything_follows_or_not(path, disk, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with closing(FileLog(path)) as log:
        book = Book(log, lambda state: None)
        book.record("opened", id="a1", name="toy", attempt=1, about={})
        book.record("suggested", **SUGGESTED)
        book.record("noticed", trial=0, step=0, text="first")
        now += 0.9 * LONGEST_S
        book.check()
        book.record("noticed", trial=0, step=0, text="second")
        assert len(disk.holds(path).splitlines()) == 1
        now += 0.2 * LONGEST_S
        book.check()
        assert fold(disk.holds(path)) == book.state
        book.record("noticed", trial=0, step=0, text="third")
        now += LONGEST_S
        book.record("noticed", trial=0, step=0, text="fourth")
        assert fold(disk.holds(path)) == book.state
        book.record("noticed", trial=0, step=0, text="fifth")
    assert fold(disk.holds(path)) == book.state, "and at the end"


def test_nobody_acts_where_the_disk_does_not_take_it(path, disk):
    with closing(FileLog(path)) as log:
        book = Book(log, lambda state: None)
        book.record("opened", id="a1", name="toy", attempt=1, about={})
        book.record("suggested", **SUGGESTED)
        disk.full = True
        with pytest.raises(OSError, match="input/output error"):
            book.record("started", trial=0, attempt=1)
        assert book.state.trials[0].state == "pending"
        with pytest.raises(OSError, match="input/output error"):
            book.check()
        disk.full = False


def test_what_may_wait_ends_and_starts_nothing(path):
    with closing(FileLog(path)) as log:
        log.append("opened", id="a1", name="toy", attempt=1, about={})
        log.append("suggested", **SUGGESTED)
        log.append("started", trial=0, attempt=1)
        trial = log.state.trials[0]
        before = (trial.state, trial.starts, trial.failures, trial.given, dict(log.state.decisions), log.state.order)
        log.append("reported", trial=0, step=1, metrics={"eval/l1": 0.5}, evaluated=True)
        for kind in {*MAY_WAIT} - {"suggested", "reported"}:
            log.append(kind, trial=0, step=1, text="something")
        assert before == (trial.state, trial.starts, trial.failures, trial.given, log.state.decisions, log.state.order)
