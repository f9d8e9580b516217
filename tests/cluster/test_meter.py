"""The numbers of a report that count: over an attempt, over its workers, and never those of another attempt."""

import json
from dataclasses import replace

import pytest
import torch

from cluster.meter import Meter, Tally, of_the_run
from cluster.run import Every, Run
from data_shards.counters import COUNTS
from tests.cluster.test_training import Told, trained
from trainers.engine import Engine
from trainers.tree import Tree

BROKEN = 7


@pytest.fixture
def run(run: Run) -> Run:
    """Eight steps, a checkpoint after each fourth."""
    return replace(run, steps=8, every=Every(1, 4, 4))


def test_a_run_tells_of_every_checkpoint_also_of_its_last(run):
    told = trained(run, Told())
    assert told.last.metrics["checkpoint/written"] == 2
    assert told.last.metrics["checkpoint/step"] == 8
    sizes = told.last.metrics["checkpoint/written_bytes"]
    assert sizes > told.last.metrics["checkpoint/bytes"] > 0
    assert trained(run, Told(), attempt=1).last.metrics.get("checkpoint/written") == 0, "this attempt wrote none"


def test_what_is_said_again_leaves_the_attempt_s_counts_to_the_attempt(run):
    COUNTS.add("requests")
    trained(run, Told(end=4))
    COUNTS.add("requests")
    again = trained(run, Told(), attempt=1).reports[0]
    assert (again.step, again.evaluated) == (4, True)
    assert {name for name in again.metrics if name.startswith(("data/", "checkpoint/"))} == {
        f"checkpoint/{what}" for what in ("failed", "skipped", "written", "written_seconds", "written_bytes")
    }
    assert of_the_run({"data/requests": 1.0, "checkpoint/step": 1.0, "loss/d": 1.0}) == {"loss/d": 1.0}


def test_a_run_that_goes_back_counts_on(run, monkeypatch):
    honest = Engine.step

    def step(self: Engine, report: bool = False) -> None:
        honest(self, report)
        COUNTS.add("requests")
        if self.t == BROKEN and not self.retreats:
            next(self.system.parameters()).data.fill_(torch.nan)

    monkeypatch.setattr(Engine, "step", step)
    told = trained(replace(run, on_nonfinite="rollback"), Told())
    counted = [report.metrics["data/requests"] for report in told.reports if "data/requests" in report.metrics]
    assert counted == sorted(counted) and counted[-1] == BROKEN + 1 + 4, "seven steps, the broken one, and four again"
    assert [report.metrics["nonfinite/retreats"] for report in told.reports] == [0] * (BROKEN + 1) + [1] * 4, (
        "the evaluation that it goes back to is said again as it was"
    )
    assert told.last.metrics["checkpoint/written"] == 2, "of steps 4 and 8"


def test_updates_that_are_skipped_are_counted_by_player(run):
    told = trained(replace(run, on_nonfinite="skip"), Told())
    assert {name: value for name, value in told.last.metrics.items() if name.startswith("nonfinite/")} == {
        "nonfinite/skipped_generators": 0,
        "nonfinite/skipped_critics": 0,
    }
    assert not [name for name in trained(replace(run, trial=1), Told()).last.metrics if name.startswith("nonfinite/")]


class Two(Tree):
    """The first of two workers; the other one says what it is told to."""

    other: bytes = b"{}"

    def gather(self, payload):
        return [payload, self.other]


def test_what_reading_costs_is_the_sum_over_the_workers(run, monkeypatch):
    engines: list[Engine] = []
    monkeypatch.setattr(Meter, "__init__", _seeing(engines, Meter.__init__))
    trained(run, Told())
    engine, tally = engines[-1], Tally()
    engine.tree = Two(rank=0, workers=1, replicas=engine.tree.replicas)
    engine.tree.other = json.dumps({"requests": 5.0, "cache_hits": 2.0, "wait_seconds": 9.0}).encode()
    meter = Meter(engine, 2, tally.data)
    COUNTS.add("requests", 3)
    COUNTS.add("wait_seconds", 1.5)
    told = meter.read(engine)
    assert {name: value for name, value in told.items() if name.startswith("data/")} == {
        "data/requests": 8.0,
        "data/cache_hits": 2.0,
        "data/wait_seconds": 1.5,  # the first worker's: their sum would be no time that anybody waited
    }


def _seeing(seen, honest):
    def init(self, engine, *words):
        seen.append(engine)
        honest(self, engine, *words)

    return init


def test_critics_outputs_are_told_beside_their_accuracies(run):
    numbers = trained(run, Told()).last.metrics
    terms = [name.removeprefix("balance/accuracy_") for name in numbers if name.startswith("balance/accuracy_")]
    assert terms
    for term in terms:
        assert {f"balance/real_{term}", f"balance/fake_{term}"} <= numbers.keys()
