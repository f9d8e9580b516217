"""Sweeps whose data and storage are in a real S3 server: killed, cut off, refused, and to the byte what they are in folders."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.lock import SweepBusy
from cluster.log.records import read_records
from cluster.log.store import read_log, sweeps_in
from data_shards.address import join
from data_shards.store import Store, open_store
from orchestrator.running.sweeps import find_sweeps
from tests.chaos.calm import calm
from tests.integration.conftest import Desk
from tests.integration.spec import SPEC

pytestmark = pytest.mark.ray
TRIALS, STEPS = 3, 60  # so many that a look at the log in S3 finds the last trial half way, on a busy machine too
SHORT = "&deadline=3s"


@dataclass(frozen=True)
class RemoteDesk(Desk):
    """A folder with a sweep file about data and a storage in S3, below `uri`."""

    uri: str

    def write_spec(self, options: str = "", *, data: str = "", storage: str = "") -> None:
        """The sweep file, about `data` and `storage` if not its own; `options` are added to the addresses."""
        spec = SPEC.format(shards=data or self.data + options, steps=STEPS, trials=TRIALS, evaluate=10)
        cached = spec.replace("replicas: 2,", f'replicas: 2, cache: {{folder: "{self.folder}/cache"}},')
        self.write(f'{cached}storage: "{storage or self.runs + options}"\n')

    @property
    def data(self) -> str:
        return join(self.uri, "data")

    @property
    def runs(self) -> str:
        return join(self.uri, "runs")

    @property
    def store(self) -> Store:
        return open_store(self.runs)

    def run(self, *arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        named = arguments if arguments[0] in ("submit", "plan") else (*arguments, "--storage", self.runs)
        return super().run(*named, timeout=timeout)

    def records(self) -> list[dict[str, Any]]:
        (sweep,) = sweeps_in(self.store) or [""]
        try:
            return list(read_records(read_log(self.store, SweepPaths(sweep)))) if sweep else []
        except FileNotFoundError:
            return []

    def start(self) -> "subprocess.Popen[str]":
        """A driver, running."""
        return subprocess.Popen(
            self.command("submit", "sweep.yaml"),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def wanted(tmp_path_factory, shards):
    """The digests of the sweep that nobody disturbs, in local folders."""
    text = SPEC.format(shards=shards, steps=STEPS, trials=TRIALS, evaluate=10)
    return [*calm(text, tmp_path_factory.mktemp("local") / "calm").digests.values()]


@pytest.fixture
def far(tmp_path, bucket, shards):
    """The data in S3, and nothing else yet."""
    desk = RemoteDesk(tmp_path, bucket)
    for file in shards.iterdir():
        open_store(desk.data).upload(file.name, file)
    return desk


def wait_for(
    desk: RemoteDesk,
    driver: "subprocess.Popen[str]",
    happened: Callable[[Mapping[str, Any]], bool],
    deadline: float = 300.0,
) -> None:
    """Wait until the log holds a record like that."""
    end = time.monotonic() + deadline
    while time.monotonic() < end and driver.poll() is None:
        if any(happened(record) for record in desk.records()):
            return
        time.sleep(0.05)
    driver.kill()
    pytest.fail(f"it did not happen: {driver.communicate()}")


def at_step(step: int, driver: int = 1, trial: int | None = None) -> Callable[[Mapping[str, Any]], bool]:
    """That the trial, or any where none is given, came to that step, told by the driver with that claim."""
    return lambda record: (
        (record["kind"], record["driver"]) == ("reported", driver)
        and record["step"] >= step
        and trial in (None, record["trial"])
    )


def test_a_killed_driver_comes_back_to_the_bytes_of_a_folder(far, wanted, tmp_path):
    far.write_spec()
    driver = far.start()
    wait_for(far, driver, lambda record: record["kind"] == "opened")
    (sweep,) = sweeps_in(far.store)
    told = f"already being run by process {driver.pid} on "
    with pytest.raises(SweepBusy, match=told), driving(far.store, SweepPaths(sweep)):
        pass
    wait_for(far, driver, lambda record: record["kind"] == "ended")
    wait_for(far, driver, at_step(15, trial=2))
    assert [row["state"] for row in find_sweeps(far.runs)] == ["running"]
    children = psutil.Process(driver.pid).children(recursive=True)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    finished = {record["trial"] for record in far.records() if record["kind"] == "ended"}
    assert finished and 2 not in finished, "it was killed too late"
    assert json.loads(far.ok("list", "-o", "json"))[0]["state"] == "interrupted"

    resumed = far.run("submit", "sweep.yaml")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.startswith(f"sweep small ({sweep}) in {far.runs}\nsubmitted before: ")
    assert far.digests(TRIALS) == wanted
    records = far.records()
    second = max(i for i, record in enumerate(records) if record["kind"] == "opened")
    assert finished.isdisjoint(r["trial"] for r in records[second:] if "trial" in r), "what was finished runs again"
    first_step = min(r["step"] for r in records[second:] if r["kind"] == "reported" and r["trial"] == 2)
    assert first_step > 10, "the interrupted trial did not go on from its checkpoint"

    found = far.results()
    assert found["state"] == "done"
    assert found["best"]["model"] == join(far.runs, f"{sweep}/best")
    grid = far.store.read(SweepPaths(sweep).grid(found["best"]["index"], STEPS))
    assert found["best"]["grid"] == join(far.runs, SweepPaths(sweep).grid(found["best"]["index"], STEPS))
    assert grid.startswith(b"\x89PNG")
    assert json.loads(super(RemoteDesk, far).ok("results", join(far.runs, sweep), "-o", "json")) == found
    kept = json.loads(far.ok("checkpoints", "list", "small", "-o", "json"))
    assert [(one["step"], one["state"]) for one in kept] == [(STEPS - 10, "good"), (STEPS, "good")]
    assert far.ok("checkpoints", "verify", "small").count("good") == 2
    (tmp_path / "in").mkdir()
    Image.new("RGB", (50, 40), "white").save(tmp_path / "in" / "line.png")
    far.ok("translate", "small", tmp_path / "in", tmp_path / "out")
    with Image.open(tmp_path / "out" / "line.png") as picture:
        assert picture.size == (32, 32)
    assert not [path for path in Path(tmp_path).iterdir() if path.name == "i2i-runs"]

    before = far.records()
    again = far.run("submit", "sweep.yaml")
    assert (again.returncode, "nothing to run" in again.stderr) == (0, True)
    assert far.records() == before
    _, alive = psutil.wait_procs(children, timeout=100)  # Ray's agents look for their server for a minute
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], "something is left behind"


def test_an_outage_ends_in_one_line_or_is_waited_out_and_changes_no_byte(far, wanted, seaweed):
    far.write_spec(SHORT)
    driver = far.start()
    wait_for(far, driver, at_step(10))
    seaweed.pause()
    try:
        _, err = driver.communicate(timeout=240)
    finally:
        seaweed.resume()
    assert driver.returncode == 1
    first, *waited, last = err.splitlines()
    assert first.startswith("sweep small (")
    assert all(line.startswith("waiting for s3://") for line in waited)
    assert (
        last.startswith(f"error: {far.runs.partition('?')[0]}/")
        and "give the same command again: nothing is lost" in last
    )
    assert far.digests(TRIALS) != wanted, "it was not over yet"

    far.write_spec()  # the same sweep: how its places are reached is no part of it
    driver = far.start()
    wait_for(far, driver, at_step(15, driver=2))
    seaweed.pause()
    try:
        time.sleep(4)  # the outage
        assert driver.poll() is None
    finally:
        seaweed.resume()
    out, err = driver.communicate(timeout=240)
    assert driver.returncode == 0, out + err
    assert "submitted before" in err
    assert far.digests(TRIALS) == wanted


def test_data_that_do_not_serve_end_the_sweep_without_a_second_try(far, wanted):
    far.write_spec()
    data = open_store(far.data)
    shard = next(path for path in data.list() if path.endswith(".tar"))
    whole = data.read(shard)
    data.write(shard, bytes(len(whole)))
    failed = far.run("submit", "sweep.yaml")
    assert failed.returncode == 1
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("error")]
    assert shard in line
    assert "failed; mend what the error names and submit the same file again to go on" in failed.stdout
    kinds = [record["kind"] for record in far.records()]
    assert kinds.count("started") == kinds.count("failed") <= 2, "nothing was tried twice"
    data.write(shard, whole)
    far.ok("submit", "sweep.yaml")
    assert far.digests(TRIALS) == wanted


@pytest.mark.parametrize(
    ("bucket_name", "secret", "line"),
    [
        ("nowhere", "", "there is no such bucket"),
        ("", "wrong", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_storage_that_does_not_serve_is_refused_before_anything_runs(
    far, seaweed, shards, monkeypatch, bucket_name, secret, line
):
    storage = seaweed.uri(f"{bucket_name}/runs") if bucket_name else far.runs
    far.write_spec(data=str(shards), storage=storage)
    if secret:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    for command in ("plan", "submit"):
        refused = far.run(command, "sweep.yaml")
        (told,) = refused.stderr.splitlines()
        assert (refused.returncode, refused.stdout) == (2, "")
        assert told.startswith(f"error: sweep.yaml: storage: {storage.partition('?')[0]}")
        assert line in told
