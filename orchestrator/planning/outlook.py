"""Whether a cluster holds a sweep: its nodes and what they run at once, what is read of S3, what is short, what nobody knows.

A plan that does not fit at all is refused long before. Here is what fits, and yet may wait, run out or cost more than was meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.memory import free_memory
from cluster.targets.target import Need, Survey, Target
from data_shards.address import is_remote
from orchestrator.planning.plan import Plan
from orchestrator.planning.sizes import Machine, this_machine
from orchestrator.search.view import trainings
from orchestrator.sweep_file.quantities import duration_text, size_text

GPU_HOURS = (
    "GPU-hours, CPU-hours and money: there is no GPU here to time a step on; `plan --step-seconds S` takes what a step takes "
    "there, and once a trial has made steps there, `plan` knows"
)
Told = Mapping[str, Any]


@dataclass(frozen=True)
class Outlook:
    """What a cluster offers to a plan.

    survey: what it told of itself. reads: bytes that are read of S3, as (at least, at most); None where nobody knows.
    """

    machine: Machine
    survey: Survey
    reads: tuple[int, int] | None


def outlook_of(plan: Plan, told: Told | None, machine: Machine | None, target: Target | None) -> Outlook:
    """The outlook of `plan` on `machine` (None: this one), which `target` leads to. told: its estimate, where there is one.

    Raises NotThere and TargetError.
    """
    resources, sizes = plan.sweep.resources, plan.sizes
    memory = told["memory_bytes"] if told else None
    at_once = min(sizes.concurrency, trainings(plan))
    need = Need(at_once, resources.least_workers, resources.cpus_per_worker, sizes.gpus_per_worker, memory)
    survey = Survey() if target is None else target.survey(need)
    where = machine or this_machine()
    return Outlook(where, survey, _reads(plan, len(where.nodes) or 1))


def describe_outlook(plan: Plan, outlook: Outlook, told: Told | None) -> dict[str, Any]:
    """As JSON-able values. told: the plan's estimate."""
    machine, survey = outlook.machine, outlook.survey
    at_once = min(plan.sizes.concurrency, trainings(plan))
    return {
        "place": machine.name,
        "nodes": len(machine.nodes) or None,
        "cpus": machine.cpus,
        "gpus": machine.gpus,
        "trials_at_once": at_once,
        "rounds": math.ceil(trainings(plan) / max(1, at_once)),
        "reads_bytes": list(outlook.reads) if outlook.reads else None,
        "facts": dict(survey.facts),
        "short": [*_over_budget(plan, told), *_memory(plan, outlook, told), *survey.short],
        "unknown": [*_unknown(plan, outlook, told), *survey.unknown],
    }


def outlook_lines(told: Told) -> dict[str, str]:
    """Name -> line of a plan's summary. told: of `describe_outlook`."""
    nodes = f"{told['nodes']} nodes with " if told["nodes"] else ""
    rounds = "at once" if told["rounds"] == 1 else f"in {told['rounds']} rounds of {told['trials_at_once']}"
    return {
        "cluster": f"{told['place']}: {nodes}{told['cpus']:g} CPUs and {told['gpus']} GPUs hold the sweep, {rounds}",
        **told["facts"],
        "read of S3": _reads_text(told["reads_bytes"]),
    }


def outlook_notes(told: Told) -> list[str]:
    """What is short and what nobody knows, a line each."""
    return [
        *(f"short: {line}" for line in told["short"]),
        *(f"not known from here: {line}" for line in told["unknown"]),
    ]


def _reads(plan: Plan, nodes: int) -> tuple[int, int] | None:
    """Bytes of shards that travel to nodes whose caches are empty. Where a node's cache does not hold them all, each pass of each
    training may bring them again, and at least once they come."""
    data, sweep = plan.data, plan.sweep
    if not is_remote(sweep.data.uri):
        return 0, 0
    if data.remote_bytes is None:
        return None
    used = min(nodes, trainings(plan) * sweep.resources.most_workers)
    if data.remote_bytes <= sweep.data.cache.limit:
        return data.remote_bytes, data.remote_bytes * used
    passes = max(math.ceil(sweep.steps * plan.sizes.batch / count) for count in data.train.values() if count)
    return data.remote_bytes, data.remote_bytes * max(used, passes * trainings(plan))


def _reads_text(reads: list[int] | None) -> str:
    if reads is None:
        return "not known without an index: each pass reads all shards"
    least, most = reads
    if not most:
        return ""
    return (
        size_text(most) if least == most else f"{size_text(least)} to {size_text(most)}, as nodes take part and keep it"
    )


def _over_budget(plan: Plan, told: Told | None) -> Iterator[str]:
    """The limits of the file that the whole sweep would go beyond."""
    if told is None or told["seconds"] is None:
        return
    budget = plan.sweep.budget
    asked = {name: (getattr(budget, name), told[name]) for name in ("gpu_hours", "cpu_hours", "cost")}
    for name, (allowed, needed) in asked.items():
        if allowed is not None and needed is not None and needed > allowed:
            yield f"budget.{name} {allowed:g} is spent before the end: about {needed:.3g} if no trial is stopped early"
    if budget.wall is not None and told["seconds"] > budget.wall:
        whole = duration_text(told["seconds"])
        yield f"budget.wall {duration_text(budget.wall)} ends before the sweep, which takes about {whole}; resume goes on"


def _memory(plan: Plan, outlook: Outlook, told: Told | None) -> Iterator[str]:
    """Whether this machine has the memory for the steps of all trials at once. Of GPUs' memory nobody knows before."""
    if told is None or told["memory_bytes"] is None or plan.sizes.gpus_per_worker or not plan.sweep.cluster.is_local:
        return
    if outlook.machine.nodes:  # a running Ray of other machines
        return
    at_once = min(plan.sizes.concurrency, trainings(plan)) * plan.sweep.resources.most_workers
    needed, free = at_once * told["memory_bytes"], free_memory()
    if needed > free:
        fewer = "raise resources.cpus_per_worker, so that fewer run at once, or " if at_once > 1 else ""
        who = f"{at_once} workers at once take" if at_once > 1 else "a step takes"
        room = f"up to {size_text(needed)} of memory, and {size_text(free)} is free"
        yield f"{who} {room}; {fewer}take smaller networks, batches or pictures"


def _unknown(plan: Plan, outlook: Outlook, told: Told | None) -> Iterator[str]:
    if told is not None and told["seconds"] is None and plan.sizes.gpus_per_worker:
        yield GPU_HOURS
    if outlook.reads is None:
        yield "how much is read of S3: mode stream has no index"
