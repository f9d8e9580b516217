"""What a sweep's searcher is told, and what it proposes: from the trials in the log to the next setting.

A setting with several seeds is told once: by the mean over them, and by the one of them that breaks a constraint most, as
settings are ranked. With the scheduler halving a searcher learns from whole brackets alone, so that a sweep proposes the same
settings however fast its trials were.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.job import Trials
from cluster.log.records import TrialState
from cluster.proposals import searched
from orchestrator.planning.objective import Objective
from orchestrator.results.standing import violation
from orchestrator.search.searchers import Grid, Optuna, Outcome, Random, Searcher, Told
from orchestrator.search.space import Axis
from orchestrator.sweep_file.search import Constraint


def make_searcher(
    kind: str, axes: Mapping[str, Axis], points: Sequence[Mapping[str, Any]], seed: int, modes: Sequence[str]
) -> Searcher:
    """The searcher of that name, as it is before any trial."""
    if kind == "grid":
        return Grid(points)
    return Optuna(axes, seed, modes) if kind == "optuna" else Random(axes, seed)


@dataclass(frozen=True)
class Search:
    """Proposes settings from 1 on; setting 0 is the preset.

    bracket: settings that are proposed without knowing of one another's results; 0: whatever has ended is known.
    warm: what another sweep found, to be told before everything else.
    """

    searcher: Searcher
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint]
    steps: int
    bracket: int = 0
    warm: Sequence[Told] = ()

    def suggest(self, setting: int, trials: Trials) -> dict[str, Any] | None:
        """The values of a setting; None where an earlier bracket has to end first. A pure function."""
        settings = by_setting(trials)
        first = setting - setting % self.bracket if self.bracket else setting
        told = [self.told(seeds) for seeds in settings[:first]]
        if self.bracket and any(one.outcome == "running" for one in told):
            return None
        told += [Told(seeds[0].params, None, 0, self.steps, "running") for seeds in settings[first:setting]]
        return self.searcher.suggest(setting, [*self.warm, *told])

    def told(self, seeds: Sequence[TrialState]) -> Told:
        """What is known of one setting, from its trainings."""
        outcome = _outcome(seeds)
        values = [_mean(seeds, objective.metric) for objective in self.objectives]
        known = outcome in ("done", "stopped") and all(map(math.isfinite, values))
        missed = [violation(self.constraints, trial.metrics) for trial in seeds] if known else []
        return Told(
            params=seeds[0].params,
            values=tuple(values) if known else None,
            step=min(trial.step for trial in seeds),
            steps=self.steps,
            outcome=outcome if known or outcome not in ("done", "stopped") else "diverged",
            violation=max([0.0, *missed]),
        )


def by_setting(trials: Trials) -> list[list[TrialState]]:
    """The trainings of each setting of the search, in the order of suggestion."""
    found: dict[int, list[TrialState]] = {}
    for trial in searched(trials):
        found.setdefault(trial.setting, []).append(trial)
    return [found[setting] for setting in sorted(found)]


def _outcome(seeds: Sequence[TrialState]) -> Outcome:
    """Of all trainings of a setting: it runs while one does, and is as bad as its worst."""
    states = {trial.state for trial in seeds}
    if any(trial.is_live for trial in seeds):
        return "running"
    if "failed" in states:
        return "diverged" if any(t.state == "failed" and not t.failures for t in seeds) else "failed"
    return "stopped" if "stopped" in states else "done"


def _mean(seeds: Sequence[TrialState], metric: str) -> float:
    return statistics.fmean(trial.metrics.get(metric, math.nan) for trial in seeds)
