"""What a sweep found, from its log alone: it works while the driver runs, and when it is dead.

The gain over the preset is always taken at equal steps: a trial that was stopped early is compared with the preset as it
was then.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.log.records import SweepState, TrialState
from orchestrator.errors import Refusal
from orchestrator.finding import FoundSweep


def value_of(trial: TrialState, metric: str) -> float:
    """The objective at the trial's last evaluation; NaN where there is none."""
    return trial.metrics.get(metric, math.nan)


def best_trial(state: SweepState, metric: str, mode: str) -> TrialState | None:
    """The trial with the best finite objective among those that did not fail."""
    judged = [t for t in state.trials.values() if t.state != "failed" and math.isfinite(value_of(t, metric))]
    if not judged:
        return None
    sign = 1.0 if mode == "min" else -1.0
    return min(judged, key=lambda t: (sign * value_of(t, metric), t.index))


def gain(state: SweepState, trial: TrialState, metric: str, mode: str) -> float:
    """How much better than the preset the trial was at its last evaluation, in the metric's unit; above 0 is better."""
    if 0 not in state.trials or not trial.history:
        return math.nan
    then = state.trials[0].at(trial.history[-1][0])
    if then is None or metric not in then:
        return math.nan
    difference = value_of(trial, metric) - then[metric]
    return -difference if mode == "min" else difference


def ranked(sweep: FoundSweep) -> list[TrialState]:
    """The trials, the best first; those without a value last, in order."""
    sign = 1.0 if sweep.mode == "min" else -1.0

    def place(trial: TrialState) -> tuple[bool, float, int]:
        value = value_of(trial, sweep.metric)
        known = math.isfinite(value) and trial.state != "failed"
        return (not known, sign * value if known else 0.0, trial.index)

    return sorted(sweep.state.trials.values(), key=place)


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
    state = sweep.state
    best = best_trial(state, sweep.metric, sweep.mode)
    return {
        "name": state.name,
        "id": state.id,
        "state": state.state,
        "reason": state.reason,
        "objective": {"metric": sweep.metric, "mode": sweep.mode},
        "best": None if best is None else _describe_best(sweep, best),
        "trials": [_describe_trial(sweep, state.trials[index]) for index in sorted(state.trials)],
    }


def _describe_best(sweep: FoundSweep, best: TrialState) -> dict[str, Any]:
    has_model = bool(sweep.store.list(f"{sweep.paths.best}/"))
    return {
        "index": best.index,
        "id": trial_id(sweep, best),
        "value": value_of(best, sweep.metric),
        "gain": _plain(gain(sweep.state, best, sweep.metric, sweep.mode)),
        "step": best.history[-1][0],
        "params": best.params,
        "grid": newest_grid(sweep, best),
        "model": sweep.place(sweep.paths.best) if has_model else None,
    }


def _describe_trial(sweep: FoundSweep, trial: TrialState) -> dict[str, Any]:
    return {
        "index": trial.index,
        "id": trial_id(sweep, trial),
        "state": trial.state,
        "step": trial.step,
        "params": trial.params,
        "metrics": {name: _plain(value) for name, value in (trial.metrics or trial.latest).items()},
        "train_seconds": trial.train_seconds,
        "failures": trial.failures,
        "error": trial.error,
    }


def _plain(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


def leaderboard(sweep: FoundSweep) -> list[dict[str, Any]]:
    """A row per trial for people, the best first."""
    axes: Sequence[str] = list(sweep.state.about.get("axes", {}))
    rows = []
    for rank, trial in enumerate(ranked(sweep), 1):
        value = value_of(trial, sweep.metric)
        better = gain(sweep.state, trial, sweep.metric, sweep.mode)
        rows.append(
            {
                "rank": rank,
                "trial": f"{trial.index} (preset)" if trial.index == 0 else trial.index,
                "state": trial.state,
                "step": trial.history[-1][0] if trial.history else trial.step,
                sweep.metric: _plain(value),
                "gain": None if trial.index == 0 or not math.isfinite(better) else f"{better:+.4g}",
                **{axis: trial.params.get(axis) for axis in axes},
                "seconds": round(trial.train_seconds, 1),
                **({"error": trial.error} if trial.error else {}),
            }
        )
    return rows


def results_parquet(sweep: FoundSweep, fingerprint: str) -> bytes:
    """One row per trial: index, id, state, step, train_seconds, params and metrics each in a column of their own.

    `fingerprint` says which log the table was made from.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = []
    for trial in describe_results(sweep)["trials"]:
        flat = {key: trial[key] for key in ("index", "id", "state", "step", "train_seconds")}
        flat |= {f"params/{name}": value for name, value in trial["params"].items()}
        rows.append(flat | trial["metrics"])
    columns: Mapping[str, list[Any]] = {
        name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)
    }
    table = pa.table({name: _column(values) for name, values in columns.items()})
    out = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({"i2i-results": "1", "i2i-log": fingerprint}), out)
    return out.getvalue()


def results_fingerprint(table: bytes) -> str:
    """Which log a stored table was made from."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    metadata = parquet.read_schema(pa.BufferReader(table)).metadata or {}
    return bytes(metadata.get(b"i2i-log", b"")).decode()


def _column(values: list[Any]) -> list[Any]:
    """Values of one kind: an axis may mix numbers and words, which become words."""
    kinds = {type(value) for value in values if value is not None}
    mixed = len(kinds - {int, float}) > 0 and len(kinds) > 1
    return [None if value is None else str(value) for value in values] if mixed else values
