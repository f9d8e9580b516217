"""What a dead group is said to have died of: of several complaints, the one that names the culprit."""

import pytest
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.train import ControllerError, WorkerGroupError
from ray.train.v2._internal.exceptions import (
    UserExceptionWithTraceback,
    WorkerGroupStartupFailedError,
    WorkerGroupStartupTimeoutError,
    WorkerHealthCheckFailedError,
)

from cluster.workers.causes import cause, found_no_room, was_preempted
from cluster.workers.mailbox import Member
from trainers.errors import PeerLost

MEMBERS = {rank: Member(rank, "n1", "host", 100 + rank) for rank in range(4)}
LOST = "rank 0 lost a peer (rank 1) in a sum of 9 numbers: Connection reset by peer"
NO_MEMORY = "Ray ended its process, because its node was low on memory: 7GB of 8GB were used"
STALL = "step 41 stalled for 600 s on rank {} (host, pid 101) while training, in {}"


def died(preempted: bool = False) -> WorkerHealthCheckFailedError:
    return WorkerHealthCheckFailedError("a check failed", RayActorError(preempted=preempted))


def ended_for_memory() -> WorkerHealthCheckFailedError:
    text = "1 worker(s) were killed due to the node running low on memory. It was 7GB used / 8GB limit\nRefer to the documentation"
    return WorkerHealthCheckFailedError("a check failed", OutOfMemoryError(text))


def raised(error: Exception) -> UserExceptionWithTraceback:
    return UserExceptionWithTraceback(error, "Traceback ...")


def group(**failures: Exception) -> WorkerGroupError:
    return WorkerGroupError("it failed", {int(rank.removeprefix("r")): error for rank, error in failures.items()})


@pytest.mark.parametrize(
    ("failure", "size", "expected"),
    [
        (group(r1=died()), 2, "worker 1 (host, pid 101) of 2 died"),
        (group(r0=raised(PeerLost(LOST)), r1=died()), 2, "worker 1 (host, pid 101) of 2 died"),
        (group(r3=died(), r1=died()), 4, "worker 1 (host, pid 101) and worker 3 (host, pid 103) of 4 died"),
        (group(r5=died()), 8, "worker 5 of 8 died"),
        (
            group(r0=raised(PeerLost(LOST)), r1=ended_for_memory()),
            2,
            f"worker 1 (host, pid 101) of 2 died: {NO_MEMORY}",
        ),
        (
            group(r0=raised(PeerLost(LOST)), r1=raised(OSError("first\nNo space left\n"))),
            2,
            "worker 1 of 2 raised OSError: No space left",
        ),
        (group(r0=raised(PeerLost(LOST))), 2, f"worker 1 (host, pid 101) of 2 was lost: {LOST}"),
        (group(r0=raised(PeerLost(LOST))), 4, f"worker 0 of 4 raised PeerLost: {LOST}"),
        (
            ControllerError(WorkerGroupStartupFailedError("At least one of the worker actors failed to initialize.")),
            2,
            "the worker group could not start: At least one of the worker actors failed to initialize.",
        ),
        (RayActorError(), 2, "the process that watches over the worker group died"),
        (None, 2, "the worker group ended: nobody told how"),
    ],
)
def test_the_culprit_is_named(failure, size, expected):
    assert cause(failure, MEMBERS, size, []) == expected


def test_a_watchdog_knows_best_and_one_that_waited_least():
    waited, worked = STALL.format(0, "tree.py:58 sum_across_workers"), STALL.format(1, "store.py:94 read")
    failure = group(r0=died())
    assert cause(failure, MEMBERS, 2, [waited, worked]) == worked
    assert cause(failure, MEMBERS, 2, [waited]) == f"{waited}: it waited for another worker"


def test_a_long_text_of_others_is_cut():
    text = cause(group(r0=raised(ValueError("x" * 5000))), MEMBERS, 1, [])
    assert text.startswith("worker 0 of 1 raised ValueError: xxx")
    assert len(text) < 400


def test_what_is_no_failure_of_the_training():
    assert was_preempted(group(r0=raised(PeerLost(LOST)), r1=died(preempted=True)))
    assert not was_preempted(group(r1=died()))
    assert not was_preempted(None)
    assert found_no_room(ControllerError(WorkerGroupStartupTimeoutError(num_workers=2)))
    assert not found_no_room(ControllerError(WorkerGroupStartupFailedError("a worker died")))
    assert not found_no_room(group(r1=died()))
