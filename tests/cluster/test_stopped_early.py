"""A request to stop that comes between a trial's suggestion and its process: a driver of its own, with a real Ray."""

import subprocess
import sys

import pytest

from cluster.layout import SweepPaths
from cluster.log.store import read_state, sweeps_in
from data_shards.build.openmoji import build_openmoji
from data_shards.store import open_store
from tests.targets.small_sweep import SPEC

DRIVER = """
from pathlib import Path

from cluster.launch import launch
from cluster.layout import SweepPaths
from cluster.stop import StopRequest
from data_shards.store import open_store
from orchestrator.job import make_job
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import load_sweep

plan = make_plan(load_sweep(Path("sweep.yaml")), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
stop = StopRequest(open_store(plan.storage), SweepPaths(plan.id).stop_request)


def observe(state):
    if any(trial.starts for trial in state.trials.values()) and not stop.is_made():
        stop.make()


print(launch(make_job(plan), observe))
"""


@pytest.mark.ray
def test_a_trial_that_is_stopped_before_it_got_a_process_does_not_end_the_driver(tmp_path):
    """Tune's own `fit` ends with an error where a trial has no folder, which it gives it together with its process."""
    build_openmoji(str(tmp_path / "shards"), size=32, limit=20)
    text = SPEC.format(shards=tmp_path / "shards", steps=1000, trials=2, storage=tmp_path / "runs")
    (tmp_path / "sweep.yaml").write_text(text)
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert driver.returncode == 0, driver.stderr
    assert driver.stdout.splitlines()[-1] == "interrupted"
    store = open_store(str(tmp_path / "runs"))
    (sweep,) = sweeps_in(store)
    state = read_state(store, SweepPaths(sweep))
    assert (state.state, [(trial.state, trial.step) for trial in state.trials.values()]) == (
        "interrupted",
        [("running", 0)],
    )
