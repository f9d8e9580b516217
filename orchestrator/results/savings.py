"""What stopping saved: who ended trainings early, and how many steps were not needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cluster.log.records import SweepState
from orchestrator.results.wording import percent

UNNAMED = "scheduler"  # who it was in a log that does not say


@dataclass(frozen=True)
class Savings:
    """Of the trainings that were suggested so far.

    by: who stopped how many, the most first. steps: those that the stopped ones did not train; possible: those of all trainings,
    had they run to their end. A failed training saves nothing.
    """

    trainings: int
    by: Mapping[str, int]
    steps: int
    possible: int


def savings(state: SweepState) -> Savings:
    """What stopping has saved so far, by the log."""
    steps = int(state.about.get("steps", 0))
    stopped = [trial for trial in state.trials.values() if trial.state == "stopped"]
    by = Counter(trial.by or UNNAMED for trial in stopped)
    saved = sum(max(0, steps - trial.step) for trial in stopped)
    return Savings(len(state.trials), dict(by.most_common()), saved, steps * len(state.trials))


def savings_line(saved: Savings) -> str:
    """The same in a line, such as "24 of 60 trainings were stopped, by asha 20, collapse 4: 41 % of the steps were not needed"."""
    stopped = sum(saved.by.values())
    if not stopped:
        return ""
    by = ", ".join(f"{name} {count}" for name, count in saved.by.items())
    were = "was" if stopped == 1 else "were"
    share = f": {percent(saved.steps / saved.possible)} of the steps were not needed" if saved.possible else ""
    return f"{stopped} of {saved.trainings} trainings {were} stopped, by {by}{share}"
