"""A plan as the job that `cluster/` runs. The two meet here and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

from cluster.job import PBT, Asha, Finalists, Halving, Job, Limits, Median, Schedule, Trials
from cluster.log.records import TrialState
from cluster.run import Run
from cluster.stopping import Rules, spares, verdict
from orchestrator.planning.plan import Plan
from orchestrator.planning.sizes import bracket, pauses
from orchestrator.results.outcome import best_values
from orchestrator.results.preset_view import left_to_the_system
from orchestrator.results.standing import Goal, rank
from orchestrator.search.exploring import Explore
from orchestrator.search.searching import Search, make_searcher
from orchestrator.search.warm import Warm
from orchestrator.sweep_file.search import Budget, named
from orchestrator.sweep_file.written import portable


def make_job(plan: Plan, allow_inexact: bool = False, warm: Warm = (), only: frozenset[int] | None = None) -> Job:
    """The job of `plan`. allow_inexact: its trials may go on from checkpoints made under other conditions. warm: what its
    searcher is told of another sweep. only: the trials to go on with."""
    sweep, schedule = plan.sweep, _schedule(plan)
    search = _search(plan, warm)
    waits = pauses(sweep)
    goals = [Goal(objective.metric, objective.mode) for objective in plan.objectives]

    def suggest(setting: int, trials: Trials) -> dict[str, Any] | None:
        return search.suggest(setting, trials) if setting else dict(plan.params(0))

    def run(trial: TrialState) -> Run:
        return replace(
            plan.run(trial.index, trial.params),
            seed=sweep.seed if trial.seed is None else trial.seed,
            allow_inexact=allow_inexact,
            pauses=() if trial.finalist else waits,
            given=trial.lineage[-1][0] if trial.lineage else 0,
        )

    finals = sweep.finalists
    return Job(
        id=plan.id,
        name=sweep.name,
        storage=plan.storage,
        about=about(plan, warm),
        trials=plan.trials,
        suggest=suggest,
        run=run,
        metric=plan.objective.metric,
        mode=plan.objective.mode,
        steps=sweep.steps,
        schedule=schedule,
        workers=sweep.resources.most_workers,
        least_workers=sweep.resources.least_workers,
        cpus_per_worker=sweep.resources.cpus_per_worker,
        gpus_per_worker=plan.sizes.gpus_per_worker,
        failures=sweep.budget.failures,
        wall=sweep.budget.wall,
        cpu_capability=sweep.resources.cpu_capability,
        placement=sweep.resources.placement,
        interface=sweep.resources.interface or "",
        seed=sweep.seed,
        seeds=sweep.seeds,
        finalists=Finalists(finals.settings, finals.seeds, partial(rank, goals=goals, constraints=sweep.constraints))
        if finals.settings
        else None,
        limits=_limits(plan),
        only=only,
        stops=partial(_given_up, plan, sweep.stop.rules(goals)),
        metrics=sweep.metrics.endpoint,
        best=best_values,
    )


def _schedule(plan: Plan) -> Schedule | None:
    scheduler, steps = plan.sweep.scheduler, plan.sweep.steps
    if asha := scheduler.asha:
        return Asha(math.ceil(asha.grace * steps), asha.reduction)
    if median := scheduler.median:
        return Median(math.ceil(median.grace * steps), median.least)
    if halving := scheduler.halving:
        return Halving(math.ceil(halving.grace * steps), halving.reduction, bracket(plan.sweep, plan.trials))
    if pbt := scheduler.pbt:
        explore = Explore(plan.axes, plan.sweep.seed, pbt.factor, pbt.resample)
        return PBT(math.ceil(pbt.every * steps), pbt.quantile, explore)
    return None


def _search(plan: Plan, warm: Warm) -> Search:
    sweep, modes = plan.sweep, [objective.mode for objective in plan.objectives]
    searcher = make_searcher(sweep.searcher, plan.axes, plan.points, sweep.seed, modes)
    known_at_once = bracket(sweep, plan.trials) if sweep.searcher == "optuna" else 0
    return Search(searcher, plan.objectives, sweep.constraints, sweep.steps, known_at_once, warm)


def _limits(plan: Plan) -> Limits:
    budget = plan.sweep.budget
    return Limits(budget.gpu_hours, budget.cpu_hours, budget.cost, budget.price_per_gpu_hour or 0.0)


def _limits_told(budget: Budget) -> dict[str, float | None]:
    """The limits of a budget, times in seconds; None: no limit."""
    hours = {"gpu_seconds": budget.gpu_hours, "cpu_seconds": budget.cpu_hours}
    seconds = {name: None if limit is None else 3600.0 * limit for name, limit in hours.items()}
    return {**seconds, "cost": budget.cost, "wall_seconds": budget.wall}


def _given_up(plan: Plan, rules: Rules, trial: TrialState) -> tuple[str, str] | None:
    """The rule by which a trial is to be stopped, and why."""
    if not rules.thresholds or spares(trial.setting, plan.trials):
        return None
    criterion = plan.settings(trial.params).hyper.get("gan")
    suited = rules.suited(None if criterion is None else str(criterion))
    stop = verdict(suited, trial.history, plan.sweep.steps)
    return (stop.rule, stop.text) if stop else None


def about(plan: Plan, warm: Warm = ()) -> dict[str, Any]:
    """What the sweep's log records of its plan, as JSON-able values.

    `preset` is what trial 0 has beside its values; `autos` is what a later `make_plan` takes as `kept`; `identity` tells which
    keys of a changed file differ; `written` is the sweep as its file has it.
    """
    sweep = plan.sweep
    goals = [{"metric": objective.metric, "mode": objective.mode} for objective in plan.objectives]
    return {
        "file": plan.file,
        "system": plan.system.name,
        "data": {"name": plan.data.name, "license": plan.data.license},
        "identity": dict(plan.identity),
        "autos": dict(plan.sizes.autos),
        "objective": goals[0],
        "objectives": goals,
        "constraints": [str(constraint) for constraint in sweep.constraints],
        "seeds": sweep.seeds,
        "finalists": sweep.finalists.model_dump(),
        "searcher": sweep.searcher,
        "scheduler": named(sweep.scheduler),
        "trials": plan.trials,
        "steps": sweep.steps,
        "checkpoint_every": min(plan.sizes.evaluate, plan.sizes.checkpoint),  # an evaluation is saved as well
        "axes": {name: str(axis) for name, axis in plan.axes.items()},
        "searched": plan.searched,
        "preset": left_to_the_system(plan),
        "gan": plan.preset.hyper.get("gan"),
        "gpus": plan.sizes.gpus_per_worker,
        "cpus": sweep.resources.cpus_per_worker,
        "price": sweep.budget.price_per_gpu_hour,
        "workers": sweep.resources.most_workers,
        "limits": _limits_told(sweep.budget),
        "written": portable(plan.written, plan.task.uri if plan.task else ""),
        "warm": [list(one) for one in warm],
    }
