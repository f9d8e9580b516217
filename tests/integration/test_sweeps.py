"""Whole sweeps on a real, embedded Ray: what was finished stays finished, what was killed comes back to the byte."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from PIL import Image

from tests.integration.conftest import Desk
from tests.integration.spec import SPEC

pytestmark = pytest.mark.ray
TRIALS, STEPS = 3, 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, shards):
    """A sweep of three trials that nobody disturbed."""
    desk = Desk(tmp_path_factory.mktemp("undisturbed"))
    desk.write(SPEC.format(shards=shards, steps=STEPS, trials=TRIALS, evaluate=20))
    out = desk.ok("submit", "sweep.yaml")
    assert "eval/ssim, maximise" in out
    return desk


def test_results_are_complete(undisturbed):
    found = undisturbed.results()
    assert (found["name"], found["state"]) == ("small", "done")
    assert found["objective"] == {"metric": "eval/ssim", "mode": "max"}
    assert [trial["index"] for trial in found["trials"]] == list(range(TRIALS))
    assert found["trials"][0]["params"] == {"weights.l1": 100.0}
    for trial in found["trials"]:
        assert (trial["state"], trial["step"]) == ("done", STEPS)
        assert {"eval/l1", "eval/psnr", "eval/ssim", "loss/l1", "weight/l1"} <= set(trial["metrics"])
        assert trial["metrics"]["weight/l1"] == pytest.approx(trial["params"]["weights.l1"])
        assert trial["train_seconds"] > 0
    best = found["best"]
    assert best["value"] == max(trial["metrics"]["eval/ssim"] for trial in found["trials"])
    with Image.open(best["grid"]) as grid:
        assert grid.height > 3 * 96, "input, output and truth"
    columns = parquet.ParquetFile(undisturbed.storage / found["id"] / "results.parquet").read().to_pylist()
    assert [row["eval/ssim"] for row in columns] == [trial["metrics"]["eval/ssim"] for trial in found["trials"]]


def test_every_reader_takes_name_id_and_folder(undisturbed):
    found = undisturbed.results()
    listed = json.loads(undisturbed.ok("list", "-o", "json"))
    assert [(row["name"], row["id"], row["state"], row["storage"]) for row in listed] == [
        ("small", found["id"], "done", str(undisturbed.storage))
    ]
    for reference in (found["id"], undisturbed.storage / found["id"]):
        assert json.loads(undisturbed.ok("results", reference, "-o", "json")) == found
    picture = undisturbed.folder / "fetched.png"
    table = undisturbed.ok("results", "small", "--storage", undisturbed.storage, "--picture", picture)
    assert picture.read_bytes() == Path(found["best"]["grid"]).read_bytes()
    assert "0 (preset)" in table and "gain" in table
    refused = undisturbed.run("results", "smal")
    assert refused.returncode == 2
    assert refused.stderr == "error: no sweep 'smal' in i2i-runs; nearest: small; has: small\n"


def test_submitting_again_runs_nothing(undisturbed):
    before = undisturbed.records()
    again = undisturbed.run("submit", "sweep.yaml")
    assert again.returncode == 0, again.stderr
    assert "nothing to run" in again.stderr
    assert undisturbed.records() == before


def test_what_a_dying_driver_did_not_store_is_stored_by_the_next(undisturbed):
    folder = undisturbed.storage / undisturbed.results()["id"]
    best, table = folder / "best" / "model.safetensors", folder / "results.parquet"
    weights = best.read_bytes()
    best.write_bytes(weights[:-1] + b"x")
    table.write_bytes(table.read_bytes())
    refused = undisturbed.run("translate", "small", undisturbed.folder, undisturbed.folder / "out")
    assert refused.returncode == 2
    table.unlink()
    undisturbed.ok("submit", "sweep.yaml")
    assert best.read_bytes() == weights
    assert table.exists()


def test_one_bad_log_does_not_hide_the_other_sweeps(undisturbed):
    bad = undisturbed.storage / "bad" / "log.jsonl"
    bad.parent.mkdir()
    bad.write_text("nonsense\n")
    assert undisturbed.results()["state"] == "done"
    assert "line 1 of the log is damaged" in undisturbed.ok("list")
    refused = undisturbed.run("results", "bad")
    assert (refused.returncode, refused.stderr) == (2, f"error: {bad}: line 1 of the log is damaged\n")
    bad.unlink()
    bad.parent.rmdir()


def test_fewer_trials_are_refused(undisturbed, shards):
    other = undisturbed.folder / "fewer.yaml"
    other.write_text(SPEC.format(shards=shards, steps=STEPS, trials=TRIALS - 1, evaluate=20))
    refused = undisturbed.run("submit", "fewer.yaml")
    assert refused.returncode == 2
    assert "trials: this sweep was submitted with 3 trials" in refused.stderr


def test_translate_writes_a_picture_for_each(undisturbed, tmp_path):
    inputs = tmp_path / "in" / "deep"
    inputs.mkdir(parents=True)
    for name, mode in (("line.png", "RGB"), ("grey.jpg", "L")):
        Image.new(mode, (50, 40), "white").save(inputs / name)
    Image.new("RGBA", (50, 40), (0, 0, 0, 0)).save(inputs / "transparent.png")
    (inputs / "broken.png").write_bytes(b"no picture")
    done = undisturbed.run("translate", "small", tmp_path / "in", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "left out" in done.stderr and "broken.png" in done.stderr
    assert sorted(p.name for p in (tmp_path / "out" / "deep").iterdir()) == ["grey.png", "line.png", "transparent.png"]
    with Image.open(tmp_path / "out" / "deep" / "line.png") as picture:
        assert (picture.size, picture.mode) == ((32, 32), "RGB")
    first = (tmp_path / "out" / "deep" / "line.png").read_bytes()
    assert (tmp_path / "out" / "deep" / "transparent.png").read_bytes() == first, "a transparent ground is white"
    undisturbed.ok("translate", "small", tmp_path / "in", tmp_path / "again")
    assert (tmp_path / "again" / "deep" / "line.png").read_bytes() == first
    refused = undisturbed.run("translate", "small", tmp_path / "in", tmp_path / "out", "--to", "c")
    assert (refused.returncode, refused.stderr) == (
        2,
        "error: --to: this model does not translate to 'c'; has: b\n",
    )
    for out, why in (("in/deep/line.png", "file exists"), ("in/deep/line.png/x", "not a directory")):
        refused = undisturbed.run("translate", "small", tmp_path / "in", tmp_path / out)
        assert (refused.returncode, refused.stderr) == (2, f"error: OUT_DIR: {tmp_path / out} cannot be made: {why}\n")
    (tmp_path / "out" / "deep" / "line.png").unlink()
    (tmp_path / "out" / "deep" / "line.png").mkdir()
    failed = undisturbed.run("translate", "small", tmp_path / "in", tmp_path / "out")
    assert failed.returncode == 1
    assert failed.stderr.endswith(f"error: {tmp_path}/out/deep/line.png cannot be written: is a directory\n")


def wait_for(desk: Desk, happened, deadline: float = 300.0):
    """Wait until the log satisfies `happened`."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if list(desk.storage.glob("*/log.jsonl")) and happened(desk.records()):
            return
        time.sleep(0.05)
    pytest.fail(f"not within {deadline} s; the log: {desk.records()[-3:]}")


def progress(records, trial):
    """The last step that a trial reported."""
    return max((r["step"] for r in records if r["kind"] == "reported" and r["trial"] == trial), default=0)


def test_ctrl_c_saves_and_the_same_command_goes_on(undisturbed, desk, shards):
    desk.write(SPEC.format(shards=shards, steps=STEPS, trials=TRIALS, evaluate=20))
    driver = subprocess.Popen(
        desk.command("submit", "sweep.yaml"), cwd=desk.folder, stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(desk, lambda records: progress(records, 0) >= 5)
    os.kill(driver.pid, signal.SIGINT)
    assert driver.wait(60) == 130
    assert desk.results()["state"] == "interrupted"
    assert list(Path(desk.storage).glob("*/trials/0000/checkpoints/*/manifest.json"))
    desk.ok("submit", "sweep.yaml")
    assert desk.digests(TRIALS) == undisturbed.digests(TRIALS)


def test_two_workers_of_ray_train_give_the_same_bytes(undisturbed, desk, shards):
    spec = SPEC.format(shards=shards, steps=STEPS, trials=TRIALS, evaluate=20)
    spec = spec.replace(f"trials: {TRIALS}", "trials: 2") + "resources: {workers: 2, cpus_per_worker: 0.5}\n"
    desk.write(spec)
    desk.ok("submit", "sweep.yaml")
    assert desk.digests(2) == undisturbed.digests(2)
    assert desk.results()["trials"][1]["state"] == "done"


def test_asha_stops_the_worse_and_never_the_preset(desk, shards):
    spec = SPEC.format(shards=shards, steps=STEPS, trials=6, evaluate=20)
    spec = spec.replace("weights.l1: {log_uniform: [10, 200]}", "hyper.lr: {choice: [1.0e-7, 2.0e-7]}")
    spec = spec.replace("{metric: eval/ssim, mode: max}", "{metric: eval/l1, mode: min}")
    desk.write(spec + "scheduler: {asha: {grace: 0.3}}\nresources: {cpu_capability: default}\n")
    desk.ok("submit", "sweep.yaml")
    trials = desk.results()["trials"]
    assert trials[0]["state"] == "done"
    stopped = [trial for trial in trials if trial["state"] == "stopped"]
    assert stopped and all(trial["step"] < STEPS for trial in stopped)
    made = json.loads(desk.ok("checkpoints", "show", "small", "-o", "json"))
    assert made["conditions"]["device"] == "cpu with DEFAULT"
    decided = [record for record in desk.records() if record["kind"] == "decided"]
    assert {record["trial"] for record in decided if record["action"] == "stop"} == {t["index"] for t in stopped}
