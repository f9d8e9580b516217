"""Where sweeps are kept: a storage means the same from everywhere, is asked before the work, and is named in every answer."""

import json

import pytest

from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.store import open_log
from data_shards.errors import DataError
from data_shards.store import open_store
from orchestrator import storage as storage_module
from orchestrator.errors import Refusal
from orchestrator.finding import find_sweep
from orchestrator.storage import canonical, check_storage, probe_storage, shown, storage_and_id
from tests.cluster.conducting import RemoteStore
from tests.orchestrator.unrun import ID, Log

SWEEP = "0123456789ab"
DEAD = "s3://bucket/runs?deadline=1s&endpoint=http://127.0.0.1:1"


@pytest.fixture
def runs(bucket):
    """A storage in S3 with two sweeps of one name; SWEEP is the newer one."""
    for sweep in ("ba9876543210", SWEEP):  # pragma: allowlist secret
        store, paths = open_store(bucket), SweepPaths(sweep)
        with driving(store, paths) as driver:
            log = open_log(store, paths, driver)
            about = {"system": "cyclegan", "trials": 2, "steps": 9, "objective": {"metric": "eval/l1", "mode": "min"}}
            log.append("opened", id=sweep, name="toy", attempt=1, about=about)
            log.append("suggested", trial=0, params={})
            log.append("ended", trial=0, state="done")
    return bucket


def test_a_storage_means_the_same_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert canonical("./runs") == f"{tmp_path}/runs"
    assert (
        canonical("S3://bucket/runs/?region=x&endpoint=http://h:1") == "s3://bucket/runs?endpoint=http://h:1&region=x"
    )
    assert (shown("./runs"), shown("s3://bucket/runs")) == ("runs", "s3://bucket/runs")


@pytest.mark.parametrize(
    ("folder", "storage"),
    [
        ("s3://bucket/runs/a1?endpoint=http://h:1", "s3://bucket/runs?endpoint=http://h:1"),
        ("s3://bucket/a1", "s3://bucket"),
        ("/runs/a1", "/runs"),
        ("file:///runs/a1", "/runs"),
    ],
)
def test_a_sweep_s_own_address_names_its_storage(folder, storage):
    assert storage_and_id(folder) == (storage, "a1")


@pytest.mark.parametrize(
    ("storage", "line"),
    [
        (
            "s3://bucket/x?endpiont=http://h:1",
            "s3://bucket/x: no option is called 'endpiont'; nearest: endpoint; has: ",
        ),
        ("s3://me:secret@bucket/x", "s3://...@bucket: an address holds no credentials; "),  # pragma: allowlist secret
        ("gs://bucket/x", "gs://bucket/x: gs:// is neither a folder of this machine nor s3://"),
        ("file:/runs", "file:/runs is no address; a local path is written file:///path/of/folder, or without file:"),
        (
            "file://host/runs",
            "file://host/runs names another host, host; a local path is written file:///path/of/folder",
        ),
    ],
)
def test_an_address_that_means_nothing_is_refused(refused, run, storage, line):
    (told,) = refused(f"storage: {storage}")
    assert told.startswith(f"sweep.yaml: storage: {line}")
    code, _, err = run("list", "--storage", storage)
    assert code == 2
    assert err.startswith(f"error: --storage: {line}")


@pytest.mark.parametrize(
    "command", [("list",), ("status", "toy"), ("results", "toy"), ("watch", "toy"), ("stop", "toy")]
)
def test_a_local_address_is_the_folder_that_it_names(run, tmp_path, command):
    Log().trial([0.4]).closed().store(tmp_path / "my runs")
    plain = run(*command, "--storage", tmp_path / "my runs")
    address = f"file://{tmp_path}/my%20runs"
    assert run(*command, "--storage", address) == plain
    assert plain[0] == 0
    assert run(*command[:1], *(f"{address}/{ID}" for _ in command[1:]), "--storage", address) == plain


def test_planning_writes_nothing_and_submitting_leaves_nothing(bucket):
    check_storage(bucket, SWEEP)
    probe_storage(bucket, SWEEP, "sweep.yaml")
    assert open_store(bucket).list() == []


def test_a_storage_that_may_only_be_read_is_refused_before_the_work(tmp_path, monkeypatch):
    class ReadOnly(RemoteStore):
        def create(self, path, data):
            raise DataError(f"s3://bucket/{path.partition('/')[0]}: may not be written")

    monkeypatch.setattr(storage_module, "open_store", lambda uri, patience: ReadOnly(tmp_path))
    with pytest.raises(Refusal) as caught:
        probe_storage("s3://bucket/runs", SWEEP, "sweep.yaml")
    assert caught.value.lines() == [f"sweep.yaml: storage: s3://bucket/{SWEEP}: may not be written"]


def test_sweeps_in_s3_are_listed_and_found_like_others(run, runs, capsys):
    rows = json.loads(run("list", "--storage", runs, "-o", "json")[1])
    assert [(row["id"], row["name"], row["storage"]) for row in rows] == [
        (SWEEP, "toy", runs),
        ("ba9876543210", "toy", runs),  # pragma: allowlist secret
    ]
    assert {(row["state"], row["trials"], row["system"]) for row in rows} == {("interrupted", "1 of 2", "cyclegan")}
    address = runs.replace("?", f"/{SWEEP}?")
    for wanted, storage in ((SWEEP, runs), (address, "./i2i-runs"), ("toy", runs)):
        assert find_sweep(wanted, storage).state.id == SWEEP
    assert f"toy is {SWEEP}, the newest sweep of that name; older: ba9876543210" in capsys.readouterr().err
    refusal = f"error: no sweep 'toi' in {runs}; nearest: toy; has: toy\n"
    assert run("results", "toi", "--storage", runs) == (2, "", refusal)
    code, _, err = run("results", address.replace(SWEEP, "other"))
    assert (code, err.startswith("error: no sweep 's3://")) == (2, True)


def test_a_damaged_sweep_in_s3_does_not_hide_the_others(run, runs):
    store = open_store(runs)
    store.delete("ba9876543210/log/00000002.jsonl")
    rows = json.loads(run("list", "--storage", runs, "-o", "json")[1])
    place = runs.replace("?", "/ba9876543210/log?")
    assert [row["state"] for row in rows] == ["interrupted", f"{place}: segment 2 of the log is missing"]
    assert find_sweep("toy", runs).state.id == SWEEP
    code, _, err = run("results", "ba9876543210", "--storage", runs)
    assert (code, err) == (2, f"error: {place}: segment 2 of the log is missing\n")


def test_an_empty_storage_in_s3_is_no_error(run, bucket):
    assert run("list", "--storage", bucket) == (0, "", f"no sweeps in {bucket}\n")


@pytest.mark.parametrize("command", [("list",), ("results", "toy"), ("checkpoints", "list", "toy")])
def test_a_storage_that_does_not_answer_is_the_world_s_failure(run, monkeypatch, command):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    code, out, err = run(*command, "--storage", DEAD)
    (line,) = err.splitlines()
    assert (code, out) == (1, "")
    assert line.startswith("error: s3://bucket/runs")
