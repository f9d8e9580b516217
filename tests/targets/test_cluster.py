"""A real Ray cluster of three raylets, started by `up`: a sweep goes there from another process, with a token, and comes back.

Its storage is in S3, as it would be on a cluster of other machines. The tests stand in the order of a cluster's life.
"""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.log.records import SweepState
from cluster.log.store import read_state, sweeps_in
from cluster.submission import read_submission
from cluster.targets.ray_jobs import RayJobsTarget
from cluster.targets.target import Capacity, Job, JobState, Node, Parcel, job_name
from cluster.up.processes import processes_of
from cluster.up.state import LocalCluster
from data_shards.address import join
from data_shards.build.openmoji import build_openmoji
from data_shards.store import open_store
from tests.beds import TRIAL, title, until
from tests.chaos.calm import Calm, calm, came_to
from tests.seaweed import BUCKET, Seaweed
from tests.targets.laptop import ROOT, Laptop
from tests.targets.small_sweep import SPEC
from trainers.state import digest

pytestmark = pytest.mark.ray
TRIALS, STEPS = 2, 200


def states(storage: str) -> list[str]:
    """The digest of each trial's training state."""
    store = open_store(storage)
    (sweep,) = sweeps_in(store)
    newest = [Checkpoints(store, SweepPaths(sweep).checkpoints(trial)).newest() for trial in range(TRIALS)]
    return [digest(found.state) for found in newest if found is not None]


def state(laptop: Laptop) -> SweepState:
    """What its log adds up to."""
    store = open_store(laptop.storage)
    (sweep,) = sweeps_in(store)
    return read_state(store, SweepPaths(sweep))


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """60 pairs of OpenMoji at 32 pixels."""
    folder = tmp_path_factory.mktemp("shards") / "openmoji"
    build_openmoji(str(folder), size=32, limit=60)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, shards) -> Calm:
    """What the same sweep comes to on this machine, in a folder."""
    text = SPEC.format(shards=shards, steps=STEPS, trials=TRIALS, storage="")
    return calm(text, tmp_path_factory.mktemp("undisturbed") / "calm")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory, shards, seaweed: Seaweed) -> Iterator[Laptop]:
    """A cluster that `up` has started, and the variables that it printed to reach it by."""
    folder = tmp_path_factory.mktemp("laptop")
    talkative = ROOT / "tests" / "targets" / "talkative"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
    env |= {**seaweed.env, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    env["PYTHONPATH"] = f"{ROOT}:{talkative}"
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    storage = join(seaweed.uri(f"{BUCKET}/cluster"), "runs")
    (folder / "sweep.yaml").write_text(SPEC.format(shards=shards, steps=STEPS, trials=TRIALS, storage=storage))
    bare = Laptop(folder, env, storage, f"http://127.0.0.1:{port}")
    try:
        told = bare.ok("up", "--nodes", 3, "--cpus", 1, "--port", port)
        variables = dict(re.findall(r"^export (\w+)=(.*)$", told, re.MULTILINE))
        assert [*variables] == ["RAY_AUTH_TOKEN_PATH"]
        yield Laptop(folder, env | variables, storage, bare.address, bare.started)
    finally:
        for process in bare.started:
            process.kill()
            process.communicate()
        bare.run("down")


def test_a_wrong_token_is_refused(laptop):
    told = f"error: {laptop.address} refuses the token of RAY_AUTH_TOKEN: it is wrong, or has expired; put its token into a file "
    code, out, err = laptop.run("submit", "sweep.yaml", "--cluster", laptop.address, RAY_AUTH_TOKEN="stolen")
    assert (code, out, err.startswith(told), len(err.splitlines())) == (1, "", True, 1)
    code, _, err = laptop.run("submit", "sweep.yaml", "--cluster", laptop.address, RAY_AUTH_MODE="disabled")
    assert (code, err.startswith(f"error: {laptop.address} wants a token: ")) == (1, True)
    assert sweeps_in(open_store(laptop.storage)) == [], "nothing was written"


def test_a_head_that_is_not_there_is_told(laptop):
    code, _, err = laptop.run("submit", "sweep.yaml", "--cluster", "http://127.0.0.1:9")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: http://127.0.0.1:9 cannot be reached (connection refused): is the head up")


@pytest.fixture(autouse=True)
def bucket_env(seaweed, monkeypatch):
    """The test's own process reaches the storage, too."""
    for name, value in seaweed.env.items():
        monkeypatch.setenv(name, value)


def test_plan_asks_the_head_what_it_holds(laptop):
    asked = ("sweep.yaml", "--cluster", laptop.address, "--no-measure")
    told = json.loads(laptop.ok("plan", *asked, "-o", "json"))["cluster"]
    assert (told["place"], told["nodes"], told["cpus"], told["trials_at_once"]) == (laptop.address, 3, 3.0, 2)
    assert (told["facts"], told["short"], told["unknown"]) == ({"free now": "3 CPUs"}, [], [])
    wide = (laptop.folder / "sweep.yaml").read_text() + "resources: {cpus_per_worker: 2}\n"
    (laptop.folder / "wide.yaml").write_text(wide)
    code, out, err = laptop.run("plan", "wide.yaml", *asked[1:])
    no_node = f"no node of {laptop.address} holds a worker of 2 CPUs: the largest has 1 CPU; a worker is never split"
    assert (code, out) == (2, "")
    assert err.startswith(f"error: wide.yaml: resources.cpus_per_worker: {no_node}")


def test_doctor_looks_from_here_and_from_the_head(laptop):
    asked = ("doctor", "--sweep", "sweep.yaml", "--cluster", laptop.address, "--probe", "-o", "json")
    rows = {row["check"]: row for row in json.loads(laptop.run(*asked)[1])}  # what it exits with, this machine decides
    well = ["cluster: way", "cluster: token", "cluster: ray", "cluster: python", "cluster: clock", "head: torch"]
    well += ["data", *(f"{where}storage: {step}" for where in ("", "head: ") for step in ("credentials", "delete"))]
    assert [name for name in well if not rows[name]["ok"]] == []
    assert rows["cluster: way"]["found"] == f"{laptop.address}, 3 nodes"
    assert not any(name.startswith("head: same") for name in rows)
    code, out, _ = laptop.run(
        "doctor", laptop.storage, "--cluster", laptop.address, "-o", "json", RAY_AUTH_TOKEN="stolen"
    )
    last = json.loads(out)[-1]
    assert (code, last["check"], last["ok"]) == (1, "cluster: way", False)
    assert last["found"].startswith(f"{laptop.address} refuses the token of RAY_AUTH_TOKEN: ")


def test_a_sweep_goes_there_and_comes_back(laptop, undisturbed):
    submit = ("submit", "sweep.yaml", "--cluster", laptop.address)
    clients = [laptop.start(*submit, "--detach") for _ in range(2)]
    told = [client.communicate(timeout=240)[1] for client in clients]
    assert [client.returncode for client in clients] == [0, 0], told
    (sweep,) = sweeps_in(open_store(laptop.storage))
    assert all(re.search(rf"i2i-{sweep}-....-1 (to|on) {laptop.address}", one) for one in told), told

    client = laptop.start(*submit)
    assert client.stderr is not None
    assert any(f"attached to i2i-{sweep}-" in line for line in client.stderr), "it ended before it was attached"
    following = laptop.start("logs", "far", "--storage", laptop.storage, "-f")
    with _held(laptop):  # so that it does not end before it is stopped, however fast this machine is
        seen = laptop.status()
        assert (seen["state"], seen["job"], seen["driver"]["host"]) == ("running", None, socket.gethostname())
        client.send_signal(signal.SIGKILL)
        client.communicate(timeout=60)
        (asked,) = laptop.ask("stop", "--no-wait").splitlines()
        assert asked.startswith(f"asked process {seen['driver']['pid']} on ")
    story, _ = following.communicate(timeout=120)
    assert following.returncode == 0
    assert story.splitlines()[0] == "attempt 1 begins"
    assert story.splitlines()[-1] == "attempt 1 has ended: interrupted"
    until("the job is over", lambda: laptop.status()["job"]["state"] == "done", 60)

    laptop.ask("resume", "--detach")
    assert "attempt 2 has ended: done" in laptop.ask("watch") or laptop.status()["state"] == "done"
    assert came_to(state(laptop)) == came_to(undisturbed.state)
    assert states(laptop.storage) == [*undisturbed.digests.values()]
    told = json.loads(laptop.ask("results", "-o", "json"))["trials"]
    assert [trial["params"] for trial in told] == [trial.params for trial in undisturbed.state.trials.values()]


def _steps(laptop: Laptop) -> bool:
    """Whether a trial has reported some."""
    try:
        return any(trial.step for trial in state(laptop).trials.values())
    except FileNotFoundError:
        return False


@contextmanager
def _held(laptop: Laptop) -> Iterator[None]:
    """The trials' processes stand still once one has made steps, as many as are seen: one is enough to keep the sweep from its end.

    They run in slices between the looks, so that no busy machine lets them end unseen. A look may come while a process changes
    its title, and miss it.
    """
    up, held = _up(laptop), list[psutil.Process]()

    def caught() -> bool:
        _release(held)
        time.sleep(0.2)
        ours = processes_of(up.mark, up.folder)  # some of which may be gone by now
        held[:] = [process for process in psutil.process_iter() if process.pid in ours and title(process) == TRIAL]
        for process in held:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        return held != [] and _steps(laptop)

    try:
        until("a trial that has made steps is seen before it ends", caught, 240, lambda: str(laptop.status()))
        yield
    finally:
        _release(held)


def _release(held: list[psutil.Process]) -> None:
    """They go on, as many as live."""
    for process in held:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def _up(laptop: Laptop) -> LocalCluster:
    """What `up` remembers."""
    values = json.loads((laptop.folder / "state" / "i2i-cluster" / "cluster.json").read_text())
    return LocalCluster(**{name: values[name] for name in LocalCluster.__dataclass_fields__})


def test_what_its_workers_printed_is_in_the_storage(laptop):
    told = [laptop.ask("logs", "--trial", trial).splitlines() for trial in range(TRIALS)]
    first, *lines = next(lines for lines in told if "== start 2, worker 0 ==" in lines)  # one that was stopped half way
    assert first == "== start 1, worker 0 =="
    said = [int(line.rpartition(" ")[2]) for line in lines if line.startswith("a worker says ")]
    assert len(said) > 5
    assert any(line.startswith("a worker warns ") for line in lines)
    assert not any(line.startswith(":actor_name:") for line in lines)
    code, _, err = laptop.run("logs", "far", "--storage", laptop.storage, "--trial", 9)
    assert (code, err) == (2, "error: --trial: sweep far has no trial 9; it has trials 0 to 1\n")
    code, _, err = laptop.run("logs", "far", "--storage", laptop.storage, "--trial", 1, "--rank", 3)
    assert (code, err) == (2, "error: --rank: no worker 3 of trial 1 has printed anything; has: 0\n")


def test_its_driver_s_output_is_the_job_s(laptop):
    lines = laptop.ask("logs", "--driver").splitlines()
    assert any(line.startswith("best: ") for line in lines)
    (row,) = json.loads(laptop.ok("list", "--storage", laptop.storage, "-o", "json"))
    assert row["state"] == "done"


def test_a_job_s_name_is_taken_once(laptop, monkeypatch):
    """Whoever comes second finds the first one's job, whatever it was asked for."""
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", laptop.env["RAY_AUTH_TOKEN_PATH"])
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    target = RayJobsTarget(laptop.address)
    assert target.capacity() == Capacity(3.0, 0.0, (Node(1.0),) * 3)
    store = open_store(laptop.storage)
    (sweep,) = sweeps_in(store)
    made = read_submission(store, SweepPaths(sweep))
    assert made is not None
    last = target.find(made.key)
    assert last == Job(job_name(made.key, 2), 2, JobState.done)
    assert target.submit(Parcel(made.key, "far", "{}"), 2) == last
    assert list(target.logs(last, follow=True))[-1].startswith("results: ")
    target.stop(last)
    assert target.find(made.key) == last


def test_again_it_has_nothing_to_run(laptop):
    code, out, err = laptop.run("submit", "sweep.yaml", "--cluster", laptop.address)
    assert (code, "nothing to run" in err, "far: eval/ssim" in out) == (0, True, True)


def test_down_ends_all_of_it_after_a_crash_of_some(laptop):
    up = _up(laptop)
    living = processes_of(up.mark, up.folder)
    assert len(living) > 10
    for pid in living:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[0].endswith(b"/raylet") or b"cluster.up.keeper" in words:
            os.kill(pid, signal.SIGKILL)
    assert laptop.ok("down") == f"ended: 3 nodes with 1 CPU each at {laptop.address}\n"
    assert processes_of(up.mark, up.folder) == []
    assert not os.path.exists(up.folder)
    code, _, err = laptop.run("submit", "sweep.yaml", "--cluster", laptop.address, "--detach")
    assert (code, "token for" in err or "cannot be reached" in err) == (1, True)
