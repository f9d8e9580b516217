"""Ray's own watch over memory, which is on in every cluster, ends the process of a trial: that trial has failed, and only it.

The memory is really used, though not by the trial: this process takes it until Ray finds that there is too little.
"""

import signal

import psutil
import pytest

from tests.beds import raylets, until
from tests.chaos.sweeps import reported
from tests.integration.joining import END_S, Joined

pytestmark = pytest.mark.ray
SPARE, PIECE = 2_500_000_000, 300_000_000  # bytes: the driver and the trial need one and a half of the former
FAILURES, PROGRESS_S = 9, 120.0
LINE = "Ray ended its process, because its node was low on memory: "


def test_it_is_a_failure_of_the_trial_and_told_in_a_line(tmp_path, shards):
    memory = psutil.virtual_memory()
    if memory.available < 2 * SPARE:
        pytest.skip(f"needs {2 * SPARE:.2g} bytes of free memory")
    limit = (memory.total - memory.available + SPARE) / memory.total
    watch = {"RAY_memory_usage_threshold": f"{limit:.6f}", "RAY_memory_monitor_refresh_ms": "100"}
    with raylets(1, cpus=1.0, more=watch) as bed:
        more = f"budget: {{failures: {FAILURES}}}\n"
        sweep = Joined(bed, tmp_path, shards, more, steps=1_000_000, evaluate=100_000)
        taken: list[bytes] = []

        def failed() -> list[dict[str, object]]:
            assert sweep.driving(), sweep.tail()
            if len(taken) * PIECE < 2 * SPARE:
                taken.append(b"\1" * PIECE)
            return [record for record in sweep.records() if record["kind"] == "failed"]

        sweep.start()
        try:
            until("it trains", lambda: list(reported(sweep.records(), 0)), PROGRESS_S, sweep.tail)
            first = until("Ray ends it", failed, PROGRESS_S, sweep.tail)[0]
            taken.clear()
            assert str(first["error"]).startswith(LINE), first
            seen = len(sweep.records())
            until("somebody trains", lambda: any(map(is_report, sweep.records()[seen:])), PROGRESS_S, sweep.tail)
            sweep.kill(signal.SIGTERM)
            assert sweep.end(END_S) == 130, sweep.tail()
        finally:
            taken.clear()
            sweep.kill()
        assert f"failure 1, {FAILURES} allowed: {LINE}" in sweep.output()


def is_report(record: dict[str, object]) -> bool:
    return record["kind"] == "reported"
