"""What a sweep has cost by its log, over all attempts, and which budget that exceeds."""

from __future__ import annotations

from cluster.job import Job, Trials

HOUR = 3600.0


def worker_hours(job: Job, trials: Trials) -> float:
    """Hours that workers were held by trials, waiting included; of a killed driver's trials up to their last record."""
    return sum(t.seconds * t.latest.get("resources/workers", job.workers) for t in trials.values()) / HOUR


def exceeded(job: Job, trials: Trials) -> str | None:
    """Which budget is spent, to be read by people; None where all hold."""
    limits, hours = job.limits, worker_hours(job, trials)
    gpu_hours = hours * job.gpus_per_worker
    for name, spent, limit in (
        ("gpu_hours", gpu_hours, limits.gpu_hours),
        ("cpu_hours", hours * job.cpus_per_worker, limits.cpu_hours),
        ("cost", gpu_hours * limits.price, limits.cost),
    ):
        if limit is not None and spent >= limit:
            return f"budget.{name}: {spent:.4g} of {limit:.4g} are spent"
    return None
