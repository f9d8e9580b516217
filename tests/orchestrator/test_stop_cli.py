"""`stop`: whom it asks, what it says of it, and when it has nothing to ask."""

import json
import os
from dataclasses import asdict

import pytest

from cluster.log.holder import Holder
from cluster.log.lease import Claim
from cluster.stop import StopRequest
from tests.orchestrator.logs import PATHS, START, Log, closed, opened, started, suggested

ANYWHERE = pytest.mark.parametrize("log", ["folder", "s3"], indirect=True)


def stopped(log, run, *options):
    code, out, err = run("stop", "small", "--storage", log.store.uri, *options)
    assert (code, err) == (0, "")
    return out.splitlines()


def who(log):
    return f"process {os.getpid()}" + (f" on {os.uname().nodename}" if log.store.remote else "")


@ANYWHERE
def test_it_waits_until_the_driver_has_let_go(log, driver, run):
    log.add(opened(), suggested(0), suggested(1), started(0), started(1))
    conductor_s = StopRequest(log.store, PATHS.stop_request)

    def obey():
        assert log.store.exists(conductor_s.path)
        log.add(closed(20, "interrupted"))
        conductor_s.withdraw()

    driver(obey)
    assert stopped(log, run) == [
        f"asked {who(log)} to stop sweep small: 2 running trials will save and end, and none is started any more",
        f"sweep small ({PATHS.id}): interrupted, after 20s: as somebody wished; 0 of 4 have ended: 2 pending; "
        "`i2i-cluster submit sweep.yaml` goes on",
    ]


def test_it_need_not_wait(log, driver, run):
    log.add(opened(), suggested(0), started(0))
    driver(lambda: pytest.fail("it waits"))
    (line,) = stopped(log, run, "--no-wait")
    assert line.endswith("small: 1 running trial will save and end, and none is started any more")
    assert log.store.exists(PATHS.stop_request)


@ANYWHERE
def test_a_driver_that_is_starting_and_forgets_it_is_asked_again(log, driver, run):
    log.add(opened())
    request = StopRequest(log.store, PATHS.stop_request)
    driver(request.withdraw, lambda: None, lambda: log.store.read(PATHS.stop_request))
    assert stopped(log, run)[0].endswith("no trial runs, and none is started any more")


@ANYWHERE
def test_nobody_is_asked_where_nobody_drives(log, run):
    log.add(opened(), suggested(0), started(0))
    with log.driven():
        pass
    assert stopped(log, run) == [
        "nobody drives sweep small: nothing to stop",
        f"sweep small ({PATHS.id}): interrupted, after 2s: {who(log)} is gone and has not closed the log; "
        "0 of 4 have ended: 1 pending; `i2i-cluster submit sweep.yaml` goes on",
    ]
    log.add(closed(9, "done"))
    assert stopped(log, run)[1] == f"sweep small ({PATHS.id}): done, after 9s; 0 of 1 have ended: 1 pending"
    assert not log.store.exists(PATHS.stop_request)


def test_the_driver_that_took_it_over_is_not_waited_for(log, driver, run, monkeypatch):
    log.add(opened(), suggested(0), started(0))
    driver(lambda: pytest.fail("it waits for the other one"))
    other = Holder("drives", 7, None, None, "another")
    monkeypatch.setattr("orchestrator.running.stop_sweep.last_holder", lambda store, paths: other)
    assert stopped(log, run)[1].startswith(f"sweep small ({PATHS.id}): running, for 2m")


def test_a_driver_elsewhere_that_seems_dead_is_asked_all_the_same(bucket, run, monkeypatch):
    monkeypatch.setattr("orchestrator.running.status.time.time", lambda: START + 120)
    log = Log(bucket).add(opened(), suggested(0), started(0))
    silent = Claim("far", "another boot", 7, "7", "x", at=START)
    log.store.write(f"{PATHS.claims}/00000001.json", json.dumps({"format": 1, **asdict(silent)}).encode())
    (line,) = stopped(log, run)
    told = "process 7 on far has been silent for 2m, and has not let go; if it lives, it will stop"
    assert line == f"sweep small: nobody, it seems: {told}"
    assert log.store.exists(PATHS.stop_request)
