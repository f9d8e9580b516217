"""What a namespace has for a sweep: `plan` and `doctor` against the emulated API server. Nothing is made there."""

import json
import re
import sys
import time
from dataclasses import replace
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from cluster.targets.kubernetes import KubernetesTarget
from cluster.targets.target import Need
from data_shards.address import join
from data_shards.build.digits import build_digits
from orchestrator.cli import main
from tests.k8s.built import SITES
from tests.k8s.test_cli import write
from tests.seaweed import BUCKET

NEED = Need(8, 1, 1.0, 0.0)
KUEUE = "kueue.x-k8s.io/v1beta2"


@pytest.fixture(name="at")
def at_fixture(emulator, tmp_path, monkeypatch):
    """A target at the emulated server, by the keys of its site."""

    def make(site="plain", token="admin", **changes):
        monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig", token)))
        return KubernetesTarget(replace(SITES[site], **changes))

    return make


def put(emulator, kind, name, api="v1", namespace: str | None = "i2i", labels=None, **rest):
    meta = {"name": name, "labels": labels or {}, **({"namespace": namespace} if namespace else {})}
    emulator.put({"apiVersion": api, "kind": kind, "metadata": meta, **rest})


def put_node(emulator, name, cpu="16", memory="64Gi", gpus=0, labels=None, ready="True", **spec):
    has = {"cpu": cpu, "memory": memory, **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    status = {"allocatable": has, "conditions": [{"type": "Ready", "status": ready}]}
    put(emulator, "Node", name, namespace=None, labels=labels, spec=spec, status=status)


def test_nodes_that_hold_all_pods(emulator, at):
    put_node(emulator, "a")
    put_node(emulator, "b", cpu="16500m")
    found = at().survey(NEED)  # 8 pods of 4 CPUs and 16Gi
    assert found.facts == {"nodes": "2 of 2 nodes may take worker pods, and hold 8 of 8"}
    assert (found.short, found.unknown) == ((), ("what other pods take of the nodes",))


def test_nodes_that_take_no_such_pod_do_not_count(emulator, at):
    put_node(emulator, "small", cpu="8")
    put_node(emulator, "down", ready="False")
    put_node(emulator, "cordoned", unschedulable=True)
    put_node(emulator, "others", taints=[{"key": "team", "value": "x", "effect": "NoSchedule"}])
    put_node(emulator, "spot", labels={"karpenter.sh/capacity-type": "spot"})
    (line,) = at().survey(NEED).short
    assert line == (
        "the nodes that are there hold 2 of 8 worker pods (cpu 4, memory 16.0Gi); the rest waits for nodes, as an autoscaler may "
        "add them, or lower nodes or what a pod asks for"
    )
    assert at(spot=True).survey(NEED).facts == {"nodes": "2 of 5 nodes may take worker pods, and hold 6 of 8"}
    (line,) = at(cpus_per_node=32.0).survey(NEED).short
    assert (
        "hold 0 of 8 worker pods (cpu 32, memory 16.0Gi): the largest has cpu 8, memory 64.0Gi; the sweep waits" in line
    )


def test_gpu_nodes_are_those_of_the_product(emulator, at):
    taint = [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]
    put_node(emulator, "t4", gpus=8, labels={"nvidia.com/gpu.product": "NVIDIA-T4"}, taints=taint)
    put_node(emulator, "a100", gpus=8, labels={"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, taints=taint)
    assert at("gpu").survey(NEED).facts == {"nodes": "1 of 2 nodes may take worker pods, and hold 1 of 8"}


def test_who_may_not_look_is_told_so(emulator, at):
    emulator.users["ann"] = []
    found = at("queue", token="ann").survey(NEED)
    assert (found.facts, found.short) == ({}, ())
    assert found.unknown == (
        "whether nodes hold the pods: kubernetes test/i2i does not let you list nodes",
        "what quotas leave: kubernetes test/i2i does not let you list resourcequotas",
        "what queue i2i has: kubernetes test/i2i does not let you see it",
    )


def test_what_quotas_leave(emulator, at):
    put_node(emulator, "large", cpu="200", memory="900Gi")
    hard = {"requests.cpu": "20", "limits.memory": "1000Gi", "pods": "50", "count/secrets": "3"}
    used = {"requests.cpu": "4", "limits.memory": "10Gi", "pods": "1"}
    put(emulator, "ResourceQuota", "team", spec={"hard": hard}, status={"hard": hard, "used": used})
    found = at().survey(NEED)
    assert found.facts["quota team"] == "leaves 16 of requests.cpu, 990.0Gi of limits.memory, 49 of pods"
    # head 2, its autoscaler 0.5, submitter 0.5, and 4 for each worker
    assert found.short == (
        "quota team leaves 16 of requests.cpu, and the sweep asks for 35 at its most: 3 worker pods fit; lower nodes, end what "
        "else runs in i2i, or have it raised",
    )
    (line,) = at(nodes=(4, 8)).survey(NEED).short
    assert "35 at its most: not even the least nodes fit; lower nodes" in line
    assert at(nodes=(1, 3)).survey(NEED).short == ()


def put_queue(emulator, cpus, **spec):
    flavor = {"name": "default", "resources": [{"name": "cpu", "nominalQuota": cpus}]}
    groups = [{"coveredResources": ["cpu"], "flavors": [flavor]}]
    put(emulator, "ClusterQueue", "all", KUEUE, namespace=None, spec={"resourceGroups": groups, **spec})
    put(emulator, "LocalQueue", "i2i", KUEUE, spec={"clusterQueue": "all"}, status={"pendingWorkloads": 2})


def test_what_a_queue_never_admits(emulator, at):
    put_node(emulator, "large", cpu="200", memory="900Gi", gpus=8)
    put_queue(emulator, "20")
    found = at("queue").survey(NEED)
    assert found.facts["queue i2i"] == "of ClusterQueue all; 2 workloads wait in it"
    assert found.short == (
        "ClusterQueue all has 20 of cpu, and the sweep asks for 34.5 at once: it would never be admitted; lower nodes",
    )
    put_queue(emulator, "20", cohortName="everybody")
    assert at("queue").survey(NEED).short == (), "it may borrow"
    put_queue(emulator, "40")
    assert at("queue").survey(NEED).short == ()


def test_a_pod_s_memory_must_hold_its_workers_steps(emulator, at):
    put_node(emulator, "large", cpu="200", memory="900Gi")
    (line,) = at().survey(replace(NEED, memory=4 * 2**30)).short
    assert line == (
        "4 workers on a pod take up to 16.0Gi of memory for their steps, and it has 12.0Gi beside shared_memory; raise "
        "memory_per_node"
    )
    assert at().survey(replace(NEED, memory=3 * 2**30)).short == ()


def checks(target):
    return {one.check: one for one in target.examine(None)}


def test_doctor_finds_the_way_rights_and_room_and_makes_nothing(emulator, at):
    put_node(emulator, "large", cpu="200", memory="900Gi")
    found = checks(at())
    assert [name for name, one in found.items() if one.ok is False] == []
    assert found["cluster: way"].found == "kubernetes test/i2i, Kubernetes v1.37.0"
    assert (
        found["cluster: rights"].found
        == "you may make RayJob, ConfigMap, PodDisruptionBudget in i2i, and they are taken"
    )
    assert "are not known from here" in found["cluster: image"].found and found["cluster: image"].ok is None
    assert emulator.all("rayjobs") == emulator.all("configmaps") == []


def test_doctor_says_what_is_wrong(emulator, at, monkeypatch):
    emulator.users["ann"] = [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]}]
    assert 'cannot create resource "rayjobs"' in checks(at(token="ann"))["cluster: rights"].found
    last = [*checks(at(secret="s3")).values()][-1]  # pragma: allowlist secret
    assert (last.check, last.ok, "there is no secret s3" in last.found) == ("cluster: names", False, True)
    (way,) = at(context="elsewhere").examine(None)
    assert (way.check, way.ok, "cannot be reached" in way.found) == ("cluster: way", False, True)
    monkeypatch.setattr(
        "http.server.BaseHTTPRequestHandler.date_time_string", lambda self, at=None: formatdate(time.time() - 600)
    )
    clock = checks(at())["cluster: clock"].found
    assert re.fullmatch(r"this machine's clock is 60\d s ahead of the API server's", clock)


@pytest.fixture(scope="module", name="digits")
def digits_fixture(seaweed):
    """A place in S3 with a data set."""
    place = seaweed.uri(f"{BUCKET}/survey")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in seaweed.env.items():
            patch.setenv(name, value)
        build_digits(join(place, "digits"), size=32)
    return place


@pytest.fixture(name="cli")
def cli_fixture(emulator, bucket, digits, tmp_path, monkeypatch, capsys):
    """The command line beside a sweep file, with the emulated server as its cluster."""
    monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig")))
    monkeypatch.chdir(tmp_path)
    write(tmp_path, digits)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["i2i-cluster", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=said.out, stderr=said.err)

    return run


def test_plan_tells_what_is_there_and_doctor_takes_the_file(emulator, cli):
    put_node(emulator, "only", cpu="10")
    done = cli("plan", "sweep.yaml", "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["cluster"]
    assert (told["place"], told["nodes"], told["cpus"], told["trials_at_once"]) == ("kubernetes test/i2i", 4, 16.0, 1)
    assert told["reads_bytes"][0] > 0
    assert told["facts"] == {"nodes": "1 of 1 nodes may take worker pods, and hold 2 of 4"}
    assert [line.split(" (")[0] for line in told["short"]] == ["the nodes that are there hold 2 of 4 worker pods"]
    table = cli("plan", "sweep.yaml", "--no-measure")
    assert "note: short: the nodes that are there hold 2 of 4 worker pods" in table.stdout
    examined = cli("doctor", "--sweep", "sweep.yaml", "-o", "json")
    rows = {row["check"]: row for row in json.loads(examined.stdout)}
    assert rows["storage: credentials"]["found"] == "from AWS_ACCESS_KEY_ID"
    assert rows["data"]["ok"] and "digits, " in rows["data"]["found"]
    assert rows["cluster: names"]["ok"] and rows["cluster: room"]["ok"] is None
    assert cli("doctor", "--sweep", "sweep.yaml", "--probe").returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("namespace: i2i", "namespace: i3i", "namespace: kubernetes test/i3i: there is no namespace i3i; "),
        (
            "namespace: i2i",
            "context: tset",
            "context: the kubeconfig has no context 'tset'; nearest: test; has: test, ",
        ),
        ("namespace: i2i", "queue: night", "queue: kubernetes test/i2i: there is no LocalQueue night; has: none"),
        ("namespace: i2i", "secret: s3", "secret: kubernetes test/i2i: there is no secret s3; "),
        (
            "namespace: i2i",
            "service_account: me",
            "service_account: kubernetes test/i2i: there is no service account me",
        ),
        ("namespace: i2i", "gpus_per_node: 8", "gpus_per_node: kubernetes test/i2i: no node holds a pod with 8 GPUs"),
        (
            "namespace: i2i",
            "ray_cluster: far",
            "ray_cluster: kubernetes test/i2i: there is no RayCluster far; has: none",
        ),
    ],
)
def test_what_the_file_names_and_is_not_there_is_the_file_s_mistake(emulator, cli, tmp_path, old, new, told):
    put_node(emulator, "gpus", gpus=4)
    file = tmp_path / "sweep.yaml"
    file.write_text(file.read_text().replace(old, new))
    for command in (("plan", "--no-measure"), ("submit", "--detach")):
        done = cli(command[0], "sweep.yaml", *command[1:])
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: sweep.yaml: cluster.kubernetes.{told}")
        assert done.stderr.count("\n") == 1
    assert emulator.all("rayjobs") == []


def test_a_shared_cluster_is_not_looked_into(emulator, at):
    before = len(emulator.requests)
    assert at("joined").survey(NEED).facts == {"Ray cluster": "i2i, which keeps its own pods"}
    assert len(emulator.requests) == before
