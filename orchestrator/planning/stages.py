"""The stages of a sweep's system: whether they fit, what is there of them already, and what the user should know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cluster.run import Run
from data_shards.address import is_remote
from data_shards.store import open_store
from orchestrator.errors import Refusal, asked
from orchestrator.planning.data import DataFacts, check_counts
from orchestrator.planning.settings import Settings
from orchestrator.planning.sizes import Sizes, bad_batch
from orchestrator.results.wording import listed
from orchestrator.search.space import Axis, settings_of
from trainers.settings import aliases
from trainers.stages import Stage
from trainers.system import System


def stages_of(system: type[System], settings: Settings) -> list[Stage]:
    """Those that there are under these settings."""
    hyper = system.Hyper(**settings.hyper)
    return [stage for stage in system.stages if stage.steps(hyper)]


def check_stages(
    system: type[System], sizes: Sizes, data: DataFacts, limit: Mapping[str, int], hyper: Any
) -> list[Refusal]:
    """Refusals of what a stage has its own number of, and cannot have."""
    found = []
    for stage in system.stages:
        batch, key = stage.batch(hyper), f"hyper.{stage.name}_batch"
        if not (batch and stage.steps(hyper)):
            continue
        if problem := bad_batch(batch, sizes.replicas, stage.system):
            found.append(Refusal(problem, path=key, value=batch, rests=["data.replicas"]))
            continue
        for refusal in asked(partial(check_counts, data, stage.system.reading(stage.settings(hyper)), limit, batch)):
            refusal.path = key
            found.append(refusal)
    return found


def check_made(run: Run) -> None:
    """Refusal where a stage that the run would take is there, and damaged or another one. A store that is far is asked later."""
    from cluster.stages import NotAStage, is_there, parts_of, read_stage  # which brings torch's networks

    if is_remote(run.storage):
        return
    store = open_store(run.storage)
    for part in parts_of(run):
        if is_there(store, part):
            try:
                read_stage(store, part)
            except NotAStage as error:
                raise Refusal(str(error), path="storage", value=run.storage) from error


def notes_on_stages(system: type[System], settings: Settings, axes: Mapping[str, Axis]) -> list[str]:
    """What comes first, and whether the trials share it."""
    hyper, notes = system.Hyper(**settings.hyper), []
    searched = [name for key, axis in axes.items() for name in settings_of(key, axis)]
    for stage in stages_of(system, settings):
        own = [name for name in searched if _acts_on(system, stage, hyper, name)]
        text = f"before it comes stage {stage.name}: {stage.meaning}, {stage.steps(hyper)} steps; "
        shared = "trained once, and shared by all trials of one seed, of later sweeps too"
        notes.append(text + (f"trained anew for each {', '.join(own)}" if own else shared))
    for stage in system.stages:
        idle = [] if stage.steps(hyper) else [name for name in searched if _is_of(system, stage, name)]
        if idle and f"hyper.{stage.name}_steps" not in searched:
            notes.append(
                f"{listed(idle)} {'acts' if len(idle) == 1 else 'act'} on nothing: there is no stage {stage.name}"
            )
    return notes


def _acts_on(system: type[System], stage: Stage, hyper: object, name: str) -> bool:
    """Whether a searched setting is one of the stage's: its own, or one that its settings are made of, too."""
    part, _, key = name.partition(".")
    return _is_of(system, stage, name) or (part == "hyper" and hasattr(stage.settings(hyper), key))


def _is_of(system: type[System], stage: Stage, name: str) -> bool:
    """Whether a setting is the stage's alone: a loss of its own, or a number for it."""
    part, _, key = name.partition(".")
    if part == "weights":
        carried = aliases(system.terms).get(key, ())
        return any(term.name in carried for term in stage.system.terms)
    return part == "hyper" and key.startswith(f"{stage.name}_")
