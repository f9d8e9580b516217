"""Ray's words about processes that died: a line that names the cause, and an error that Tune lives through."""

from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from cluster.deaths import LONGEST, in_short, told_to_tune

MEMORY = """1 worker(s) were killed due to the node running low on memory. \
Memory on the node (IP: 192.0.2.2) was 5.70GB used / 23.54GB limit (0.242161)
OOM kill reason: Memory usage 5777133568B exceeded threshold of 252765184B (1.0% of 25276518400B limit)
Refer to the documentation on how to address the out of memory issue: https://docs.ray.io
"""
KILLED = """Failure # 1 (occurred at 2026-11-22_20-14-02)
The actor died unexpectedly before finishing this task.
\tclass_name: ResourceTrainable
\tactor_id: 5b
\tpid: 6477
\tip: 192.0.2.2
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker unexpectedly \
exits with a connection error code 2. End of file. Some common causes include: (1) the process was killed by the OOM killer
"""
SIGNAL = "a signal ended it, such as the kernel's where memory is short, or it crashed"
NODE = "The actor died\n\tpid: 7\nThe actor died because its node has died: health check failed\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (MEMORY, "Ray ended its process, because its node was low on memory: 5.70GB of 23.54GB were used"),
        (KILLED, f"its process (pid 6477) died: {SIGNAL}"),
        (KILLED.replace("\tpid: 6477\n", ""), f"its process died: {SIGNAL}"),
        (NODE, "The actor died because its node has died: health check failed"),
        ("Traceback\n  File x\nValueError: no such thing\n\n", "ValueError: no such thing"),
        ("", "its process died"),
    ],
)
def test_a_line_says_what_it_was(text, line):
    assert in_short(text) == line
    assert len(in_short("x" * 1000)) == LONGEST


def test_tune_takes_a_process_without_memory_for_a_dead_one():
    told = []
    actor = SimpleNamespace(actor_id=1, _on_error=lambda actor, error: told.append(("actor", error)))
    task = SimpleNamespace(_tracked_actor=actor, _on_error=lambda actor, error: told.append(("task", error)))
    manager: Any = RayActorManager.__new__(RayActorManager)
    manager._failed_actor_ids = set()
    manager._cleanup_actor = lambda tracked_actor: None
    with pytest.raises(RuntimeError, match="unexpected exception"):
        manager._actor_task_failed(tracked_actor_task=task, exception=OutOfMemoryError(MEMORY))
    with told_to_tune():
        manager._actor_task_failed(tracked_actor_task=task, exception=OutOfMemoryError(MEMORY))
        manager._actor_task_failed(
            tracked_actor_task=task, exception=RayTaskError("f", "its traceback", ValueError("its own"))
        )
    died, again, raised = (error for _, error in told)
    assert isinstance(died, RayActorError) and (died, str(died)) == (again, MEMORY)
    assert isinstance(raised, RayTaskError)
    assert [what for what, _ in told] == ["actor", "task", "task"]
    with pytest.raises(RuntimeError, match="unexpected exception"):
        manager._actor_task_failed(tracked_actor_task=task, exception=OutOfMemoryError(MEMORY))
