"""One worker a trial: the trial trains in its own Tune actor, which the next trial reuses.

The surprise is `train_or_tell`: an exception that leaves a Tune actor or a worker group has lost its type on the way, and
whoever sees its text would try the trial again. What is not to be tried again is told as a report instead.
"""

from __future__ import annotations

from typing import Any

import torch
from ray import tune

from cluster.conditions import OtherConditions
from cluster.conductor import HALTED
from cluster.layout import SweepPaths
from cluster.run import Run
from cluster.stop import StopRequest
from cluster.training import Place, Report, Tell, train
from cluster.tune_bridge import REPORT, RUN
from data_shards.errors import DataError, TooManyBadSamples, Unreachable
from data_shards.store import open_store

HALTING = (DataError, OtherConditions, TooManyBadSamples, Unreachable)  # every trial of the sweep would meet the same


def run_trial(config: dict[str, Any]) -> None:
    """Tune's trial function. Tune ends a stopped trial by SystemExit inside the report, once the actor is needed again."""
    run = Run.from_json(config[RUN])
    device = "cuda:0" if config["gpus_per_worker"] > 0 and torch.cuda.is_available() else "cpu"

    def tell(report: Report) -> bool:
        tune.report({REPORT: report})
        return True

    train_or_tell(run, Place(device=device), tell)


def train_or_tell(run: Run, place: Place, tell: Tell) -> bool:
    """Train, or tell why the data or the storage does not serve; says whether it could train. Other errors are raised."""
    try:
        stop = StopRequest(open_store(run.storage), SweepPaths(run.sweep).stop_request)
        train(run, place, tell, stop.is_made)
    except HALTING as error:
        tell(Report(0, {}, outcome=HALTED, error=str(error)))
        return False
    return True
