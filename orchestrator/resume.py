"""A sweep that was submitted before: found by its id, planned with what `auto` became then, and never made smaller.

To submit the same file again is to go on. To submit a changed one is to start anew, and it says what was changed.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from cluster.layout import LOG, SweepPaths
from cluster.log import SweepState, UnreadableLog, read_state
from orchestrator.errors import Refusal
from orchestrator.identity import differences
from orchestrator.plan import Plan, make_plan
from orchestrator.sizes import Machine
from orchestrator.sweep import Sweep

NEAR = 3  # with more keys changed, an older sweep is another sweep rather than an earlier version of this one


def plan_again(sweep: Sweep, file: str, machine: Machine | None = None) -> tuple[Plan, SweepState | None]:
    """The plan of `sweep`, and its state if it was submitted before; a note of the plan says which it is.

    Raises:
        Refusal: the sweep cannot run, or has fewer trials than when it was submitted.
        UnreadableLog: this sweep's log is damaged, or a newer version wrote it.
    """
    plan = make_plan(sweep, file, machine=machine)
    log = Path(plan.storage) / SweepPaths(plan.id).log
    if not log.exists():
        return _with_note(plan, _closest(plan)), None
    state = read_state(log)
    before = max(len(state.trials), int(state.about.get("trials", 0)))
    if plan.trials < before:
        problem = f"this sweep was submitted with {before} trials, which can be raised but not lowered to {plan.trials}"
        raise Refusal(problem, file=file, path="trials", value=plan.trials, nearest=str(before))
    ended = sum(trial.state in ("done", "stopped", "failed") for trial in state.trials.values())
    note = f"submitted before: {ended} of {plan.trials} trials have ended, and submit goes on with the rest"
    return _with_note(make_plan(sweep, file, kept=state.about.get("autos"), machine=machine), note), state


def _with_note(plan: Plan, note: str | None) -> Plan:
    return dataclasses.replace(plan, notes=(*plan.notes, note)) if note else plan


def _closest(plan: Plan) -> str | None:
    """A note on the sweep in the same storage that differs least from `plan`, if any is near."""
    found: list[tuple[int, str, list[str]]] = []
    for log in sorted(Path(plan.storage).glob(f"*/{LOG}")):
        try:
            about: dict[str, Any] = read_state(log).about
        except UnreadableLog:
            continue  # `list` tells of it; here it is only a candidate
        keys = differences(plan.identity, about.get("identity", {}))
        found.append((len(keys), log.parent.name, keys))
    count, other, keys = min(found, default=(NEAR + 1, "", []))
    return f"a new sweep: it differs from {other} in {', '.join(keys)}" if count <= NEAR else None
