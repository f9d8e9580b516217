"""One worker a trial: the trial trains in its own Tune actor, which the next trial reuses."""

from __future__ import annotations

from typing import Any

import torch
from ray import tune

from cluster.layout import SweepPaths
from cluster.run import Run
from cluster.stop import StopRequest
from cluster.training import Place, Report, train
from cluster.tune_bridge import REPORT, RUN
from data_shards.store import open_store


def run_trial(config: dict[str, Any]) -> None:
    """Tune's trial function. Tune ends a stopped trial by SystemExit inside the report, once the actor is needed again."""
    run = Run.from_json(config[RUN])
    device = "cuda:0" if config["gpus_per_worker"] > 0 and torch.cuda.is_available() else "cpu"

    def tell(report: Report) -> bool:
        tune.report({REPORT: report})
        return True

    train(run, Place(device=device), tell, stop_request(run).is_made)


def stop_request(run: Run) -> StopRequest:
    """The request that the sweep's trials save and end."""
    return StopRequest(open_store(run.storage), SweepPaths(run.sweep).stop_request)
