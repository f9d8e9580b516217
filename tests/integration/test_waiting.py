"""A trial that no node has room for: it says what for, pays for nothing, goes on once there is room, and can be stopped."""

import json
import signal

import pytest

from cluster.log.records import SweepState
from tests.beds import raylets, until
from tests.chaos.sweeps import Sweep, reported
from tests.integration.spec import SPEC

pytestmark = pytest.mark.ray
PROGRESS_S, GRACE_S = 120.0, 60.0
# The command line, with a driver that speaks of a trial that waits after a second already.
HASTY = "import cluster.waiting; cluster.waiting.TOLD_AFTER_S = 1.0; from orchestrator.cli import main; main()"
LINE = "waiting for 2 CPUs on one node: the cluster has 0 CPUs, and at most 0 CPUs free on one node"


def records_of(sweep, kind):
    assert sweep.driving(), sweep.tail()
    return [record for record in sweep.records() if record["kind"] == kind]


def test_it_is_told_goes_on_and_can_be_stopped(tmp_path, shards):
    with raylets(1, cpus=2.0) as bed:
        sweep = Sweep(tmp_path, bed.env, str(tmp_path / "runs"), program=("-c", HASTY))
        spec = SPEC.format(shards=shards, steps=100_000, trials=2, evaluate=1000)
        (tmp_path / "sweep.yaml").write_text(f"{spec}storage: {sweep.storage}\nresources: {{cpus_per_worker: 2}}\n")
        sweep.start()
        until("a trial that trains", lambda: list(reported(sweep.records(), 0)), PROGRESS_S, sweep.tail)
        bed.kill_raylet(0)
        waits = until("a word about it", lambda: records_of(sweep, "waits"), PROGRESS_S, sweep.tail)[0]
        assert waits["text"] == LINE
        assert LINE in sweep.told("status", "small")
        seen = json.loads(sweep.told("status", "small", "-o", "json"))
        assert [row["silent_seconds"] for row in seen["running"]] == [None], "nothing runs that could be heard of"

        bed.add_node()
        until("it has a place", lambda: records_of(sweep, "placed"), PROGRESS_S, sweep.tail)
        records = sweep.records()
        placed = next(i for i, record in enumerate(records) if record["kind"] == "placed")
        assert (records[placed]["trial"], records[placed - 1]) == (waits["trial"], waits)
        assert held(records[: placed + 1]) == held(records[: placed - 1]), "what it waited costs nothing"
        until(
            "it trains",
            lambda: list(reported(sweep.records()[placed:], waits["trial"])),
            PROGRESS_S,
            sweep.tail,
        )

        bed.kill_raylet(1)
        until("it waits again", lambda: len(records_of(sweep, "waits")) > 1, PROGRESS_S, sweep.tail)
        sweep.kill(signal.SIGTERM)
        assert sweep.end(GRACE_S) == 130, sweep.tail()
        assert f"{LINE}\n" in sweep.output()


def held(records):
    """For how long the trials have held their workers."""
    state = SweepState()
    for record in records:
        state.apply(record)
    return [trial.seconds for trial in state.trials.values()]
