"""A plan as the job that `cluster/` runs. The two meet here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cluster.job import Asha, Job
from cluster.run import Run
from orchestrator.plan import Plan
from orchestrator.settings import Setting


def make_job(plan: Plan, allow_inexact: bool = False) -> Job:
    """The job of `plan`. allow_inexact: its trials may go on from checkpoints made under other conditions."""

    def run(index: int, params: Mapping[str, Setting]) -> Run:
        return replace(plan.run(index, params), allow_inexact=allow_inexact)

    sweep, asha = plan.sweep, plan.sweep.scheduler.asha
    return Job(
        id=plan.id,
        name=sweep.name,
        storage=plan.storage,
        about=about(plan),
        trials=plan.trials,
        suggest=plan.params,
        run=run,
        metric=plan.objective.metric,
        mode=plan.objective.mode,
        steps=sweep.steps,
        asha=Asha(math.ceil(asha.grace * sweep.steps), asha.reduction) if asha else None,
        workers=sweep.resources.most_workers,
        least_workers=sweep.resources.least_workers,
        cpus_per_worker=sweep.resources.cpus_per_worker,
        gpus_per_worker=plan.sizes.gpus_per_worker,
        failures=sweep.budget.failures,
        wall=sweep.budget.wall,
        cpu_capability=sweep.resources.cpu_capability,
    )


def about(plan: Plan) -> dict[str, Any]:
    """What the sweep's log records of its plan, as JSON-able values.

    `autos` is what a later `make_plan` takes as `kept`; `identity` tells which keys of a changed file differ.
    """
    return {
        "file": plan.file,
        "system": plan.system.name,
        "identity": dict(plan.identity),
        "autos": dict(plan.sizes.autos),
        "objective": {"metric": plan.objective.metric, "mode": plan.objective.mode},
        "trials": plan.trials,
        "steps": plan.sweep.steps,
        "axes": {name: str(axis) for name, axis in plan.axes.items()},
    }
