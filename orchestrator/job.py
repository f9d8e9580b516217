"""A plan as the job that `cluster/` runs. The two meet here and nowhere else."""

from __future__ import annotations

import math
from typing import Any

from cluster.job import Asha, Job
from orchestrator.plan import Plan


def make_job(plan: Plan) -> Job:
    """The job of `plan`."""
    sweep, asha = plan.sweep, plan.sweep.scheduler.asha
    return Job(
        id=plan.id,
        name=sweep.name,
        storage=plan.storage,
        about=about(plan),
        trials=plan.trials,
        suggest=plan.params,
        run=plan.run,
        metric=plan.objective.metric,
        mode=plan.objective.mode,
        steps=sweep.steps,
        asha=Asha(math.ceil(asha.grace * sweep.steps), asha.reduction) if asha else None,
        workers=sweep.resources.workers,
        cpus_per_worker=sweep.resources.cpus_per_worker,
        gpus_per_worker=plan.sizes.gpus_per_worker,
        failures=sweep.budget.failures,
        wall=sweep.budget.wall,
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
