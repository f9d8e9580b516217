"""Tables of the literature: what a file may say, how rows are run, and what is shown of those that were."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import Refusal
from orchestrator.literature.runs import Asked, check_rows, chosen, run_table
from orchestrator.literature.table import find_table, load_table
from orchestrator.planning.identity import identity_of
from orchestrator.sweep_file.sweep import read_sweep
from orchestrator.tables import console
from tests.orchestrator.unrun import Log

FILE = """
title: Toy
source: {paper: "Toy: Nobody, 1999", table: table 1, measured: nothing}
sized: everything
minutes: 60
sweep:
  system: pix2pix
  data: {uri: SHARDS, image: 64, batch: 4}
  steps: 1_000
  hyper: {width: 4, critic_width: 4}
scores:
  similar: {metric: eval/ssim, mode: max, published_as: SSIM}
  far: {metric: eval/l1, mode: min, published_as: people, published_mode: max}
rows:
  l1: {title: L1, change: {preset: l1}, published: {similar: 0.5, far: 0.3}}
  cgan: {change: {weights.l1: 0}, published: {similar: 0.2, far: 0.1}}
  both: {published: {similar: 0.5}}
full:
  change: {hyper: null, data.image: 32}
"""


@pytest.fixture
def write(tmp_path, shards):
    """write(old, new, ...): the file of the toy table with these replacements."""

    def make(*changes: str) -> Path:
        text = FILE.replace("SHARDS", str(shards))
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        file: Path = tmp_path / "toy.yaml"
        file.write_text(text)
        return file

    return make


def refused(call, *arguments, **more):
    with pytest.raises(Refusal) as caught:
        call(*arguments, **more)
    return caught.value.lines()


def test_a_row_is_the_common_sweep_with_its_change(write):
    table = load_table(write())
    assert table.values("cgan", storage="there") == {
        "system": "pix2pix",
        "data": {"uri": table.sweep["data"]["uri"], "image": 64, "batch": 4},
        "steps": 1000,
        "hyper": {"width": 4, "critic_width": 4},
        "weights": {"l1": 0},
        "name": "toy-cgan",
        "trials": 1,
        "seeds": 2,
        "objective": {"metric": "eval/ssim", "mode": "max", "also": ["eval/l1"]},
        "storage": "there",
    }
    full = table.values("l1", full=True, seeds=3)
    assert (full["name"], full["seeds"], full["data"]["image"], full["preset"]) == ("toy-full-l1", 3, 32, "l1")
    assert "hyper" not in full


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (("title: Toy", "titel: Toy"), ["titel: unknown key 'titel'; nearest: title"]),
        (("sized: everything\n", ""), ["sized: required key is missing"]),
        (("minutes: 60", "minutes: 60\nseeds: 0"), ["seeds: must be at least 1, not 0"]),
        (("mode: max, published_as: SSIM", "mode: more, published_as: SSIM"),
         ["scores.similar.mode: cannot be 'more'; has: max, min"]),
        (("mode: max, published_as: SSIM", "mode: min, published_as: SSIM"),
         ["scores.similar.mode: eval/ssim is better when higher: write max, not min"]),
        (("similar: 0.2", "similiar: 0.2"),
         ["rows.cgan.published.similiar: unknown score 'similiar'; nearest: similar; has: similar, far"]),
        (("{change: {weights.l1: 0}, p", "{chnge: {weights.l1: 0}, p"),
         ["rows.cgan.chnge: unknown key 'chnge'; nearest: change"]),
        (("weights.l1: 0", "weights.l1: much"), ["rows.cgan.change.weights.l1: must be a number, not 'much'"]),
        (("weights.l1: 0", "seed: 1, seeds: 4"),
         ["rows.cgan.change.seeds: the table decides it: the row's name, --storage, `seeds`, `scores`; leave it out"]),
        (("steps: 1_000", "stpes: 1_000"),
         ["sweep.stpes: unknown key 'stpes'; nearest: steps"]),
        (("minutes: 60", "minutes: 60\nprepare: [[submit, x.yaml]]"),
         ["prepare.0: must be `shards build` or `task train`, not 'submit x.yaml'"]),
        (("data.image: 32", "data.imgae: 32"), ["full.change.data.imgae: unknown key 'imgae'; nearest: image"]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(write, changes, lines):
    file = write(*changes)
    assert refused(load_table, file) == [f"{file}: {line}" for line in lines]


def test_a_table_is_known_by_name_or_path(write, tmp_path):
    file = write()
    assert find_table("toy", tmp_path) == find_table(str(file))
    assert refused(find_table, "toi", tmp_path) == [f"no table 'toi' in {tmp_path}; nearest: toy; has: toy"]
    assert refused(chosen, load_table(file), "l1,cgn") == [
        "--rows: toy has no row 'cgn'; nearest: cgan; has: l1, cgan, both"
    ]


def asked(table, storage, rows=None, **more):
    return Asked(table, chosen(table, rows), more.get("full", False), more.get("seeds"), str(storage), {})


def test_rows_are_checked_before_anything_is_made(write, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.literature.runs.prepare", lambda asked: pytest.fail("too early"))
    wrong = ("preset: l1", "preset: l2", "weights.l1: 0", "weights.l3: 0", "width: 4,", "widht: 4,")
    file = write(*wrong)
    assert [line.partition("; ")[0] for line in refused(run_table, asked(load_table(file), tmp_path), console())] == [
        f"{file}: sweep.hyper.widht: unknown setting 'widht' for pix2pix",
        f"{file}: rows.l1.change.preset: unknown preset 'l2' of pix2pix",
        f"{file}: rows.cgan.change.weights.l3: unknown weight 'l3' for pix2pix",
    ]


@pytest.fixture
def runs(tmp_path):
    """runs(table, row: {score: values of the seeds}, ...): a storage where rows ran, by their logs."""

    def ran(table, rows, **more):
        for number, (row, values) in enumerate(rows.items()):
            sweep = read_sweep(table.values(row, **more), "toy")
            identity = identity_of(sweep, more.pop("manifest", "m"))
            log = Log(
                f"{number:012x}", identity=identity, seeds=sweep.seeds, objective={"metric": "eval/ssim", "mode": "max"}
            )
            log.records[0]["name"] = sweep.name
            for seed, metrics in enumerate(values):
                log.trial({400: metrics}, setting=0, seed=seed)
            log.closed().store(tmp_path / "runs")
        return tmp_path / "runs"

    return ran


def two(similar, far):
    return [{"eval/ssim": s, "eval/l1": f} for s, f in zip(similar, far, strict=True)]


def test_rows_run_in_order_and_those_that_are_done_cost_nothing(write, tmp_path, capsys):
    table, submitted = load_table(write()), []
    storage = tmp_path / "runs"
    codes = iter([0, 1, 130])

    def submit(draft, file, console):
        submitted.append(draft.sweep.name)
        return next(codes)

    assert run_table(asked(table, storage), console(), submit) == 130
    assert submitted == ["toy-l1", "toy-cgan", "toy-both"], "one that fails does not hold up the others"
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "row 1 of 3: l1, about 1h left"
    assert told[-1] == "what is done is kept: the same command goes on"

    plan = check_rows(asked(table, storage))["cgan"]
    log = Log(plan.id, identity=dict(plan.identity), seeds=2)
    log.records[0]["name"] = "toy-cgan"
    log.seeds(0, []).trial({400: two([0.1], [0.2])[0]}, setting=0).trial({400: two([0.1], [0.2])[0]}, setting=0, seed=1)
    log.closed().store(storage)
    submitted.clear()
    codes = iter([0])
    assert run_table(asked(table, storage, "l1,cgan"), console(), submit) == 0
    assert submitted == ["toy-l1"]
    assert capsys.readouterr().err.splitlines()[1] == "row 2 of 2: cgan, done before"


def test_rows_are_shown_beside_the_published_values(write, runs, run):
    file = write()
    table = load_table(file)
    storage = runs(table, {"l1": two([0.6, 0.62], [0.10, 0.30]), "cgan": two([0.3, 0.32], [0.20, 0.21])})
    code, out, _ = run("tables", "show", file, "--storage", storage, "-o", "json")
    assert code == 0
    shown = json.loads(out)
    assert [(row["row"], row["state"], row["seeds"]) for row in shown["rows"]] == [
        ("l1", "done", 2),
        ("cgan", "done", 2),
        ("both", "not run", 0),
    ]
    assert shown["rows"][0]["measured"]["similar"]["mean"] == pytest.approx(0.61)
    (similar,), (far,) = (shown["order"][name]["pairs"] for name in ("similar", "far"))
    assert (similar["better"], similar["verdict"], similar["difference"]) == ("l1", "agrees", pytest.approx(0.3))
    assert far["verdict"] == "undecided"
    assert shown["remarks"] == [
        "similar (eval/ssim against SSIM): of 1 pairs with a published order the seeds confirm 1, contradict 0 and leave 0 "
        "open. Kendall's tau of the means: 1.00.",
        "  as published: L1 before cgan (0.3 ± 0.061)",
        "far (eval/l1 against people): of 1 pairs with a published order the seeds confirm 0, contradict 0 and leave 1 "
        "open. Kendall's tau of the means: 1.00.",
        "  open: L1 and cgan (0.005 ± 1.3)",
        "not run to the end: both",
    ]
    _, markdown, _ = run("tables", "show", file, "--storage", storage, "-o", "markdown")
    assert "| L1 | done | 0.61 ± 0.014 | 0.5 | 0.2 ± 0.14 | 0.3 |" in markdown.splitlines()


def test_what_was_run_before_the_table_changed_is_no_result_of_it(write, runs, run):
    table = load_table(write())
    storage = runs(table, {"l1": two([0.6, 0.62], [0.1, 0.1])})
    longer = write("steps: 1_000", "steps: 2_000")
    _, out, _ = run("tables", "show", longer, "--storage", storage, "-o", "json")
    assert json.loads(out)["rows"][0]["state"] == "not run"


def test_a_page_keeps_what_was_measured_until_there_is_something_newer(write, runs, run, tmp_path):
    file, pages = write(), tmp_path / "pages"
    assert run("tables", "show", file, "--storage", tmp_path / "none", "--write", pages)[0] == 0
    assert "<!-- result: begin -->\nNot run yet.\n<!-- result: end -->" in (pages / "toy.md").read_text()
    assert "| [toy](toy.md) | Toy | Toy, table 1 | 3 | not run yet |" in (pages / "README.md").read_text()
    storage = runs(load_table(file), {"l1": two([0.6, 0.62], [0.10, 0.30])})
    run("tables", "show", file, "--storage", storage, "--write", pages)
    text = (pages / "toy.md").read_text()
    assert "| L1 | done | 0.61 ± 0.014 | 0.5 |" in text
    assert f"\n1970-01-01, 1m20s of training in all: `i2i-cluster tables run {file}`." in text
    assert "| 3 | 1970-01-01 |" in (pages / "README.md").read_text()
    _, _, err = run("tables", "show", file, "--storage", tmp_path / "none", "--write", pages)
    assert err == "nothing of it is in this storage: the page keeps what was measured before\n"
    assert (pages / "toy.md").read_text() == text
