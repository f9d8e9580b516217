"""A stored model whose card was changed, or whose weights are gone: every command that uses it says so in a line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.task import load_network
from data_shards.errors import DataError
from orchestrator.task.task import find_task
from tests.orchestrator.models import picture, stored
from tests.orchestrator.tasks import data_of, trained


def change(folder: Path, by: Callable[[dict[str, Any]], object]) -> None:
    card = folder / "best" / "model.json"
    told = json.loads(card.read_text())
    by(told)
    card.write_text(json.dumps(told))


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no run": lambda card: card.pop("run"),
    "a run that is none": lambda card: card.update(run=3),
    "no shapes": lambda card: card.pop("shapes"),
    "a shape of words": lambda card: card["shapes"].update(b=["x", 32, 32]),
    "a score of words": lambda card: card.update(evaluation={"eval/accuracy": "good"}),
    "no trial": lambda card: card.pop("trial"),
    "an unknown system": lambda card: card["run"].update(system="cyclogan"),
    "an unknown setting": lambda card: card["run"]["hyper"].update(depth=3),
    "another width": lambda card: card["run"]["hyper"].update(width=6),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_card_is_damaged(run, tmp_path, name):
    folder = stored(tmp_path, "cyclegan")
    picture(tmp_path / "in" / "x.png")
    change(folder, CHANGES[name])
    code, out, err = run("translate", folder, tmp_path / "in", tmp_path / "out")
    mend = f"delete {folder.name}/best and submit again to store the model anew"
    assert (code, out, err) == (2, "", f"error: SWEEP: {folder.name}/best/model.json is damaged; {mend}\n")


@pytest.mark.parametrize("name", ["no shapes", "a score of words", "a run that is none"])
def test_a_task_network_s_changed_card_is_damaged(run, tmp_path, name):
    folder = Path(trained(tmp_path / "runs", data_of(tmp_path / "digits")))
    change(folder, CHANGES[name])
    code, out, err = run("task", "show", folder)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: TASK: {folder.name}/best/model.json is damaged; delete {folder.name}/best and ")


@pytest.mark.parametrize("key", ["domain", "width"])
def test_so_is_one_without_what_a_task_network_must_have(run, tmp_path, key):
    folder = Path(trained(tmp_path / "runs", data_of(tmp_path / "digits")))
    change(folder, lambda card: card["run"]["hyper"].pop(key))
    code, out, err = run("task", "show", folder)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: TASK: {folder.name}/best/model.json is damaged; ")


def test_a_card_of_other_weights_is_told_when_they_are_loaded(tmp_path):
    folder = Path(trained(tmp_path / "runs", data_of(tmp_path / "digits")))
    change(folder, CHANGES["another width"])
    with pytest.raises(DataError, match=re.escape(f"{folder}/best is damaged: model.json is of other weights")):
        load_network(find_task(str(folder), "").part)


def test_weights_that_are_gone(run, tmp_path):
    folder = Path(trained(tmp_path / "runs", data_of(tmp_path / "digits")))
    (folder / "best" / "model.safetensors").unlink()
    mend = f"delete {folder.name}/best and submit again to store the model anew"
    line = f"error: TASK: {folder.name}/best/model.safetensors is gone; {mend}\n"
    assert run("task", "show", folder) == (2, "", line)
