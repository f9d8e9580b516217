"""What an example says of a task network can be done: the sweep can be planned with one, judged as the comment proposes."""

import re
from pathlib import Path

import pytest

from orchestrator.sweep_file.yaml_file import read_yaml
from tests.orchestrator.tasks import data_of, plan_of, trained

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAME = "task-digits-b"  # what `i2i-cluster task train --data shards/digits --domain b` calls it
ADVISED = [file for file in sorted(EXAMPLES.glob("*.yaml")) if f"`task: {NAME}`" in file.read_text(encoding="utf-8")]


def test_there_are_examples_with_a_judge():
    assert {"balanced.yaml", "distancegan.yaml"} <= {file.name for file in ADVISED}


@pytest.mark.parametrize("file", ADVISED, ids=lambda file: file.name)
def test_an_example_can_be_judged_as_its_comment_says(tmp_path, file):
    uri, storage = data_of(tmp_path / "digits"), tmp_path / "runs"
    storage.mkdir()
    trained(storage, uri, NAME)
    comment = "".join(line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    assert "i2i-cluster task train --data shards/digits --domain b" in comment
    (metric,) = re.findall(r'\{metric: "?(eval/[^"}]+)"?\}', comment)
    values = {**read_yaml(file), "task": NAME, "objective": {"metric": metric}, "storage": str(storage)}
    plan = plan_of(values, uri, data={"uri": uri, "image": 32, "batch": 4})
    assert plan.objective.metric == metric
    assert plan.task is not None and plan.task.domain == "b"
