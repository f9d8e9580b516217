"""Tune speaks, the conductor answers: a Searcher and a Scheduler that hold no state of their own.

Tune's trial ids change with every attempt, so nothing is ever keyed by them: a trial is its index in the sweep, which
travels in its config.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from cluster.conductor import Conductor
from cluster.deaths import in_short
from cluster.layout import SweepPaths
from cluster.log.records import CONTINUE, STOP
from cluster.report import AGAIN, Report
from cluster.waiting import Waiting
from cluster.workers.watchdog import stalls
from data_shards.errors import DataError
from data_shards.store import open_store

INDEX, RUN, ATTEMPT = "index", "run", "attempt"  # attempt: the number of the trial's start
REPORT = "report"  # a result's one key of ours; an object, since Tune takes dicts apart


class ConductedSearcher(Searcher):
    """Asks the conductor what to run."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor

    def suggest(self, trial_id: str) -> Any:
        """A trial's config; None while there is nothing to start; FINISHED when nothing will come."""
        found = self._conductor.next_trial()
        if found is None:
            if self._conductor.is_stuck():
                raise RuntimeError(
                    "the sweep is stuck: nothing runs and nothing can be started, yet it is not finished"
                )
            return Searcher.FINISHED if self._conductor.is_finished() else None
        index, _ = found
        trial = self._conductor.state.trials[index]
        return {INDEX: index, RUN: self._conductor.job.run(trial).to_json(), ATTEMPT: trial.starts}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The scheduler has told the conductor already."""

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Metric and mode are the conductor's business."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the log has it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the log has it."""


class ConductedScheduler(FIFOScheduler):
    """Hands reports to the conductor and its decisions back. Trials run in the order in which they were suggested."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._conductor, self._waiting = conductor, Waiting(conductor)
        self._ended: list[Trial] = []

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """A trial was suggested. It gets its folder now: Tune gives it one with its process, and ends with an error where a
        trial that was stopped before it got one has none."""
        trial.init_local_path()

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """A report: logged, decided on. Results that Tune makes up itself decide nothing."""
        if REPORT not in result:
            return TrialScheduler.CONTINUE
        return (
            TrialScheduler.STOP if self._told(trial.config[INDEX], result[REPORT]) == STOP else TrialScheduler.CONTINUE
        )

    def _told(self, index: int, report: Report) -> str:
        """Everything that a report says, in the order in which it happened."""
        conductor = self._conductor
        if report.waits:
            self._waiting.tell(index, report.waits)
        else:
            self._waiting.end(index)
        for notice in report.notices:
            conductor.noticed(index, report.step, notice)
        verdicts = [conductor.stumbled(index, failure) for failure in report.failures]
        if report.metrics:
            verdicts.append(conductor.reported(index, report.step, report.metrics, report.evaluated))
        if STOP in verdicts:
            return STOP
        if report.outcome in AGAIN and conductor.job.in_groups:
            return conductor.fell(index, report.outcome, report.step, report.error)
        if report.outcome in AGAIN:
            conductor.left(index, report.step)
        elif report.outcome:
            conductor.ended(index, report.outcome, report.error)
        return CONTINUE

    def choose_trial_to_run(self, tune_controller: Any, **options: Any) -> Trial | None:
        """Asked all the time, also while nothing can be placed: whoever waits for a place looks for no request to end."""
        self._conductor.book.check()
        self._forget()
        self._conductor.look_up()
        unplaced = {trial.config[INDEX]: trial for trial in tune_controller.get_trials() if _is_unplaced(trial)}
        if not self._conductor.stopping:
            self._waiting.look({i: trial.placement_group_factory.required_resources for i, trial in unplaced.items()})
            chosen: Trial | None = super().choose_trial_to_run(tune_controller, **options)
            return chosen
        for index, trial in unplaced.items():
            self._conductor.ended(index, "interrupted", None)
            tune_controller.stop_trial(trial)
        return None

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """A trial came to its end, or was stopped; the conductor knows already."""
        self._ended.append(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """A trial raised, or its process died. One that had not begun in the process of another is not to blame."""
        self._ended.append(trial)
        index, start = trial.config[INDEX], trial.config[ATTEMPT]
        state = self._conductor.state.trials[index]
        if trial.status == Trial.PENDING:  # Tune makes it running before it says that a new process died
            self._conductor.left(index, state.step, f"it starts in another process: {_cause(trial)}")
            return
        last = state.starts  # its groups have started it again since
        self._conductor.crashed(index, start, self._stall(index, last) or _cause(trial))

    def _forget(self) -> None:
        """Empty what Tune keeps for ever of trials that ended: for a restore and a table of its own, which nobody asks for."""
        for trial in self._ended:
            trial.config.pop(RUN, None)
            trial.evaluated_params.clear()
            kept = trial.run_metadata
            kept.last_result, kept.metric_analysis, kept.metric_n_steps = {"done": True}, {}, {}
        self._ended.clear()

    def _stall(self, index: int, start: int) -> str:
        """What a watchdog said before it ended the process, "" where none did."""
        job = self._conductor.job
        try:
            return next(iter(stalls(open_store(job.storage), SweepPaths(job.id).stalls(index), start)), "")
        except (DataError, OSError):  # it was only the more telling of two texts
            return ""


def _is_unplaced(trial: Trial) -> bool:
    """Whether no process was found for it yet."""
    return trial.status == Trial.PENDING and trial.temporary_state.ray_actor is None


def _cause(trial: Trial) -> str:
    """What Tune wrote down about an error, in one line."""
    file = trial.error_file
    return in_short(Path(file).read_text(errors="replace") if file and Path(file).exists() else "")
