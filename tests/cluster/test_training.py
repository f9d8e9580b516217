"""A run that diverges, that cannot save, that is asked to end: what it tells, and that its bits are the same in the end."""

import errno
from dataclasses import replace

import pytest
import torch

from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.report import Place, Report
from cluster.run import Every, Run
from cluster.training import train
from data_shards.store import open_store
from trainers.engine import Engine

BROKEN = 7  # the step whose losses are not finite
DUE = 4  # checkpoints are due at its multiples


@pytest.fixture
def run(run: Run) -> Run:
    """Twelve steps."""
    return replace(run, steps=12, every=Every(1, 12, DUE))


class Told:
    """What a run tells; it is asked to end after `end`, if at all, and may fail so often."""

    def __init__(self, end: int = 10**9, failures: int = 10**9) -> None:
        self.end, self.left = end, failures
        self.reports: list[Report] = []

    def __call__(self, report: Report) -> bool:
        self.reports.append(report)
        self.left -= len(report.failures)
        return self.left >= 0

    def asked(self) -> str | None:
        return "interrupted" if self.reports and self.reports[-1].step + 1 >= self.end else None

    @property
    def last(self) -> Report:
        return self.reports[-1]

    @property
    def notices(self) -> list[str]:
        return [notice for report in self.reports for notice in report.notices]

    @property
    def failures(self) -> list[str]:
        return [failure for report in self.reports for failure in report.failures]


def trained(run: Run, told: Told, attempt: int = 0) -> Told:
    train(run, Place(attempt=attempt), told, told.asked)
    return told


def checkpoints(run: Run) -> Checkpoints:
    return Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial))


def digest(run: Run) -> str:
    found = checkpoints(run).newest()
    assert found is not None and found.step == run.steps
    return found.digest


@pytest.fixture
def diverging(monkeypatch):
    """Weights become NaN before step BROKEN, until the run has gone back so often."""
    until = [1]
    honest = Engine.step

    def step(self: Engine, report: bool = False) -> None:
        honest(self, report)
        if self.t == BROKEN and len(self.retreats) < until[0]:
            next(self.system.parameters()).data.fill_(torch.nan)

    monkeypatch.setattr(Engine, "step", step)
    return until


def test_a_run_that_diverges_fails_and_names_the_step(run, diverging):
    told = trained(run, Told())
    assert told.last.outcome == "failed"
    assert told.last.error is not None and told.last.error.startswith(f"step {BROKEN}: not finite: ")


@pytest.mark.parametrize("ends", [(), (6,), (7,), (6, 6), (5, 10), (6, 7, 9)])
def test_going_back_gives_the_same_bits_whenever_it_is_interrupted(run, diverging, tmp_path, ends):
    run = replace(run, on_nonfinite="rollback")
    undisturbed = replace(run, storage=str(tmp_path / "undisturbed"))
    told = trained(undisturbed, Told())
    (notice,) = told.notices
    assert notice.startswith(f"step {BROKEN}: not finite: ")
    assert notice.endswith(f"; back to step {DUE}, and on with learning rates x 0.5")
    assert [report.step for report in told.reports] == [*range(1, BROKEN + 1), *range(DUE + 1, 13)]
    for attempt, end in enumerate(ends, 1):
        assert trained(run, Told(end), attempt).last.outcome == "interrupted"
    assert trained(run, Told(), len(ends) + 1).last.outcome == "done"
    assert digest(run) == digest(undisturbed)


def test_going_back_has_an_end(run, diverging):
    diverging[0] = 10**9
    told = trained(replace(run, on_nonfinite="rollback"), Told())
    assert len(told.notices) == 5
    assert told.notices[-1].endswith("on with learning rates x 0.03125")
    assert told.last.outcome == "failed"
    assert told.last.error is not None and told.last.error.endswith("; it went back 5 times already")


class FullDisk:
    """Refuses so many checkpoints."""

    def __init__(self, monkeypatch, refused: int) -> None:
        self.left, self._honest = refused, Checkpoints.save
        monkeypatch.setattr(Checkpoints, "save", lambda *words: self.save(*words))

    def save(self, *words):
        self.left -= 1
        if self.left >= 0:
            raise OSError(errno.ENOSPC, "No space left on device", "/data/runs")
        return self._honest(*words)


def test_a_checkpoint_that_cannot_be_written_is_counted_and_the_training_goes_on(run, monkeypatch, tmp_path):
    undisturbed = replace(run, storage=str(tmp_path / "undisturbed"))
    trained(undisturbed, Told())
    FullDisk(monkeypatch, 2)
    told = trained(run, Told())
    assert told.last.outcome == "done"
    assert told.failures[0].startswith(
        "the checkpoint of step 4 could not be written: no space is left in /data/runs; "
    )
    assert len(told.failures) == 2
    assert told.last.metrics["checkpoint/failed"] == 2
    assert digest(run) == digest(undisturbed)


def test_the_last_checkpoint_is_tried_until_the_budget_is_spent(run, monkeypatch):
    monkeypatch.setattr("cluster.saving.FIRST_PAUSE_S", 0.0)
    disk = FullDisk(monkeypatch, 4)
    assert trained(run, Told(failures=4)).last.outcome == "done"
    disk.left = 10**9
    told = trained(replace(run, trial=1), Told(failures=4))
    assert told.last.outcome is None, "it was told to end, and never said that it is done"
    assert len(told.failures) == 5
    assert told.last.step == run.steps


def test_an_interrupted_run_ends_though_it_cannot_save(run, monkeypatch):
    FullDisk(monkeypatch, 10**9)
    told = trained(run, Told(end=6))
    assert told.last.outcome == "interrupted"
    assert any("step 6 could not be written" in failure for failure in told.failures)
    assert checkpoints(run).newest() is None


def test_a_damaged_checkpoint_is_told_and_passed_over(run, tmp_path):
    undisturbed = replace(run, storage=str(tmp_path / "undisturbed"))
    trained(undisturbed, Told())
    trained(run, Told(end=10), 1)
    store = open_store(run.storage)
    newest = [path for path in store.list(SweepPaths(run.sweep).checkpoints(0)) if "step-00000010" in path]
    (state,) = (path for path in newest if path.endswith("state.safetensors"))
    raw = bytearray(store.read(state))
    raw[len(raw) // 2] ^= 1
    store.write(state, bytes(raw))
    told = trained(run, Told(), 2)
    assert told.reports[0].step == 9, "it went on from step 8"
    (notice,) = told.notices
    assert notice.startswith("damaged checkpoint passed over: ") and "step-00000010" in notice
    assert digest(run) == digest(undisturbed)
