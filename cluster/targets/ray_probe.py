"""`doctor` on a Ray cluster's head, by a job: what no answer of the head holds.

The job writes nothing but what `doctor` itself tries.
"""

from __future__ import annotations

import json
import platform
import shlex
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from ray.job_submission import JobStatus

from cluster.finding import Finding
from cluster.targets.ray_client import Client, told
from cluster.targets.target import TargetError

WAIT_S = 180.0  # for a job that takes some seconds, on a head that is busy
LOOK_S = 1.0
COMPARED = ("python", "torch", "ray", "i2i-cluster")
PATH = "install i2i-cluster on the head, in this machine's version, where its PATH finds it"


def probe(client: Client, address: str, storage: str) -> Iterator[Finding]:
    """What `doctor` finds on the head of `storage`, and how its versions differ from those here."""
    name = f"i2i-doctor-{uuid.uuid4().hex[:12]}"
    try:
        with told(address):
            printed, status = _run(client, name, f"i2i-cluster doctor {shlex.quote(storage)} -o json")
    except TargetError as error:
        yield Finding("head", False, str(error), "do what the line says")
        return
    found = _findings(printed)
    if found is None:
        last = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "it printed nothing")
        yield Finding("head", False, f"the job that looks ended as {status.value.lower()}: {last}", PATH)
        return
    for one in found:
        yield Finding(f"head: {one.check}", one.ok, one.found, one.mend)
    here = {name: _version(name) for name in COMPARED}
    there = {one.check: one.found for one in found if one.check in COMPARED}
    yield from (
        Finding(f"head: same {name}", False, f"{there[name]} there, {here[name]} here", "install the same on both")
        for name in COMPARED
        if name in there and there[name] != here[name]
    )


def _run(client: Client, name: str, command: str) -> tuple[str, JobStatus]:
    """What a job printed, and how it ended; it is deleted, and stopped where it takes too long."""
    client.submit_job(entrypoint=f"exec {command}", submission_id=name, metadata={"sweep": "doctor"})
    status, deadline = JobStatus.PENDING, time.monotonic() + WAIT_S
    try:
        while not (status := client.get_job_status(name)).is_terminal() and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        return client.get_job_logs(name), status
    finally:
        with suppress(RuntimeError):  # of a head that is going
            if not status.is_terminal():
                client.stop_job(name)
            client.delete_job(name)


def _findings(printed: str) -> Sequence[Finding] | None:
    """The findings in what was printed: one JSON list, and what others say around it. None where there is none."""
    lines = printed.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("[")]
    for start in starts:
        try:
            told_rows, _ = json.JSONDecoder().raw_decode("\n".join(lines[start:]))
            return [Finding(row["check"], row["ok"], row["found"], row["mend"] or "") for row in told_rows]
        except (json.JSONDecodeError, TypeError, KeyError):
            continue
    return None


def _version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
