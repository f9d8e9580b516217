"""Sweeps that are asked to end, killed in the middle of a checkpoint, or cannot write one for a while: nothing is lost by it."""

import errno
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager

import psutil
import pytest

from cluster.layout import SweepPaths
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import load_sweep
from tests.beds import TRIAL, environment, is_actor, own_folder, raylets, title, until
from tests.chaos.sweeps import STEPS, Sweep, breaches, reported
from tests.faults import faulty

pytestmark = pytest.mark.ray
GRACE_S = 60.0  # from SIGTERM to the end of the process: what a pod should be given. It takes 2 to 10 s
PROGRESS_S, END_S = 120.0, 180.0
FAILURES = {"folder": 12, "s3": 1}  # that the budget allows: a folder fails at once, S3 after 10 s of trying
ONE = "resources: {workers: 1}\n"
TWO = "resources: {workers: 2, cpus_per_worker: 0.5}\n"


@pytest.fixture
def alone(tmp_path):
    """A sweep on a Ray of its own, in a folder."""
    folder = own_folder("one")
    sweep = Sweep(tmp_path, environment(folder), str(tmp_path / "runs"))
    yield sweep
    if sweep.driver is not None:
        sweep.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def proxy(seaweed, bucket):
    """S3 behind a network that refuses or hangs the requests that a test says."""
    choosing = Choosing(seaweed.env)
    with faulty(seaweed.endpoint, choosing) as running:
        choosing.uri = running.uri(bucket.removeprefix("s3://").partition("?")[0] + "/runs")
        yield choosing


class Choosing:
    """A schedule of faults: uploads into the checkpoints of `trials` meet `fate`. `uri` and `env` reach the proxy."""

    def __init__(self, env):
        self.uri, self.env, self.fate, self.trials = "", env, "", set()
        self.met = threading.Event()

    def use(self, sweep, options=""):
        """Keep a sweep here."""
        sweep.storage, sweep.env = self.uri + options, {**sweep.env, **self.env}

    def __call__(self, request):
        hit = any(f"/trials/{trial:04d}/checkpoints/step-" in request.path for trial in self.trials)
        if not hit or request.method not in ("PUT", "POST"):
            return None
        self.met.set()
        return self.fate


def past_a_checkpoint(sweep, trial=0):
    """That the trial has reported past its newest checkpoint."""
    assert sweep.driving(), sweep.tail()
    made = sweep.records() and sweep.committed(trial)
    return made and any(record["step"] > made for record in reported(sweep.records(), trial))


def family(sweep, everything=False):
    """What trains for the driver on its Ray; with `everything` that Ray, too, some of which looks for the rest for a minute."""
    found = psutil.Process(sweep.driver.pid).children(recursive=True)
    return [process for process in found if everything or is_actor(process)]


def gone(processes):
    """Whether all of them have ended."""
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("first", [ONE, pytest.param(TWO, marks=pytest.mark.slow)], ids=["one worker", "two workers"])
def test_sigterm_saves_and_the_same_command_goes_on(first, alone, pictures, wanted):
    alone.write(pictures, 1, first)
    alone.start()
    until("a run past a checkpoint", lambda: past_a_checkpoint(alone), PROGRESS_S, alone.tail)
    processes = family(alone, everything=True)
    alone.kill(signal.SIGTERM)
    assert alone.end(GRACE_S) == 130, alone.tail()
    until("its processes have ended", lambda: gone(processes), GRACE_S)
    last = max(record["step"] for record in reported(alone.records(), 0))
    assert alone.committed(0) == last < STEPS, "what was reported last is saved"
    alone.write(pictures, 1, ONE)
    alone.start()
    assert alone.end(END_S) == 0, alone.tail()
    assert alone.digests(1) == wanted[:1]


@pytest.mark.slow
def test_a_worker_that_gets_sigterm_saves_and_it_counts_as_nothing(alone, pictures, wanted):
    alone.write(pictures, 1, ONE + "budget: {failures: 0}\n")
    alone.start()
    until("a run past a checkpoint", lambda: past_a_checkpoint(alone), PROGRESS_S, alone.tail)
    (worker,) = (process for process in family(alone) if title(process) == TRIAL)
    worker.terminate()
    assert alone.end(END_S) == 0, alone.tail()
    kinds = [record["kind"] for record in alone.records()]
    assert kinds.count("preempted") == 1 and "failed" not in kinds, alone.tail()
    assert breaches(alone.records(), 1) == []
    assert alone.digests(1) == wanted[:1]


@pytest.mark.slow
def test_a_kill_in_the_middle_of_an_upload_leaves_no_checkpoint(alone, proxy, pictures, wanted):
    proxy.use(alone)
    alone.write(pictures, 1, ONE)
    alone.start()
    until("a run past a checkpoint", lambda: past_a_checkpoint(alone), PROGRESS_S, alone.tail)
    proxy.fate, proxy.trials = "hang", {0}
    assert proxy.met.wait(PROGRESS_S), alone.tail()
    made = alone.committed(0)
    processes = family(alone)
    alone.kill()
    until("its processes have ended", lambda: gone(processes), PROGRESS_S)
    proxy.trials = set()
    assert alone.committed(0) == made, "what was being written is none"
    alone.start()
    assert alone.end(END_S) == 0, alone.tail()
    assert breaches(alone.records(), 1) == []
    assert alone.digests(1) == wanted[:1]


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_to_a_folder(alone, pictures, wanted):
    alone.write(pictures, 1, ONE)
    alone.start()
    until("a run past a checkpoint", lambda: past_a_checkpoint(alone), PROGRESS_S, alone.tail)
    folder = alone.store.path(alone.paths.checkpoints(0))

    def is_being_written():
        assert alone.driving(), alone.tail()
        for _ in range(2000):  # a look takes less than a write
            names = [name for name in os.listdir(folder) if name.startswith("step-")]
            if any(not os.path.exists(folder / name / "manifest.json") for name in names):
                return True
        return False

    processes = family(alone)
    until("a checkpoint in the making", is_being_written, PROGRESS_S, alone.tail)
    alone.kill()
    until("its processes have ended", lambda: gone(processes), PROGRESS_S)
    alone.start()
    assert alone.end(END_S) == 0, alone.tail()
    assert breaches(alone.records(), 1) == []
    assert alone.digests(1) == wanted[:1]
    names = {path.rpartition("/")[2] for path in alone.store.list(f"{alone.paths.checkpoints(0)}/step-")}
    assert names <= {"manifest.json", "state.safetensors"}, "what was half written is gone"


@contextmanager
def full_disks(sweep, trials):
    """Disks without room for the checkpoints of these trials; gives what makes room for one of them."""
    plan = make_plan(load_sweep(sweep.folder / "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    folders = [sweep.folder / "runs" / SweepPaths(plan.id).checkpoints(trial) for trial in range(trials)]
    mounted = []
    try:
        for folder in folders:
            folder.mkdir(parents=True)
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)], capture_output=True, text=True
            )
            if done.returncode:
                pytest.skip(f"needs to mount a tmpfs: {done.stderr.strip()}")
            mounted.append(folder)
            with pytest.raises(OSError) as raised, open(folder / "filler", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 20))
            assert raised.value.errno == errno.ENOSPC
        yield lambda trial: (folders[trial] / "filler").unlink()
    finally:
        for folder in mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=pytest.mark.slow)])
def test_training_goes_on_without_checkpoints_until_the_budget_is_spent(where, alone, request, pictures, wanted):
    if where == "s3":
        choosing = request.getfixturevalue("proxy")
        choosing.use(alone, "&deadline=1s")
        choosing.fate, choosing.trials = "503", {0, 1}
    alone.write(pictures, 2, f"{ONE}budget: {{failures: {FAILURES[where]}}}\n")
    with full_disks(alone, 2) if where == "folder" else _refusing(choosing) as make_room:
        alone.start()
        try:
            until("a checkpoint failed", lambda: stumbles(alone, trial=1), PROGRESS_S, alone.tail)
            make_room(1)
            assert alone.end(END_S) == 0, alone.tail()
        finally:
            alone.kill()
        records = alone.records()
        assert alone.told("checkpoints", "digest", "small", "--trial", 1) == wanted[1]
    first = next(i for i, record in enumerate(records) if record["kind"] == "stumbled" and record["trial"] == 1)
    after = [record["kind"] for record in records[first:] if record.get("trial") == 1]
    assert "reported" in after and not {"started", "failed"} & set(after), "it trained on"
    endings = {record["trial"]: record for record in records if record["kind"] == "ended"}
    assert endings[1]["state"] == "done"
    assert endings[0]["state"] == "failed"
    allowed = FAILURES[where]
    counted = (
        f"(failed {allowed + 1} times: {allowed + 1} x a checkpoint was not written; budget.failures is {allowed})"
    )
    assert endings[0]["error"].endswith(counted)
    assert ("no space is left in " if where == "folder" else "s3://") in endings[0]["error"]


@pytest.mark.slow
def test_a_sweep_whose_own_ray_dies_says_so(alone, tmp_path, pictures):
    alone.write(pictures, trials=1, more=ONE)
    file = tmp_path / "sweep.yaml"
    whole = file.read_text()
    file.write_text(whole.replace(f"steps: {STEPS}", "steps: 100000").replace("evaluate: 10", "evaluate: 1000"))
    alone.start()
    until("a trial that trains", lambda: list(reported(alone.records(), 0)), PROGRESS_S, alone.tail)
    assert alone.driver is not None
    (raylet,) = (p for p in psutil.Process(alone.driver.pid).children(recursive=True) if p.name() == "raylet")
    raylet.kill()
    assert alone.end(END_S) == 1
    assert "error: every node of this Ray is dead" in alone.output()
    assert "submit the same file again to go on" in alone.output()


@pytest.mark.slow
def test_a_stopped_trial_that_cannot_say_goodbye_does_not_hold_up_the_next_one(tmp_path, proxy, seaweed, pictures):
    with raylets(1, cpus=1.0, more={**seaweed.env, "TUNE_FUNCTION_THREAD_TIMEOUT_S": "1"}) as bed:
        sweep = Sweep(tmp_path, bed.env, "")
        proxy.use(sweep)
        proxy.fate, proxy.trials = "hang", {1}
        sweep.write(pictures, 3, "scheduler: {asha: {grace: 0.05}}\nresources: {cpu_capability: default}\n")
        file = tmp_path / "sweep.yaml"
        text = file.read_text().replace("weights.l1: {log_uniform: [10, 200]}", "hyper.lr: {choice: [1.0e-7, 2.0e-7]}")
        file.write_text(text.replace("eval/ssim, mode: max", "eval/l1").replace(f"steps: {STEPS}", "steps: 40"))
        sweep.start()
        try:
            assert sweep.end(END_S) == 0, sweep.tail()
        finally:
            sweep.kill()
        trials = sweep.state().trials
        assert trials[1].by == "asha", sweep.tail()
        (left,) = [record for record in sweep.records() if record["kind"] == "preempted"]
        assert (left["trial"], "has not come to an end with the trial" in left["why"]) == (2, True)
        assert trials[2].state in ("done", "stopped") and trials[2].failures == 0


def stumbles(sweep, trial):
    """How often a trial could not write a checkpoint."""
    assert sweep.driving(), sweep.tail()
    return [record for record in sweep.records() if record["kind"] == "stumbled" and record["trial"] == trial]


@contextmanager
def _refusing(choosing):
    """S3 that takes no checkpoints; gives what makes it take those of a trial."""
    yield lambda trial: choosing.trials.discard(trial)
