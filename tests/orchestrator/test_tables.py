"""How tables look: framed on a terminal, in a pipe plain lines that are as long as what they say."""

import io

import pytest
from rich.console import Console

from orchestrator.tables import PIPE_WIDTH, Columns, facts, print_parts, table

ROWS: list[dict[str, object]] = [
    {"term": "adv", "also": None, "meaning": "[ab] is real"},
    {"term": "cyc", "also": ["lambda_cyc", "alpha_2A", "lambda_A"], "meaning": "there and back"},
    {"term": "l1", "also": ["l"], "meaning": None},
]


def piped(*parts):
    """What a pipe gets of these parts."""
    sink = io.StringIO()
    print_parts(Console(file=sink, width=PIPE_WIDTH), *parts)
    return sink.getvalue()


def on_terminal(*parts):
    sink = io.StringIO()
    print_parts(Console(file=sink, width=60, force_terminal=True, color_system=None), *parts)
    return sink.getvalue()


def test_a_table_in_a_pipe_has_no_frame_and_ends_where_its_text_does():
    assert piped(table("weights.*", ROWS)) == (
        "weights.*\n"
        "term  also  meaning\n"
        "adv         [ab] is real\n"
        "cyc   lambda_cyc, alpha_2A, lambda_A  there and back\n"
        "l1    l\n"
    ), "one long cell pushes what follows it aside, and not all the rows"


def test_a_column_is_as_wide_as_its_usual_cells():
    cells = [("x" * 24, 145, 2), ("x" * 27, 1, 2), ("x" * 40, 1, 2), ("", 1, 2)]
    rows = [dict(zip("abc", row, strict=True)) for row in cells]
    lines = piped(table("", rows)).splitlines()
    assert lines[0] == f"a{' ' * 25}b    c"
    assert [(line.index("1"), line.index("2")) for line in lines[1:]] == [(26, 31), (29, 32), (42, 45), (26, 31)]


def test_a_line_in_a_pipe_is_never_broken():
    long = "word " * 500
    assert piped(table("", [{"a": long, "b": long}])).count("\n") == 2
    assert piped(facts({"name": long})) == f"name  {long.rstrip()}\n"


def test_facts_in_a_pipe_go_on_under_themselves():
    assert piped(facts({"system": "[x]", "it": "L = a\n  + b"})) == "system  [x]\nit      L = a\n          + b\n"


def test_parts_in_a_pipe_are_set_apart():
    assert piped(facts({"a": "1"}), table("T", [{"b": 2}])) == "a  1\n\nT\nb\n2\n"


@pytest.mark.parametrize("part", [table("weights.*", ROWS), Columns(("term", "x"), [("[adv]", "1")], "weights.*")])
def test_a_table_on_a_terminal_is_framed(part):
    told = on_terminal(part)
    assert told.startswith("weights.*") and "┃ term" in told and "│" in told
    assert "[a" in told, "brackets are no markup"
    assert max(map(len, told.splitlines())) <= 60


def test_what_needs_no_frame_has_none_on_a_terminal_either():
    told = on_terminal(Columns(("domain", "train"), [("a", "9"), ("b",)], framed=False), facts({"x": "y"}))
    assert [line.split() for line in told.splitlines()] == [["domain", "train"], ["a", "9"], ["b"], ["x", "y"]]


def test_nothing_that_the_command_line_prints_in_a_pipe_is_padded(run):
    for arguments in (["systems"], ["systems", "distancegan"], ["systems", "classifier"]):
        code, out, _ = run(*arguments)
        assert code == 0
        assert not [line for line in out.splitlines() if line != line.rstrip()]
        assert not set("┏┓┃│─━") & set(out)
