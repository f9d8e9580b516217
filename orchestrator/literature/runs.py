"""`tables run`: the commands that prepare, then the rows, each by the way that `submit` takes. What is done is done at once again.

All rows are checked before the first is trained: a table is worth little without its last row.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from orchestrator.errors import Refusal, nearest, refuse
from orchestrator.literature.results import look
from orchestrator.literature.table import Table
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import BOUNDLESS
from orchestrator.saying import say
from orchestrator.sweep_file.draft import Draft, read_draft, touch
from orchestrator.sweep_file.quantities import duration_text

INTERRUPTED = 130
BEFORE = ("data.uri", "task", "objective")  # what cannot be asked before the data and the task networks are made
Submit = Callable[[Draft, str, Console], int]


@dataclass(frozen=True)
class Asked:
    """What of a table is to be run: rows, size, seeds (None: the table's own), and where."""

    table: Table
    rows: Sequence[str]
    full: bool
    seeds: int | None
    storage: str
    cluster: dict[str, Any]

    def draft(self, row: str) -> Draft:
        """A row's sweep."""
        values = self.table.values(row, full=self.full, seeds=self.seeds, storage=self.storage)
        return read_draft({**values, **self.cluster})

    @property
    def minutes(self) -> float | None:
        """How long a row takes by what the file says; None where it says nothing of this size."""
        share = (self.seeds or self.table.seeds) / self.table.seeds / len(self.table.rows)
        return None if self.full else self.table.minutes * share


def chosen(table: Table, rows: str | None) -> list[str]:
    """The rows named in "a,b", in the table's order; all of them for None. Raises Refusal."""
    if rows is None:
        return list(table.rows)
    wanted = [row.strip() for row in rows.split(",") if row.strip()]
    for row in wanted:
        if row not in table.rows:
            problem = f"{table.name} has no row {row!r}"
            raise Refusal(problem, path="--rows", value=row, nearest=nearest(row, table.rows), has=table.rows)
    if not wanted:
        raise Refusal("names no row", path="--rows", value=rows, has=table.rows)
    return [row for row in table.rows if row in wanted]


def run_table(asked: Asked, console: Console, submit: Submit | None = None) -> int:
    """Prepare, and run the rows one after the other; returns the exit code: that of the first row that failed, and goes on after
    it. Raises Refusal before anything is started.

    submit: what runs a sweep; None: as the command `submit` does.
    """
    check_rows(asked, but=BEFORE)
    code = prepare(asked)
    if code:
        return code
    plans = check_rows(asked)
    (before,) = look([asked.table], asked.storage, asked.full)
    done = {
        row
        for row, result in before.items()
        if result.is_whole and result.sweep and result.sweep.state.id == plans[row].id
    }
    left, times, failed = [row for row in asked.rows if row not in done], list[float](), 0
    for number, row in enumerate(asked.rows, 1):
        if row in done:
            say(f"row {number} of {len(asked.rows)}: {row}, done before", aside=True)
            continue
        say(f"row {number} of {len(asked.rows)}: {row}{_time_left(asked, left, times)}", aside=True)
        started = time.monotonic()
        code = (submit or _submit)(asked.draft(row), str(asked.table.file), console)
        times.append(time.monotonic() - started)
        left.remove(row)
        if code == INTERRUPTED:
            say("what is done is kept: the same command goes on", aside=True)
            return code
        failed = failed or code
    return failed


def check_rows(asked: Asked, but: Sequence[str] = ()) -> dict[str, Plan]:
    """Row -> its plan, on a machine that holds everything. Raises Refusal with a line for each mistake; but: in these keys none."""
    plans, found = {}, []
    for row in asked.rows:
        try:
            plans[row] = make_plan(asked.draft(row), str(asked.table.file), machine=BOUNDLESS)
        except Refusal as refusal:
            told = [one for one in refusal.apart() if not any(touch(one.path, key) for key in but)]
            found += [asked.table.placed(one, row, asked.full) for one in told]
    refuse(list({str(one): one for one in found}.values()))
    return plans


def prepare(asked: Asked) -> int:
    """Give the commands that make data sets and task networks; the exit code of the one that failed, or 0."""
    for words in asked.table.commands(asked.full):
        own = [*words, "--storage", asked.storage] if words[:2] == ["task", "train"] else list(words)
        say(f"i2i-cluster {shlex.join(own)}", aside=True)
        done = subprocess.run([sys.executable, "-m", "orchestrator.cli", *own], stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            say(f"error: {asked.table.name} could not be prepared", aside=True)
            return done.returncode
    return 0


def _submit(draft: Draft, file: str, console: Console) -> int:
    from orchestrator.remote import submit_anywhere  # slow to import: only where something runs

    return submit_anywhere(draft, file, console)


def _time_left(asked: Asked, left: Sequence[str], times: Sequence[float]) -> str:
    """By the rows that were run, or by what the file says."""
    each = sum(times) / len(times) if times else None if asked.minutes is None else 60 * asked.minutes
    return f", about {duration_text(each * len(left))} left" if each else ""
