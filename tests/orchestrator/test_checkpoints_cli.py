"""`i2i-cluster checkpoints`: what it shows of a trial's checkpoints, and what it deletes of them."""

import json
import os

import pytest

from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.store import open_log
from cluster.run import Keep
from data_shards.store import FolderStore, open_store
from orchestrator.sweep_file.quantities import size_text
from tests.cluster.checkpointing import as_first_written, flipped, state, tamper
from trainers import checkpoint
from trainers.checkpoint import MANIFEST, STATE
from trainers.state import digest

PATHS = SweepPaths("0123456789ab")
RUN = {"keep": {"last": 1, "best": 1, "metric": "eval/ssim", "mode": "max"}}


def make_sweep(storage):
    """A sweep of two trials in a storage; their checkpoints are still to be made."""
    store = open_store(storage)
    with driving(store, PATHS) as driver:
        log = open_log(store, PATHS, driver)
        about = {"system": "cyclegan", "trials": 2, "steps": 9, "objective": {"metric": "eval/ssim", "mode": "max"}}
        log.append("opened", id=PATHS.id, name="toy", attempt=1, about=about)
        for trial in (0, 1):
            log.append("suggested", trial=trial, params={})
        log.append("ended", trial=0, state="done")
        log.close()
    return store


@pytest.fixture
def runs(tmp_path):
    """The storage of a sweep whose trial 0 has checkpoints of every kind."""
    store = make_sweep(str(tmp_path))
    assert isinstance(store, FolderStore)
    folder = PATHS.checkpoints(0)
    everything = Keep(last=9)
    first = Checkpoints(store, folder, 1, everything)
    first.begin()
    for step, score in ((10, 0.25), (20, 0.75), (30, 0.5), (40, 0.5)):
        first.save(state(step), step, {"run": RUN}, score)
    second = Checkpoints(store, folder, 2, everything)
    second.begin(upto=30)
    for step in (40, 50, 60):
        second.save(state(step), step, {"run": RUN})
    first.store.write(f"{folder}/step-00000070-a0001/{STATE}", b"late")
    as_late = {MANIFEST: f"{folder}/step-00000030-a0001/{MANIFEST}", STATE: f"{folder}/step-00000030-a0001/{STATE}"}
    for name, source in as_late.items():
        store.write(f"{folder}/step-00000045-a0001/{name}", store.read(source))
    tamper(store, f"{folder}/step-00000060-a0002/{STATE}", flipped)
    (tmp_path / folder / "step-00000050-a0002" / f".tmp-{STATE}-x1").write_bytes(b"half")
    return tmp_path


def test_list_shows_what_counts_and_what_does_not(run, runs):
    code, out, err = run("checkpoints", "list", "toy", "--storage", runs, "-o", "json")
    assert (code, err) == (0, "")
    shown = [(entry["step"], entry["attempt"], entry["score"], entry["state"]) for entry in json.loads(out)]
    assert shown == [
        (10, 1, 0.25, "good"),
        (20, 1, 0.75, "good"),
        (30, 1, 0.5, "good"),
        (40, 2, None, "good"),
        (45, 1, None, "damaged"),
        (50, 2, None, "good"),
        (60, 2, None, "good"),
        (70, 1, None, "torn"),
    ]
    problem = next(entry["problem"] for entry in json.loads(out) if entry["state"] == "damaged")
    assert problem == f"{PATHS.checkpoints(0)}/step-00000045-a0001/{MANIFEST}: it is of step 30"
    code, table, err = run("checkpoints", "list", "toy", "--storage", runs)
    assert (code, err) == (0, "")
    title, heads, *rows = [line.split() for line in table.splitlines()]
    assert (" ".join(title), heads) == ("Checkpoints of trial 0", ["step", "attempt", "size", "age", "score", "state"])
    assert (rows[1][:2], rows[1][4:]) == (["20", "1"], ["0.75", "good"])
    assert rows[-1] == ["70", "1", "4B", "torn"]


def test_a_truncated_state_is_damaged_without_being_read(run, runs):
    os.truncate(runs / PATHS.checkpoints(0) / "step-00000050-a0002" / STATE, 5)
    entries = json.loads(run("checkpoints", "list", "toy", "--storage", runs, "-o", "json")[1])
    (problem,) = [entry["problem"] for entry in entries if entry["step"] == 50]
    assert problem == f"{PATHS.checkpoints(0)}/step-00000050-a0002/{STATE}: 5 bytes, the manifest says 400"


def test_verify_reads_them_all(run, runs):
    code, out, err = run("checkpoints", "verify", "toy", "--storage", runs)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0] == f"step 10 (attempt 1): good, {digest(state(10))}"
    assert lines[-1].startswith("step 60 (attempt 2): damaged: ") and lines[-1].endswith(
        "its SHA-256 is not the manifest's"
    )
    assert [line.split()[1] for line in lines] == ["10", "20", "30", "40", "50", "60"], "those that count"


def test_those_of_the_first_version_are_shown(run, tmp_path):
    store = make_sweep(str(tmp_path))
    for step in (20, 30):
        as_first_written(store, step)
        for name in (MANIFEST, STATE):
            source = f"s/trials/0000/checkpoints/step-{step:08d}/{name}"
            store.write(f"{PATHS.checkpoints(0)}/step-{step:08d}/{name}", store.read(source))
    where = ("--storage", tmp_path)
    assert run("checkpoints", "digest", "toy", *where) == (0, f"{digest(state(30))}\n", "")
    entries = json.loads(run("checkpoints", "list", "toy", *where, "-o", "json")[1])
    assert [(entry["step"], entry["saved"], entry["state"]) for entry in entries] == [
        (20, None, "good"),
        (30, None, "good"),
    ]
    assert run("checkpoints", "verify", "toy", *where)[1].splitlines()[1] == f"step 30: good, {digest(state(30))}"
    assert json.loads(run("checkpoints", "show", "toy", *where, "-o", "json")[1])["said"] == 30
    _, out, _ = run("checkpoints", "prune", "toy", *where, "--last", 1)
    assert out.splitlines()[0].startswith("trial 0: step-00000020, ")


def sizes(folder):
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_prune_keeps_the_last_good_and_the_best_and_says_what_goes(run, runs):
    before = sizes(runs)
    code, dry, err = run("checkpoints", "prune", "toy", "--storage", runs, "--dry-run")
    assert (code, err) == (0, "")
    assert sizes(runs) == before, "it was only asked"
    code, out, err = run("checkpoints", "prune", "toy", "--storage", runs)
    assert (code, err) == (0, "")
    assert out == dry.replace("would be freed", "freed")
    told = [(line.split(", ")[0], line.split(": ", 2)[2].split(":")[0]) for line in out.splitlines()[:-1]]
    assert told == [
        ("trial 0: step-00000010-a0001", "neither among the last nor among the best"),
        ("trial 0: step-00000030-a0001", "neither among the last nor among the best"),
        ("trial 0: step-00000040-a0002", "neither among the last nor among the best"),
        ("trial 0: step-00000045-a0001", "superseded"),
        ("trial 0: step-00000060-a0002", "damaged"),
        ("trial 0: step-00000070-a0001", "torn"),
        (f"trial 0: step-00000050-a0002/.tmp-{STATE}-x1", "half-written by a process that was killed"),
    ]
    freed = sum(before.values()) - sum(sizes(runs).values())
    assert out.splitlines()[-1] == f"{size_text(freed)} freed"
    steps = [path.name for path in sorted((runs / PATHS.checkpoints(0)).glob("step-*"))]
    assert steps == ["step-00000020-a0001", "step-00000050-a0002"]
    assert run("checkpoints", "prune", "toy", "--storage", runs) == (0, "0B freed\n", "")


def test_prune_does_as_it_is_told(run, runs):
    run("checkpoints", "prune", "toy", "--storage", runs, "--trial", 0, "--last", 3, "--best", 0)
    assert Checkpoints(open_store(str(runs)), PATHS.checkpoints(0)).steps() == [30, 40, 50]
    run("checkpoints", "prune", "toy", "--storage", runs, "--trial", 1, "--last", 1)
    assert Checkpoints(open_store(str(runs)), PATHS.checkpoints(0)).steps() == [30, 40, 50], "that was another trial"


def test_prune_works_in_s3(run, bucket):
    store = make_sweep(bucket)
    checkpoints = Checkpoints(store, PATHS.checkpoints(1), 0, Keep(last=9))
    for step in (10, 20, 30):
        checkpoints.save(state(step), step, {})
    code, out, err = run("checkpoints", "prune", "toy", "--storage", bucket, "--last", 1)
    assert (code, err, len(out.splitlines())) == (0, "", 3)
    assert checkpoints.steps() == [30]


def test_prune_leaves_damaged_ones_where_none_is_good(run, tmp_path):
    store = make_sweep(str(tmp_path))
    checkpoints = Checkpoints(store, PATHS.checkpoints(0))
    for step in (10, 20):
        checkpoints.save(state(step), step, {})
        tamper(store, f"{PATHS.checkpoints(0)}/step-{step:08d}/{STATE}", flipped)
    assert run("checkpoints", "prune", "toy", "--storage", tmp_path, "--last", 1) == (0, "0B freed\n", "")
    assert checkpoints.steps() == [10, 20]


def test_prune_refuses_what_it_should_not_touch(run, runs, monkeypatch):
    where = ("--storage", runs)
    with driving(open_store(str(runs)), PATHS):
        told = "error: sweep toy is being run; prune it once it has ended\n"
        assert run("checkpoints", "prune", "toy", *where) == (2, "", told)
    told = "error: --trial: sweep toy has no trial 7; has: 0, 1, all\n"
    assert run("checkpoints", "prune", "toy", *where, "--trial", 7) == (2, "", told)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "FORMAT", 2)
        Checkpoints(open_store(str(runs)), PATHS.checkpoints(1)).save(state(10), 10, {})
    told = f"error: {PATHS.checkpoints(1)}/step-00000010/{MANIFEST}: format 2 is newer than 1: upgrade i2i-cluster\n"
    for command in (("digest", "toy", "--trial", 1), ("prune", "toy", "--trial", 1)):
        assert run("checkpoints", *command, *where) == (2, "", told)
