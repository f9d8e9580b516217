"""A sweep on Kubernetes by the official client, against an API server that validates what it is sent."""

import threading
from dataclasses import replace

import pytest
import yaml

from cluster.targets.kubernetes import KubernetesTarget
from cluster.targets.target import PACKED, Job, JobState, TargetError, unpack
from tests.k8s.built import PARCEL, SITES, overlay
from tests.k8s.kubelets import Kubelets

NAME = PARCEL.job(1)


@pytest.fixture(name="target")
def target_fixture(emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig")))
    return KubernetesTarget(SITES["plain"], poll=0.01)


@pytest.fixture(name="kubelets")
def kubelets_fixture(emulator):
    return Kubelets(emulator, NAME)


def found(target):
    job = target.find(PARCEL.sweep)
    assert job is not None
    return job


def names(emulator, *kinds):
    return {(kind, one["metadata"]["name"]) for kind in kinds for one in emulator.all(kind)}


def test_a_sweep_becomes_a_rayjob_with_its_file_and_a_guard(emulator, target):
    made = target.submit(PARCEL, 1)
    assert (made.name, made.number, made.state) == (NAME, 1, JobState.pending)
    job = emulator.get("rayjobs", NAME)
    assert job["spec"]["entrypoint"] == "i2i-cluster drive /etc/i2i/sweep.yaml"
    assert emulator.get("configmaps", NAME)["data"] == {"sweep.yaml": PARCEL.text}
    assert emulator.get("poddisruptionbudgets", NAME)["spec"]["minAvailable"] == 1
    for kind in ("configmaps", "poddisruptionbudgets"):
        (owner,) = emulator.get(kind, NAME)["metadata"]["ownerReferences"]
        assert owner == {"apiVersion": "ray.io/v1", "kind": "RayJob", "name": NAME, "uid": job["metadata"]["uid"]}


def test_to_submit_the_same_again_changes_nothing(emulator, target):
    target.submit(PARCEL, 1)
    before = names(emulator, "rayjobs", "configmaps", "poddisruptionbudgets")
    uid = emulator.get("rayjobs", NAME)["metadata"]["uid"]
    assert target.submit(PARCEL, 1).name == NAME
    assert names(emulator, "rayjobs", "configmaps", "poddisruptionbudgets") == before
    assert emulator.get("rayjobs", NAME)["metadata"]["uid"] == uid


def test_what_a_submitter_that_died_did_not_make_is_made(emulator, target):
    target.submit(PARCEL, 1)
    made = emulator._objects.pop(("configmaps", "i2i", NAME))
    target.submit(PARCEL, 1)
    assert emulator.get("configmaps", NAME)["data"] == made["data"]


def test_two_at_once_make_one_job(emulator, target):
    made, barrier = [], threading.Barrier(4)

    def submit():
        barrier.wait()
        made.append(target.submit(PARCEL, 1))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.name for one in made] == [NAME] * 4
    assert len(emulator.all("rayjobs")) == 1


def test_one_that_was_asked_for_otherwise_is_a_conflict(target):
    target.submit(PARCEL, 1)
    with pytest.raises(
        TargetError, match=f"{NAME} is there already and was asked for otherwise; wait for it, or stop it"
    ):
        target.submit(replace(PARCEL, text=PARCEL.text + "seed: 1\n"), 1)


def test_one_that_is_being_deleted_is_waited_for(emulator, target):
    target.submit(PARCEL, 1)
    emulator.change("rayjobs", NAME, lambda job: job["metadata"].update(finalizers=["ray.io/rayjob-finalizer"]))
    target.stop(target.find(PARCEL.sweep))
    assert target.find(PARCEL.sweep) == Job(NAME, 1, JobState.stopped, "it is being deleted")
    with pytest.raises(TargetError, match="is being deleted; try again in a minute or two"):
        target.submit(PARCEL, 1)
    assert target.submit(PARCEL, 2).number == 2


def test_what_an_earlier_job_of_the_name_left_is_replaced(emulator, target):
    target.submit(PARCEL, 1)
    old = emulator.get("rayjobs", NAME)["metadata"]["uid"]
    del emulator._objects["rayjobs", "i2i", NAME]  # and what it owned is not collected yet
    target.submit(PARCEL, 1)
    owners = emulator.get("configmaps", NAME)["metadata"]["ownerReferences"]
    assert [one["uid"] for one in owners] == [emulator.get("rayjobs", NAME)["metadata"]["uid"]] != [old]


def test_the_newest_of_a_sweep_s_jobs_is_found_and_no_other_sweep_s(target):
    assert target.find(PARCEL.sweep) is None
    for number in (1, 2, 10):
        target.submit(PARCEL, number)
    target.submit(replace(PARCEL, sweep="another"), 11)
    assert found(target).number == 10


def test_a_job_s_states(emulator, target, kubelets):
    def state():
        found = target.find(PARCEL.sweep)
        return found.state, found.detail

    target.submit(PARCEL, 1)
    assert state() == (JobState.pending, "the operator has not looked at it yet; is KubeRay running?")
    kubelets.start()
    assert state() == (JobState.pending, f"initializing, cluster {NAME}-abcde")
    kubelets.run()
    assert state() == (JobState.running, "")
    kubelets.end("SUCCEEDED")
    assert state() == (JobState.done, "")
    kubelets.end("STOPPED")
    assert state()[0] is JobState.stopped
    kubelets.end("FAILED", "Job entrypoint command failed with exit code 1")
    assert state() == (JobState.failed, "AppFailed; Job entrypoint command failed with exit code 1")
    kubelets.status(jobDeploymentStatus="Retrying")
    assert state()[0] is JobState.pending


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"reason": "PreRunningDeadlineExceeded"}, "were not found in time; `kubectl describe pod` says which"),
        ({"reason": "DeadlineExceeded"}, "it took longer than budget.wall and an hour more, each time"),
        ({"reason": "ValidationFailed"}, "KubeRay 1.7 or newer is needed"),
        (
            {"message": "Job entrypoint command failed with exit code 127"},
            "the image has no i2i-cluster: build it from",
        ),
    ],
)
def test_a_failure_says_what_to_do(target, kubelets, status, told):
    target.submit(PARCEL, 1)
    kubelets.status(jobDeploymentStatus="Failed", **status)
    found = target.find(PARCEL.sweep)
    assert found.state is JobState.failed and told in found.detail


@pytest.mark.parametrize(
    ("component", "reason", "message", "told"),
    [
        (
            "head",
            "ImagePullBackOff",
            "Back-off pulling image",
            "cannot be pulled (ImagePullBackOff: Back-off pulling image)",
        ),
        ("worker", "ErrImagePull", "not found", "the image registry.example.com/i2i-cluster@sha256:"),
        (
            "head",
            "CreateContainerConfigError",
            'secret "s3" not found',
            'CreateContainerConfigError: secret "s3" not found',
        ),
    ],
)
def test_pods_that_do_not_start_are_told_of(target, kubelets, component, reason, message, told):
    target.submit(PARCEL, 1)
    kubelets.start()
    kubelets.waiting(component, reason, message)
    found = target.find(PARCEL.sweep)
    assert found.state is JobState.pending and told in found.detail
    with pytest.raises(TargetError) as raised:
        list(target.logs(found, follow=True))
    assert told in str(raised.value) and "\n" not in str(raised.value)


def test_pods_without_a_node_are_told_of(emulator, tmp_path, monkeypatch, kubelets):
    monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig")))
    emulator.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": "i2i"}})
    target = KubernetesTarget(SITES["gpu"])
    target.submit(PARCEL, 1)
    kubelets.start()
    message = "0/5 nodes are available: 5 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    kubelets.pod("worker", phase="Pending", conditions=[condition])
    assert found(target).detail == (
        f"pod {NAME}-gpu has no node: {message} (it asks for 8 GPUs with nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB)"
    )


def test_a_queue_s_place_is_waited_for(emulator, tmp_path, monkeypatch, kubelets):
    monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig")))
    queue = {"name": "i2i", "namespace": "i2i"}
    spec = {"clusterQueue": "i2i"}
    emulator.put({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": queue, "spec": spec})
    target = KubernetesTarget(SITES["queue"])
    target.submit(PARCEL, 1)
    emulator.change("rayjobs", NAME, lambda job: job["spec"].update(suspend=True))  # as Kueue does
    assert target.find(PARCEL.sweep) == Job(NAME, 1, JobState.pending, "it waits in queue i2i")
    kubelets.status(jobDeploymentStatus="Suspended")
    assert found(target).state is JobState.pending


def test_the_driver_s_output_is_followed_to_its_end(target, kubelets):
    job = target.submit(PARCEL, 1)
    kubelets.start()
    kubelets.run()
    kubelets.prints("one", "two")
    lines = target.logs(job, follow=True)
    assert [next(lines), next(lines)] == ["one", "two"]
    kubelets.prints("ümlaut")
    assert next(lines) == "ümlaut"
    kubelets.end()
    assert list(lines) == []


def test_following_begins_before_there_is_anything(target, kubelets):
    job = target.submit(PARCEL, 1)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(target.logs(job, follow=True)))
    reader.start()
    kubelets.start()
    kubelets.run()
    kubelets.prints("one")
    kubelets.end()
    reader.join(30)
    assert seen == ["one"]


def test_a_connection_that_breaks_loses_and_repeats_no_line(emulator, target, kubelets):
    job = target.submit(PARCEL, 1)
    kubelets.start()
    kubelets.run()
    kubelets.prints(*(f"line {number}" for number in range(20)))
    emulator.printed[kubelets.pods["submitter"]].cut = 7
    kubelets.end()
    assert list(target.logs(job, follow=True)) == [f"line {number}" for number in range(20)]


def test_without_following_there_is_what_there_is(target, kubelets):
    job = target.submit(PARCEL, 1)
    with pytest.raises(TargetError, match=f"{NAME} has no output: the operator has not looked at it yet"):
        list(target.logs(job, follow=False))
    kubelets.start()
    kubelets.run()
    kubelets.prints("one")
    assert list(target.logs(job, follow=False)) == ["one"]


def test_stopping_deletes_the_job_and_all_of_it(emulator, target):
    job = target.submit(PARCEL, 1)
    target.stop(job)
    assert names(emulator, "rayjobs", "configmaps", "poddisruptionbudgets") == set()
    assert target.find(PARCEL.sweep) is None
    target.stop(job)  # again: nothing is wrong


def test_a_running_cluster_gets_the_file_packed_and_is_left_alone(emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig")))
    target = KubernetesTarget(SITES["joined"], poll=0.01)
    with pytest.raises(TargetError, match="there is no RayCluster i2i; has: none"):
        target.submit(PARCEL, 1)
    emulator.put(next(one for one in overlay("gpu-spot") if one["kind"] == "RayCluster"))
    target.submit(PARCEL, 1)
    spec = emulator.get("rayjobs", NAME)["spec"]
    assert spec["clusterSelector"] == {"ray.io/cluster": "i2i"} and "rayClusterSpec" not in spec
    assert spec["entrypoint"] == "i2i-cluster drive -"
    assert unpack(yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"][PACKED]) == PARCEL.text
    assert names(emulator, "configmaps", "poddisruptionbudgets") == set()
    assert (target.capacity().cpus, target.capacity().gpus) == (4 * 4 + 2 * 8 * 8.0, 16.0)


def test_a_sweep_is_planned_with_all_nodes_that_there_may_be(target, monkeypatch):
    assert (target.capacity().cpus, target.capacity().gpus) == (8 * 4.0, 0.0)
    gpu = KubernetesTarget(SITES["spot"])
    assert (gpu.capacity().cpus, gpu.capacity().gpus) == (16 * 4.0, 16.0)
    assert target.place == "kubernetes test/i2i"
