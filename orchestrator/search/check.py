"""What a search asks for beyond its axes: schedulers, seeds, several objectives, finalists, budgets, and how they go together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.errors import Refusal
from orchestrator.planning.objective import Objective
from orchestrator.planning.sizes import Sizes
from orchestrator.running.sweeps import planned
from orchestrator.search.exploring import LIVE, LIVE_GROUPS, is_live
from orchestrator.search.space import Axis, settings_of
from orchestrator.sweep_file.search import Constraint, named
from orchestrator.sweep_file.sweep import Sweep

MOST_TRAININGS = 100_000  # as of trials: more is a slip of the pen


def check_search(
    sweep: Sweep, axes: Mapping[str, Axis], objectives: Sequence[Objective], sizes: Sizes
) -> list[Refusal]:
    """Everything that does not go together."""
    found = [
        *_scheduler(sweep, objectives),
        *_constraints(sweep.constraints),
        *_budget(sweep, sizes),
        *_trainings(sweep),
    ]
    if sweep.scheduler.pbt:
        found += _population(sweep, axes, sizes)
    if sweep.finalists.settings and not axes:
        found.append(Refusal("there is no search that could have finalists", path="finalists.settings"))
    if sweep.warm_start is not None and sweep.searcher != "optuna":
        problem = f"the searcher {sweep.searcher} learns from nobody; use searcher: optuna, or leave warm_start out"
        found.append(Refusal(problem, path="warm_start", value=sweep.warm_start, rests=["searcher"]))
    return found


def _scheduler(sweep: Sweep, objectives: Sequence[Objective]) -> Iterator[Refusal]:
    name = named(sweep.scheduler)
    if name == "none":
        return
    if len(objectives) > 1:
        problem = (
            f"{name} compares trials by one score, and there are {len(objectives)} objectives; use scheduler: none"
        )
        yield Refusal(problem, path="scheduler", rests=["objective"])
    if sweep.seeds > 1 and name in ("halving", "pbt"):
        problem = (
            f"{name} compares trainings that wait for one another, not means over seeds; use finalists for fresh seeds"
        )
        yield Refusal(problem, path="seeds", value=sweep.seeds, rests=["scheduler"])
    halving = sweep.scheduler.halving
    if halving and isinstance(halving.bracket, int) and halving.bracket < 2:
        yield Refusal("a bracket has at least 2 trials", path="scheduler.halving.bracket", value=halving.bracket)
    if halving and math.ceil(halving.grace * sweep.steps) >= sweep.steps:
        problem = f"a grace of all {sweep.steps} steps leaves no rung to wait at"
        yield Refusal(problem, path="scheduler.halving.grace", value=halving.grace, rests=["steps"])


def _trainings(sweep: Sweep) -> Iterator[Refusal]:
    finals = sweep.finalists
    count = planned(sweep.trials, sweep.seeds, finals.settings, finals.seeds)
    if count > MOST_TRAININGS:
        path = "seeds" if sweep.trials * sweep.seeds > MOST_TRAININGS else "finalists"
        problem = f"trials, seeds and finalists make {count:,} trainings; a sweep has at most {MOST_TRAININGS:,}"
        yield Refusal(problem, path=path, rests=["trials", "seeds", "finalists"])


def _constraints(constraints: Sequence[Constraint]) -> Iterator[Refusal]:
    """Two of one score that cannot both be kept, or of which one says nothing."""
    for one, other in itertools.combinations(constraints, 2):
        least, most = (one, other) if one.sign == ">=" else (other, one)
        if one.metric != other.metric:
            continue
        if one.sign == other.sign:
            yield Refusal(f"{one} and {other}: keep one of the two", path="constraints", value=str(other))
        elif least.bound > most.bound:
            yield Refusal(f"{one} and {other} cannot both be kept", path="constraints", value=str(other))


def _population(sweep: Sweep, axes: Mapping[str, Axis], sizes: Sizes) -> Iterator[Refusal]:
    """All trials of a population run at once, and go on with other values in the middle."""
    pbt, rests = sweep.scheduler.pbt, ["scheduler", "resources"]
    assert pbt is not None
    if sweep.trials > sizes.concurrency:
        fit = math.floor(1000 * sizes.concurrency * sweep.resources.cpus_per_worker / sweep.trials) / 1000
        problem = (
            f"a population runs at once, and of {sweep.trials} trials this machine holds {sizes.concurrency}; lower trials, or "
            f"resources.cpus_per_worker to {fit:g}"
        )
        yield Refusal(problem, path="trials", value=sweep.trials, rests=rests)
    if sweep.searcher != "random":
        problem = (
            f"pbt starts from random settings and perturbs them itself; use searcher: random, not {sweep.searcher}"
        )
        yield Refusal(problem, path="searcher", value=sweep.searcher, rests=["scheduler"])
    if math.ceil(pbt.every * sweep.steps) >= sweep.steps:
        problem = f"an exchange every {math.ceil(pbt.every * sweep.steps)} of {sweep.steps} steps never comes"
        yield Refusal(problem, path="scheduler.pbt.every", value=pbt.every, rests=["steps"])
    for key, axis in axes.items():
        fixed = [name for name in settings_of(key, axis) if not is_live(name)]
        if fixed:
            can = f"{', '.join(f'{group}*' for group in LIVE_GROUPS)}, {', '.join(LIVE)}"
            problem = f"a trial cannot go on with another {fixed[0]}, as pbt asks of it; these can change: {can}"
            yield Refusal(problem, path=f"search.{key}", rests=["scheduler"])


def _budget(sweep: Sweep, sizes: Sizes) -> Iterator[Refusal]:
    budget = sweep.budget
    for name in ("gpu_hours", "cost"):
        if getattr(budget, name) is not None and not sizes.gpus_per_worker:
            problem = "counts GPUs, and the workers have none; use budget.cpu_hours or budget.wall"
            yield Refusal(problem, path=f"budget.{name}", value=getattr(budget, name), rests=["resources"])
    if budget.cost is not None and budget.price_per_gpu_hour is None:
        yield Refusal("needs budget.price_per_gpu_hour", path="budget.cost", value=budget.cost)
