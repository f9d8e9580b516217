"""A worker that dies or falls silent: the others raise, within the group's timeout, and say what they know."""

import pickle
import re
import signal

import pytest
import torch

import trainers.tree
from tests.trainers.processes import Processes
from tests.trainers.worlds import variant
from trainers.errors import PeerLost
from trainers.tree import Tree

TIMEOUT = 3.0  # of the group, in seconds
NUMBERS = 5000

WORKS = {
    "whole": lambda tree: tree.sum_across_workers(torch.ones(NUMBERS)),
    "shares": lambda tree: tree.sum_across_workers(torch.ones(NUMBERS)),
    "gather": lambda tree: tree.gather(bytes(NUMBERS)),
    "agree": lambda tree: tree.agree(1.0),
}
TOLD = {
    "whole": r"rank {rank} lost a peer \(rank \d\) in a sum of 5,000 numbers: ",
    "shares": r"rank {rank} lost a peer \(rank \d\) in a sum of 5,000 numbers: ",
    "all-reduce": r"rank {rank} lost a peer in a sum of 5,000 numbers: ",
    "gather": r"rank {rank} lost a peer in gathering 5,000 bytes: ",
    "agree": r"rank {rank} lost a peer in agreeing on a number: ",
}
GONE = r"(Read error|Write error|Connection closed|.*Connection reset|.*Broken pipe)[^\n]*"
SILENT = r"Timed out waiting 3000ms for (send|recv) operation to complete"


def work_on(pipe, rank, workers, name):
    """Do one thing again and again, until a peer is lost; then say what was raised, and stay."""
    if name == "shares":
        trainers.tree.LARGE = 64
    tree = Tree(workers, rank, workers, exact=name != "all-reduce")
    work = WORKS.get(name, WORKS["whole"])
    _until_lost(pipe, lambda: work(tree))


def train_on(pipe, rank, workers):
    """The same with steps of an engine."""
    engine = variant("pix2pix", Tree(workers, rank, workers))
    _until_lost(pipe, engine.step)


def _until_lost(pipe, work):
    work()
    pipe.send("began")
    try:
        while True:
            work()
    except PeerLost as error:
        pipe.send(error)
    pipe.recv()  # a group's survivors wait to be told what comes next; they do not give themselves away by exiting


def lost(processes, victim, number, pattern):
    """Send the signal to `victim`, and match what each of the others raises."""
    assert processes.answers() == ["began"] * len(processes.pipes)
    processes.signal(victim, number)
    for rank in range(len(processes.pipes)):
        if rank != victim:
            error = processes.answer(rank)
            assert type(error) is PeerLost
            assert re.fullmatch(pattern.format(rank=rank), str(error)), str(error)


@pytest.mark.parametrize("name", ["whole", "all-reduce", "gather", "agree"])
def test_the_other_of_a_killed_worker_raises(name):
    with Processes(work_on, 2, name, timeout=TIMEOUT) as processes:
        lost(processes, 1, signal.SIGKILL, TOLD[name] + GONE)


@pytest.mark.parametrize("name", ["whole", "agree"])
def test_the_other_of_a_stopped_worker_raises_after_the_timeout(name):
    with Processes(work_on, 2, name, timeout=TIMEOUT) as processes:
        lost(processes, 0, signal.SIGSTOP, TOLD[name] + SILENT)


@pytest.mark.parametrize(("name", "number"), [("whole", signal.SIGKILL), ("shares", signal.SIGSTOP)])
def test_all_others_of_four_raise_whether_they_met_the_lost_one_or_not(name, number):
    with Processes(work_on, 4, name, timeout=TIMEOUT) as processes:
        lost(processes, 3, number, TOLD[name] + f"({GONE}|{SILENT})")


def test_a_step_raises():
    with Processes(train_on, 2, timeout=TIMEOUT) as processes:
        lost(processes, 0, signal.SIGKILL, r"rank 1 lost a peer \(rank 0\) in a sum of [\d,]+ numbers: " + GONE)


def test_the_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(PeerLost("rank 1 lost a peer in agreeing on a number: Connection closed")))
    assert (type(error), str(error)) == (PeerLost, "rank 1 lost a peer in agreeing on a number: Connection closed")
