"""`plan`: a sweep checked for where it is to run, what it would take there, and what is short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from cluster.targets.target import Target
from orchestrator.errors import blamed
from orchestrator.planning.estimating import estimate_of
from orchestrator.planning.outlook import Outlook, outlook_of
from orchestrator.planning.plan import Plan
from orchestrator.planning.view import describe, print_plan
from orchestrator.remote import offered
from orchestrator.resume import plan_again
from orchestrator.search.warm import find_warm
from orchestrator.submit import machine_here
from orchestrator.sweep_file.draft import Draft
from orchestrator.tables import print_json


def show_plan(
    draft: Draft,
    file: str,
    console: Console,
    *,
    as_json: bool = False,
    measure: bool = True,
    step_seconds: float | None = None,
) -> None:
    """Print the plan of `draft`, read from `file`. measure: time a few steps here, where nothing better is known.

    Raises Refusal, and TargetError where its cluster does not answer.
    """
    target: Target | None = None
    with blamed(draft.options):
        if draft.sweep.cluster.is_local:
            machine = machine_here()
        else:
            target, machine = offered(draft, file)
        plan, before = plan_again(draft, file, machine)
    find_warm(plan, before)
    estimate = estimate_of(plan, before, step_seconds) if measure or step_seconds is not None else None

    def look(plan: Plan, costs: Mapping[str, Any] | None) -> Outlook:
        return outlook_of(plan, costs, machine, target)

    if as_json:
        print_json(describe(plan, estimate, look))
    else:
        print_plan(plan, console, estimate, look)
