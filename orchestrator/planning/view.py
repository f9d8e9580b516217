"""A plan for people and for programs: one description, printed as tables or as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from cluster.estimate import Estimate
from orchestrator.planning.estimating import Measured, describe_estimate, estimate_text, hours_text
from orchestrator.planning.idle import known_before
from orchestrator.planning.outlook import Outlook, describe_outlook, outlook_lines, outlook_notes
from orchestrator.planning.plan import Plan
from orchestrator.saying import visible
from orchestrator.search.view import (
    describe_search,
    scheduler_words,
    search_lines,
    search_rows,
    search_table,
    trials_table,
)
from orchestrator.sweep_file.quantities import duration_text, size_text
from orchestrator.sweep_file.sweep import DEFAULT_PRESET
from orchestrator.tables import Columns, facts, print_parts, table, words
from orchestrator.task.task import describe_task
from trainers.settings import effective

SETTINGS = ("weights.", "hyper.", "balance.")
TRIALS_SHOWN = 20  # rows of the table of trials
TRIALS_LISTED = 1_000  # trials of `-o json`
UNKNOWN = "unknown without an index"
Look = Callable[[Plan, Mapping[str, Any] | None], Outlook]


def describe(plan: Plan, estimate: Measured = None, look: Look | None = None) -> dict[str, Any]:
    """Everything about `plan` as JSON-able values, with the first TRIALS_LISTED trials; the tables show a part of it.

    `estimate`: what `estimate_of` said, or None. look: asks the cluster what is there for the plan, by its estimate.
    """
    costs = describe_estimate(plan, estimate) if isinstance(estimate, Estimate) else None
    cluster = describe_outlook(plan, look(plan, costs), costs) if look else None
    sweep, sizes, data, system = plan.sweep, plan.sizes, plan.data, plan.system
    more = [estimate] if isinstance(estimate, str) else []
    return {
        "id": plan.id,
        "name": sweep.name,
        "file": plan.file,
        "storage": plan.folder,
        "system": {"name": system.name, "title": system.title, "citation": system.citation},
        "preset": {"name": sweep.preset, "meaning": _preset_meaning(plan)},
        "data": {
            "uri": data.uri,
            "name": data.name,
            "manifest": data.sha256,
            "mode": sweep.data.mode,
            "domains": dict(sweep.data.domains),
            "image": sweep.data.image,
            "stored": {domain: list(shape) for domain, shape in data.stored.items()},
            "train": dict(data.train),
            "validation": dict(data.validation),
            "truth": data.truth,
            "limit": dict(sweep.data.limit),
            "balanced": sweep.data.balanced,
            "bad_samples": sweep.data.bad_samples,
            "cache": {
                "folder": sweep.data.cache.folder,
                "limit": sweep.data.cache.limit,
                "memory": sweep.data.cache.memory,
            },
        },
        "training": _training(plan),
        "task": describe_task(plan.task) if plan.task else None,
        "terms": _terms(plan),
        "written": {key: value for key, value in plan.identity.items() if key.startswith(SETTINGS)},
        "hyper": dict(plan.preset.hyper),
        "balance": dict(plan.preset.balance),
        "search": search_rows(plan),
        **describe_search(plan),
        "objective": {"metric": plan.objective.metric, "mode": plan.objective.mode},
        "trials": [plan.params(index) for index in range(min(known_before(sweep, plan.trials), TRIALS_LISTED))],
        "trial_count": plan.trials,
        "resources": _resources(plan),
        "budget": _budget(plan),
        "keep": {"last": sweep.keep.last, "best": sweep.keep.best},
        "auto": dict(sizes.autos),
        "estimate": costs,
        "cluster": cluster,
        "notes": [*plan.notes, *more, *(outlook_notes(cluster) if cluster else [])],
    }


def _training(plan: Plan) -> dict[str, Any]:
    sweep, sizes = plan.sweep, plan.sizes
    return {
        "steps": sweep.steps,
        "batch": sizes.batch,
        "replicas": sizes.replicas,
        "images_seen": sweep.steps * sizes.batch,
        "every": {"report": sizes.report, "evaluate": sizes.evaluate, "checkpoint": sizes.checkpoint},
        "evaluation": _evaluation(plan),
        "precision": sizes.precision,
        "layout": sweep.layout,
        "compile": sweep.compile,
        "graphs": sweep.graphs,
        "recompute": sweep.recompute,
        "exact": sweep.exact,
        "on_nonfinite": sweep.on_nonfinite,
        "seed": sweep.seed,
    }


def _evaluation(plan: Plan) -> dict[str, Any]:
    written = plan.sweep.evaluation
    features = {"features": dataclasses.asdict(plan.features)} if plan.features else {}
    return {"samples": written.samples, "draws": written.draws, **features}


def print_plan(plan: Plan, console: Console, estimate: Measured = None, look: Look | None = None) -> None:
    """Print `plan` for people."""
    told = describe(plan, estimate, look)
    parts = [_summary(told), table("Losses", told["terms"])]
    if plan.axes:
        parts += [search_table(plan, told["search"]), trials_table(plan, told["trials"][:TRIALS_SHOWN])]
    print_parts(console, *parts)
    known = len(told["trials"])
    if plan.axes and plan.trials > min(known, TRIALS_SHOWN):
        listed = " (-o json lists them)" if known == plan.trials else f" (-o json lists the first {known:,})"
        console.print(f"... and {plan.trials - min(known, TRIALS_SHOWN)} more{listed if known > TRIALS_SHOWN else ''}")
    for note in told["notes"]:
        console.print(f"note: {visible(note)}", style="yellow", markup=False, highlight=False)


def _summary(told: dict[str, Any]) -> Columns:
    """The plan's facts, a line each."""
    data, training, resources, objective = told["data"], told["training"], told["resources"], told["objective"]
    side, every = data["image"], training["every"]
    trials = told["trial_count"]
    train, validation = _counted(data["train"]), _counted(data["validation"])
    wall = told["budget"]["wall_seconds"]
    lines = {
        "sweep": f"{told['name']}, id {told['id']}",
        "system": f"{told['system']['name']}: {told['system']['citation']}",
        "preset": f"{told['preset']['name']}: {told['preset']['meaning']}",
        "data": f"{data['name']} at {side} x {side} pixels: to train {train}; to validate {validation}"
        + (", with truth" if data["truth"] else ", without truth"),
        "training": f"{_count(training['steps'], 'step')} of {_count(training['batch'], 'sample')} on "
        f"{_count(training['replicas'], 'replica')} "
        f"({training['images_seen']} samples seen), seed {training['seed']}",
        "every": f"report {every['report']}, evaluate {every['evaluate']}, checkpoint {every['checkpoint']} steps",
        "evaluation": f"at most {training['evaluation']['samples']} pictures of a domain, "
        f"{_count(training['evaluation']['draws'], 'draw')} of each where they differ",
        "arithmetic": f"{training['precision']}, {training['layout']}, {'compiled, ' if training['compile'] else ''}"
        + ("in CUDA graphs, " if training["graphs"] else "")
        + ("recomputed, " if training["recompute"] else "")
        + ("exact" if training["exact"] else "not exact")
        + f"; a loss that is not finite: {training['on_nonfinite']}",
        "set here": ", ".join(f"{key} {words(value)}" for key, value in told["written"].items())
        or "nothing: the preset's own settings",
        "trials": "1: the preset"
        if trials == 1
        else f"{trials}: the preset and {trials - 1} by {told['searcher']}" + scheduler_words(told),
        "task": told["task"]["task"] if told["task"] else "",
        "objective": f"{objective['metric']} ({objective['mode']})",
        **search_lines(told),
        "resources": f"{_count(resources['concurrency'], 'trial')} at a time; each "
        f"{_workers(resources)} of {_count(resources['cpus_per_worker'], 'CPU')}, "
        f"{_count(resources['gpus_per_worker'], 'GPU')}, {_count(resources['threads'], 'thread')}, "
        f"{size_text(data['cache']['memory'])} for decoded images",
        "checkpoints kept": f"the last {told['keep']['last']} and the best {told['keep']['best']}",
        "budget": f"{_count(told['budget']['failures'], 'failure')} of a trial, "
        f"a step may take {duration_text(told['budget']['stall_seconds'])}, "
        + (f"{duration_text(wall)} in all" if wall else "no time limit"),
        "auto became": ", ".join(f"{key} {value}" for key, value in told["auto"].items()) or "nothing was auto",
        "estimate": estimate_text(told["estimate"]),
        "hours": hours_text(told["estimate"]),
        **(outlook_lines(told["cluster"]) if told["cluster"] else {}),
        "storage": told["storage"],
    }
    return facts({name: line for name, line in lines.items() if line})


def _budget(plan: Plan) -> dict[str, Any]:
    budget = plan.sweep.budget
    return {"failures": budget.failures, "wall_seconds": budget.wall, "stall_seconds": budget.stall}


def _resources(plan: Plan) -> dict[str, Any]:
    resources, sizes = plan.sweep.resources, plan.sizes
    return {
        "workers": resources.most_workers,
        "least_workers": resources.least_workers,
        "cpus_per_worker": resources.cpus_per_worker,
        "gpus_per_worker": sizes.gpus_per_worker,
        "threads": resources.threads,
        "cpu_capability": resources.cpu_capability,
        "placement": resources.placement,
        "interface": resources.interface,
        "concurrency": sizes.concurrency,
    }


def _workers(resources: Mapping[str, Any]) -> str:
    least, most = resources["least_workers"], resources["workers"]
    return _count(most, "worker") if least == most else f"{least} to {most} workers"


def _preset_meaning(plan: Plan) -> str:
    name = plan.sweep.preset
    return "the paper's own settings" if name == DEFAULT_PRESET else plan.system.presets[name].meaning


def _counted(counts: dict[str, int | None]) -> str:
    """How many samples each has; None where nobody knows."""
    if set(counts.values()) == {None}:
        return UNKNOWN
    return ", ".join(f"{name} {UNKNOWN if count is None else count}" for name, count in counts.items())


def _count(number: float, word: str) -> str:
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"


def _terms(plan: Plan) -> list[dict[str, Any]]:
    """A row for each term in force under the preset."""
    system = plan.system
    hyper = system.Hyper(**plan.preset.hyper)
    strength = effective(system.terms, plan.preset.weights)
    return [
        {
            "term": term.name,
            "group": term.group or "",
            "symbol": term.symbol,
            "weight": plan.preset.weights[term.name],
            "effective": strength[term.name],
            "meaning": term.meaning,
        }
        for term in system.terms
        if term.exists(hyper)
    ]
