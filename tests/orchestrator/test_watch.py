"""`watch`: a line for each event of a log that grows, and an end by itself once nobody drives the sweep."""

import io
import os

import pytest
from rich.console import Console

from orchestrator import submit
from orchestrator.finding import open_sweep
from orchestrator.running import watch
from tests.orchestrator.logs import (
    METRIC,
    PATHS,
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

ANYWHERE = pytest.mark.parametrize("log", ["folder", "s3"], indirect=True)


def watched(log, run):
    code, out, err = run("watch", PATHS.id, "--storage", log.store.uri)
    assert err == ""
    return code, out.splitlines()


@ANYWHERE
def test_every_event_is_a_line_and_the_past_is_summed_up(log, driver, run):
    log.add(opened(), suggested(0), started(0), reported(0, 100, 30, 0.6), ended(0, 31), suggested(1), started(1, 33))
    driver(
        lambda: log.add(reported(1, 10, 40), reported(1, 20, 45, 0.25), noticed(1, 46, 20, "one sample left out")),
        lambda: log.add(
            failed(1, 50), started(1, 51), (52, "stumbled", {"trial": 1, "error": "disk full", "count": 2})
        ),
        lambda: log.add((53, "preempted", {"trial": 1, "step": 30}), started(1, 54)),
        lambda: log.add(ended(1, 60, "stopped", by="asha", why="it was worse")),
        lambda: log.add(suggested(2), started(2, 61), reported(2, 50, 70, 0.5)),
        lambda: log.add(ended(2, 71, "failed", "not finite"), closed(72, "done")),
    )
    code, lines = watched(log, run)
    name = f"sweep small ({PATHS.id})"
    assert lines == [
        f"{name}: running, for 2m; 1 of 4 have ended: 1 running, 1 done",
        f"trial 1  step 20/100  {METRIC} 0.25  at most 2m20s to go",
        "trial 1  step 20: one sample left out",
        "trial 1  failure 1: worker 0 died",
        "trial 1  started again, at step 20 when last heard of (start 2)",
        "trial 1  failure 2: disk full",
        "trial 1  step 30: it leaves a machine that is to go",
        "trial 1  started again, at step 20 when last heard of (start 3)",
        f"trial 1  stopped by asha: it was worse  step 20/100  {METRIC} 0.25",
        "trial 2  started",
        f"trial 2  step 50/100  {METRIC} 0.5  at most 1m15s to go",
        f"trial 2  failed: not finite  step 50/100  {METRIC} 0.5",
        "attempt 1 has ended: done",
        f"{name}: done, after 1m12s; 3 of 3 have ended: 1 done, 1 stopped (1 by asha), 1 failed",
    ]
    assert code == 0


def test_an_evaluation_that_is_told_again_is_printed_once(log, driver, run):
    log.add(opened(), suggested(0), started(0))
    driver(
        lambda: log.add(reported(0, 10, 40, 0.2), reported(0, 20, 45, 0.25)),
        lambda: log.add(failed(0, 50), started(0, 51), reported(0, 20, 52, 0.25), reported(0, 30, 53, 0.3)),
        lambda: log.add(reported(0, 10, 54, 0.2), reported(0, 20, 55, 0.4)),
    )
    _, lines = watched(log, run)
    steps = [line.split()[3] for line in lines if line.startswith("trial 0  step")]
    assert steps == ["10/100", "20/100", "30/100", "10/100", "20/100"], "one that went back is told of"


@ANYWHERE
def test_a_driver_that_dies_ends_it(log, driver, run):
    log.add(opened(), suggested(0), started(0))
    driver()
    code, lines = watched(log, run)
    who = f"process {os.getpid()}" + (f" on {os.uname().nodename}" if log.store.remote else "")
    assert lines[1:] == [
        f"sweep small ({PATHS.id}): interrupted, after 2s: {who} is gone and has not closed the log; "
        "0 of 4 have ended: 1 pending; `i2i-cluster submit sweep.yaml` goes on"
    ]
    assert code == 130


def test_what_has_ended_already_is_told_at_once_with_submit_s_exit_code(tmp_path, run, monkeypatch):
    log = Log(str(tmp_path)).add(opened(), suggested(0), started(0))
    monkeypatch.setattr(
        "orchestrator.running.watch.time.sleep", lambda seconds: pytest.fail("there is nothing to wait for")
    )
    for at, state in enumerate(("stopped", "failed", "interrupted", "done"), 10):
        log.add(closed(at, state, "why"))
        code, (line,) = watched(log, run)
        assert line.startswith(f"sweep small ({PATHS.id}): {state}, after {at}s")
        assert code == watch.EXIT[state]
    assert watch.EXIT == submit.EXIT


def test_a_scheduler_that_waits_for_a_round_tells_whom_it_stops(tmp_path, driver, run, log):
    log.add(opened(), suggested(0), suggested(1), started(0), started(1))
    decisions = [
        {"trial": 0, "action": "continue", "why": ""},
        {"trial": 1, "action": "stop", "why": "2nd of 2"},
    ]
    driver(
        lambda: log.add((9, "settled", {"by": "halving", "step": 30, "decisions": decisions})),
        lambda: log.add(opened(20, attempt=2), (21, "retried", {"trial": 1})),
    )
    assert watched(log, run)[1][1:-1] == [
        "trial 1  stopped by halving: 2nd of 2",
        "attempt 2 begins",
        "trial 1  is tried again",
    ]


def test_ctrl_c_ends_the_watching_and_nothing_else(log, driver, run):
    log.add(opened(), suggested(0), started(0))

    def interrupt():
        raise KeyboardInterrupt

    driver(interrupt)
    assert run("watch", PATHS.id, "--storage", log.store.uri)[0] == 130
    assert not log.store.exists(PATHS.stop_request)


def test_a_terminal_shows_how_it_is_now(log, driver):
    log.add(opened(), suggested(0), started(0))
    driver(lambda: log.add(reported(0, 20, 45, 0.25)))
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    assert watch.watch(open_sweep(log.store, PATHS.id), console) == 130
    shown = screen.getvalue()
    assert "0/100" in shown and "20/100" in shown
    assert "Ctrl-C ends the watching, not the sweep." in shown


def test_a_sweep_that_was_taken_up_again_is_watched_on(log, driver, run, monkeypatch):
    log.add(opened(), suggested(0), started(0))
    driver()
    taken: list[None] = []

    def look_again(store, sweep):
        if not taken:
            taken.append(driver())
        return open_sweep(store, sweep)

    monkeypatch.setattr("orchestrator.running.watch.open_sweep", look_again)
    code, lines = watched(log, run)
    assert [line.split(":")[1].split(",")[0].strip() for line in lines] == ["running", "running", "interrupted"]
    assert code == 130


def test_what_a_trial_does_before_its_first_step_is_no_mishap(log, driver, run):
    log.add(opened(), suggested(0), started(0), suggested(1), started(1), noticed(1, 9, 0, "waiting for stage first"))
    log.add(noticed(0, 10, 0, "stage first: step 1 of 9"), noticed(0, 11, 0, "stage first: step 2 of 9"))
    driver()
    _, out, _ = run("status", PATHS.id, "--storage", log.store.uri)
    told = out.partition("Before the first step")[2]
    assert "stage first: step 2 of 9" in told and "waiting for stage first" in told
    assert "step 1 of 9" not in out and "What happened" not in out
