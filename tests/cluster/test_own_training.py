"""A run of a user's own system: trained from its text alone, killed and gone on with to the same bits."""

from dataclasses import replace

import pytest

from cluster.model import export_best, load_best
from cluster.run import Run
from data_shards.store import open_store
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.systems.scaffold import OWN_SYSTEM, TEMPLATE
from tests.cluster.test_training import Told, digest, trained


@pytest.fixture
def run(shards, tmp_path) -> Run:
    values = {
        "system": OWN_SYSTEM,
        "code": TEMPLATE.read_text(encoding="utf-8"),
        "data": {"uri": shards, "image": 32, "batch": 2, "replicas": 2},
        "steps": 6,
        "hyper": {"width": 4, "blocks": 1},
        "every": {"report": 1, "evaluate": 6, "checkpoint": 2},
        "storage": str(tmp_path / "runs"),
    }
    plan = make_plan(Draft(Sweep.model_validate(values)), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    return Run.from_json(plan.run(0, plan.params(0)).to_json())


def test_it_is_trained_interrupted_gone_on_with_and_translates(run, tmp_path):
    calm = replace(run, storage=str(tmp_path / "calm"))
    assert trained(calm, Told()).last.outcome == "done"
    assert trained(run, Told(end=3)).last.outcome == "interrupted"
    trained(run, Told(), attempt=1)
    assert digest(run) == digest(calm)
    store = open_store(run.storage)
    export_best(store, run.sweep, run.trial)
    assert load_best(store, run.sweep).targets == ["b"]
