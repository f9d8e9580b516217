"""One worker a trial: the trial trains in its own Tune actor, which the next trial reuses.

The surprise is `train_or_tell`: an exception that leaves a Tune actor or a worker group has lost its type on the way, and
whoever sees its text would try the trial again. What is not to be tried again is told as a report instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ray import tune
from ray.tune.trainable.function_trainable import wrap_function

from cluster.conditions import OtherConditions
from cluster.layout import SweepPaths
from cluster.report import HALTED, TOO_LARGE, Place, Report, Tell
from cluster.room import TooLarge
from cluster.run import Run
from cluster.stop import StopRequest
from cluster.training import train
from cluster.tune_bridge import ATTEMPT, REPORT, RUN
from cluster.workers.preemption import Draining, heed_sigterm
from cluster.workers.shipping import Shipper
from cluster.workers.watchdog import Watchdog, of_attempt
from data_shards.errors import DataError, TooManyBadSamples, Unreachable
from data_shards.store import open_store

HALTING = (DataError, OtherConditions, TooManyBadSamples, Unreachable)  # every trial of the sweep would meet the same


class Leaving(RuntimeError):
    """This process's node is about to go: Tune must not give its actor to the next trial. The conductor knows already."""


def run_trial(config: dict[str, Any]) -> None:
    """Tune's trial function. Tune ends a stopped trial by SystemExit inside the report, once the actor is needed again."""
    run = Run.from_json(config[RUN])
    device = "cuda:0" if config["gpus_per_worker"] > 0 and torch.cuda.is_available() else "cpu"
    outcomes: list[str | None] = []

    def tell(report: Report) -> bool:
        outcomes.append(report.outcome)
        tune.report({REPORT: report})
        return True

    train_or_tell(run, Place(device=device, attempt=config[ATTEMPT]), tell)
    if "preempted" in outcomes:
        raise Leaving("saved, and left a machine that was announced to go")


class StillBusy(RuntimeError):
    """This process cannot take another trial. Returning False would end that trial in Tune's eyes, and Tune would tell nobody."""


class SingleTrial(wrap_function(run_trial)):  # type: ignore[misc]
    """`run_trial` as Tune runs it, in a thread; the process's main thread, which alone may handle signals, comes by here."""

    def setup(self, config: dict[str, Any]) -> None:
        """In a process of its own, or one that is reused."""
        heed_sigterm()
        super().setup(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process."""
        heed_sigterm()
        if not super().reset_config(new_config):
            raise StillBusy("this process has not come to an end with the trial that it had before")
        return True


def train_or_tell(run: Run, place: Place, tell: Tell, wish: Callable[[], str | None] = lambda: None) -> bool:
    """Train, or tell why the data or the storage does not serve; says whether it could train. Other errors are raised.

    `wish`: why the trial wants the run to save and end, asked after every step like the other reasons.
    """
    try:
        store, paths = open_store(run.storage), SweepPaths(run.sweep)
        stop = StopRequest(store, paths.stop_request)
        stalls = of_attempt(paths.stalls(run.trial), place.attempt)
        with (
            Shipper(store, paths.output(run.trial), place.attempt, place.rank) as output,
            Draining() as draining,
            Watchdog(run.stall, stalls, store, place.rank) as watchdog,
        ):

            def asked() -> str | None:
                if stop.is_made():
                    return "interrupted"
                return "preempted" if draining.is_asked() else wish()

            train(run, place, output.telling(tell), asked, output.beating(watchdog.beat))
    except (*HALTING, TooLarge) as error:
        outcome = TOO_LARGE if isinstance(error, TooLarge) else HALTED
        tell(Report(0, {}, outcome=outcome, error=str(error)))
        return False
    return True
