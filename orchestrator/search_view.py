"""How a plan tells its search: who proposes, who may stop or wait, and who is named in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.stopping import UNASKED
from orchestrator.plan import Plan
from orchestrator.sweep_search import named
from orchestrator.tables import words


def describe_search(plan: Plan) -> dict[str, Any]:
    """As JSON-able values."""
    sweep, name = plan.sweep, named(plan.sweep.scheduler)
    goals = [(objective.metric, objective.mode) for objective in plan.objectives]
    return {
        "searcher": sweep.searcher,
        "scheduler": "none" if name == "none" else {name: getattr(sweep.scheduler, name).model_dump()},
        "objectives": [{"metric": metric, "mode": mode} for metric, mode in goals],
        "constraints": [str(constraint) for constraint in sweep.constraints],
        "seeds": sweep.seeds,
        "finalists": sweep.finalists.model_dump(),
        "stop": {rule: dict(of) for rule, of in sweep.stop.rules(goals).thresholds.items()},
        "warm_start": sweep.warm_start,
        "trainings": trainings(plan),
    }


def trainings(plan: Plan) -> int:
    """How many there are in all, the final included, if nobody is stopped."""
    finals = plan.sweep.finalists
    best = min(finals.settings, plan.trials - 1)
    return plan.trials * plan.sweep.seeds + ((best + 1) * finals.seeds if finals.settings else 0)


def scheduler_words(told: Mapping[str, Any]) -> str:
    """To be read after the number of trials; empty where all run to their end."""
    if told["scheduler"] == "none":
        return ""
    ((name, of),) = told["scheduler"].items()
    if name == "asha":
        return f"; asha from {of['grace']:g} of the steps, 1 in {of['reduction']:g} goes on"
    return f"; {name}: {words(of)}"


def search_lines(told: Mapping[str, Any]) -> dict[str, str]:
    """Name -> line of a plan's summary; empty lines are left out there."""
    finals, seeds = told["finalists"], told["seeds"]
    also = [f"{goal['metric']} ({goal['mode']})" for goal in told["objectives"][1:]]
    rules = {name: of for name, of in told["stop"].items() if name not in UNASKED}
    return {
        "judged also by": ", ".join(also),
        "constraints": ", ".join(told["constraints"]),
        "seeds": f"{seeds} of each setting" if seeds > 1 else "",
        "finalists": f"the best {finals['settings']} and the preset, with {finals['seeds']} fresh seeds each"
        if finals["settings"]
        else "",
        "given up by": "; ".join(f"{name} {words(of)}" for name, of in rules.items()),
        "warm start": told["warm_start"] or "",
        "trainings": str(told["trainings"]) if seeds > 1 or finals["settings"] else "",
    }
