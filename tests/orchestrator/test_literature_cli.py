"""`tables list|show` where something is wrong, or is asked for together."""

import json
import os
from pathlib import Path

import pytest

from tests.orchestrator.test_literature import FILE


@pytest.fixture
def tables(tmp_path, monkeypatch, shards) -> Path:
    """The folder of the tables that are called by name, with one in it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("examples/tables")
    folder.mkdir(parents=True)
    (folder / "toy.yaml").write_text(FILE.replace("SHARDS", str(shards)))
    return folder


def test_one_bad_file_takes_no_other_away(run, tables):
    (tables / "bad.yaml").write_text("title: Bad\n")
    code, out, err = run("tables", "list", "-o", "json")
    assert (code, [row["name"] for row in json.loads(out)]) == (0, ["toy"])
    assert err.startswith("left out bad: examples/tables/bad.yaml: source: required key is missing\n")


def test_pages_may_be_written_beside_an_answer_for_programs(run, tables):
    code, out, err = run("tables", "show", "toy", "--write", "pages", "-o", "json")
    assert (code, json.loads(out)["name"]) == (0, "toy")
    assert err.splitlines() == ["wrote pages/toy.md", "wrote pages/README.md"]
    assert run("tables", "show", "toy", "--write", "pages")[1].startswith("wrote pages/toy.md\n")


def test_a_folder_that_may_not_be_written_is_told_with_its_option(run, tables, monkeypatch):
    Path("pages").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.R_OK)
    line = "error: --write: pages may not be written; give another folder\n"
    assert run("tables", "show", "toy", "--write", "pages") == (2, "", line)
    Path("file").write_text("")
    line = "error: --write: file/pages cannot be made: not a directory\n"
    assert run("tables", "show", "toy", "--write", "file/pages") == (2, "", line)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("minutes: 60", "minutes: .nan", "minutes: must be at least 0, not nan"),
        ("minutes: 60", "minutes: .inf", "minutes: must be at least 0, not inf"),
        ("{similar: 0.5, far", "{similar: .nan, far",
         "rows.l1.published.similar: must be a finite number, not nan; leave out what was not published"),
    ],
)  # fmt: skip
def test_what_is_not_finite_is_no_number_of_a_table(run, tables, old, new, line):
    file = tables / "toy.yaml"
    file.write_text(file.read_text().replace(old, new))
    assert run("tables", "show", "toy") == (2, "", f"error: examples/tables/toy.yaml: {line}\n")
