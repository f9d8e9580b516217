"""A sweep in the pods of its manifests, as far as that goes without Kubernetes: real Ray with a token, real S3, and a user who
may write nothing but volumes. A worker's node goes, then the head's, and the next cluster goes on."""

import json
import subprocess

import pytest

from cluster.layout import SweepPaths
from cluster.log.store import read_state
from data_shards.address import join
from data_shards.build.digits import build_digits
from data_shards.store import open_store
from orchestrator.manifests.render import render
from tests.beds import TRIAL, until
from tests.hosts import hosts, missing
from tests.k8s.bottle import Bottle, head_command, submit_command, worker_command
from tests.k8s.operator import pods_of

HEAD_HOST, WORKER_HOSTS, SUBMITTER_HOST = 0, (1, 2), 3
TOKEN = "0123456789abcdef" * 4
STEP_S = 240.0  # for what takes some seconds where the machine is idle

pytestmark = [pytest.mark.slow, pytest.mark.ray]

SWEEP = """
name: bottle
system: cyclegan
data: {{uri: "{data}", image: 32, batch: 2, replicas: 1}}
steps: 2_000
every: {{report: 5, evaluate: 1_000, checkpoint: 1_000}}
storage: "{runs}"
resources: {{workers: 1, cpus_per_worker: 1}}
cluster: {{kubernetes: {{image: none, nodes: [2, 2], cpus_per_node: 1, memory_per_node: 4Gi, shared_memory: 1Gi, secret: s3}}}}
"""


class Cluster:
    """The pods of a RayJob, as its operator would start them."""

    def __init__(self, bed, objects, file, secret):
        self._bed, (self._job, config, _) = bed, objects
        self.url = f"http://{bed.address(HEAD_HOST)}:8265"
        file.write_text(config["data"]["sweep.yaml"])
        file.chmod(0o644)
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        token["RAY_raylet_start_wait_time_s"] = f"{STEP_S:.0f}"  # others may keep this machine busy
        head, worker, submitter = pods_of(self._job)
        files = {"/etc/i2i/sweep.yaml": file}
        self.head = Bottle(bed, HEAD_HOST, head, token | secret | {"RAY_ADDRESS": "127.0.0.1:6379"}, files)
        self.workers = [Bottle(bed, host, worker, token | secret, {}) for host in WORKER_HOSTS]
        self.submitter = Bottle(bed, SUBMITTER_HOST, submitter, token, {})

    def start(self, attempt):
        spec = self._job["spec"]
        groups = spec["rayClusterSpec"]
        self.head.start(head_command(groups["headGroupSpec"]["rayStartParams"]["object-store-memory"]))
        until("the head is up", lambda: self._nodes() == 1, STEP_S, self.said)  # KubeRay's init container waits for it
        store = groups["workerGroupSpecs"][0]["rayStartParams"]["object-store-memory"]
        for one in self.workers:
            one.start(worker_command(self._bed.address(HEAD_HOST), 1, store))
        until("all nodes are there", lambda: self._nodes() == 3, STEP_S, self.said)  # a RayJob waits for them
        self.submitter.start(submit_command(self.url, f"job-{attempt}", spec["entrypoint"]))

    def _nodes(self):
        return self._asked("/nodes?view=summary").count('"ALIVE"')

    def ended(self):
        """What the operator sees of a job that is over."""
        job = json.loads(self._asked("/api/jobs/job-1") or "{}")
        return job if job.get("status") in ("SUCCEEDED", "FAILED", "STOPPED") else None

    def _asked(self, path):
        return self.head.exec(
            ["wget", "-q", "-O-", f"--header=Authorization: Bearer {TOKEN}", f"{self.url}{path}"], 60
        ).stdout

    def kill(self):
        for one in (self.submitter, *self.workers, self.head):
            one.kill()

    def said(self):
        return "\n".join(
            f"== {one.log.name}\n{one.said()[-3000:]}" for one in (self.submitter, self.head, *self.workers)
        )


@pytest.fixture(name="bed")
def bed_fixture():
    if reason := missing():
        pytest.skip(reason)
    with hosts(4) as bed:
        for host in range(4):  # Ray asks the way out for its own address
            gate = bed.address(0).rpartition(".")[0] + ".254"
            subprocess.run(["ip", "-n", bed.name(host), "route", "add", "default", "via", gate], check=True)
        yield bed


def test_a_sweep_in_its_pods(bed, tmp_path, monkeypatch):
    with bed.s3() as s3:
        for name, value in s3.env.items():
            monkeypatch.setenv(name, value)
        build_digits(join(s3.uri("shards/b"), "digits"), size=32)
        path = tmp_path / "sweep.yaml"
        path.write_text(SWEEP.format(data=join(s3.uri("shards/b"), "digits"), runs=join(s3.uri("shards/b"), "runs")))
        objects = render(path, 1)
        sweep = objects[0]["metadata"]["labels"]["i2i-cluster/sweep"].partition("-")[0]
        store = open_store(join(s3.uri("shards/b"), "runs"))
        cluster = Cluster(bed, objects, bed.folder / "sweep.yaml", dict(s3.env))

        def trial():
            try:
                return read_state(store, SweepPaths(sweep)).trials.get(0)
            except FileNotFoundError:
                return None

        def reached(step):
            return lambda: (one := trial()) is not None and one.step >= step

        try:
            cluster.start(1)
            until("training reports", reached(10), STEP_S, cluster.said)
            assert "Permission denied" not in cluster.said() and "Read-only file system" not in cluster.said()
            assert_user(cluster.head)

            at = trial().step
            (busy,) = [one for one in cluster.workers if TRIAL in titles(one)]
            busy.terminate()
            busy.wait(120)  # within the pod's grace, and of itself
            until("the trial is saved and goes on elsewhere", reached(at + 10), STEP_S, cluster.said)
            assert trial().starts == 2 and not trial().faults, "announced, so that it counts as nothing"
            assert trial().step >= at

            at = trial().step
            asked = cluster.head.exec(cluster.head.container["lifecycle"]["preStop"]["exec"]["command"], 120)
            assert (asked.returncode, asked.stdout) == (0, ""), asked.stderr + cluster.said()
            state = read_state(store, SweepPaths(sweep))
            assert state.state == "interrupted" and state.trials[0].step >= at
            ended = until("the job is over", cluster.ended, STEP_S, cluster.said)
            assert (ended["status"], ended["driver_exit_code"]) == ("FAILED", 130), "the operator makes another cluster"
            cluster.head.terminate()
            cluster.head.wait(60)
        finally:
            cluster.kill()

        again = Cluster(bed, objects, bed.folder / "sweep.yaml", dict(s3.env))
        try:
            again.start(2)
            until("the next cluster goes on", reached(at + 10), STEP_S, again.said)
            assert trial().starts == 3 and not trial().faults
        finally:
            again.kill()


def assert_user(bottle):
    """The processes of a container are nobody's that may do anything, and its root is not theirs to write."""
    status = dict(
        line.split(":\t") for line in bottle.exec(["cat", "/proc/1/status"], 30).stdout.splitlines() if ":\t" in line
    )
    assert status["Uid"].split() == ["1000"] * 4 and int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert "Read-only file system" in bottle.exec(["touch", "/home/x"], 30).stderr
    assert "ray" in status["Name"], "the shell has put Ray into its place: it hears the kubelet's signal"


def titles(bottle):
    return bottle.exec(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"], 30).stdout
