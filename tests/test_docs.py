"""What the documentation shows is what the program does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_shards.build.digits import build_digits
from data_shards.build.openmoji import build_openmoji
from orchestrator.planning.plan import make_plan
from orchestrator.sweep_file.sweep import load_sweep
from tests.orchestrator.tasks import model_of, plan_of, trained

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the shards and the task network that the examples name."""
    found = tmp_path_factory.mktemp("newcomer")
    build_openmoji(str(found / "shards" / "openmoji"), size=72, limit=40)
    build_openmoji(str(found / "shards" / "captioned"), size=64, limit=80, texts=True)
    build_openmoji(str(found / "shards" / "tones"), size=32, limit=60, classes="five-tones")
    build_openmoji(str(found / "shards" / "labelled"), size=72, limit=40, labels=True)
    build_digits(str(found / "shards" / "digits"), size=32)
    trained(found / "i2i-runs", str(found / "shards" / "digits"), "reader", domain="a")
    labelled = str(found / "shards" / "labelled")
    pixels = plan_of({"system": "segmenter"}, labelled, data={"uri": labelled, "image": 64, "batch": 4})
    model_of(pixels, found / "i2i-runs", "pixel-reader")
    return found


def planned(folder, file, *options):
    """`plan` of a file, as JSON."""
    command = [sys.executable, "-m", "orchestrator.cli", "plan", str(file), "-o", "json", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_there_are_examples():
    assert {"quickstart.yaml", "digits-cyclegan.yaml"} <= {example.name for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_be_planned(folder, example, monkeypatch):
    monkeypatch.chdir(folder)
    plan = make_plan(load_sweep(example), str(example))
    assert plan.sweep.name == example.stem
    assert plan.params(0).keys() <= plan.params(1).keys()


def test_the_quickstart_says_what_it_will_take(folder):
    estimate = planned(folder, ROOT / "examples" / "quickstart.yaml")["estimate"]
    assert estimate["seconds"] > estimate["seconds_per_step"] > 0
    assert estimate["checkpoint_bytes"] > 3 * 4 * estimate["parameters"], "weights and both moments"


def test_the_readme_s_sweep_can_be_planned(folder):
    (sweep,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (folder / "readme.yaml").write_text(sweep)
    plan = planned(folder, folder / "readme.yaml", "--no-measure")
    assert (plan["name"], plan["resources"]["workers"], plan["trial_count"]) == ("emoji-unpaired", 2, 12)


def test_the_page_on_search_shows_a_sweep_that_is_taken(folder):
    (sweep,) = re.findall(r"```yaml\n(system:.*?)```", (ROOT / "docs" / "search.md").read_text(), re.DOTALL)
    (folder / "search.yaml").write_text(sweep)
    plan = planned(folder, folder / "search.yaml", "--no-measure")
    assert (plan["trainings"], plan["searcher"]) == (24 + 9, "optuna")


@pytest.mark.parametrize("options", [[], ["--step", "0.03"]], ids=["as assumed", "faster"])
def test_the_model_of_scale_says_what_its_page_shows(options):
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *options], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for table in printed.strip().split("\n\n"):
        assert table in (ROOT / "docs" / "scale.md").read_text(), "make it again: python -m benchmarks.scale"


def test_the_sweep_file_s_page_is_the_schema_s():
    printed = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "schema", "--markdown"], cwd=ROOT, capture_output=True, text=True
    )
    assert printed.stdout == (ROOT / "docs" / "sweep-file.md").read_text(), (
        "make it again: i2i-cluster schema --markdown > docs/sweep-file.md"
    )


def test_commands_in_the_readme_exist():
    known = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "--help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    used = set(re.findall(r"i2i-cluster ([a-z]+)", (ROOT / "README.md").read_text()))
    commands = set(re.findall(r"^  ([a-z]+)  ", known, re.MULTILINE))
    assert used <= commands, used - commands
