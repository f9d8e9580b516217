"""A fake of a target, for what `submit`, `status`, `stop` and `resume` make of what a target says. Nothing runs on it.

The real ones have tests of their own: `test_cluster.py` a Ray cluster, `test_local.py` this machine, `tests/k8s` Kubernetes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from cluster.finding import Finding
from cluster.targets.target import Capacity, Job, JobState, Need, Parcel, Survey, TargetError, job_name


@dataclass
class FakeTarget:
    """Keeps jobs as it was told. problem: what every method raises. happens: called when a job is made. needs: of what it was
    asked to tell."""

    place: str = "http://head:8265"
    offer: Capacity = Capacity(4.0, 0.0)  # noqa: RUF009
    problem: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    parcels: list[Parcel] = field(default_factory=list)
    happens: Callable[[Parcel], None] = lambda parcel: None
    stopped: list[str] = field(default_factory=list)
    told: Survey = Survey()  # noqa: RUF009
    needs: list[Need] = field(default_factory=list)

    def capacity(self) -> Capacity:
        self._ask()
        return self.offer

    def survey(self, need: Need) -> Survey:
        self._ask()
        self.needs.append(need)
        return self.told

    def examine(self, probe: str | None) -> list[Finding]:
        return [Finding("cluster: way", True, f"{self.place}, and {probe}")]

    def find(self, sweep: str) -> Job | None:
        self._ask()
        of_sweep = [job for job in self.jobs.values() if job.name == job_name(sweep, job.number)]
        return max(of_sweep, key=lambda job: job.number, default=None)

    def submit(self, parcel: Parcel, number: int) -> Job:
        self._ask()
        name = parcel.job(number)
        if name not in self.jobs:
            self.jobs[name] = Job(name, number, JobState.pending, "no room yet")
            self.parcels.append(parcel)
            self.happens(parcel)
        return self.jobs[name]

    def logs(self, job: Job, follow: bool) -> Iterator[str]:
        self._ask()
        yield from ["the first line", "and the last"]

    def stop(self, job: Job) -> None:
        self._ask()
        self.stopped.append(job.name)
        self.become(JobState.stopped)

    def become(self, state: JobState, detail: str = "") -> None:
        """All jobs are so now."""
        self.jobs = {name: replace(job, state=state, detail=detail) for name, job in self.jobs.items()}

    def _ask(self) -> None:
        if self.problem:
            raise TargetError(self.problem)
