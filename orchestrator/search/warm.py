"""`warm_start`: what a searcher is told of an earlier sweep, before it proposes anything.

What was told first is told again, whatever became of the other sweep since: it is kept in the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster.log.records import SweepState
from orchestrator.errors import Refusal, nearest
from orchestrator.finding import find_sweep
from orchestrator.planning.objective import Objective
from orchestrator.planning.plan import Plan
from orchestrator.search.searchers import Told
from orchestrator.search.searching import Search, by_setting, make_searcher

Warm = Sequence[Told]


def find_warm(plan: Plan, before: SweepState | None) -> Warm:
    """The settings of the sweep that `warm_start` names; those that the log has, where this sweep was submitted before.

    Raises Refusal where there is no such sweep, or it searched over, or was judged by, something else.
    """
    if before is not None:
        return [
            Told(one[0], None if one[1] is None else tuple(one[1]), *one[2:]) for one in before.about.get("warm", [])
        ]
    if plan.sweep.warm_start is None:
        return []
    try:
        found = find_sweep(plan.sweep.warm_start, plan.storage, "submit it first")
    except Refusal as refusal:
        refusal.file, refusal.path = plan.file, "warm_start"
        raise
    system = found.state.about.get("system")
    if system != plan.system.name:
        problem = (
            f"sweep {found.state.id} trained {system}, whose settings mean something else than {plan.system.name}'s"
        )
        raise Refusal(problem, file=plan.file, path="warm_start", value=found.state.id)
    searched = [*found.state.about.get("searched", found.state.about.get("axes", {}))]
    missing = [name for name in plan.searched if name not in searched]
    if missing:
        problem = f"sweep {found.state.id} did not search {missing[0]}"
        near = nearest(missing[0], searched)
        raise Refusal(problem, file=plan.file, path="warm_start", value=found.state.id, nearest=near, has=searched)
    goals = [objective["metric"] for objective in found.state.about.get("objectives", [found.state.about["objective"]])]
    wanted = [objective.metric for objective in plan.objectives]
    if goals != wanted:
        problem = f"sweep {found.state.id} was judged by {', '.join(goals)}, and this one is by {', '.join(wanted)}"
        raise Refusal(problem, file=plan.file, path="warm_start", value=found.state.id)
    return _told(found.state, plan)


def _told(state: SweepState, plan: Plan) -> list[Told]:
    """Each setting that has ended, by the values that both sweeps search."""
    objectives: Sequence[Objective] = plan.objectives
    searcher = make_searcher("random", plan.axes, (), 0, [])
    search = Search(searcher, objectives, plan.sweep.constraints, int(state.about.get("steps", plan.sweep.steps)))
    told = [search.told(seeds) for seeds in by_setting(state.trials)]
    return [
        one._replace(params={name: one.params[name] for name in plan.searched if name in one.params})
        for one in told
        if one.outcome != "running"
    ]
