"""How a sweep is, told from logs that were written by hand: while it is driven, when its driver is dead, and at its end."""

import json
import os
import re
import socket
from dataclasses import asdict

import pytest

from cluster.log.lease import Claim
from cluster.log.records import SweepState
from orchestrator.finding import open_sweep
from orchestrator.running import spent
from orchestrator.running.status import describe_status, eta_seconds, look
from orchestrator.sweep_file.search import Budget
from tests.orchestrator.logs import (
    METRIC,
    PATHS,
    START,
    Log,
    closed,
    ended,
    failed,
    noticed,
    opened,
    reported,
    started,
    suggested,
)
from tests.orchestrator.test_cli import loaded_by

WRITTEN = {"written": {"budget": {"wall": "1h", "gpu_hours": 2, "failures": 5}, "resources": {"workers": [1, 2]}}}
ELSEWHERE = Claim("far", "another boot", 7, "7", "x", at=START + 100)


@pytest.fixture
def now(monkeypatch):
    """now(120): it is 120 s after the first record."""

    def set_to(seconds):
        monkeypatch.setattr("orchestrator.running.status.time.time", lambda: START + seconds)

    set_to(120)
    return set_to


@pytest.fixture
def log(tmp_path, now):
    return Log(str(tmp_path))


@pytest.fixture(params=["folder", "s3"])
def anywhere(request, tmp_path, now):
    """A log in a folder and in S3."""
    return Log(str(tmp_path) if request.param == "folder" else request.getfixturevalue("bucket"))


@pytest.fixture
def told(run):
    """told(log): the lines of `status`, by what stands before them; and the lines below the facts."""

    def ask(log):
        code, out, err = run("status", PATHS.id, "--storage", log.store.uri)
        assert (code, err) == (0, "")
        head, _, rest = out.partition("\n\n")
        return dict(re.split(" {2,}", line, maxsplit=1) for line in head.splitlines()), rest.splitlines()

    return ask


def described(log):
    return describe_status(look(open_sweep(log.store, PATHS.id)))


def half_way(log, **more):
    """Trial 0 is done, 1 was stopped, 2 is at step 40 of 100, 3 failed for good."""
    log.add(opened(**more), suggested(0), started(0), reported(0, 40, 20, 0.5), reported(0, 100, 30, 0.6), ended(0, 31))
    log.add(
        suggested(1, 32, 10.0), started(1, 33), reported(1, 40, 50, 0.4), ended(1, 51, "stopped", by="asha", why="w")
    )
    log.add(suggested(2, 52, 50.0), started(2, 53), noticed(2, 60, 10, "one sample left out"))
    log.add(failed(2, 61), started(2, 62), reported(2, 40, 110, 0.55))
    return log.add(
        suggested(3, 63, 20.0), started(3, 64), failed(3, 65, 4, "the disk is full"), ended(3, 66, "failed", "full")
    )


def test_a_running_sweep_tells_everything(log, told):
    half_way(log)
    with log.driven():
        facts, rest = told(log)
    assert facts == {
        "sweep": f"small ({PATHS.id}), pix2pix",
        "state": "running, for 2m",
        "driver": f"process {os.getpid()}",
        "trials": "3 of 4 have ended: 1 running, 1 done, 1 stopped (1 by asha), 1 failed",
        "best": f"trial 0: {METRIC} 0.6 at step 100; the preset",
        "to go": "at most 30s",  # 60 steps at 10 images a second, 5 a step
        "spent": "4 failures of one trial",
        "place": f"{log.store.uri}/{PATHS.id}",
    }
    assert [line.split() for line in rest] == [
        ["Running"],
        ["trial", "step", "images/s", "to", "go", "last", "heard", METRIC, "course", "weights.l1"],
        ["2", "40/100", "10.0", "30s", "10s", "ago", "0.55", "▄", "50"],
        [],
        ["What", "happened"],
        ["trial", "state", "failures", "what"],
        ["3", "failed", "4", "full"],
        ["2", "running", "1", "1", "x", "a", "worker", "died"],
        ["2", "step", "10:", "one", "sample", "left", "out"],
    ]


def test_the_same_for_programs(log, run):
    half_way(log)
    with log.driven():
        code, out, err = run("status", "small", "--storage", log.store.uri, "-o", "json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["state"] == "running"
    assert found["driver"] == {"state": "drives", "pid": os.getpid(), "host": None, "seen": None}
    assert (found["opened"], found["changed"], found["seconds"], found["eta_seconds"]) == (START, START + 66, 120, 30)
    counts = {"running": 1, "pending": 0, "paused": 0, "done": 1, "stopped": 1, "failed": 1}
    assert found["trials"] == {"total": 4, **counts}
    assert found["running"] == [
        {
            "index": 2,
            "step": 40,
            "steps": 100,
            "images_per_second": 10.0,
            "eta_seconds": 30.0,
            "silent_seconds": 10.0,
            "value": 0.55,
            "course": [0.55],
            "critics": {},
            "warnings": {},
            "doing": None,
            "params": {"weights.l1": 50.0},
        }
    ]
    assert (found["best"]["index"], found["best"]["values"], found["best"]["gains"]) == (
        0,
        {METRIC: 0.6},
        {METRIC: 0.0},
    )
    assert found["failures"] == [
        {"trial": 2, "state": "running", "failures": 1, "faults": {"a worker died": 1}, "error": None},
        {"trial": 3, "state": "failed", "failures": 4, "faults": {"a worker died": 1}, "error": "full"},
    ]
    assert found["notices"] == [{"trial": 2, "step": 10, "text": "one sample left out"}]
    assert (found["stopped_by"], found["ended_by"], found["asked_to_stop"]) == ({"asha": 1}, None, False)


def test_a_sweep_whose_driver_died_waits_and_says_how_to_go_on(anywhere, told):
    half_way(anywhere, **WRITTEN)
    with anywhere.driven():
        pass
    facts, rest = told(anywhere)
    who = f"process {os.getpid()}" + (f" on {socket.gethostname()}" if anywhere.store.remote else "")
    assert facts["state"] == f"interrupted, after 1m6s: {who} is gone and has not closed the log"
    assert facts["driver"] == f"nobody; the last one was {who}"
    assert facts["trials"] == "3 of 4 have ended: 1 pending, 1 done, 1 stopped (1 by asha), 1 failed"
    place = f"'{facts['place']}'" if anywhere.store.remote else facts["place"]
    assert facts["to go on"] == f"i2i-cluster resume {place}"
    assert rest[0] == "What happened", "nothing runs"


@pytest.mark.parametrize(
    ("state", "reason", "text", "by"),
    [
        ("interrupted", None, "interrupted, after 1m10s: as somebody wished", "user"),
        ("stopped", "budget.wall: over", "stopped, after 1m10s: budget.wall: over", "budget"),
        ("failed", "no such bucket", "failed, after 1m10s: no such bucket", "failure"),
        ("failed", None, "failed, after 1m10s: every trial failed", "trials"),
        ("done", None, "done, after 1m10s", None),
    ],
)
def test_who_ended_it_is_told(log, told, state, reason, text, by):
    half_way(log).add(closed(70, state, reason))
    facts, _ = told(log)
    assert facts["state"] == text
    assert described(log)["ended_by"] == by
    assert facts.get("to go on") == (None if state == "done" else "i2i-cluster submit sweep.yaml")
    assert facts["driver"] == "nobody"


def test_what_is_spent_is_held_against_what_is_allowed(log, told):
    half_way(log, **WRITTEN, gpus=1, cpus=0.5, price=3.0)
    log.add(reported(2, 60, 110 + 3600, 0.5, workers=2.0))
    assert described(log)["budget"] == {
        "wall_seconds": {"spent": 3710.0, "allowed": 3600.0},
        "failures": {"spent": 4.0, "allowed": 5.0},
        "worker_hours": {"spent": pytest.approx((29 + 18 + 2 + (8 + 48 + 3600) * 2) / 3600), "allowed": None},
        "gpu_hours": {"spent": pytest.approx(2.045, abs=1e-3), "allowed": 2.0},
        "cpu_hours": {"spent": pytest.approx(1.0224, abs=1e-3), "allowed": None},
        "cost": {"spent": pytest.approx(6.134, abs=1e-3), "allowed": None},
    }
    spent = "1h1m of 1h of this submit; 2.04 of 2 GPU hours; 1.02 CPU hours; 6.13 cost; 4 of 5 failures of one trial"
    assert told(log)[0]["spent"] == spent


def test_the_usual_budget_of_failures_is_the_file_s():
    assert Budget().failures == spent.DEFAULT_FAILURES
    told = spent.budgets(SweepState(about={"written": {"steps": 1}}), None)
    assert told["failures"] == {"spent": 0.0, "allowed": 3.0}


def test_a_sweep_that_is_just_starting_has_nothing_to_tell(log, told):
    log.add()
    with log.driven():
        facts, rest = told(log)
    assert facts == {
        "sweep": f"not opened yet ({PATHS.id})",
        "state": "starting",
        "driver": f"process {os.getpid()}",
        "place": f"{log.store.uri}/{PATHS.id}",
    }
    assert rest == []


def test_a_driver_that_starts_again_is_not_taken_for_one_that_ran_on(log, told):
    half_way(log).add(closed(70, "done"))
    with log.driven():
        facts, _ = told(log)
    assert facts["state"] == "done, after 1m10s; a driver holds it: it is about to go on, or to let go"


def test_a_request_to_stop_is_told_while_somebody_can_hear_it(anywhere, told):
    half_way(anywhere)
    anywhere.store.write(PATHS.stop_request, b"")
    assert described(anywhere)["asked_to_stop"] is False
    with anywhere.driven():
        assert told(anywhere)[0]["state"] == "running, for 2m; somebody asked its trials to save and end"


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (ELSEWHERE, "process 7 on far"),
        (Claim(**{**asdict(ELSEWHERE), "released": True}), "nobody; the last one was process 7 on far"),
        (
            Claim(**{**asdict(ELSEWHERE), "at": START - 180}),
            "nobody, it seems: process 7 on far has been silent for 5m, and has not let go",
        ),
        (None, "nobody; the last one was another process"),
    ],
)
def test_a_driver_on_another_machine_is_judged_by_its_claim(bucket, now, told, monkeypatch, claim, text):
    log = half_way(Log(bucket))
    raw = b"nonsense" if claim is None else json.dumps({"format": 1, **asdict(claim)}).encode()
    log.store.write(f"{PATHS.claims}/00000003.json", raw)
    monkeypatch.setattr("cluster.log.lease.time.time", lambda: START + 120)
    assert told(log)[0]["driver"] == text


def test_seeds_finalists_and_several_attempts_are_counted(log, told):
    planned = {"seeds": 2, "finalists": {"settings": 1, "seeds": 3}}
    log.add(opened(**planned), opened(50, attempt=2, **planned))
    for trial in range(2):
        log.add(suggested(trial, setting=0, seed=trial), started(trial), reported(trial, 100, 60, 0.5 + trial / 10))
    with log.driven():
        facts, _ = told(log)
    assert facts["state"] == "running, for 1m10s of attempt 2"
    assert facts["trials"] == "0 of 14 have ended: 2 running"
    assert facts["best"] == f"setting 0, by 2 trainings: {METRIC} 0.55 at step 100; the preset"


def test_time_to_go_is_that_of_all_steps_at_the_mean_rate_of_those_that_run(log):
    log.add(opened(), *(suggested(trial) for trial in range(3)), started(0), started(1))
    log.add(reported(0, 50, 10, rate=10.0), reported(1, 20, 10, rate=30.0))
    state = open_sweep(log.store, PATHS.id).state
    state.trials[0].state = state.trials[1].state = "running"
    assert eta_seconds(state, {0: 2.0, 1: 6.0}) == (50 + 80 + 100 + 100) / (4.0 * 2)
    assert eta_seconds(state, {0: 2.0, 1: None}) == (50 + 80 + 100 + 100) / (2.0 * 2), "the other is as fast"
    assert eta_seconds(state, {0: None}) is None
    assert eta_seconds(state, {}) is None


def test_only_what_fits_is_shown_of_many_mishaps(log, told):
    log.add(opened(trials=20), *(suggested(trial) for trial in range(12)))
    log.add(*(failed(trial, 5 + trial) for trial in range(12)))
    title, _, *rows = told(log)[1]
    assert title == "What happened (10 of 12; -o json lists them all)"
    assert len(rows) == 10


@pytest.mark.parametrize(
    ("command", "ends"), [(("status", "-o", "json"), 0), (("status",), 0), (("stop",), 0), (("watch",), 130)]
)
def test_nothing_of_weight_is_loaded(log, command, ends):
    half_way(log)
    name, *options = command
    code, err, loaded = loaded_by(name, "small", *options, "--storage", log.store.uri)
    assert (code, err) == (ends, "")
    assert not {"torch", "ray", "pyarrow", "numpy", "prometheus_client"}.intersection(loaded)
