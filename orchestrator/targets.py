"""The target that the `cluster` key of a sweep means, and what is there of a sweep's job.

Each target's library is loaded where it is asked for, and only there. The key's own value is kept in the sweep's record, so
that `resume`, `logs` and `stop` find the target again without the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.log.records import SweepState
from cluster.submission import Submission, read_submission
from cluster.targets.target import Job, Target, TargetError

if TYPE_CHECKING:  # `status` has to answer at once, and needs them only of a sweep that was handed to a target
    from orchestrator.finding import FoundSweep
    from orchestrator.sweep_file.cluster import Cluster
    from orchestrator.sweep_file.sweep import Sweep


def target_of(cluster: Cluster, sweep: Sweep | None = None) -> Target:
    """Where `cluster` says; `sweep`: what is to be submitted there. Raises TargetError where there is no way to it."""
    if cluster.address is not None:
        from cluster.targets.ray_jobs import RayJobsTarget

        return RayJobsTarget(cluster.address)
    if cluster.kubernetes is not None:
        from cluster.targets.kubernetes import KubernetesTarget
        from orchestrator.manifests.site import site_of

        return KubernetesTarget(site_of(cluster.kubernetes, sweep))
    from cluster.targets.local import LocalTarget

    return LocalTarget()


def cluster_in(option: str | None) -> dict[str, Any]:
    """What a `--cluster` option puts in place of the file's key; nothing where it is not given. Raises Refusal."""
    if option is None:
        return {}
    from orchestrator.sweep_file.yaml_file import parse_yaml

    return parse_yaml(f"cluster: {option}", "--cluster")


@dataclass(frozen=True)
class SeenJob:
    """A sweep's job, as its record and its target tell it. job: None where the target knows of none, or does not answer;
    problem: why it does not."""

    submission: Submission
    job: Job | None
    problem: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether something of it runs or will, as far as anybody knows."""
        return self.job is not None and not self.job.state.is_over

    def starts(self, state: SweepState) -> bool:
        """Whether it is yet to take up the sweep of that state; one that has may be ending, and its job a moment later."""
        return self.is_alive and state.attempt <= self.submission.attempt

    def __str__(self) -> str:
        where = self.submission.place
        if self.job is None:
            return self.problem or f"{where} knows of no job of it any more"
        why = f": {self.job.detail}" if self.job.detail else ""
        return f"{self.job.name} on {where} is {self.job.state}{why}"


def target_again(made: Submission) -> Target:
    """The target of a submit. Raises TargetError."""
    from orchestrator.sweep_file.cluster import read_cluster

    return target_of(read_cluster(made.cluster))


def see_job(found: FoundSweep) -> SeenJob | None:
    """The job of the sweep's last submit; None where it was never handed to a target. Raises what its store does.

    A target that the storage alone names is not asked: see trust.py.
    """
    made = read_submission(found.store, found.paths)
    if made is None:
        return None
    from orchestrator.trust import is_trusted

    if not is_trusted(made):
        return SeenJob(
            made, None, f"submitted to {made.place} by somebody else, or from elsewhere: not asked from here"
        )
    try:
        return SeenJob(made, target_again(made).find(made.key))
    except TargetError as error:
        return SeenJob(made, None, str(error))
