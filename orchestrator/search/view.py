"""How a plan tells its search: who proposes, who may stop or wait, and who is named in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.stopping import UNASKED
from orchestrator.planning.idle import known_before
from orchestrator.planning.plan import Plan
from orchestrator.results.preset_view import preset_row
from orchestrator.running.sweeps import planned
from orchestrator.search.space import settings_of, spell_axis
from orchestrator.sweep_file.search import named
from orchestrator.tables import Columns, table, words
from trainers.settings import aliases

WIDEST = 48  # of a cell of these tables that others make room for: a sum names all of its settings


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
    return planned(plan.trials, plan.sweep.seeds, finals.settings, finals.seeds)


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
        "trainings": _trainings_text(told),
    }


def _trainings_text(told: Mapping[str, Any]) -> str:
    """What seeds and a final cost; empty where each setting is one training."""
    settings, seeds, total = told["trial_count"], told["seeds"], told["trainings"]
    if total == settings:
        return ""
    parts = f"{settings} settings with {seeds} seeds each" if seeds > 1 else f"{settings} of the search"
    final = total - settings * seeds
    return f"{total}: {parts}" + (f", and {final} of the final" if final else "")


def search_rows(plan: Plan) -> list[dict[str, Any]]:
    """A row for each searched axis, as JSON-able values."""
    rows, row_of_preset = [], preset_row(plan)
    for axis, spread in plan.axes.items():
        members = settings_of(axis, spread)
        values = [row_of_preset.get(name) for name in members]
        value = values[0] if len(values) == 1 else " + ".join(words(one) for one in values)
        symbols = dict.fromkeys(_symbol(plan, name) for name in members if name.startswith("weights."))
        rows.append(
            {"axis": axis, "symbol": ", ".join(symbols), "preset": value, "distribution": spell_axis(spread)},
        )
    return rows


def search_table(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> Columns:
    """The searched axes. rows: of `search_rows`."""
    return table("Search", [{**row, "distribution": str(plan.axes[row["axis"]])} for row in rows], widest=WIDEST)


def trials_table(plan: Plan, trials: Sequence[Mapping[str, Any]]) -> Columns:
    """The values of the first trials, as far as they are known before any is trained."""
    title = "0 is the preset"
    if plan.sweep.searcher == "optuna":
        known = known_before(plan.sweep, plan.trials)
        title += f", 1 to {known - 1} are drawn at random" if known > 1 else ""
        title += "; then optuna proposes by what came" if known < plan.trials else ""
    if plan.sweep.scheduler.pbt:
        title += "; the values to begin with"
    values = [preset_row(plan), *trials[1:]]
    rows = [{"trial": i, **{name: one.get(name) for name in plan.searched}} for i, one in enumerate(values)]
    return table(f"Trials ({title})", rows, widest=WIDEST)


def _symbol(plan: Plan, name: str) -> str:
    """The paper's symbols of a weight; of a group those that all of its terms carry."""
    terms = aliases(plan.system.terms)[name.removeprefix("weights.")]
    carried = [term.symbol.split(" / ") for term in plan.system.terms if term.name in terms]
    shared = [symbol for symbol in carried[0] if all(symbol in others for others in carried)]
    return " / ".join(shared) or ", ".join(dict.fromkeys(" / ".join(symbols) for symbols in carried))
