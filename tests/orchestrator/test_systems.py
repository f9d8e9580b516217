"""What the program says of its systems is what they declare, in the command line and on their pages."""

import json
from pathlib import Path

import pytest

from orchestrator.sweep_file.yaml_file import parse_yaml
from orchestrator.systems.costs import costs_of
from orchestrator.systems.pages import BEGIN, END, INDEX, UNMEASURED, index, page, write_pages
from orchestrator.systems.paper import parse_paper, read_paper
from orchestrator.systems.view import find_system, with_costs
from trainers.settings import Balance
from trainers.systems.catalog import SYSTEMS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "systems"
EACH_SYSTEM = pytest.mark.parametrize("name", SYSTEMS)


def told(name):
    """What is said of the terms: name -> row."""
    return {row["term"]: row for row in find_system(name)["terms"]}


@EACH_SYSTEM
def test_every_system_states_its_objective(name):
    paper = read_paper(SYSTEMS[name])
    assert paper.objective and paper.objective == find_system(name)["objective"]
    assert not paper.objective.startswith(" ")
    assert paper.cited and paper.objective not in paper.notes
    assert all(len(line) <= 132 for line in paper.objective.splitlines())


def test_the_objective_is_the_first_indented_block():
    text = "A: B,\nC.\n\nBefore.\n\n    L = x\n      + y\n\n    M = z\n\n| a |\n| --- |\n\n    later\n"
    paper = parse_paper(text)
    assert (paper.cited, paper.objective) == ("A: B, C.", "L = x\n  + y\n\nM = z")
    assert paper.notes == "Before.\n\n| a |\n| --- |\n\n    later"


def test_an_indented_line_within_a_paragraph_is_no_objective():
    assert parse_paper("A.\n\n- a point\n    that goes on\n\nmore").objective == ""
    assert parse_paper("").cited == parse_paper("    L\n").cited == ""
    assert parse_paper("    L\n").objective == "L"


def test_a_term_is_told_in_full():
    assert told("cyclegan")["cyc_a"] == {
        "term": "cyc_a",
        "group": "cyc",
        "also": ["cyc", "alpha_2A", "lambda_A", "lambda_cyc"],
        "symbol": "\u03b1_2A / \u03bb_A / \u03bb_cyc",
        "default": 10.0,
        "times": None,
        "search": [1, 30],
        "exists": "",
        "meaning": "mean |ba(ab(a)) - a|",
    }
    assert told("cyclegan")["idt_a"]["times"] == "cyc_a"
    assert told("cyclegan")["d_a"]["search"] == []


@pytest.mark.parametrize(
    ("name", "term", "when"),
    [
        ("cyclegan", "adv_ab", ""),
        ("cyclegan", "idt_a", "unless hyper.identity false"),
        ("cyclegan", "gp_b", "with hyper.penalty gp or lp"),
        ("dualgan", "gp_b", "unless hyper.penalty none"),
        ("distancegan", "fm_ba", "with hyper.architecture discogan, unless hyper.sides ab"),
        ("distancegan", "dist_ba", "unless hyper.sides ab or hyper.distance self or none"),
    ],
)
def test_when_a_term_exists_is_told(name, term, when):
    assert told(name)[term]["exists"] == when


@EACH_SYSTEM
def test_when_a_term_exists_is_told_rightly(name):
    kind, rows = SYSTEMS[name], told(name)
    for term in kind.terms:
        usual = term.exists(kind.Hyper())
        assert rows[term.name]["exists"].startswith(
            ("unless ",) if usual and term.when else ("",) if usual else "with "
        )


@EACH_SYSTEM
def test_a_system_s_own_balance_and_presets_are_told(name):
    kind, shown = SYSTEMS[name], find_system(name)
    assert {row["setting"]: row["default"] for row in shown["balance"]} == vars(kind.balance)
    assert {row["setting"]: row["default"] for row in shown["hyper"]} == vars(kind.Hyper())
    assert [row["preset"] for row in shown["presets"]] == list(kind.presets)
    changed = {name: value for name, value in vars(kind.balance).items() if value != vars(Balance())[name]}
    assert all(f"`{name}: {value}`" in page(kind.name, "", []) for name, value in changed.items())


def test_what_a_preset_changes_is_told():
    presets = {row["preset"]: row["changes"] for row in find_system("pix2pix")["presets"]}
    assert presets["gan"] == {"weights.l1": 0.0, "hyper.conditional": False}


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("pix2pix", "pairs of a and b"),
        ("cyclegan", "unpaired pictures of a and b"),
        ("wgan", "pictures of b"),
        ("balanced", "unpaired pictures of a and b, with the classes of a"),
    ],
)
def test_what_a_system_reads_is_told(name, reads):
    assert find_system(name)["reads"] == reads


def test_the_command_line_shows_a_system(run):
    out = run("systems", "wgan")[1]
    for part in ("pictures of b", "max over f of Lipschitz constant 1", "lambda_GP", "WGAN-LP", "critic_turns"):
        assert part in out
    assert json.loads(run("systems", "wgan", "-o", "json")[1]) == json.loads(
        json.dumps(with_costs(find_system("wgan")))
    )


@EACH_SYSTEM
def test_a_page_is_its_system_s(name, tmp_path):
    committed = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert remade(name, tmp_path) == committed, "make it again: i2i-cluster systems --markdown docs/systems"


def remade(name, tmp_path):
    """The page made again over a copy of the one that is there."""
    folder = tmp_path / "docs" / "systems"
    folder.mkdir(parents=True)
    (tmp_path / "examples").symlink_to(DOCS.parents[1] / "examples")
    (folder / f"{name}.md").write_text((DOCS / f"{name}.md").read_text(encoding="utf-8"), encoding="utf-8")
    write_pages(folder, [name])
    return (folder / f"{name}.md").read_text(encoding="utf-8")


def test_there_is_a_page_for_each_system_and_for_nothing_else():
    assert {file.name for file in DOCS.iterdir()} == {INDEX, *(f"{name}.md" for name in SYSTEMS)}
    assert (DOCS / INDEX).read_text(encoding="utf-8") == index()


def test_what_was_measured_outlives_a_new_page(run, tmp_path):
    assert run("systems", "wgan", "--markdown", tmp_path)[:2] == (0, "")
    assert {file.name for file in tmp_path.iterdir()} == {INDEX, "wgan.md"}
    file = tmp_path / "wgan.md"
    new = file.read_text(encoding="utf-8")
    assert f"{BEGIN}\n{UNMEASURED}\n{END}\n" in new
    measured = "| steps | eval |\n| --- | --- |\n| 9 | \\1 |\n\nSeen once."
    file.write_text(new.replace(UNMEASURED, measured).replace("# wgan", "# old"), encoding="utf-8")
    run("systems", "--markdown", tmp_path)
    assert file.read_text(encoding="utf-8") == new.replace(UNMEASURED, measured)
    assert len(list(tmp_path.iterdir())) == 1 + len(SYSTEMS)


def test_a_page_names_the_examples_that_train_its_system(tmp_path):
    (tmp_path / "examples").mkdir()
    sweep = "# Two lines that say\n# a thing | more. And another.\n#   i2i-cluster submit x\nsystem: wgan\n"
    (tmp_path / "examples" / "x.yaml").write_text(sweep)
    (tmp_path / "examples" / "y.yaml").write_text("system: dcgan\n")
    write_pages(tmp_path / "docs" / "systems", ["wgan"])
    text = (tmp_path / "docs" / "systems" / "wgan.md").read_text(encoding="utf-8")
    assert "\n- [examples/x.yaml](../../examples/x.yaml): Two lines that say a thing \\| more.\n" in text
    assert "y.yaml" not in text


def test_the_search_on_a_page_is_yaml():
    block = page("cyclegan", "", []).partition("```yaml\n")[2].partition("```")[0]
    assert parse_yaml(block, "") == {
        "system": "cyclegan",
        "search": {
            "weights.adv": {"log_uniform": [0.3, 3]},
            "weights.cyc": {"log_uniform": [1, 30]},
            "weights.idt": {"log_uniform": [0.05, 1]},
        },
    }


@EACH_SYSTEM
def test_the_tables_of_a_page_are_whole(name):
    columns = 0
    for line in page(name, "", []).splitlines():
        if line.startswith("|"):
            cells = line.replace("\\|", "").count("|")
            assert columns in (0, cells), line
            columns = cells
        else:
            columns = 0


def test_what_a_step_takes_is_told_by_size():
    costs = with_costs(find_system("pix2pix"))["costs"]
    assert [row["image"] for row in costs] == [64, 128, 256] and {row["samples"] for row in costs} == {1}
    for name in ("memory_bytes", "flops"):
        values = [row[name] for row in costs]
        assert values == sorted(values) and values[0] > 0
    assert all(row["memory_bytes"] > 5 * 4 * row["parameters"] for row in costs), "weights, gradients, moments, average"


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_tells_what_a_step_takes(name):
    assert costs_of(SYSTEMS[name]), "at some size"
