"""A Ray cluster as a target: the driver is a job of its Jobs API, on the cluster's head.

The sweep's file travels in an environment variable of the job, packed, since Ray would expand a `$` in it. The name of a job
is the fence between two submitters: the head takes each name once, and whoever comes second finds the first one's job.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from functools import cached_property

from ray.job_submission import JobDetails, JobStatus

from cluster.finding import Finding
from cluster.targets import ray_survey
from cluster.targets.ray_client import Client, connect, told
from cluster.targets.ray_probe import probe as look_from_head
from cluster.targets.target import PACKED, Capacity, Job, JobState, Need, Parcel, Survey, TargetError, job_name, pack

LOOK_S = 2.0  # between two looks at a log that is followed
MOST_TEXT = 60_000  # characters of the packed file: half of what Linux takes in one variable, since Ray quotes it
NOT_FOUND = 127  # the exit code of a shell that does not know the command
STATES = {
    JobStatus.PENDING: JobState.pending,
    JobStatus.RUNNING: JobState.running,
    JobStatus.SUCCEEDED: JobState.done,
    JobStatus.STOPPED: JobState.stopped,
    JobStatus.FAILED: JobState.failed,
}


class RayJobsTarget:
    """The cluster whose Jobs API is at `address`, which holds no secret. Nothing is asked before it is needed."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    @property
    def place(self) -> str:
        """The address."""
        return self._address

    def capacity(self) -> Capacity:
        """Of the nodes that are there now: a cluster that grows counts with what it has."""
        with told(self._address):
            return ray_survey.capacity(self._client)

    def survey(self, need: Need) -> Survey:
        """What is free now, as the head tells it."""
        with told(self._address):
            return ray_survey.survey(self._client, need)

    def examine(self, probe: str | None) -> list[Finding]:
        """The way to it, token, versions, clocks and nodes; `probe`: and what a job on the head finds of it."""
        found = list(ray_survey.examine(self._address))
        if not found[0].ok:
            return found
        if probe is None:
            rest = "versions of torch and i2i-cluster, /dev/shm, credentials and S3 on the head"
            return [*found, Finding("head", None, f"{rest} are not known from here", "`--probe` looks, by a job")]
        return [*found, *look_from_head(self._client, self._address, probe)]

    def find(self, sweep: str) -> Job | None:
        """The newest job of the sweep with that key."""
        name = re.compile(re.escape(job_name(sweep, 0)[:-1]) + r"([0-9]{1,9})")
        with told(self._address):
            jobs = self._client.list_jobs()
        numbered = {int(match[1]): job for job in jobs if (match := name.fullmatch(job.submission_id or ""))}
        return _job(numbered[max(numbered)], max(numbered)) if numbered else None

    def submit(self, parcel: Parcel, number: int) -> Job:
        """Make the job, or find the one that somebody else made at the same time."""
        name, text = parcel.job(number), pack(parcel.text)
        if len(text) > MOST_TEXT:
            raise TargetError(
                f"sweep {parcel.name}: its file is too long for a Ray job ({len(parcel.text):,} characters)"
            )
        try:
            with told(self._address):
                self._client.submit_job(
                    entrypoint=f"exec {shlex.join(parcel.command('-'))}",
                    submission_id=name,
                    runtime_env={"env_vars": {PACKED: text}},
                    metadata={"sweep": parcel.name},
                )
        except TargetError:
            if (found := self._named(name, number)) is None:
                raise
            return found
        return self._named(name, number) or Job(name, number, JobState.pending)

    def logs(self, job: Job, follow: bool) -> Iterator[str]:
        """The driver's output so far; `follow`: and on, a line as soon as it is whole, until the job is over."""
        told_lines = 0
        while True:
            now = self._named(job.name, job.number) if follow else None
            over = now is None or now.state.is_over
            with told(self._address):
                lines = self._client.get_job_logs(job.name).splitlines(keepends=True)
            if not over and lines and not lines[-1].endswith("\n"):
                lines.pop()
            yield from (line.rstrip("\r\n") for line in lines[told_lines:])
            told_lines = len(lines)
            if over:
                return
            time.sleep(LOOK_S)

    def stop(self, job: Job) -> None:
        """Ask the driver once more, by SIGTERM, and end it after RAY_JOB_STOP_WAIT_TIME_S (3 s, where the head has no other)."""
        with told(self._address):
            self._client.stop_job(job.name)

    @cached_property
    def _client(self) -> Client:
        return connect(self._address)

    def _named(self, name: str, number: int) -> Job | None:
        with told(self._address):
            answer = self._client._do_request("GET", f"/api/jobs/{name}")
            if answer.status_code == 404:
                return None
            return _job(self._client.get_job_info(name), number)


def _job(found: JobDetails, number: int) -> Job:
    state = STATES[JobStatus(found.status)]
    told_why = state in (JobState.pending, JobState.failed)
    return Job(found.submission_id or "", number, state, _detail(found) if told_why else "")


def _detail(found: JobDetails) -> str:
    """Why it waits or failed, in a line: of a driver that failed, the last one it wrote."""
    if found.driver_exit_code == NOT_FOUND:
        return "the head has no i2i-cluster on its PATH: install it there, in this machine's version"
    lines = [line.strip() for line in (found.message or "").splitlines() if line.strip()]
    if found.driver_exit_code and lines:
        return f"exit code {found.driver_exit_code}: {lines[-1]}"
    return lines[0] if lines else ""
