"""What Ray says of a process that died, in one line for people; and to Tune, which does not know all of it.

The surprise is Ray's watch over memory, which is on in every cluster: the error of a process that it ended is neither an actor's
nor a task's, so Tune takes it for a bug of Ray's, and ends the whole sweep. Verified with Ray 2.60.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError

LONGEST = 300  # characters of somebody's error text
MEMORY = re.compile(r"running low on memory.*? was (\S+) used / (\S+) limit", re.DOTALL)
ENDED = "Worker unexpectedly exits with a connection error"  # that is all that a raylet knows of a signal or a crash
PID = re.compile(r"^\s*pid: (\d+)$", re.MULTILINE)


def in_short(text: str) -> str:
    """One line of an error's text: the last one, which is the exception itself, unless Ray is known to say it at length."""
    if found := MEMORY.search(text):
        used, limit = found.groups()
        return f"Ray ended its process, because its node was low on memory: {used} of {limit} were used"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its process died"
    if ENDED not in lines[-1]:
        return lines[-1][:LONGEST]
    pids = PID.findall(text)
    who = f"its process (pid {pids[-1]})" if pids else "its process"
    return f"{who} died: a signal ended it, such as the kernel's where memory is short, or it crashed"


@contextmanager
def told_to_tune() -> Iterator[None]:
    """While Tune runs: a process that was ended for want of memory has died, as others do."""
    manager_class: Any = RayActorManager
    known = manager_class._actor_task_failed

    def failed(self: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        died = isinstance(exception, OutOfMemoryError)
        known(self, tracked_actor_task, RayActorError(error_msg=str(exception)) if died else exception)

    manager_class._actor_task_failed = failed
    try:
        yield
    finally:
        manager_class._actor_task_failed = known
