"""What a sweep found, from its log alone: it works while the driver runs, and when it is dead.

Trials that differ in their seeds alone are one setting, and a row; with one seed a setting is a trial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.log.records import SweepState, TrialState
from orchestrator.errors import Refusal
from orchestrator.finding import FoundSweep
from orchestrator.results.importance import Importances, importances
from orchestrator.results.outcome import Outcome, judge, params_of, searched
from orchestrator.results.savings import savings
from orchestrator.results.standing import Goal, Standing
from orchestrator.results.wording import gain_text, held_text, label, seeds_text, value_cell
from orchestrator.running.spent import budgets


def value_of(trial: TrialState, metric: str) -> float:
    """The objective at the trial's last evaluation; NaN where there is none."""
    return trial.metrics.get(metric, math.nan)


def best_trial(state: SweepState, metric: str, mode: str) -> TrialState | None:
    """The training whose networks are the sweep's model, by what its log says of objectives, constraints, seeds and finalists.

    metric, mode: the objective, where the log names none. None where no setting may be named.
    """
    return judge(state, goals=[Goal(metric, mode)]).model


def gain(state: SweepState, trial: TrialState, metric: str, mode: str) -> float:
    """How much better than the preset the trial's setting is, at equal steps, in the metric's unit; above 0 is better.

    NaN where the preset came less far; for itself 0.
    """
    found = judge(state, goals=[Goal(metric, mode)])
    standing = next(one for one in found.ranking if one.setting == trial.setting)
    return found.gains(standing)[0].mean


def trial_id(sweep: FoundSweep, trial: TrialState) -> str:
    """A trial's name across all sweeps."""
    return f"{sweep.state.id}-{trial.index:04d}"


def newest_grid(sweep: FoundSweep, trial: TrialState) -> str | None:
    """Where the picture of the trial's last evaluation lies, if it is there."""
    if not trial.history:
        return None
    path = sweep.paths.grid(trial.index, trial.history[-1][0])
    return sweep.place(path) if sweep.store.exists(path) else None


def save_picture(sweep: FoundSweep, file: Path) -> None:
    """Copy the best trial's newest picture to `file`. Refusal where there is none, or `file` cannot be written."""
    best = best_trial(sweep.state, sweep.metric, sweep.mode)
    if best is None or newest_grid(sweep, best) is None:
        raise Refusal(f"{sweep.state.name} has no picture yet: one is made at each evaluation", path="--picture")
    try:
        file.write_bytes(sweep.store.read(sweep.paths.grid(best.index, best.history[-1][0])))
    except OSError as error:
        raise Refusal(
            f"cannot be written: {(error.strerror or '').lower()}", path="--picture", value=str(file)
        ) from error


def describe_results(sweep: FoundSweep) -> dict[str, Any]:
    """The results as JSON-able values; the keys are an interface that scripts rely on."""
    state, objective = sweep.state, {"metric": sweep.metric, "mode": sweep.mode}
    found, saved = judge(state), savings(state)
    several = len(found.goals) > 1
    metrics = [goal.metric for goal in found.goals]
    return {
        "name": state.name,
        "id": state.id,
        "state": state.state,
        "reason": state.reason,
        "objective": objective,
        "objectives": [goal._asdict() for goal in found.goals],
        "constraints": [str(constraint) for constraint in found.constraints],
        "best": None if found.winner is None else _describe_best(sweep, found),
        "settings": [_describe_setting(found, one, rank) for rank, one in enumerate(found.ranking, 1)],
        "front": [one.setting for one in found.front],
        "hypervolume": found.hypervolume,
        "reference": dict(zip(metrics, found.reference, strict=False)) if several else None,
        "knee": found.winner.setting if several and found.winner else None,
        "importance": _describe_importance(importances(found)),
        "stopped": dict(saved.by),
        "steps_saved": saved.steps,
        "steps_possible": saved.possible,
        "spent": {
            name: one["spent"] for name, one in budgets(state, None).items() if name not in ("wall_seconds", "failures")
        },
        "trials": describe_trials(sweep),
    }


def _describe_best(sweep: FoundSweep, found: Outcome) -> dict[str, Any]:
    best, winner = found.model, found.winner
    assert best is not None and winner is not None
    has_model = bool(sweep.store.list(f"{sweep.paths.best}/"))
    return {
        "index": best.index,
        "id": trial_id(sweep, best),
        "setting": winner.setting,
        "value": value_of(best, sweep.metric),
        "gain": plain(found.gains(winner)[0].mean),
        "step": best.history[-1][0],
        "params": params_of(sweep.state, best),
        "grid": newest_grid(sweep, best),
        "model": sweep.place(sweep.paths.best) if has_model else None,
    }


def _describe_setting(found: Outcome, one: Standing, rank: int) -> dict[str, Any]:
    metrics = [goal.metric for goal in found.goals]
    return {
        "setting": one.setting,
        "rank": rank,
        "state": one.state,
        "step": one.step,
        "params": dict(one.params),
        "trials": list(one.trials),
        "count": len(one.trials),
        "of": one.of,
        "lost": one.lost,
        "finalist": one.finalist,
        "values": dict(zip(metrics, map(plain, one.means), strict=True)),
        "spread": dict(zip(metrics, map(plain, one.spreads), strict=True)),
        "gain": {
            metric: {"mean": plain(better.mean), "spread": plain(better.spread)}
            for metric, better in zip(metrics, found.gains(one), strict=True)
        },
        "constraints": {str(c): plain(value) for c, value in zip(found.constraints, one.held, strict=True)},
        "violation": plain(one.violation),
        "may_be_named": one.may_be_named,
    }


def _describe_importance(found: Importances) -> dict[str, Any]:
    by_metric = {metric: [one._asdict() for one in axes] for metric, axes in found.by_metric.items()}
    return {"settings": found.settings, "by_metric": by_metric, "note": found.note}


def describe_trials(sweep: FoundSweep) -> list[dict[str, Any]]:
    """The trials as JSON-able values, in order."""
    return [_describe_trial(sweep, sweep.state.trials[index]) for index in sorted(sweep.state.trials)]


def _describe_trial(sweep: FoundSweep, trial: TrialState) -> dict[str, Any]:
    return {
        "index": trial.index,
        "id": trial_id(sweep, trial),
        "setting": trial.setting,
        "seed": trial.seed,
        "finalist": trial.finalist,
        "state": trial.state,
        "by": trial.by,
        "why": trial.why,
        "step": trial.step,
        "params": params_of(sweep.state, trial),
        "lineage": [{"step": step, "from": donor, "params": params} for step, donor, params in trial.lineage],
        "metrics": {name: plain(value) for name, value in (trial.metrics or trial.latest).items()},
        "train_seconds": trial.train_seconds,
        "failures": trial.failures,
        "error": trial.error,
    }


def plain(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


def leaderboard(sweep: FoundSweep) -> list[dict[str, Any]]:
    """A row per setting for people, the best first; where a setting is a trial, a row per trial."""
    found = judge(sweep.state)
    axes = searched(sweep.state.about)
    rows = [_row(found, one, rank, axes) for rank, one in enumerate(found.ranking, 1)]
    empty = {column for column in ("by", "from") if not any(row[column] for row in rows)}
    return [{column: cell for column, cell in row.items() if column not in empty} for row in rows]


def _row(found: Outcome, one: Standing, rank: int, axes: Sequence[str]) -> dict[str, Any]:
    number, several, own = label(found, one), len(found.goals) > 1, found.trials_of(one.setting)
    spreads = zip(found.goals, one.means, one.spreads, strict=True)
    gains = [None if one.setting == 0 else gain_text(better) for better in found.gains(one)]
    donors = [f"trial {t.lineage[-1][1]} at step {t.lineage[-1][0]}" for t in own if t.lineage]
    errors = [t.error if found.is_plain else f"trial {t.index}: {t.error}" for t in own if t.error]
    return {
        "rank": rank,
        **({"trial": number} if found.is_plain else {"setting": number, "seeds": seeds_text(one)}),
        "state": one.state,
        "by": ", ".join(dict.fromkeys(t.by for t in own if t.by)) or None,
        "step": one.step,
        **{goal.metric: value_cell(mean, spread) for goal, mean, spread in spreads},
        **{f"gain in {g.metric}" if several else "gain": text for g, text in zip(found.goals, gains, strict=True)},
        **({"front": "knee" if one is found.winner else "yes" if one in found.front else None} if several else {}),
        **{str(limit): held_text(limit, value) for limit, value in zip(found.constraints, one.held, strict=True)},
        **{axis: one.params.get(axis) for axis in axes},
        "from": ", ".join(donors) or None,
        "seconds": round(one.seconds, 1),
        **({"error": "; ".join(errors)} if errors else {}),
    }
