"""One worker a trial: the trial trains in its own Tune actor, which the next trial reuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from ray import tune

from cluster.layout import SweepPaths
from cluster.run import Run
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

    train(run, Place(device=device), tell, stop_request(run))


def stop_request(run: Run) -> Callable[[], bool]:
    """Whether the sweep's trials are asked to save and end."""
    return functools.partial(open_store(run.storage).exists, SweepPaths(run.sweep).stop_request)
