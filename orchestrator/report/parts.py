"""The words and tables of a report: what its template shows without any script. All of it is said elsewhere, too: `results` and
`status` tell the same of the same log."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cluster.log.records import SweepState
from orchestrator.finding import FoundSweep
from orchestrator.report.data import moment, short
from orchestrator.report.story import Story
from orchestrator.results.importance import Importances, importances
from orchestrator.results.outcome import Outcome
from orchestrator.results.results import leaderboard
from orchestrator.results.summary import best_line, ending, objective_text, remarks
from orchestrator.results.wording import percent
from orchestrator.running.spent import budgets
from orchestrator.running.sweeps import trainings
from orchestrator.sweep_file.quantities import duration_text
from orchestrator.tables import words

ROWS = 1000  # of a table; a page of more is slow, and nobody reads them
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")


class Cell(NamedTuple):
    """What stands in a table, and by what it is sorted where that is a number."""

    text: str
    key: float | None


class Table(NamedTuple):
    """Names of columns, and rows of as many cells."""

    heads: list[str]
    rows: list[list[Cell]]


def summary_parts(sweep: FoundSweep, found: Outcome, story: Story) -> dict[str, Any]:
    """The head of the page: title, verdict, remarks, and facts by name."""
    state = sweep.state
    return {
        "title": short(state.name or state.id),
        "subtitle": short(f"sweep {state.id}; {objective_text(found)}"),
        "state": state.state,
        "verdict": _verdict(state, found),
        "remarks": list(map(short, remarks(found))),
        "facts": [(name, short(text)) for name, text in _facts(state, found, story).items() if text],
    }


def importance_parts(found: Outcome) -> dict[str, Any]:
    """Which axes mattered, for each objective, or why nobody knows."""
    weighed: Importances = importances(found)
    shown = [
        (
            short(metric),
            weighed.settings,
            [
                {
                    "axis": short(one.axis),
                    "width": round(100 * one.share, 1),
                    "share": percent(one.share),
                    "chance": percent(one.chance),
                }
                for one in axes
            ],
        )
        for metric, axes in weighed.by_metric.items()
    ]
    return {"importance": shown, "importance_note": short(weighed.note[:1].upper() + weighed.note[1:])}


def table_parts(sweep: FoundSweep, found: Outcome) -> dict[str, Any]:
    """The leaderboard and the trials, and how much of each is left out."""
    board, trials = leaderboard(sweep), _trials(found)
    return {
        "leaderboard": table(board[:ROWS]),
        "trials": table(trials[:ROWS]),
        "hidden_rows": _hidden(len(board), "settings"),
        "hidden_trials": _hidden(len(trials), "trials"),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows as cells; the columns are their keys, in order of first appearance, without those that are always empty."""
    told = {key for row in rows for key in row if row[key] is not None}
    heads = [head for head in dict.fromkeys(key for row in rows for key in row) if head in told]
    return Table(list(map(short, heads)), [[cell(row.get(head)) for head in heads] for row in rows])


def cell(value: object) -> Cell:
    """A value as a table shows it; sorted by the number that it is, or begins with."""
    text = short(words(value))
    if isinstance(value, float | int) and not isinstance(value, bool):
        return Cell(text, float(value) if math.isfinite(value) else None)
    begins = NUMBER.match(text)
    return Cell(text, float(begins[0]) if begins and math.isfinite(float(begins[0])) else None)


def _verdict(state: SweepState, found: Outcome) -> list[str]:
    """Whom to name, after how far the sweep has come where it has not ended."""
    ended = sum(not trial.is_live for trial in state.trials.values())
    lines = [short(best_line(found))]
    if state.state != "done":
        so_far = f"{ended} of {trainings(state)} trainings have ended" if ended else "No training has ended yet"
        running = sum(trial.state == "running" for trial in state.trials.values())
        now = f"; {running} running" if running else ""
        how = "" if state.state == "running" else f" The sweep is {short(ending(state))}."
        lines.insert(0, f"{so_far}{now}. What follows is how it stands, and may change.{how}")
    return [line[:1].upper() + line[1:] for line in lines if line]


def _facts(state: SweepState, found: Outcome, story: Story) -> dict[str, str]:
    about, counted = state.about, [trial.state for trial in state.trials.values()]
    counts = [f"{counted.count(kind)} {kind}" for kind in dict.fromkeys(counted)]
    spent = budgets(state, None)
    return {
        "system": str(about.get("system", "")),
        "data": str((about.get("data") or {}).get("name", "")),
        "trials": f"{len(counted)} of {trainings(state)}: {', '.join(counts)}" if counted else "none yet",
        "steps of a training": words(about.get("steps")),
        "searcher": str(about.get("searcher", "")),
        "scheduler": str(about.get("scheduler", "")),
        "constraints": "; ".join(map(str, found.constraints)),
        "trained for": duration_text(math.fsum(trial.train_seconds for trial in state.trials.values())),
        **{
            name.replace("_", " "): f"{one['spent']:.3g}"
            for name, one in spent.items()
            if one["spent"] and name not in ("failures", "wall_seconds")
        },
        "begun": f"{moment(story.opened[0])[:16]} UTC" if story.opened else "",
        "last record": f"{moment(state.changed)[:16]} UTC" if state.changed else "",
        "submitted": f"{len(story.opened)} times" if len(story.opened) > 1 else "",
    }


def _trials(found: Outcome) -> list[dict[str, Any]]:
    """A row for each training, by number."""
    plain = found.is_plain
    return [
        {
            "trial": trial.index,
            **({} if plain else {"setting": trial.setting, "final": "yes" if trial.finalist else None}),
            "seed": trial.seed,
            "state": trial.state,
            "step": trial.step,
            "by": trial.by,
            "starts": trial.starts,
            "failures": trial.failures or None,
            "seconds": round(trial.train_seconds, 1),
            "went on from": ", ".join(f"trial {donor} at {step}" for step, donor, _ in trial.lineage) or None,
            "what happened": trial.error or trial.why or (f"{trial.notices[-1][1]}" if trial.notices else None),
        }
        for _, trial in sorted(found.state.trials.items())
    ]


def _hidden(count: int, what: str) -> str:
    return f"The first {ROWS} of {count} {what}; results -o json has all of them." if count > ROWS else ""
