"""What the rows of a table came to in a storage: found by the name of their sweeps and by what was asked of them.

A sweep of that name with other settings, from before the table was changed, is no result of it. The data are not asked: they may
be far away by now. But rows that were trained on different ones are told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cluster.log.records import UnreadableLog
from cluster.log.store import sweeps_in
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.literature.table import Table
from orchestrator.planning.identity import identity_of, sweep_id
from orchestrator.results.standing import mean_of, spread_of
from orchestrator.storage import open_to_look
from orchestrator.sweep_file.sweep import read_sweep

# Of a sweep's identity, what a row may differ in and still be the same row: hashes that only the data tell, and seeds.
APART = ("data.uri", "task", "evaluation.features.module", "seeds")
SAME_FOR_ALL = {"data.uri": "data", "task": "task network"}


@dataclass(frozen=True)
class Result:
    """A row: its sweep, None where there is none; score -> the values of its trainings that are done, by seed.

    of: trainings that it should have. failed: those that did not come through. seconds: of training, in all.
    """

    sweep: FoundSweep | None
    values: Mapping[str, tuple[float, ...]]
    of: int
    failed: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Trainings that came to their end."""
        return max(map(len, self.values.values()), default=0)

    @property
    def is_whole(self) -> bool:
        """Whether all of its trainings did."""
        return self.done >= self.of

    @property
    def state(self) -> str:
        """In words."""
        if self.sweep is None:
            return "not run"
        if self.is_whole:
            return "done"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.of} seeds{failed}, {self.sweep.state.state}"

    def mean(self, score: str) -> float:
        """Over the seeds; NaN where there is none."""
        return mean_of(self.values.get(score, ()))

    def spread(self, score: str) -> float:
        """The sample standard deviation over the seeds; NaN of fewer than two."""
        return spread_of(self.values.get(score, ()))


def look(tables: Sequence[Table], storage: str, full: bool = False) -> list[dict[str, Result]]:
    """Of each table: row -> what it came to in `storage`. Raises Refusal for an address that means nothing."""
    wanted = {table.sweep_of(row, full): (table, row) for table in tables for row in table.rows}
    found: dict[str, list[FoundSweep]] = {name: [] for name in wanted}
    for sweep in _sweeps(storage):
        if sweep.state.name in wanted and sweep.state.about:
            found[sweep.state.name].append(sweep)
    return [
        {row: _result(table, row, full, found[table.sweep_of(row, full)]) for row in table.rows} for table in tables
    ]


def differing(results: Mapping[str, Result]) -> list[str]:
    """What rows should share and do not, a line each."""
    lines = []
    for key, what in SAME_FOR_ALL.items():
        by_hash: dict[str, list[str]] = {}
        for row, result in results.items():
            if result.sweep is not None:
                by_hash.setdefault(str(_identity(result.sweep).get(key, "")), []).append(row)
        if len(by_hash) > 1:
            groups = "; ".join(", ".join(rows) for rows in by_hash.values())
            lines.append(f"not all rows have the same {what}, and are no table: {groups}")
    return lines


def _sweeps(storage: str) -> Iterator[FoundSweep]:
    """Every sweep of a storage whose log can be read."""
    store = open_to_look(storage)
    for sweep in sweeps_in(store):
        with suppress(FileNotFoundError, UnreadableLog):  # claimed, and nothing recorded yet; or `list` tells of it
            yield open_sweep(store, sweep)


def _result(table: Table, row: str, full: bool, sweeps: Sequence[FoundSweep]) -> Result:
    asked = read_sweep(table.values(row, full=full), str(table.file))
    wanted = _essence(identity_of(asked, ""))
    own = [_judged(table, sweep) for sweep in sweeps if _essence(_identity(sweep)) == wanted]
    best = max(own, key=lambda one: (one.done, _changed(one)), default=None)
    return best or Result(None, {}, table.seeds)


def _judged(table: Table, sweep: FoundSweep) -> Result:
    trials = [sweep.state.trials[index] for index in sorted(sweep.state.trials)]
    values = {
        name: tuple(
            value
            for trial in trials
            if trial.state == "done" and math.isfinite(value := trial.metrics.get(score.metric, math.nan))
        )
        for name, score in table.scores.items()
    }
    failed = sum(trial.state == "failed" for trial in trials)
    of = int(sweep.state.about.get("seeds", 1))
    return Result(sweep, values, of, failed, math.fsum(trial.train_seconds for trial in trials))


def _identity(sweep: FoundSweep) -> Mapping[str, Any]:
    return dict(sweep.state.about.get("identity") or {})


def _essence(identity: Mapping[str, Any]) -> str:
    return sweep_id({key: value for key, value in identity.items() if key not in APART})


def _changed(result: Result) -> float:
    return result.sweep.state.changed if result.sweep else 0.0
