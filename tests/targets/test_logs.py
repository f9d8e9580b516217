"""`logs`: the story of a sweep, what its workers printed, and what is asked of it in vain. The logs are written by hand."""

import json

import pytest

from cluster.output import mark
from tests.orchestrator import conftest as orchestrator
from tests.orchestrator.logs import PATHS, START, closed, ended, opened, reported, started, suggested

log, driver = orchestrator.log, orchestrator.driver
ANYWHERE = pytest.mark.parametrize("log", ["folder", "s3"], indirect=True)


@pytest.fixture
def told(log, run):
    """told("-f"): what `logs` prints, and what aside."""

    def ask(*words):
        code, out, err = run("logs", PATHS.id, "--storage", log.store.uri, *words)
        assert code == 0, err
        return out.splitlines(), err.splitlines()

    return ask


def begun(log):
    return log.add(opened(), suggested(0), started(0), reported(0, 40, 30, score=0.5))


def printed(log, name, text):
    log.store.write(f"{PATHS.output(0)}/{name}", text)


@ANYWHERE
def test_the_story_is_a_line_for_each_event(log, told):
    begun(log).add(ended(0, 60), closed(61, "done"))
    lines, aside = told()
    assert lines[:2] == ["attempt 1 begins", "trial 0  started"]
    assert lines[-1] == "attempt 1 has ended: done"
    assert any(line.startswith("trial 0  step 40/100  eval/ssim 0.5") for line in lines)
    assert aside == []


@ANYWHERE
def test_for_programs_each_event_is_an_object(log, told):
    begun(log).add(ended(0, 60), closed(61, "done"))
    objects = [json.loads(line) for line in told("-o", "json")[0]]
    assert objects[0] == {
        "at": START,
        "sweep": PATHS.id,
        "trial": None,
        "rank": None,
        "step": None,
        "kind": "opened",
        "text": "attempt 1 begins",
    }
    assert [(one["kind"], one["trial"], one["step"]) for one in objects[1:]] == [
        ("started", 0, 0),
        ("reported", 0, 40),
        ("ended", 0, 40),
        ("closed", None, None),
    ]


@ANYWHERE
def test_for_programs_each_printed_line_is_an_object(log, told):
    begun(log).add(closed(61, "interrupted"))
    printed(log, "start-1-rank-1-0000.log", b"early\n" + mark(30) + b"at 30\x1b\n" + mark(40) + b"at 40")
    assert [json.loads(line) for line in told("--trial", 0, "-o", "json")[0]] == [
        {"sweep": PATHS.id, "trial": 0, "rank": 1, "start": 1, "step": step, "text": text}
        for step, text in ((None, "early"), (30, "at 30\x1b"), (40, "at 40"))
    ]
    assert told("--trial", 0)[0] == ["== start 1, worker 1 ==", "early", "at 30\\x1b", "at 40"]


@ANYWHERE
def test_it_is_followed_until_nobody_drives(log, driver, told):
    begun(log)
    driver(lambda: log.add(ended(0, 60)), lambda: log.add(closed(61, "interrupted")))
    lines, _ = told("-f")
    assert lines[-1] == "attempt 1 has ended: interrupted"
    assert lines.count("trial 0  started") == 1


@ANYWHERE
def test_what_the_workers_of_a_trial_printed_comes_start_by_start(log, told):
    begun(log).add(closed(61, "interrupted"))
    printed(log, "start-1-rank-0-0000.log", b"one\nand half of ")
    printed(log, "start-1-rank-0-0001.log", b"another\n")
    printed(log, "start-1-rank-1-0000.log", b"beside\n")
    printed(log, "start-2-rank-0-0000.log", b"again\x1b[31m\nnever ended")
    assert told("--trial", 0)[0] == [
        "== start 1, worker 0 ==",
        "one",
        "and half of another",
        "== start 1, worker 1 ==",
        "beside",
        "== start 2, worker 0 ==",
        "again\\x1b[31m",
        "never ended",
    ]
    assert told("--trial", 0, "--rank", 1)[0] == ["== start 1, worker 1 ==", "beside"]


@ANYWHERE
def test_it_is_followed_as_it_grows(log, driver, told, monkeypatch):
    monkeypatch.setattr("orchestrator.running.logs.SETTLE_S", 0.0)
    begun(log)
    printed(log, "start-1-rank-0-0000.log", b"one\n")
    driver(
        lambda: printed(log, "start-1-rank-0-0000.log", b"one\ntw"),
        lambda: printed(log, "start-1-rank-0-0000.log", b"one\ntwo\n"),
        lambda: log.add(closed(61, "interrupted")),
        lambda: None,
    )
    assert told("--trial", 0, "-f")[0] == ["== start 1, worker 0 ==", "one", "two"]


def test_a_trial_that_printed_nothing_is_told(log, told):
    begun(log).add(closed(61, "interrupted"))
    assert told("--trial", 0) == ([], ["trial 0 has printed nothing"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--trial", 4), "--trial: sweep small has no trial 4; it has none but trial 0"),
        (("--trial", 0, "--rank", 2), "--rank: no worker 2 of trial 0 has printed anything; has: 0"),
        (("--rank", 2), "--rank: which trial's worker? give --trial as well"),
        (("--driver", "--trial", 0), "--driver: the driver has no trial; leave one of them out"),
        (("--driver", "-o", "json"), "--driver: what the driver printed has no parts; leave one of them out"),
        (("--driver",), "--driver: sweep small was not handed to a cluster: its driver printed where it was started"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(log, run, words, line):
    begun(log).add(closed(61, "interrupted"))
    printed(log, "start-1-rank-0-0000.log", b"one\n")
    assert run("logs", "small", "--storage", log.store.uri, *words) == (2, "", f"error: {line}\n")
