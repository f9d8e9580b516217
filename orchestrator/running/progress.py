"""What a person sees while a sweep runs: a live table on a terminal, a line for each event in a pipe."""

from __future__ import annotations

import datetime
import time
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cluster.log.records import LIVE, SweepState, TrialState
from orchestrator.planning.plan import Plan
from orchestrator.results.results import best_trial, value_of
from orchestrator.running.sweeps import remaining_steps, trainings
from orchestrator.saying import say, visible
from orchestrator.tables import cell

NOTICES_SHOWN = 6  # lines under the table
STATE_STYLE = {
    "running": "bold cyan",
    "done": "green",
    "stopped": "yellow",
    "failed": "bold red",
    "pending": "dim",
    "paused": "dim cyan",
}


def eta_seconds(state: SweepState, trials: int, steps: int, batch: int, concurrency: int) -> float | None:
    """Seconds to the end at the present rate; None until a rate is known. At most that: trials may be stopped early."""
    rates = [t.latest.get("time/images_per_second", 0.0) / batch for t in state.trials.values() if t.state == "running"]
    known = [rate for rate in rates if rate > 0]
    if not known:
        return None
    return remaining_steps(state, trials, steps) / (sum(known) / len(known) * concurrency)


class Progress:
    """Shows a plan's progress. A context: on a terminal the table lives as long as it."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan, self._console = plan, console
        self._state = SweepState()
        self._told: dict[int, tuple[str, int]] = {}
        self._noted: dict[int, tuple[int, str]] = {}  # the last notice of each trial that a pipe has
        self._failed: dict[int, int] = {}  # failures of each trial that a pipe has
        self._cloned: dict[int, int] = {}  # how often each trial went on from another, as a pipe has it
        self._started = time.monotonic()
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._live.stop()

    def observe(self, state: SweepState) -> None:
        """Take note of the sweep's state; called after every record of its log."""
        self._state = state
        if not self._console.is_terminal:
            for trial in state.trials.values():
                self._tell(trial)

    def _tell(self, trial: TrialState) -> None:
        """One line where a trial was evaluated or changed its state, or where something happened to it."""
        if trial.notices and self._noted.get(trial.index) != trial.notices[-1]:
            self._noted[trial.index] = trial.notices[-1]
            say(f"trial {trial.index}  {_notice(trial)}")
        if (
            trial.failures > self._failed.get(trial.index, 0) and trial.error
        ):  # without a text, an earlier driver told it
            allowed = self._plan.sweep.budget.failures
            say(f"trial {trial.index}  failure {trial.failures}, {allowed} allowed: {trial.error}")
        self._failed[trial.index] = trial.failures
        if len(trial.lineage) > self._cloned.get(trial.index, 0):
            self._cloned[trial.index] = len(trial.lineage)
            say(f"trial {trial.index}  {_donor(trial)}")
        evaluated = trial.history[-1][0] if trial.history else 0
        now = (trial.state, evaluated)
        if trial.state in ("pending", "paused") or self._told.get(trial.index) == now:
            return
        self._told[trial.index] = now
        value = cell(value_of(trial, self._plan.objective.metric)) if evaluated else ""
        score = f"  {self._plan.objective.metric} {value}" if value else ""
        error = f"  {trial.error or _stopped(trial)}" if trial.error or trial.by else ""
        step = f"step {max(evaluated, trial.step)}/{self._plan.sweep.steps}"
        say(f"trial {trial.index}  {trial.state}  {step}{score}{self._eta()}{error}")

    def _eta(self) -> str:
        plan = self._plan
        seconds = eta_seconds(self._state, self._trainings, plan.sweep.steps, plan.sizes.batch, plan.sizes.concurrency)
        return "" if seconds is None else f"  at most {_clock(seconds)} to go"

    @property
    def _trainings(self) -> int:
        """How many there will be, at most."""
        return max(self._plan.trials, trainings(self._state))

    def _render(self) -> RenderableType:
        plan, state = self._plan, self._state
        best = best_trial(state, plan.objective.metric, plan.objective.mode)
        table = Table(title=f"{plan.sweep.name}  {plan.id}", title_justify="left", title_style="bold")
        for column in ("trial", "state", "step", "", "images/s", plan.objective.metric, *plan.searched):
            table.add_column(cell(column))
        for trial in list(state.trials.values()):
            table.add_row(*self._row(trial, best is not None and trial.index == best.index))
        done = sum(t.state in ("done", "stopped", "failed") for t in state.trials.values())
        line = f"{done} of {self._trainings} trials   {_clock(time.monotonic() - self._started)} so far{self._eta()}"
        if best is not None:
            line += f"   best: trial {best.index}, {cell(value_of(best, plan.objective.metric))}"
        happened = [
            Text(visible(f"trial {t.index}  {text}"), style="yellow")
            for t in list(state.trials.values())
            for text in (_notice(t), _trouble(t), _donor(t))
            if text and t.state in LIVE
        ]
        return Group(
            table,
            *happened[-NOTICES_SHOWN:],
            Text(line),
            Text("Ctrl-C saves and stops; the same command goes on.", style="dim"),
        )

    def _row(self, trial: TrialState, best: bool) -> list[Any]:
        steps = self._plan.sweep.steps
        rate = trial.latest.get("time/images_per_second") if trial.state == "running" else None
        value = trial.metrics.get(self._plan.objective.metric)
        return [
            f"{trial.index}{' (preset)' if trial.index == 0 else ''}",
            Text(trial.state, style=STATE_STYLE[trial.state]),
            f"{trial.step}/{steps}",
            ProgressBar(total=steps, completed=trial.step, width=16),
            "" if rate is None else f"{rate:.1f}",
            Text(cell(value), style="bold green" if best else ""),
            *(cell(trial.params.get(axis)) for axis in self._plan.searched),
        ]


def _notice(trial: TrialState) -> str:
    """The last thing that happened to it, if anything."""
    return "step {}: {}".format(*trial.notices[-1]) if trial.notices else ""


def _trouble(trial: TrialState) -> str:
    """What it failed at last and lived through, and how often."""
    return f"{trial.failures} x failed, last: {trial.error}" if trial.failures and trial.error else ""


def _donor(trial: TrialState) -> str:
    """From whose checkpoint it went on last, if it did."""
    return "goes on from trial {1} at step {0}".format(*trial.lineage[-1]) if trial.lineage else ""


def _stopped(trial: TrialState) -> str:
    """Who stopped it, and why. A rule's reason begins with its name."""
    return trial.why if trial.why.startswith(f"{trial.by}:") else f"{trial.by}: {trial.why}"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
