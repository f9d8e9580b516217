"""An empty argument, as a script gives whose variable is empty, is not this folder."""

from pathlib import Path

import pytest

COMMANDS = {
    "IN": ("translate", "some", "", "out"),
    "'OUT_DIR'": ("translate", "some", "in", ""),
    "OUT_DIR": ("draw", "some", ""),
    "--real": ("evaluate", "--real", "", "--fake", "made", "--paired"),
    "--fake": ("study", "make", "--real", "real", "--fake", ""),
    "--out": ("study", "make", "--real", "real", "--fake", "made", "--out", ""),
    "--output": ("report", "some", "-o", ""),
    "--tensorboard": ("report", "some", "--tensorboard", ""),
    "--write": ("tables", "show", "some", "--write", ""),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_refused_with_the_name_of_what_is_empty(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").touch()
    code, out, err = run(*COMMANDS[name])
    assert (code, out) == (2, "")
    assert name in err and "is empty; `.` is this folder" in err
    assert [file.name for file in Path().iterdir()] == ["x.png"]
