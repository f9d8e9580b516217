"""What hand-written YAML may hold, and how each slip in it is told."""

from pathlib import Path

import pytest

from orchestrator.errors import Refusal
from orchestrator.sweep_file.yaml_file import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("20_000", 20000),
        ("1e-3", 0.001),
        ("1.0e-3", 0.001),
        ("2.", 2.0),
        (".5", 0.5),
        ("-3", -3),
        ("010", 10),
        ("0x1F", 31),
        (".inf", float("inf")),
        ("on", "on"),
        ("no", "no"),
        ("True", True),
        ("6:30", "6:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_", "1_"),
        ("~", None),
        ("", None),
        ("'20'", "20"),
        ("!!str 20", "20"),
        ("[1, a, {b: 2}]", [1, "a", {"b": 2}]),
    ],
)
def test_scalars_are_read_as_people_mean_them(written, read):
    value = parse_yaml(f"key: {written}", "x.yaml")["key"]
    assert value == read
    assert type(value) is type(read)


def test_an_alias_stands_for_its_anchor():
    assert parse_yaml("a: &x [1]\nb: *x", "x.yaml") == {"a": [1], "b": [1]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "s.yaml: the file is empty"),
        ("# only a comment\n", "s.yaml: the file is empty"),
        ("a: [1", "s.yaml: not valid YAML: line 1, column 6: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n b: 2", "s.yaml: not valid YAML: line 2, column 3: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "s.yaml: not valid YAML: line 2, column 1: but found another document"),
        ("a: \x07", "s.yaml: not valid YAML: line 1 holds the control character 0x7"),
        ("- a", "s.yaml: must hold `key: value` lines at its top level, not a list or a single value"),
        ("steps", "s.yaml: must hold `key: value` lines at its top level, not a list or a single value"),
        ("a: 1\nb: 2\na: 3", "s.yaml: a: key given twice, in line 1 and in line 3"),
        ("d:\n  a: 1\n  a: 1", "s.yaml: d.a: key given twice, in line 2 and in line 3"),
        ("l:\n- a: 1\n  a: 1", "s.yaml: l.0.a: key given twice, in line 2 and in line 3"),
        ("? [a]\n: 1", "s.yaml: line 1: a key must be a single word, not a list or a mapping"),
        ("a: &x [*x]", "s.yaml: a.0: an alias that contains itself"),
        ("a: !!int one", "s.yaml: a: cannot be read as int: 'one'"),
        ("a: !!bool yes", "s.yaml: a: cannot be read as bool: 'yes'"),
        ("a: !mine [1]", "s.yaml: a: unknown tag '!mine'"),
        ("a: " + "[" * 5000, "s.yaml: not valid YAML for a sweep: nested too deeply"),
    ],
)
def test_a_slip_is_told_in_one_line(text, line):
    with pytest.raises(Refusal) as caught:
        parse_yaml(text, "s.yaml")
    assert caught.value.lines() == [line]


def test_a_number_of_thousands_of_digits_is_a_slip_too():
    with pytest.raises(Refusal, match=r"s.yaml: a: cannot be read as int: '9+\.\.\."):
        parse_yaml("a: " + "9" * 5000, "s.yaml")


def test_a_file_that_is_not_utf8_is_told_where(tmp_path: Path):
    file = tmp_path / "sweep.yaml"
    file.write_bytes("steps: 1\nname: caf\xe9\n".encode("latin-1"))
    with pytest.raises(Refusal) as caught:
        read_yaml(file)
    assert caught.value.lines() == [f"{file}: not UTF-8 text: byte 0xe9 in line 2; save the file as UTF-8"]


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path):
    file = tmp_path / "sweep.yaml"
    file.write_bytes(b"\xef\xbb\xbfsteps: 1\n")
    assert read_yaml(file) == {"steps": 1}


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path):
    (tmp_path / "sweep.yaml").touch()
    with pytest.raises(Refusal) as caught:
        read_yaml(tmp_path / "sweeps.yaml")
    near = tmp_path / "sweep.yaml"
    assert str(caught.value) == f"{tmp_path}/sweeps.yaml: cannot be read: no such file or directory; nearest: {near}"


def test_a_folder_is_no_file(tmp_path: Path):
    with pytest.raises(Refusal, match="cannot be read: is a directory"):
        read_yaml(tmp_path)


def test_a_file_that_may_not_be_read_is_not_the_nearest_to_itself(tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "sweep.yaml").write_text("a: 1")
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(Refusal) as caught:
        read_yaml(tmp_path / "sweep.yaml")
    assert str(caught.value) == f"{tmp_path}/sweep.yaml: cannot be read: permission denied"
