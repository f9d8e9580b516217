"""A sweep that is stopped from outside, and goes on without its file: on a real, embedded Ray, to the same bytes."""

import json
import subprocess
import time

import pytest

from tests.chaos.calm import calm
from tests.integration.conftest import Desk
from tests.integration.spec import SPEC

pytestmark = pytest.mark.ray
TRIALS, STEPS = 2, 60


def spec(shards, trials):
    return SPEC.format(shards=shards, steps=STEPS, trials=trials, evaluate=20)


def wait_for_step(desk, step, deadline=120.0):
    """Wait until trial 0 has reported that step."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        logs = list(desk.storage.glob("*/log.jsonl"))
        if logs and any(r["kind"] == "reported" and r["step"] >= step for r in desk.records()):
            return
        time.sleep(0.05)
    pytest.fail(f"not within {deadline} s")


def test_it_is_stopped_watched_resumed_and_extended_without_its_file(desk, shards, tmp_path):
    wanted = [*calm(spec(shards, TRIALS + 1), tmp_path / "calm").digests.values()]
    file = desk.write(spec(shards, TRIALS))
    driver = subprocess.Popen(desk.command("submit", "sweep.yaml"), cwd=desk.folder, stdout=subprocess.DEVNULL)
    wait_for_step(desk, 5)
    watcher = subprocess.Popen(desk.command("watch", "small"), cwd=desk.folder, stdout=subprocess.PIPE, text=True)
    assert watcher.stdout is not None
    assert watcher.stdout.readline().startswith("sweep small (")
    seen = json.loads(desk.ok("status", "small", "-o", "json"))
    assert (seen["state"], seen["driver"]["pid"], seen["trials"]["total"]) == ("running", driver.pid, TRIALS)
    busy = desk.run("resume", "small")
    told = f"error: this sweep is already being run by process {driver.pid}; wait for it, or stop it first\n"
    assert (busy.returncode, busy.stderr) == (2, told)

    asked, stopped = desk.ok("stop", "small").splitlines()
    assert asked.startswith(f"asked process {driver.pid} to stop sweep small: ")
    assert ": interrupted, after " in stopped and ": as somebody wished; " in stopped
    assert driver.wait(60) == 130
    rest, _ = watcher.communicate(timeout=60)
    assert (watcher.returncode, rest.splitlines()[-1]) == (130, stopped)

    file.unlink()
    elsewhere = Desk(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    place = desk.storage / seen["id"]
    elsewhere.ok("resume", place)
    assert json.loads(elsewhere.ok("status", place, "-o", "json"))["state"] == "done"
    assert desk.digests(TRIALS) == wanted[:TRIALS]
    refused = elsewhere.run("retry", place, 1)
    assert (refused.returncode, refused.stderr.startswith("error: TRIAL: trial 1 is done, and ")) == (2, True)

    elsewhere.ok("resume", place, "--trials", "+1")
    assert desk.digests(TRIALS + 1) == wanted
    again = elsewhere.run("resume", place)
    assert (again.returncode, "nothing to run" in again.stderr) == (0, True)
    assert list(elsewhere.folder.iterdir()) == [], "nothing is left where the commands were given"
