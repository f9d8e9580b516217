"""A task network from its training to the sweep that it judges, on a real, embedded Ray."""

import json

import pytest

from data_shards.build.digits import build_digits

pytestmark = pytest.mark.ray

JUDGED = """
name: judged
system: balanced
data: {{uri: "{shards}", image: 16, batch: 4, replicas: 2, augment: {{flip: false, jitter: 1.0}}}}
steps: 4
hyper: {{width: 4, blocks: 1, critic: pixel, critic_width: 4, task_net: frozen}}
task: task-digits-b
objective: {{metric: eval/cycle, mode: min}}
every: {{report: 2, evaluate: 4, checkpoint: 4}}
"""


def test_a_classifier_is_trained_once_and_judges_another_sweep(desk, tmp_path):
    shards = tmp_path / "digits"
    build_digits(str(shards), size=16)
    command = ("task", "train", "--data", shards, "--image", 16, "--steps", 160, "--batch", 16, "--width", 8)
    first = json.loads(desk.ok(*command, "-o", "json"))
    assert first["classes"] == list("0123456789")
    assert first["accuracy"] > 0.6, "chance would be 0.1"
    log = desk.records()
    again = desk.run(*command)
    assert again.returncode == 0, again.stderr
    assert "nothing to run" in again.stderr
    assert again.stdout.endswith(f"\ntask: {first['task']}\n")
    assert desk.records() == log
    assert json.loads(desk.ok("task", "show", "task-digits-b", "-o", "json")) == first

    desk.write(JUDGED.format(shards=shards))
    desk.ok("submit", "sweep.yaml")
    (trial,) = json.loads(desk.ok("results", "judged", "-o", "json"))["trials"]
    scores = ("eval/task_accuracy", "eval/task_accuracy_input", "eval/kid[task]", "loss/task_real", "loss/task_fake")
    assert set(scores) <= set(trial["metrics"])
    desk.ok("checkpoints", "verify", "judged")
