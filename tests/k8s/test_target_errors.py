"""What goes wrong between here and an API server, in one line with what to do."""

import builtins
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cluster.targets.kubernetes import KubernetesTarget
from cluster.targets.kubernetes_manifests import manifests
from cluster.targets.target import Need, TargetError
from tests.k8s.built import PARCEL, SITES, overlay

NAME = PARCEL.job(1)
GPU_NODE = {"kubernetes.io/os": "linux", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}


@pytest.fixture(name="at")
def at_fixture(emulator, tmp_path, monkeypatch):
    """A target at the emulated server, by the keys of its site and of the kubeconfig."""

    def make(site="plain", timeout=10.0, token="admin", **changes):
        monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig", token)))
        return KubernetesTarget(replace(SITES[site], **changes), timeout=timeout, poll=0.01)

    return make


def refusal(target, parcel=PARCEL):
    with pytest.raises(TargetError) as raised:
        target.submit(parcel, 1)
    line = str(raised.value)
    assert "\n" not in line and line.startswith("kubernetes ")
    return line


def node(name, gpus, labels):
    status = {"allocatable": {"cpu": "64", "memory": "512Gi", "nvidia.com/gpu": str(gpus)}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


def test_an_unknown_context(at):
    with pytest.raises(TargetError, match=r"has no context 'tests'; nearest: test; has: test, elsewhere"):
        at(context="tests")


def test_a_context_that_nobody_answers_at(at):
    line = refusal(at(context="elsewhere"))
    assert line.startswith("kubernetes elsewhere/i2i: cannot be reached: ")
    assert line.endswith("Connection refused; see whether `kubectl get pods` can")


def test_a_server_that_does_not_answer_in_time(emulator, at):
    emulator.hung.add("serviceaccounts")
    assert "no answer in time; try again" in refusal(at(timeout=0.2))


def test_a_server_that_is_ill(emulator, at):
    emulator.ill.add("rayjobs")
    assert "the API server is busy or ill (503: etcdserver: no leader); try again" in refusal(at())


def test_a_server_that_nobody_vouches_for(emulator, at, tmp_path):
    target = at()
    (tmp_path / "other").mkdir()
    with type(emulator)(tmp_path / "other") as other:
        config = (tmp_path / "kubeconfig").read_text().replace(emulator.url, other.url)
        (tmp_path / "kubeconfig").write_text(config)
        target = KubernetesTarget(SITES["plain"])
        assert "certificate verify failed" in refusal(target)


def test_what_is_no_api_server(emulator, at, monkeypatch):
    target = at()
    monkeypatch.setattr("tests.k8s.api_http.json", SimpleNamespace(dumps=lambda body: "<html>"))
    assert "what answered is no Kubernetes API server" in refusal(target)


def test_no_kubeconfig(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(TargetError, match=r"no kubeconfig: .*; log in to a cluster, or set KUBECONFIG"):
        KubernetesTarget(SITES["plain"])


def test_a_wrong_token(at):
    assert "not logged in, or no longer; log in to the cluster again" in refusal(at(token="stolen"))


def test_rights_that_are_missing_are_named(emulator, at):
    emulator.users["ann"] = []
    line = refusal(at(token="ann"))
    assert 'User "ann" cannot create resource "rayjobs" in API group "ray.io" in the namespace "i2i"' in line
    assert line.endswith("k8s/base/submit-role.yaml has the rights that are needed")


def test_what_was_made_before_a_right_was_missing_is_taken_away(emulator, at):
    rules = role_rules()
    emulator.users["ann"] = [one for one in rules if "poddisruptionbudgets" not in one["resources"]]
    assert 'cannot create resource "poddisruptionbudgets"' in refusal(at(token="ann"))
    assert emulator.all("rayjobs") == emulator.all("configmaps") == []


def role_rules():
    (role,) = [one for one in overlay("prod") if one["kind"] == "Role" and one["metadata"]["name"] == "i2i-submit"]
    return role["rules"]


def test_the_role_that_is_shipped_is_enough_for_all_of_it_and_has_no_right_too_many(emulator, at):
    rules = role_rules()
    emulator.users["ann"] = rules
    emulator.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": "i2i"}})
    put_queue(emulator)
    emulator.put(next(one for one in overlay("gpu-spot") if one["kind"] == "RayCluster"))
    for site in SITES:
        target = at(site, token="ann")
        job = target.submit(PARCEL, 1)
        assert target.submit(PARCEL, 1).name == target.find(PARCEL.sweep).name == job.name
        target.capacity()
        target.survey(Need(1, 1, 1.0, 0.0))
        assert {one.check: one for one in target.examine(None)}["cluster: rights"].ok
        target.stop(job)
    for changes in ({"site": "queue", "queue": "i2"}, {"site": "joined", "ray_cluster": "i3"}):
        with pytest.raises(TargetError):
            at(token="ann", **changes).submit(PARCEL, 1)
    with pytest.raises(TargetError):
        list(at(token="ann").logs(job, follow=False))
    asked = {(one.kind.group, one.resource, one.verb) for one in emulator.requests}
    given = {
        (group, what, verb)
        for one in rules
        for group in one["apiGroups"]
        for what in one["resources"]
        for verb in one["verbs"]
    }
    # asked for, and gone without
    beyond = {("", "secrets", "get"), ("", "nodes", "list"), ("kueue.x-k8s.io", "clusterqueues", "get")}
    assert asked - beyond <= given
    assert given - asked == {
        ("", "pods/log", "get"),
        ("", "configmaps", "delete"),
        ("policy", "poddisruptionbudgets", "delete"),
    }, "the rest is for `logs`, and for what an earlier job left"


def test_a_namespace_that_is_not_there(at):
    line = refusal(at(namespace="other"))
    assert "there is no namespace other; " in line


def test_a_cluster_without_kuberay(emulator, at, monkeypatch):
    monkeypatch.setattr("tests.k8s.api_http.by_plural", lambda *place: None if "rayjobs" in place else known(*place))
    from tests.k8s.kinds import by_plural as known

    assert "the cluster knows no ray.io objects; install KubeRay 1.7 or newer" in refusal(at())


def test_an_account_that_is_not_there(at):
    line = refusal(at(service_account="trainer"))
    assert "there is no service account trainer; `kubectl apply -k k8s/overlays/prod` makes i2i-cluster's" in line


def test_a_secret_that_is_not_there(emulator, at):
    line = refusal(at(secret="s3"))
    assert "there is no secret s3; `kubectl -n i2i create secret generic s3 --from-env-file=FILE` makes it" in line
    assert emulator.all("rayjobs") == []


def put_queue(emulator, name="i2i"):
    meta = {"name": name, "namespace": "i2i"}
    emulator.put({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": meta, "spec": {}})


def test_a_queue_that_is_not_there(emulator, at, monkeypatch):
    put_queue(emulator, "research")
    put_queue(emulator, "production")
    assert "there is no LocalQueue reserch; nearest: research" in refusal(at(queue="reserch"))
    assert "there is no LocalQueue night; has: production, research" in refusal(at(queue="night"))
    from tests.k8s.kinds import by_plural as known

    monkeypatch.setattr(
        "tests.k8s.api_http.by_plural", lambda *place: None if "localqueues" in place else known(*place)
    )
    assert "the cluster has no Kueue; install it, or leave out queue" in refusal(at(queue="night"))


def test_gpus_that_no_node_has(emulator, at):
    emulator.put(node("a", 4, GPU_NODE))
    emulator.put(node("b", 8, {**GPU_NODE, "nvidia.com/gpu.product": "NVIDIA-T4"}))
    emulator.put(node("c", 0, {}))
    asked = {"gpus_per_node": 8, "gpu": GPU_NODE["nvidia.com/gpu.product"]}
    line = refusal(at(**asked))
    assert "no node holds a pod with 8 NVIDIA-A100-SXM4-80GB GPUs: the largest has 4" in line
    assert line.endswith("lower gpus_per_node and raise nodes, or name another gpu")
    assert emulator.all("rayjobs") == []
    at(gpus_per_node=8).submit(PARCEL, 1)
    at(gpus_per_node=16, gpu="NVIDIA-H200").submit(PARCEL, 2)  # of those there may be some when they are asked for


def test_a_mistake_that_only_the_server_finds_is_told_in_its_words(at):
    line = refusal(at(memory_per_node="lots"))  # no sweep file lets it through
    assert f'RayJob "{NAME}" is invalid: spec.rayClusterSpec.workerGroupSpecs.0.' in line


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": ("--name=$(rm -rf)",)}, "cannot stand in a job's command on Kubernetes"),
        ({"options": ("a b",)}, "'a b' cannot stand in a job's command"),
        ({"text": "x" * 1_000_000}, "its file has 1,000,000 bytes, a ConfigMap holds 900,000"),
        ({"sweep": "x" * 60}, "is longer than 47 characters"),
    ],
)
def test_what_no_manifest_can_hold(changes, told):
    with pytest.raises(TargetError) as raised:
        manifests(replace(PARCEL, **changes), 1, SITES["plain"])
    assert told in str(raised.value)


def test_a_file_that_is_too_long_for_a_running_cluster():
    text = "\n".join(f"k{number}: {hash(('x', number))}" for number in range(8_000))
    with pytest.raises(TargetError, match="its file is too long for a running cluster"):
        manifests(replace(PARCEL, text=text), 1, SITES["joined"])


def test_without_the_client(monkeypatch):
    def no_kubernetes(name, *arguments):
        if name.partition(".")[0] == "kubernetes":
            raise ModuleNotFoundError(name)
        return real(name, *arguments)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", no_kubernetes)
    with pytest.raises(TargetError, match="needs the Python package kubernetes; `pip install kubernetes` brings it"):
        KubernetesTarget(SITES["plain"])
