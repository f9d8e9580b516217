"""A sweep that was submitted before: found by its id, planned with what `auto` became then, and never made smaller.

To submit the same file again is to go on. To submit a changed one is to start anew, and it says what was changed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from cluster.layout import SweepPaths
from cluster.log.records import SweepState, UnreadableLog
from cluster.log.store import has_log, read_state, sweeps_in
from data_shards.store import Store
from orchestrator.errors import Refusal
from orchestrator.planning.identity import differences
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.storage import open_to_look
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.sweep import Sweep

NEAR = 3  # with more keys changed, an older sweep is another sweep rather than an earlier version of this one


def plan_again(sweep: Sweep | Draft, file: str, machine: Machine | None = None) -> tuple[Plan, SweepState | None]:
    """The plan of `sweep`, and its state if it was submitted before; a note of the plan says which it is.

    Raises:
        Refusal: the sweep cannot run, or has fewer trials than when it was submitted.
        UnreadableLog: this sweep's log is damaged, or a newer version wrote it.
    """
    plan = make_plan(sweep, file, machine=machine)
    store, paths = open_to_look(plan.storage), SweepPaths(plan.id)
    if not has_log(store, paths):
        return _with_note(plan, _closest(plan, store)), None
    state = read_state(store, paths)
    suggested = len({trial.setting for trial in state.trials.values()})
    before = max(suggested, int(state.about.get("trials", 0)))
    if plan.trials < before:
        problem = f"this sweep was submitted with {before} trials, which can be raised but not lowered to {plan.trials}"
        raise Refusal(problem, file=file, path="trials", value=plan.trials, nearest=str(before))
    ended = sum(trial.state in ("done", "stopped", "failed") for trial in state.trials.values())
    note = f"submitted before: {ended} of {plan.trials} trials have ended, and submit goes on with the rest"
    return _with_note(make_plan(sweep, file, kept=state.about.get("autos"), machine=machine), note), state


def _with_note(plan: Plan, note: str | None) -> Plan:
    return dataclasses.replace(plan, notes=(*plan.notes, note)) if note else plan


def _closest(plan: Plan, store: Store) -> str | None:
    """A note on the sweep in the same storage that differs least from `plan`, if any is near."""
    found: list[tuple[int, str, list[str]]] = []
    for other in sweeps_in(store):
        try:
            about: dict[str, Any] = read_state(store, SweepPaths(other)).about
        except (FileNotFoundError, UnreadableLog):
            continue  # `list` tells of it; here it is only a candidate
        keys = differences(plan.identity, about.get("identity", {}))
        found.append((len(keys), other, keys))
    count, nearest, keys = min(found, default=(NEAR + 1, "", []))
    return f"a new sweep: it differs from {nearest} in {', '.join(keys)}" if count <= NEAR else None
