"""From what a job says of its scheduler to the scheduler."""

from __future__ import annotations

from cluster.job import PBT, Asha, Halving, Job, Median
from cluster.schedulers.asha import Rungs
from cluster.schedulers.decisions import Scheduler
from cluster.schedulers.halving import Brackets
from cluster.schedulers.median import Medians
from cluster.schedulers.pbt import Population


def build_scheduler(job: Job) -> Scheduler | None:
    """The job's scheduler as it is before anything was reported; None where all trials run to their end."""
    steps, mode = job.steps, job.mode
    match job.schedule:
        case None:
            return None
        case Asha(grace, reduction):
            return Rungs(grace, reduction, steps, mode)
        case Median(grace, least):
            return Medians(grace, least, steps, mode)
        case Halving(grace, reduction, bracket):
            return Brackets(grace, reduction, bracket, job.trials, steps, mode)
        case PBT(every, quantile, explore):
            return Population(every, quantile, explore, job.seed, job.trials, steps, mode)
