"""A table of the literature as sweeps: one sweep a row, in the words of a file, with the published values beside them.

A row says in what it differs from the sweep that all rows share, and nothing else: two rows of a table are one protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Refusal, in_order, nearest, places_of, refuse
from orchestrator.literature.file import File, Full, Row, Score, Source, beyond, changed, keys, read_part, read_parts
from orchestrator.sweep_file.draft import Draft, read_draft, touch
from orchestrator.sweep_file.yaml_file import written_in

FOLDER = Path("examples/tables")  # where the tables lie that are called by name


@dataclass(frozen=True)
class Table:
    """A table as its file says.

    Attributes:
        name: the file's, without its ending.
        sized: what is smaller here than in the paper, in words.
        minutes: about, for all rows and seeds, on 2 CPUs.
        prepare, sweep: the commands before all, and what all rows share.
    """

    name: str
    file: Path
    title: str
    source: Source
    sized: str
    minutes: float
    seeds: int
    prepare: Sequence[Sequence[str]]
    sweep: Mapping[str, Any]
    scores: Mapping[str, Score]
    rows: Mapping[str, Row]
    full: Full

    def commands(self, full: bool) -> Sequence[Sequence[str]]:
        """What makes its data sets and task networks."""
        return self.full.prepare or self.prepare if full else self.prepare

    def sweep_of(self, row: str, full: bool = False) -> str:
        """The name of a row's sweep."""
        return f"{self.name}-full-{row}" if full else f"{self.name}-{row}"

    def values(self, row: str, *, full: bool = False, seeds: int | None = None, storage: str = "") -> dict[str, Any]:
        """A row's sweep, as a file would have it. Without `storage` the sweep file's own default."""
        values = dict(self.sweep)
        for change in self._changes(row, full):
            values = changed(values, change)
        metrics = list(dict.fromkeys(score.metric for score in self.scores.values()))
        first = next(iter(self.scores.values()))
        also = {"also": metrics[1:]} if metrics[1:] else {}
        return {
            **values,
            "name": self.sweep_of(row, full),
            "trials": 1,
            "seeds": self.seeds if seeds is None else seeds,
            "objective": {"metric": first.metric, "mode": first.mode, **also},
            **({"storage": storage} if storage else {}),
        }

    def placed(self, refusal: Refusal, row: str, full: bool = False) -> Refusal:
        """A refusal of a row's sweep, in the words of the table's file."""
        own, key = self.rows[row], refusal.path
        at = {"objective": "scores", "name": f"rows.{row}", "storage": "--storage", "seeds": "seeds"}
        head = key.partition(".")[0]
        if head in at:
            refusal.path = at[head] + key.removeprefix(head)
        elif key and any(touch(key, one) for one in keys(own.full if full else {})):
            refusal.path = f"rows.{row}.full.{key}"
        elif key and any(touch(key, one) for one in keys(own.change)):
            refusal.path = f"rows.{row}.change.{key}"
        elif key and full and any(touch(key, one) for one in keys(self.full.change)):
            refusal.path = f"full.change.{key}"
        else:
            refusal.path = f"sweep.{key}" if key else f"rows.{row}"
        refusal.file = str(self.file)
        return refusal

    def draft(self, row: str, **options: Any) -> Draft:
        """A row's sweep, as far as it can be understood; options as of `values`."""
        return read_draft(self.values(row, **options))

    def _changes(self, row: str, full: bool) -> list[Mapping[str, Any]]:
        own = self.rows[row]
        return [self.full.change, own.change, own.full] if full else [own.change]


def find_table(wanted: str, folder: Path = FOLDER) -> Table:
    """The table of that name in `folder`, or in the file at that path. Raises Refusal."""
    if wanted.endswith((".yaml", ".yml")) or "/" in wanted:
        return load_table(Path(wanted))
    names = table_names(folder)
    if wanted not in names:
        problem = f"no table {wanted!r} in {folder}" + ("" if names else ", which holds none; name a file by its path")
        raise Refusal(problem, value=wanted, nearest=nearest(wanted, names), has=names)
    return load_table(folder / f"{wanted}.yaml")


def table_names(folder: Path = FOLDER) -> list[str]:
    """The tables that are called by name, sorted."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def load_table(path: Path) -> Table:
    """The table in the file at `path`. Raises Refusal: a line for each mistake, those in the rows' sweeps that need no data
    among them."""
    written = written_in(path)
    found, places = list(written.found), places_of(written.values)
    file = read_part(File, written.values, "", found)
    refuse(in_order(found, places), str(path))
    assert file is not None
    scores = read_parts(Score, file.scores, "scores", found)
    rows = read_parts(Row, file.rows, "rows", found)
    found += list(beyond(file, scores, rows))
    refuse(in_order(found, places), str(path))
    kept = {name: getattr(file, name) for name in File.model_fields if name not in ("scores", "rows")}
    table = Table(name=path.stem, file=path, scores=scores, rows=rows, **kept)
    for row in rows:
        for full in (False, True):
            found += [table.placed(refusal, row, full) for refusal in table.draft(row, full=full).found]
    once = {str(refusal): refusal for refusal in found}
    refuse(in_order(once.values(), places), str(path))
    return table
