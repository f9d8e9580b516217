"""Why a worker group died, in one line for people: who died first, not who complained about it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError
from ray.train import ControllerError, WorkerGroupError
from ray.train.v2._internal.exceptions import (
    UserExceptionWithTraceback,
    WorkerGroupStartupTimeoutError,
    WorkerHealthCheckFailedError,
)

from cluster.deaths import in_short
from cluster.workers.mailbox import Member
from trainers.errors import PeerLost

WAITING = ", in tree.py:"  # a stalled worker that stood there waited for another one


def found_no_room(failure: Exception | None) -> bool:
    """Whether the group never started because somebody else was given what it was meant to run on."""
    return isinstance(failure, ControllerError) and isinstance(
        failure.controller_failure, WorkerGroupStartupTimeoutError
    )


def was_preempted(failure: Exception | None) -> bool:
    """Whether Ray says that a worker died because its machine was announced to go."""
    return any(isinstance(death, RayActorError) and death.preempted for death in _deaths(failure).values())


def cause(failure: Exception | None, members: Mapping[int, Member], size: int, stalls: Sequence[str]) -> str:
    """What killed a group of `size` workers. `stalls`: what their watchdogs said."""
    if stalls:
        culprits = [line for line in stalls if WAITING not in line]
        return culprits[0] if culprits else f"{stalls[0]}: it waited for another worker"
    if deaths := _deaths(failure):
        who = " and ".join(_name(rank, members) for rank in sorted(deaths))
        why = {in_short(str(error)) for error in deaths.values() if isinstance(error, OutOfMemoryError)}
        return f"{who} of {size} died" + "".join(f": {text}" for text in sorted(why)[:1])
    if isinstance(failure, WorkerGroupError):
        return _raised(failure.worker_failures, members, size)
    if isinstance(failure, ControllerError):
        error = failure.controller_failure
        return (
            f"the worker group could not start: {_last_line(error.cause if isinstance(error, RayTaskError) else error)}"
        )
    if isinstance(failure, RayActorError):
        return "the process that watches over the worker group died"
    return f"the worker group ended: {_last_line(failure) if failure else 'nobody told how'}"


def _deaths(failure: Exception | None) -> dict[int, RayActorError | OutOfMemoryError]:
    """The ranks whose processes are gone."""
    if not isinstance(failure, WorkerGroupError):
        return {}
    checks = {r: e for r, e in failure.worker_failures.items() if isinstance(e, WorkerHealthCheckFailedError)}
    found = {rank: check.health_check_failure for rank, check in checks.items()}
    return {rank: error for rank, error in found.items() if isinstance(error, RayActorError | OutOfMemoryError)}


def _raised(failures: Mapping[int, Exception], members: Mapping[int, Member], size: int) -> str:
    """Which worker raised what; those that only missed another one count last, and the other one is named if it can be told."""
    raised = {
        rank: error._base_exc if isinstance(error, UserExceptionWithTraceback) else error
        for rank, error in sorted(failures.items())
    }
    rank = min(raised, key=lambda r: isinstance(raised[r], PeerLost))
    error, silent = raised[rank], [r for r in range(size) if r not in raised]
    if isinstance(error, PeerLost) and len(silent) == 1:
        return f"{_name(silent[0], members)} of {size} was lost: {_last_line(error)}"
    return f"worker {rank} of {size} raised {type(error).__name__}: {_last_line(error)}"


def _name(rank: int, members: Mapping[int, Member]) -> str:
    member = members.get(rank)
    return f"worker {rank} ({member.host}, pid {member.pid})" if member else f"worker {rank}"


def _last_line(error: BaseException) -> str:
    return in_short(str(error) or type(error).__name__)
