"""This machine as a target: real processes in the background, which a test ends. Their driver is a script that does as told."""

import os
import stat
import threading

import pytest

from cluster.targets import local
from cluster.targets.local import LocalTarget
from cluster.targets.target import JobState, Parcel
from tests.beds import until

PARCEL = Parcel("key", "toy", '{"name": "toy"}', ("--expect", "id"))


@pytest.fixture
def python(state, tmp_path, monkeypatch):
    """python("echo hi"): the next driver is this shell script; its arguments are those that Python would get."""

    def use(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)
        monkeypatch.setattr("sys.executable", str(path))

    return use


def found(key="key"):
    job = LocalTarget().find(key)
    assert job is not None
    return job


def over():
    return until("the job is over", lambda: found().state.is_over and found(), 60)


def test_it_runs_in_the_background_and_leaves_its_output(python, state):
    python('echo "$@"; cat "$4"; echo; echo done >&2')
    target = LocalTarget()
    assert target.find("key") is None
    job = target.submit(PARCEL, 1)
    file = state / "jobs" / "i2i-key-1" / "sweep.yaml"
    words = f"-m orchestrator.cli drive {file} --expect id"
    assert list(target.logs(job, follow=True)) == [words, PARCEL.text, "done"]
    assert (over().state, over().detail) == (JobState.done, "")
    assert target.find("ke") is None
    assert os.uname().nodename in target.place


def test_a_driver_that_fails_is_told_by_its_last_line(python):
    python("echo 'error: no such data' >&2; exit 2")
    LocalTarget().submit(PARCEL, 1)
    assert (over().state, over().detail) == (JobState.failed, "exit code 2: error: no such data")


def test_the_newest_job_counts(python):
    python("exit 3")
    target = LocalTarget()
    for number in (1, 2, 10):
        target.submit(PARCEL, number)
    assert found().number == 10


def test_two_clients_at_once_start_one_process(python, tmp_path):
    python(f"echo $$ >> {tmp_path}/pids; exec sleep 60")
    both = threading.Barrier(4)
    states = []

    def client():
        both.wait(10)
        states.append(LocalTarget().submit(PARCEL, 1).state)

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(30)
    assert states == [JobState.running] * 4
    until("it has started", (tmp_path / "pids").exists, 30)
    LocalTarget().stop(found())
    assert found().state is JobState.stopped
    assert len((tmp_path / "pids").read_text().split()) == 1
    assert list((tmp_path / "state" / "i2i-cluster" / "jobs").glob(".new-*")) == []


def test_a_driver_is_asked_to_end_and_what_it_started_is_not(python, tmp_path):
    """Ray's processes are in the driver's group, and it needs them to save."""
    python(
        f"""trap 'kill -0 $child && echo alive > {tmp_path}/child; kill $child; exit 130' TERM
        sleep 60 & child=$!
        echo up > {tmp_path}/up
        wait $child"""
    )
    LocalTarget().submit(PARCEL, 1)
    until("it is up", (tmp_path / "up").exists, 30)
    LocalTarget().stop(found())
    assert (tmp_path / "child").read_text() == "alive\n"
    assert found().state.is_over


def test_a_driver_that_does_not_listen_is_ended(python, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "GRACE_S", 0.2)
    python(f"trap '' TERM; echo up > {tmp_path}/up; while true; do sleep 0.1; done")
    LocalTarget().submit(PARCEL, 1)
    until("it is up", (tmp_path / "up").exists, 30)
    LocalTarget().stop(found())
    until("it is gone", lambda: found().state.is_over, 30)
    assert found().state is JobState.stopped


def test_a_job_that_a_reboot_ended_is_stopped(state):
    folder = state / "jobs" / "i2i-key-4"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    assert (found().number, found().state) == (4, JobState.stopped)


def test_a_driver_refuses_another_sweep_than_was_submitted(run, shards, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(f"system: cyclegan\ndata: {{uri: {shards}, image: 64}}\nsteps: 10\nstorage: {tmp_path}/runs\n")
    code, _, err = run("drive", file, "--expect", "0123456789ab")
    assert (code, "and was 0123456789ab where it was submitted" in err) == (2, True)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("packed", "told"), [(None, "I2I_SWEEP is not set"), ("x", "I2I_SWEEP holds no sweep")])
def test_a_driver_without_a_sweep_says_so(run, monkeypatch, packed, told):
    monkeypatch.delenv("I2I_SWEEP", raising=False)
    if packed is not None:
        monkeypatch.setenv("I2I_SWEEP", packed)
    code, _, err = run("drive", "-", "--expect", "0123456789ab")
    assert (code, told in err, len(err.splitlines())) == (2, True, 1)
