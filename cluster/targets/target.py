"""What every target can do with a sweep's driver. What the driver then does is the same on all of them.

A target keeps nothing of the sweep but the job itself: the truth is the log in the sweep's storage, which client and
cluster both reach. The surprise is `submit`, which is idempotent by content: a job's name is made of the sweep's key and
the number of the job, so that two clients that submit at once make one job.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from cluster.finding import Finding

CPUS, GPUS = "I2I_CLUSTER_CPUS", "I2I_CLUSTER_GPUS"  # tell a driver how far its cluster may grow
PACKED = "I2I_SWEEP"  # holds the file, packed, where a target has no other way for it; `drive -` reads it


class TargetError(OSError):
    """The target cannot be reached, refuses the token, or does not take the job: one line, with what to do."""


class JobState(StrEnum):
    """How a job is, as the target tells it."""

    pending = "pending"  # it waits for a place, an image or a queue
    running = "running"
    done = "done"
    stopped = "stopped"
    failed = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more, or will."""
        return self in (JobState.done, JobState.stopped, JobState.failed)


@dataclass(frozen=True)
class Parcel:
    """What travels to a target: a sweep's file with places that the cluster understands, and never a secret.

    sweep: its key, which names its jobs: its id, and a mark of its storage, since one sweep may lie in two of them. name:
    for people. text: the YAML of the file, `cluster: local` in it, all places absolute. options: further words of the
    driver's command line, such as --allow-inexact.
    """

    sweep: str
    name: str
    text: str
    options: tuple[str, ...] = ()

    def job(self, number: int) -> str:
        """The name of the sweep's job of that number, from 1 on: the same at whoever submits it."""
        return job_name(self.sweep, number)

    def command(self, file: str) -> tuple[str, ...]:
        """The driver's command line on the target, where `file` holds the text; "-": PACKED does."""
        return ("i2i-cluster", "drive", file, *self.options)


def pack(text: str) -> str:
    """A text as letters and digits that no shell and no variable changes."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(packed: str) -> str:
    """What `pack` was given. Raises ValueError for anything else."""
    try:
        return zlib.decompress(base64.b64decode(packed, validate=True)).decode()
    except zlib.error as error:
        raise ValueError("it is not what `submit` packed") from error


def job_name(sweep: str, number: int) -> str:
    """The name of the job of that number of the sweep with that key."""
    return f"i2i-{sweep}-{number}"


@dataclass(frozen=True)
class Job:
    """A sweep's job on a target. detail: the target's own words for how it is, where it has any. number: from 1 on."""

    name: str
    number: int
    state: JobState
    detail: str = ""


class NotThere(TargetError):
    """What the sweep names and the target does not have. key: of `cluster.kubernetes`."""

    def __init__(self, line: str, key: str) -> None:
        super().__init__(line)
        self.key = key


@dataclass(frozen=True)
class Node:
    """What one node offers to trials."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """What a target offers to trials, at most: all its nodes together, once they are there; and each, where that is known."""

    cpus: float
    gpus: float
    nodes: tuple[Node, ...] = ()


def capacity_of(nodes: Iterable[Node]) -> Capacity:
    """What these nodes offer."""
    known = tuple(nodes)
    return Capacity(sum(node.cpus for node in known), sum(node.gpus for node in known), known)


@dataclass(frozen=True)
class Need:
    """What a sweep asks for: trials at a time, workers of each, CPUs and GPUs of a worker, and bytes of memory, where known."""

    trials: int
    workers: int
    cpus: float
    gpus: float
    memory: int | None = None


@dataclass(frozen=True)
class Survey:
    """What a target tells of itself for a sweep that would run there, before anything is made.

    facts: name -> what is there, for people. short: what there is too little of, and what to do. unknown: what it does not tell.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    short: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Target(Protocol):
    """A place for drivers. Every method raises TargetError."""

    @property
    def place(self) -> str:
        """For people and for the sweep's record: an address without secrets."""
        ...

    def capacity(self) -> Capacity:
        """What a sweep is planned with: `auto` and the room for trials are the target's, not the client's."""
        ...

    def survey(self, need: Need) -> Survey:
        """What is there now for a sweep, and what is short. Raises NotThere for what the sweep names and the target does not
        have."""
        ...

    def examine(self, probe: str | None) -> Sequence[Finding]:
        """What a sweep needs of the target, looked at: the way to it, versions, clocks, nodes. It raises nothing.

        probe: a storage that a job is to try out from there; None: no job is made.
        """
        ...

    def find(self, sweep: str) -> Job | None:
        """The newest job of the sweep with that key; None where the target knows of none."""
        ...

    def submit(self, parcel: Parcel, number: int) -> Job:
        """Make the sweep's job of that number; the one that is there already where somebody else was faster."""
        ...

    def logs(self, job: Job, follow: bool) -> Iterator[str]:
        """The driver's output, line by line; `follow`: until the job is over."""
        ...

    def stop(self, job: Job) -> None:
        """End the job, now: for a driver that does not answer a request to stop."""
        ...
