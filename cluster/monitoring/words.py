"""The values of the labels `state`, `reason` and `action`, and which words of a log they stand for."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.log.records import CHECKPOINT, CRASH, HALT, STALL

STATES = ("pending", "running", "paused", "done", "stopped", "failed")
FAILED_OF: Mapping[str, str] = {CRASH: "crash", STALL: "stall", CHECKPOINT: "checkpoint", HALT: "halt"}
FAILURES = tuple(FAILED_OF.values())
# Why a trial was started again: by what failed; its machine was taken, or it had not begun where it was; another number of
# workers; another driver took the sweep up; somebody asked for it.
PREEMPTED, MOVED, RESIZED, DRIVER, RETRIED = "preempted", "moved", "resize", "driver", "retry"
RESTARTS = (FAILED_OF[CRASH], FAILED_OF[STALL], PREEMPTED, MOVED, RESIZED, DRIVER, RETRIED)
SKIP, ROLLBACK, STOP = "skip", "rollback", "stop"  # of `on_nonfinite`
ACTIONS = (SKIP, ROLLBACK, STOP)
