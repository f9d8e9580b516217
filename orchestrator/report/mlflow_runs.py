"""A sweep's trials as runs of an MLflow tracking server: made where they are not there, and brought up to date where they are.

A run is found again by its tags. MLflow keeps what it has: so the numbers of a metric are sent by ascending step, and a later call
goes on after the last step that the server knows, even if the call before was broken off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.finding import FoundSweep
from orchestrator.report.mlflow_run import LONGEST_NAME, OWN, SWEEP, TRIAL, TrialRun, files_of, read_runs
from orchestrator.report.mlflow_server import Server, TrackingFailed, asked, problem
from orchestrator.report.pictures import Advance

SENT = f"{OWN}sent."  # how the tags begin that say which files are there
METRICS, OTHERS, RUNS = 1000, 100, 1000  # that MLflow takes, or gives, in one call

T = TypeVar("T")


@dataclass
class Sent:
    """What a call came to. damaged: pictures that are none. no_files: why the server has no files of it; empty where it has."""

    experiment: str
    runs: int = 0
    new: int = 0
    numbers: int = 0
    damaged: list[str] = field(default_factory=list)
    no_files: str = ""


def send_runs(sweep: FoundSweep, server: Server, advance: Advance = lambda done, of: None) -> Sent:
    """Make or update a run for each trial that has begun.

    Raises Refusal where the sweep has not started, TrackingFailed, and what the store does.
    """
    sweep.metric  # noqa: B018  # refuses a sweep that has not started
    runs = read_runs(sweep)
    with asked(server):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=server.uri, registry_uri=server.uri)
        sent = Sent((sweep.state.name or sweep.state.id)[:LONGEST_NAME])
        experiment = _experiment(client, sent.experiment)
        there = _there(client, experiment, sweep.state.id)
        for done, run in enumerate(runs, 1):
            known = there.get(run.trial.index)
            if known is None:
                found = {SWEEP: run.tags[SWEEP], TRIAL: run.tags[TRIAL]}
                known = client.create_run(experiment, start_time=run.begun, tags=found, run_name=run.name)
                sent.new += 1
            _send(client, run, known, sent)
            _send_files(client, sweep, server, run, known, sent)
            _end(client, run, known)
            sent.runs = done
            advance(done, len(runs))
    return sent


def _experiment(client: Any, name: str) -> str:
    """The id of the experiment of that name, which is made if there is none."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        raise TrackingFailed(f"the experiment {name!r} was deleted in MLflow: restore it, or delete it for good")
    return str(found.experiment_id)


def _there(client: Any, experiment: str, sweep: str) -> dict[int, Any]:
    """Trial -> its run, of those that are there. Asked without a filter: an id may hold what no filter can quote."""
    found: dict[int, Any] = {}
    page = None
    while True:
        runs = client.search_runs([experiment], max_results=RUNS, page_token=page)
        for run in runs:
            index = run.data.tags.get(TRIAL, "")
            if run.data.tags.get(SWEEP) != sweep or not index.isdecimal():
                continue
            other = found.setdefault(int(index), run)
            if run.info.run_id < other.info.run_id:  # two calls at once may have made two: later ones agree on one
                found[int(index)] = run
        page = runs.token
        if not page:
            return found


def _send(client: Any, run: TrialRun, known: Any, sent: Sent) -> None:
    """The params, numbers and tags that a run does not have yet."""
    from mlflow.entities import Metric, Param, RunTag

    id, tags = known.info.run_id, known.data.tags
    params = [Param(name, value) for name, value in run.params.items() if name not in known.data.params]
    for some in _batches(params, OTHERS):
        client.log_batch(id, params=some)
    last = {one.key: one.step for one in known.data.to_proto().metrics}
    for numbers in _batches(run.numbers(last), METRICS):
        client.log_batch(id, metrics=[Metric(one.name, one.value, one.at, one.step) for one in numbers])
        sent.numbers += len(numbers)
    changed = [RunTag(name, value) for name, value in run.tags.items() if tags.get(name) != value]
    for more in _batches(changed, OTHERS):
        client.log_batch(id, tags=more)
    for name in tags:
        if name.startswith(OWN) and not name.startswith(SENT) and name not in run.tags:
            client.delete_tag(id, name)


def _send_files(client: Any, sweep: FoundSweep, server: Server, run: TrialRun, known: Any, sent: Sent) -> None:
    """The files that are new, each marked as sent once it is there. A server that takes none is asked once."""
    from mlflow.exceptions import MlflowException

    if sent.no_files or not server.takes_files(known.info.artifact_uri):
        sent.no_files = (
            sent.no_files or "it keeps them in a place of its own; `mlflow server --serve-artifacts` takes them"
        )
        return
    there = {name.removeprefix(SENT): mark for name, mark in known.data.tags.items() if name.startswith(SENT)}
    with tempfile.TemporaryDirectory() as folder:
        for name, mark, content in files_of(sweep, run, there, sent.damaged):
            file = Path(folder) / name
            file.write_bytes(content)
            try:
                client.log_artifact(known.info.run_id, str(file))
            except (MlflowException, OSError) as error:
                sent.no_files = f"it {problem(error)}"
                return
            client.set_tag(known.info.run_id, f"{SENT}{name}", mark)


def _end(client: Any, run: TrialRun, known: Any) -> None:
    """The run's state, and when it ended."""
    if run.ended is None and known.info.status != run.status:
        client.update_run(known.info.run_id, status=run.status)
    elif run.ended is not None and (known.info.status, known.info.end_time) != (run.status, run.ended):
        client.set_terminated(known.info.run_id, status=run.status, end_time=run.ended)


def _batches(things: Iterable[T], most: int) -> Iterator[list[T]]:
    rest = iter(things)
    while some := list(islice(rest, most)):
        yield some
