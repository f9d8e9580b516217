"""Logs that somebody wrote, mended or cut by hand: whoever reads them says what is wrong, in one line and with exit code 2."""

import json

import pytest

from tests.orchestrator.unrun import ID, L1, Log

READERS = (["status", ID], ["status", ID, "-o", "json"], ["results", ID], ["results", ID, "-o", "json"], ["watch", ID])
DELETED = object()


def changed(records, path, value):
    """Records with another value at a path, or without it."""
    records = json.loads(json.dumps(records))
    *above, last = path
    inside = records
    for part in above:
        inside = inside[part]
    if value is DELETED:
        del inside[last]
    else:
        inside[last] = value
    return records


@pytest.fixture
def lines(run, tmp_path):
    """lines(records): what each reader answers to a log of these records, exit code and standard error."""

    def ask(records):
        folder = tmp_path / ID
        folder.mkdir(exist_ok=True)
        text = "".join(json.dumps({"v": 2, "at": 1000.0 + n, **one}) + "\n" for n, one in enumerate(records))
        (folder / "log.jsonl").write_text(text)
        return {run(*reader, "--storage", tmp_path)[::2] for reader in READERS}

    return ask


@pytest.fixture
def records():
    written = {"system": "cyclegan", "budget": {"wall": "6h", "failures": 2}, "resources": {"workers": 2}}
    log = Log(constraints=["eval/l1 <= 0.3"], finalists={"settings": 1, "seeds": 2}, written=written, objectives=[L1])
    return log.trial([0.4, 0.3]).trial([0.5], "stopped", by="asha", why="worse").records


def test_the_log_itself_is_read(lines, records):
    assert {code for code, _ in lines(records)} == {0, 130}, "watch ends as submit would"


def test_a_damaged_log_is_told_under_its_sweep_s_name_too(run, tmp_path, records):
    (tmp_path / ID).mkdir()
    text = "".join(json.dumps({"v": 2, "at": 1000.0, **one}) + "\n" for one in records)
    (tmp_path / ID / "log.jsonl").write_text(text + "no record\n")
    code, _, err = run("status", records[0]["name"], "--storage", tmp_path)
    assert code == 2 and f"line {len(records) + 1} of the log is damaged" in err and ID in err, err


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ((0, "about"), {"a": 1}, "the log is damaged: it was opened without about.objective"),
        ((0, "about", "steps"), DELETED, "the log is damaged: it was opened without about.steps"),
        ((0, "about", "steps"), "x", "line 1 of the log is damaged: about.steps is 'x', not a whole number of at least 0"),
        ((0, "about", "seeds"), 1.5, "line 1 of the log is damaged: about.seeds is 1.5, not a whole number of at least 0"),
        ((0, "about", "axes"), [1], "line 1 of the log is damaged: about.axes is [1], not a mapping"),
        ((0, "about", "objective"), "low", "line 1 of the log is damaged: about.objective is 'low', not a mapping"),
        ((0, "about", "objective", "mode"), DELETED, "line 1 of the log is damaged: about.objective.mode is missing"),
        ((0, "about", "finalists"), None, "line 1 of the log is damaged: about.finalists is None, not a mapping"),
        ((0, "about", "written"), "x", "line 1 of the log is damaged: about.written is 'x', not a mapping"),
        ((0, "name"), {"a": 1}, "line 1 of the log is damaged: name is {'a': 1}, not a text"),
        ((1, "params"), None, "line 2 of the log is damaged: params is None, not a mapping"),
        ((1, "trial"), -1, "line 2 of the log is damaged: trial is -1, not a whole number of at least 0"),
        ((3, "metrics"), [], "line 4 of the log is damaged: metrics is [], not a mapping"),
        ((3, "metrics", "eval/l1"), "low", "line 4 of the log is damaged"),
        ((5, "state"), "zombie", "line 6 of the log is damaged: state is 'zombie', not one of done, stopped, failed"),
        ((0, "kind"), "suggested", "line 1 of the log is damaged: trial is missing"),
        ((0,), {"kind": "started", "trial": 0}, "line 1 of the log is damaged: a log begins with opened, not with started"),
    ],
)  # fmt: skip
def test_a_record_of_another_shape_is_told(lines, records, tmp_path, path, value, told):
    assert lines(changed(records, path, value)) == {(2, f"error: {tmp_path}/{ID}/log.jsonl: {told}\n")}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            (0, "about", "constraints", 0),
            "low",
            "a constraint must be a score, <= or >=, and a number, such as eval/l1 <= 0.3, not 'low'",
        ),
        ((0, "about", "written", "budget"), [1], "what it keeps of the sweep file is not as it was submitted"),
        ((0, "about", "written", "budget", "wall"), 6, "what it keeps of the sweep file is not as it was submitted"),
        (
            (0, "about", "written", "resources", "workers"),
            [],
            "what it keeps of the sweep file is not as it was submitted",
        ),
    ],
)
def test_what_a_log_keeps_of_the_sweep_is_told_as_damage(lines, records, path, value, told):
    answers = lines(changed(records, path, value))
    assert {error for code, error in answers if code == 2} == {f"error: the log is damaged: {told}\n"}
    assert {code for code, _ in answers} <= {0, 2}


def test_a_folder_is_no_log(run, tmp_path):
    (tmp_path / ID / "log.jsonl").mkdir(parents=True)
    place = f"{tmp_path}/{ID}/log.jsonl is a folder, and should be the log"
    for reader in (*READERS, ["stop", ID], ["resume", ID], ["retry", ID, "0"]):
        assert run(*reader, "--storage", tmp_path) == (2, "", f"error: {place}\n")
    code, out, _ = run("list", "--storage", tmp_path)
    assert (code, place in out) == (0, True)


def test_a_sweep_that_cannot_be_read_is_not_passed_over_in_silence(run, tmp_path):
    Log().trial([0.4]).store(tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "log.jsonl").write_text("no log\n")
    assert run("status", "toy", "--storage", tmp_path)[0] == 0
    assert run("status", "mine", "--storage", tmp_path) == (
        2,
        "",
        f"error: no sweep 'mine' in {tmp_path}; it also holds a sweep whose log cannot be read; `i2i-cluster list` tells which; "
        "has: toy\n",
    )
