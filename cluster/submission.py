"""The record of a submit: which target a sweep was handed to last, as which job. It lies in the storage, beside the log.

It is written before the job is made, so that nothing runs that the storage does not know of; what became of the job, the
target tells, and what became of the sweep, its log. It holds the file's own `cluster` key and no secret.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from cluster.layout import SweepPaths
from cluster.log.records import NewerLog, UnreadableLog
from data_shards.address import join
from data_shards.store import Store

FORMAT = 1


@dataclass(frozen=True)
class Submission:
    """A sweep's last submit to a target.

    sweep: its id. key: what the target knows it by. name: for people. cluster: the value of the file's key of that name.
    place: the target, for people. number: of the job. attempt: how many drivers the sweep had had before. at: seconds since
    1970, by the submitter's clock.
    """

    sweep: str
    key: str
    name: str
    cluster: Any
    place: str
    number: int
    attempt: int
    at: float = field(default_factory=time.time)


def write_submission(store: Store, paths: SweepPaths, made: Submission) -> None:
    """Put the record into its place, over that of an earlier submit."""
    store.write(paths.submission, json.dumps({"format": FORMAT, **asdict(made)}).encode())


def read_submission(store: Store, paths: SweepPaths) -> Submission | None:
    """The record; None where there is none. Raises UnreadableLog for a damaged one, and for one of a newer version."""
    try:
        raw = store.read(paths.submission)
    except FileNotFoundError:
        return None
    place = join(store.uri, paths.submission)
    try:
        fields = json.loads(raw)
        version = int(fields["format"])
        if version > FORMAT:
            raise NewerLog(f"{place} has version {version}, this i2i-cluster reads up to {FORMAT}: upgrade it")
        return Submission(**{name: fields[name] for name in Submission.__dataclass_fields__})
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UnreadableLog(f"{place} is damaged; delete it, and submit again") from error


def forget_submission(store: Store, paths: SweepPaths) -> None:
    """The sweep is driven from here: what was handed to a target before counts no more."""
    store.delete(paths.submission)
