"""Which trial comes next, where none waits to go on: settings in the searcher's order, each with all its seeds; then finalists.

A trial is a setting and a seed. Its number is only the order in which it was suggested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.job import Job, Trials
from cluster.log.records import TrialState


@dataclass(frozen=True)
class Proposal:
    """A trial to be suggested."""

    params: dict[str, Any]
    setting: int
    seed: int
    finalist: bool = False


def searched(trials: Trials) -> list[TrialState]:
    """The trials of the search itself, in the order of suggestion."""
    return [trial for trial in trials.values() if not trial.finalist]


def propose(job: Job, trials: Trials) -> Proposal | None:
    """The next trial, None where nothing is left or somebody has to be waited for; a pure function."""
    found = searched(trials)
    if len(found) < job.trials * job.seeds:
        setting, number = divmod(len(found), job.seeds)
        params = found[-1].params if number else job.suggest(setting, trials)
        return None if params is None else Proposal(dict(params), setting, job.seed + number)
    return next(iter(_finals(job, trials)), None)


def is_all_proposed(job: Job, trials: Trials) -> bool:
    """Whether no trial will be suggested any more."""
    if len(searched(trials)) < job.trials * job.seeds:
        return False
    return job.finalists is None or (not _searching(trials) and not _finals(job, trials))


def _searching(trials: Trials) -> bool:
    return any(trial.is_live for trial in searched(trials))


def _finals(job: Job, trials: Trials) -> list[Proposal]:
    """The trainings of the final that were not suggested yet; none before the search has ended."""
    if job.finalists is None or _searching(trials):
        return []
    best = [setting for setting in job.finalists.rank(trials) if setting != 0][: job.finalists.settings]
    had = {(trial.setting, trial.seed) for trial in trials.values() if trial.finalist}
    params = {trial.setting: trial.params for trial in searched(trials)}
    fresh = range(job.seed + job.seeds, job.seed + job.seeds + job.finalists.seeds)
    wanted = [(setting, seed) for setting in [0, *best] for seed in fresh]
    return [Proposal(params[s], s, seed, finalist=True) for s, seed in wanted if (s, seed) not in had]
