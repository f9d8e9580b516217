"""The tables that the product ships: every row can be planned at either size, on data and with judges as its commands make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from data_shards.build.openmoji_svg import LABELS
from data_shards.build.turned import ANGLES
from data_shards.manifest import FILE, Head, Row, manifest_bytes
from orchestrator.cli import app
from orchestrator.literature.file import changed
from orchestrator.literature.pages import INDEX, MARKS, index_of, measured, page
from orchestrator.literature.runs import Asked, check_rows
from orchestrator.literature.table import find_table, table_names
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import BOUNDLESS
from orchestrator.sweep_file.sweep import read_sweep
from orchestrator.task.task import TaskNetwork
from tests.orchestrator.tasks import DIGITS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED, PAGES = ROOT / "examples" / "tables", ROOT / "docs" / "tables"
NAMES = table_names(SHIPPED)
EACH = pytest.mark.parametrize("name", NAMES)
TRAIN = 700  # samples, so that no batch and no limit is too large for them


def options(words: Sequence[str]) -> dict[str, Any]:
    """What the program understands of a command of its own, without giving it."""
    command: Any = get_command(app)
    left = list(words)
    while hasattr(command, "commands"):
        command = command.commands[left.pop(0)]
    found: dict[str, Any] = command.make_context(command.name, left).params
    return {"command": command.name, **found}


def build(out: Path, command: str, size: int, labels: bool = False, classes: str = "base", **rest: Any) -> None:
    """The manifest of a data set such as a command makes, of no pictures."""
    digits, unpaired = command == "digits", command in ("digits", "turned")
    angles = tuple(f"{angle:03d}" for angle in ANGLES)
    cls = (
        angles
        if command == "turned"
        else DIGITS
        if digits
        else ("dark", "light", "medium")
        if classes == "five-tones"
        else ()
    )
    shapes = {"a": (1 if digits else 3, size, size), "b": (1 if digits else 3, size, size)}
    shapes |= {"labels": (1, size, size)} if labels else {}
    rows = [
        Row(
            "0.tar",
            0,
            9,
            f"{domain if unpaired else ''}{i}",
            domain,
            cls[i % len(cls)] if cls else None,
            None,
            split,
            0,
        )
        for domain in shapes
        for split, numbers in (("train", range(TRAIN)), ("validation", range(TRAIN, TRAIN + 20)))
        for i in numbers
    ]
    out.mkdir(parents=True)
    head = Head(out.name, shapes, {}, cls, {}, labels={"labels": LABELS} if labels else {})
    (out / FILE).write_bytes(manifest_bytes(head, rows))


def judge(data: str, domain: str, kind: Any, image: int, width: int, **rest: Any) -> TaskNetwork:
    """What a command trains, untrained."""
    hyper = {"domain": domain, "width": width}
    still = {"augment": {"flip": False}}  # as the command has it
    values = {
        "system": kind.value,
        "data": {"uri": data, "image": image, "batch": 4, **still},
        "steps": 10,
        "hyper": hyper,
    }
    plan = make_plan(read_sweep(values, "task"), "task", machine=BOUNDLESS)
    run = dataclasses.replace(plan.run(0, {}), storage="")
    return TaskNetwork("", "0" * 64, run, plan.data.shapes(image)[domain], 0.9)


@pytest.mark.parametrize("full", [False, True], ids=["small", "full"])
@EACH
def test_every_row_can_be_planned_on_what_the_commands_make(name, full, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = find_table(name, SHIPPED)
    judges: dict[str, TaskNetwork] = {}
    for words in table.commands(full):
        given = options(words)
        if words[0] == "shards":
            build(Path(given.pop("out")), **given)
        else:
            judges[given["name"]] = judge(**given)
    monkeypatch.setattr("orchestrator.planning.checks.find_task", lambda wanted, storage: judges[wanted])
    plans = check_rows(Asked(table, list(table.rows), full, None, str(tmp_path / "runs"), {}))
    assert list(plans) == list(table.rows)
    assert len({plan.id for plan in plans.values()}) == len(plans), "two rows are one and the same"
    for plan in plans.values():
        assert plan.trials == 1
        assert plan.sweep.seeds == table.seeds
        assert {one.metric: one.mode for one in plan.objectives} == {s.metric: s.mode for s in table.scores.values()}
    if not full:
        assert {plan.sweep.data.image for plan in plans.values()} == {32}
        assert table.minutes <= 60


@EACH
def test_a_table_at_its_full_size_leaves_nothing_small(name):
    table = find_table(name, SHIPPED)
    for row in table.rows:
        hyper = table.values(row, full=True).get("hyper", {})
        assert not {"width", "critic_width", "encoder_width"} & hyper.keys(), row
        assert table.values(row, full=True)["steps"] > table.values(row)["steps"]


def test_ost_s_rows_share_their_first_phase(tmp_path, monkeypatch):
    from cluster.stages import parts_of

    monkeypatch.chdir(tmp_path)
    table = find_table("ost-ablation", SHIPPED)
    build(Path("shards/tables/digits"), "digits", 32)
    reader = judge("shards/tables/digits", "b", options(table.prepare[1])["kind"], 32, 8)
    monkeypatch.setattr("orchestrator.planning.checks.find_task", lambda wanted, storage: reader)
    plans = check_rows(Asked(table, list(table.rows), False, None, str(tmp_path / "runs"), {}))
    stages = {part.id for plan in plans.values() for part in parts_of(plan.run(0, {}))}
    assert len(stages) == 1, "each row would train phase I for itself"


@EACH
def test_a_table_s_page_is_its_file_s(name):
    table, file = find_table(name, SHIPPED), PAGES / f"{name}.md"
    kept = {full: measured(file, full) for full in MARKS}
    again = f"make it again: i2i-cluster tables show {name} --write docs/tables"
    assert page(table, kept) == file.read_text(encoding="utf-8"), again


def test_there_is_a_page_for_each_table_and_for_nothing_else():
    assert {file.name for file in PAGES.iterdir()} == {INDEX, *(f"{name}.md" for name in NAMES)}
    tables = [find_table(name, SHIPPED) for name in NAMES]
    assert (PAGES / INDEX).read_text(encoding="utf-8") == index_of(PAGES, tables)


def test_a_change_joins_mappings_follows_dots_and_takes_out():
    base = {"hyper": {"width": 8, "lr": 1}, "data": {"limit": {"a": 1}}, "task": "t"}
    change = {
        "hyper.width": 16,
        "hyper": {"lr": None, "blocks": 2},
        "data.limit": {"b": 3},
        "task": None,
        "weights.x": 0,
    }
    assert changed(base, change) == {
        "hyper": {"width": 16, "blocks": 2},
        "data": {"limit": {"a": 1, "b": 3}},
        "weights": {"x": 0},
    }
    assert base["hyper"] == {"width": 8, "lr": 1}, "the table's own sweep is left as it is"
