"""What runbooks tell people to do can be done: commands, keys of a sweep file, dashboards, series."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from orchestrator.cli import app
from scripts.monitoring import dashboards
from tests.monitoring.lint import NAME, RECORDED, SERIES

ROOT = Path(__file__).parents[2]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
COMMAND = re.compile(r"`i2i-cluster ([^`]+)`")
KEY = re.compile(r"`((?:balance|budget|data|every|hyper|keep|metrics|resources|scheduler|stop|weights)\.\w[\w.]*)")
BOARD = re.compile(r"\*((?:\w+ )*\w+)\*(?=[:;,]| and)")


def unknown(command):
    """What is wrong with a command line, without running it."""
    here = typer.main.get_command(app)
    words = [word for word in shlex.split(command) if word != "..."]
    while words and hasattr(here, "commands"):
        if words[0] not in here.commands:
            return [words[0]]
        here = here.commands[words.pop(0)]
    known = {name for one in here.params for name in (*one.opts, *one.secondary_opts)}
    return [word for word in words if word.startswith("-") and word not in known]


@pytest.mark.parametrize("file", RUNBOOKS, ids=lambda file: file.stem)
def test_what_a_runbook_names_is_there(file):
    text = file.read_text(encoding="utf-8")
    commands = COMMAND.findall(text)
    assert commands and [(one, wrong) for one in commands if (wrong := unknown(one))] == []
    written = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "docs/sweep-file.md", *SYSTEMS])
    assert [key for key in KEY.findall(text) if f"`{key}" not in written and not of_a_system(key, written)] == []
    assert set(BOARD.findall(text)) <= {one.title.partition(": ")[2] for one in dashboards.ALL}
    assert [name for name in NAME.findall(text) if name not in SERIES and name not in RECORDED] == []


SYSTEMS = sorted((ROOT / "docs" / "systems").glob("*.md"))


def of_a_system(key, pages):
    """Whether a system has that setting or weight."""
    return bool(re.search(rf"^\| `{key.partition('.')[2]}(_\w+)?` \|", pages, re.MULTILINE))


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("status SWEEP", []),
        ("statsu SWEEP", ["statsu"]),
        ("checkpoints list SWEEP --trail 3", ["--trail"]),
        ("checkpoints lst SWEEP", ["lst"]),
    ],
)
def test_a_command_that_is_not_there_is_found(command, found):
    assert unknown(command) == found


def test_a_setting_that_is_not_there_is_found():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in SYSTEMS)
    assert of_a_system("hyper.smoothing", pages) and of_a_system("weights.gp", pages)
    assert not of_a_system("hyper.smoothness", pages)
