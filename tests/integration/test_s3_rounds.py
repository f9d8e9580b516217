"""Searches in rounds whose trials are worker groups and whose storage is S3: to the byte as in one process and a folder."""

import json
import shutil

import pytest

from data_shards.address import join
from tests.beds import environment, own_folder
from tests.chaos.calm import calm, came_to
from tests.chaos.sweeps import Sweep
from trainers.state import digest

pytestmark = pytest.mark.ray
END_S = 400.0
SPEC = """
name: small
system: pix2pix
data: {{uri: "{shards}", image: 32, batch: 4, replicas: 2, augment: {{jitter: 1.0}}}}
steps: 24
hyper: {{width: 4, critic: patch16, critic_width: 4}}
search:
  weights.l1: {{log_uniform: [10, 200]}}
  hyper.lr: {{log_uniform: [1.0e-7, 1.0e-2]}}
objective: {{metric: eval/l1}}
evaluation: {{samples: 8}}
every: {{report: 6, evaluate: 12, checkpoint: 12}}
keep: {{last: 9}}
resources: {{workers: 2, cpus_per_worker: 0.25}}
storage: "{storage}"
"""
PBT = "trials: 2\nscheduler: {pbt: {every: 0.5}}\n"
HALVING = "trials: 4\nscheduler: {halving: {grace: 0.5, reduction: 2}}\n"


@pytest.mark.slow
@pytest.mark.parametrize("more", [PBT, HALVING], ids=["pbt", "halving"])
def test_groups_in_s3_come_to_what_one_process_comes_to_in_a_folder(more, tmp_path, bucket, shards):
    folder = own_folder("rounds")
    sweep = Sweep(tmp_path, environment(folder), join(bucket, "runs"))
    text = SPEC.format(shards=shards, storage=sweep.storage) + more
    (tmp_path / "sweep.yaml").write_text(text)
    expected = calm(text, tmp_path / "calm")
    lineages = {index: trial.lineage for index, trial in expected.state.trials.items() if trial.lineage}
    stopped = {index for index, trial in expected.state.trials.items() if trial.state == "stopped"}
    assert lineages or stopped, "something has to be decided"
    sweep.start()
    try:
        assert sweep.end(END_S) == 0, sweep.tail()
    finally:
        sweep.kill()
        shutil.rmtree(folder, ignore_errors=True)
    assert came_to(sweep.state()) == came_to(expected.state)
    assert {index: sweep.trained(index) for index in expected.digests} == expected.digests
    found = json.loads(sweep.told("results", "small", "-o", "json"))
    for index, lineage in lineages.items():
        told = [{"step": step, "from": donor, "params": params} for step, donor, params in lineage]
        assert found["trials"][index]["lineage"] == told
        for step, donor, _ in lineage:
            assert digest_at(sweep, index, step) == digest_at(sweep, donor, step)


def digest_at(sweep, trial, step):
    """The digest of the training state that a trial has saved at a step."""
    return digest(sweep.checkpoints(trial).load(step).state)
