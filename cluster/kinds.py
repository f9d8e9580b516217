"""Which system a run trains: one of the catalogue, one of the user's own, or a stage of either."""

from __future__ import annotations

from cluster.run import Run
from trainers.system import System
from trainers.systems.catalog import SYSTEMS
from trainers.systems.own import own_system


def kind_of(run: Run) -> type[System]:
    """The run's system, or that of the stage that it is. Raises NotASystem where its code is none here."""
    whole = own_system(run.system, run.code) if run.code else SYSTEMS[run.system]
    return next(stage.system for stage in whole.stages if stage.name == run.stage) if run.stage else whole
