"""What others wrote is shown, and never obeyed by the terminal."""

import io

import pytest
from rich.console import Console

from orchestrator.errors import Refusal
from orchestrator.saying import say, visible
from orchestrator.tables import Columns, table
from tests.orchestrator.unrun import ID, Log

RED = "\x1b[31mred\x07"
SHOWN = "\\x1b[31mred\\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (RED, SHOWN),
        ("a\rb\x08\x7f\x9b", "a\\rb\\x08\\x7f\\x9b"),
        ("left\u202eright\u2028", "left\\u202eright\\u2028"),
        ("half \ud800", "half \\ud800"),
        ("λ_cyc ± 0.1, é, 猫, 👩‍🎨\tand\nlines", "λ_cyc ± 0.1, é, 猫, 👩‍🎨\tand\nlines"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text, shown):
    assert visible(text) == shown


def test_lines_are_said_on_either_side(capsys):
    say(RED)
    say(RED, aside=True)
    assert capsys.readouterr() == (f"{SHOWN}\n", f"{SHOWN}\n")


def test_a_refusal_shows_what_it_repeats():
    refusal = Refusal("no such sweep", file=RED, nearest=RED, has=[RED])
    assert str(refusal) == f"{SHOWN}: no such sweep; nearest: {SHOWN}; has: {SHOWN}"


@pytest.mark.parametrize("on_terminal", [True, False])
def test_tables_show_it_too(on_terminal):
    sink = io.StringIO()
    console = Console(file=sink, width=100, force_terminal=on_terminal, color_system=None)
    console.print(table(RED, [{RED: RED}]))
    console.print(Columns((), [(RED, "x")], framed=False, bold=True))
    assert "\x07" not in sink.getvalue() and "\x1b[31mred" not in sink.getvalue()
    assert sink.getvalue().count(SHOWN) == 4


def test_no_command_hands_on_what_a_log_holds(run, tmp_path):
    log = Log(system=RED, constraints=[f"{RED} <= 1"]).trial([0.4]).trial([0.5], "failed", error=RED)
    log.records[0]["name"] = RED
    log.clone(0, 1, 100, **{"weights.cyc": RED})
    log.store(tmp_path)
    commands = (
        ["list"],
        ["status", ID],
        ["results", ID],
        ["watch", ID],
        ["stop", ID],
        ["status", RED],
        ["retry", ID, "9"],
    )
    for command in commands:
        code, out, err = run(*command, "--storage", tmp_path)
        assert code in (0, 2, 130)
        assert not {"\x1b", "\x07"} & set(out + err), command
