"""Hosts that are lost, or lost to each other, with S3 as the only thing that they share: the run ends as if nothing had been."""

import os
import re
import time

import pytest

from data_shards.store import open_store
from tests import hosts as beds
from tests.beds import WORKER, until
from tests.chaos.sweeps import STEPS, Sweep, breaches, reported

pytestmark = pytest.mark.ray
HEAD, WORKING, SPARE = 0, (1, 2), 3
EVER = 1000  # failures that the budget allows
PROGRESS_S, RECOVERED_S, END_S, CLEAN_S = 150.0, 150.0, 150.0, 90.0
# One worker a host. A worker that hears nothing of another gives up after twice `stall`; Ray notices earlier.
SPREAD = f"resources: {{workers: 2, cpus_per_worker: 1}}\nbudget: {{failures: {EVER}}}\n"


@pytest.fixture
def network():
    """Four hosts, not yet nodes of a cluster."""
    if reason := beds.missing():
        if os.environ.get(beds.REQUIRE) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with beds.hosts(SPARE + 1) as bed:
        yield bed


@pytest.fixture
def running(network, pictures, tmp_path, monkeypatch):
    """A run on two of the hosts, whose data and storage are in S3 on the head."""
    with network.s3() as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        data = server.uri("shards/data")
        for file in pictures.iterdir():
            open_store(data).upload(file.name, file)
        network.start_ray(HEAD)
        network.start_ray(*WORKING)
        sweep = Sweep(tmp_path, network.env(HEAD), server.uri("shards/runs"), network.inside(HEAD))
        sweep.write(data, trials=1, more=SPREAD)
        sweep.start()
        try:
            yield sweep
        finally:
            sweep.kill()


def past_a_checkpoint(sweep):
    """That the trial has reported past its newest checkpoint."""
    assert sweep.driving(), sweep.tail()
    made = sweep.records() and sweep.committed(0)
    return made and any(record["step"] > made for record in reported(sweep.records(), 0))


def training_host(sweep, bed):
    """The host of rank 0, which writes the checkpoints."""
    newest = sweep.checkpoints(0).newest()
    name = newest.about["history"][-1]["host"]
    return next(host for host in WORKING if bed.name(host) == name)


def disturbed(sweep, harm):
    """Do harm to a run that trains, and wait until it trains again; the seconds that took, and the step it was at."""
    until("a run that may be harmed", lambda: past_a_checkpoint(sweep), PROGRESS_S, sweep.tail)
    before = sweep.records()
    step = max(record["step"] for record in reported(before, 0))
    then = time.time()
    harm()

    def again():
        assert sweep.driving(), sweep.tail()
        records = sweep.records()[len(before) :]
        start = next((i for i, record in enumerate(records) if record["kind"] == "started"), len(records))
        return list(reported(records[start:], 0))

    first = until("training after the harm", again, RECOVERED_S, sweep.tail)[0]
    return round(first["at"] - then, 2), step


def check_end(sweep, wanted):
    """That the run came to its end, and to the same one."""
    assert sweep.end(END_S) == 0, sweep.tail()
    assert breaches(sweep.records(), trials=1) == []
    assert sweep.digests(1) == wanted[:1]
    verified = sweep.told("checkpoints", "verify", "small").splitlines()
    assert all(": good, " in line for line in verified), verified
    assert re.match(rf"step {STEPS}\b", verified[-1])


def test_a_host_dies_with_all_that_was_on_it(network, running, wanted, record_property):
    def harm():
        lost = training_host(running, network)
        network.kill(lost)
        network.start_ray(lost)  # an empty machine in its place

    seconds, step = disturbed(running, harm)
    record_property("moments", [{"kind": "host", "trial": 0, "step": step, "seconds": seconds}])
    check_end(running, wanted)
    hosts = (HEAD, *WORKING)
    until("no worker is left", lambda: not network.leftovers(hosts), CLEAN_S, lambda: str(network.leftovers(hosts)))


@pytest.mark.slow
def test_a_host_that_was_cut_off_does_no_harm_when_it_comes_back(network, running, wanted, record_property):
    lost = []

    def harm():
        lost.append(training_host(running, network))
        network.cut(lost[0])
        assert network.pids(lost[0], WORKER), "a partition is no death"
        network.start_ray(SPARE)

    seconds, step = disturbed(running, harm)
    record_property("moments", [{"kind": "link", "trial": 0, "step": step, "seconds": seconds}])
    network.heal(lost[0])
    until("the worker that was cut off ends", lambda: not network.pids(lost[0], WORKER), CLEAN_S, running.tail)
    check_end(running, wanted)
