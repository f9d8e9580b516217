"""The log is the truth about a sweep: what was appended is what a reader finds, after any crash."""

import json
import math
from contextlib import closing

import pytest

from cluster.layout import SweepPaths
from cluster.log.records import VERSION, NewerLog, SweepState, UnreadableLog, fold, jsonable
from cluster.log.store import FileLog, read_state
from data_shards.store import FolderStore

COMPARABLE = {"eval/l1": 0.25, "loss/d_a": math.inf, "loss/d_b": -math.inf, "time/train_seconds": 9.0}
METRICS = COMPARABLE | {"loss/cyc_a": math.nan}


def written(path):
    """A log that has seen every kind of record; returns its state as its writer knows it."""
    log = FileLog(path)
    log.append("opened", id="a1", name="toy", attempt=1, about={"trials": 3, "axes": {"weights.cyc": "log_uniform"}})
    for trial in range(3):
        log.append("suggested", trial=trial, params={"weights.cyc": 10.0**trial, "hyper.gan": "lsgan"})
        log.append("started", trial=trial, attempt=1)
    log.append("reported", trial=0, step=10, metrics=jsonable(METRICS), evaluated=False)
    log.append("reported", trial=0, step=20, metrics=jsonable(METRICS), evaluated=True)
    log.append("decided", trial=0, step=20, value=0.25, action="continue")
    log.append("reported", trial=0, step=30, metrics={"loss/d_a": 1.0}, evaluated=False)
    log.append("ended", trial=0, state="done", error=None)
    log.append("failed", trial=1, count=1, error="OSError: disk full")
    log.append("decided", trial=2, step=20, value=0.5, action="stop")
    log.append("ended", trial=2, state="stopped", error=None)
    log.append("a kind of a later release", trial=0, anything=[1])
    log.append("another, of no trial", anything=None)
    log.append("closed", state="interrupted")
    log.close()
    return log.state


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep" / "log.jsonl"


def test_what_a_reader_finds_is_what_the_writer_knew(path):
    state = written(path)
    with closing(FileLog(path)) as again:
        assert fold(path.read_bytes()) == state == again.state
    first, second, third = state.trials.values()
    assert (state.id, state.name, state.state, state.attempt) == ("a1", "toy", "interrupted", 1)
    assert (first.state, first.step, first.train_seconds) == ("done", 30, 9.0)
    assert [step for step, _ in first.history] == [20]
    assert (first.metrics["eval/l1"], first.latest) == (0.25, {"loss/d_a": 1.0})
    assert first.at(20) == first.metrics
    assert first.at(10) is None
    assert (second.state, second.failures, second.error) == ("pending", 1, "OSError: disk full")
    assert (third.state, third.params) == ("stopped", {"weights.cyc": 100.0, "hyper.gan": "lsgan"})
    assert state.decisions == {(0, 20): "continue", (2, 20): "stop"}
    assert state.order == [(0, 20, 0.25), (2, 20, 0.5)]


def test_every_line_is_plain_json_and_numbers_survive(path):
    seen = written(path).trials[0].at(20)
    assert math.isnan(seen.pop("loss/cyc_a"))
    assert seen == COMPARABLE

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    for line in path.read_bytes().splitlines():
        assert json.loads(line, parse_constant=refuse)["v"] == VERSION
    with closing(FileLog(path)) as log, pytest.raises(ValueError, match="JSON compliant"):
        log.append("reported", trial=0, step=40, metrics={"x": math.nan}, evaluated=False)


def test_wherever_a_crash_cuts_the_file_whole_records_remain(path):
    written(path)
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    for cut in range(len(raw) + 1):
        whole = raw[:cut].count(b"\n")
        if cut % 7 and raw[cut - 1 : cut + 1].count(b"\n") == 0:
            continue  # cuts at and beside every end of line, and one in seven elsewhere
        assert fold(raw[:cut]) == fold(b"".join(lines[:whole]))


def test_a_torn_last_line_does_not_swallow_the_next_record(path):
    written(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-9])
    log = FileLog(path)
    assert log.state == fold(raw[: raw[:-9].rfind(b"\n") + 1])
    log.append("opened", id="a1", name="toy", attempt=2, about={})
    log.close()
    assert path.read_bytes().startswith(raw[: raw[:-9].rfind(b"\n") + 1])
    assert fold(path.read_bytes()) == log.state
    assert log.state.attempt == 2


def test_a_record_is_in_the_file_before_append_returns(path):
    with closing(FileLog(path)) as log:
        log.append("opened", id="a1", name="toy", attempt=1, about={})
        assert fold(path.read_bytes()) == log.state != SweepState()


def test_a_newer_log_is_refused_and_left_as_it_is(path):
    written(path)
    path.write_bytes(path.read_bytes() + json.dumps({"v": VERSION + 1, "kind": "opened"}).encode() + b"\ntorn")
    raw = path.read_bytes()
    for read in (lambda: fold(raw), lambda: FileLog(path)):
        with pytest.raises(NewerLog, match=f"version {VERSION + 1}, this i2i-cluster reads up to {VERSION}: upgrade"):
            read()
    assert path.read_bytes() == raw


def test_an_evaluation_told_twice_counts_once(path):
    written(path)
    log = FileLog(path)
    log.append("reported", trial=0, step=20, metrics={"eval/l1": 0.9, "time/train_seconds": 12.0}, evaluated=True)
    log.close()
    trial = fold(path.read_bytes()).trials[0]
    assert [(step, seen["eval/l1"]) for step, seen in trial.history] == [(20, 0.25)]


OPENED = b'{"v": 1, "kind": "opened", "id": "sweep", "name": "toy", "attempt": 1, "about": {}}\n'


@pytest.mark.parametrize(
    ("line", "more"),
    [
        (b"\n", ""),
        (b"{\n", ""),
        (b"[1]\n", ""),
        (b"3\n", ""),
        (b"\0\0\n", ""),
        (b'{"v": 1}\n', ": kind is missing"),
        (b'{"v": 1, "kind": "started", "trial": 7}\n', ": a log begins with opened, not with started"),
        (OPENED + b'{"v": 1, "kind": "started", "trial": 7}\n', ""),
        (OPENED + b'{"v": 1, "kind": "closed", "state": "done", "at": 1e300}\n', ""),
        (OPENED + b'{"v": 1, "kind": "closed", "state": "done", "at": NaN}\n', ""),
        (
            OPENED + b'{"v": 1, "kind": "closed", "state": "zombie"}\n',
            ": state is 'zombie', not one of done, failed, stopped, interrupted",
        ),
        (OPENED + b'{"v": 1, "kind": "ended", "trial": "x"}\n', ": trial is 'x', not a whole number of at least 0"),
        (OPENED.replace(b"{}", b'{"steps": "many"}'), ": about.steps is 'many', not a whole number of at least 0"),
        (OPENED.replace(b"{}", b'{"axes": 3}'), ": about.axes is 3, not a mapping"),
        (
            OPENED.replace(b"{}", b'{"objectives": [{"metric": "eval/l1", "mode": "low"}]}'),
            ": about.objectives.0.mode is 'low', not one of min, max",
        ),
        (
            OPENED.replace(b"{}", b'{"written": "' + 99 * b"x" + b'"}'),
            f": about.written is '{36 * 'x'}..., not a mapping",
        ),
    ],
)
def test_a_damaged_line_is_named(path, line, more):
    path.parent.mkdir()
    path.write_bytes(line)
    number = line.count(b"\n")
    for read in (lambda: read_state(FolderStore(path.parent.parent), SweepPaths("sweep")), lambda: FileLog(path)):
        with pytest.raises(UnreadableLog) as caught:
            read()
        assert str(caught.value) == f"{path}: line {number} of the log is damaged{more}"


def test_a_full_disk_is_told_with_the_log_s_name(tmp_path):
    log = FileLog(tmp_path / "log.jsonl")
    log._file.close()
    log._file = open("/dev/full", "ab")  # noqa: SIM115  # closed by the log, which fails as well: nothing was taken
    for write in (lambda: log.append("opened", id="a1", name="toy", attempt=1, about={}), log.close):
        with pytest.raises(OSError, match="No space left on device: ") as error:
            write()
        assert str(tmp_path / "log.jsonl") in str(error.value)
