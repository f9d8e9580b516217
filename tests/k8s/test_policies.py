"""What holds for every pod that anything here leads to, with all that the operator adds to it."""

import copy

import pytest

from cluster.targets.kubernetes_pods import DRAIN_S, GRACE_S, SPOT_MARKS
from tests.k8s.built import OVERLAYS, SITES, everything, overlay, sweep
from tests.k8s.operator import pods_of, refusals
from tests.k8s.restricted import breaches, carelessness, containers

PODS = {
    f"{name}: {pod['metadata']['name']}": pod
    for name, objects in everything().items()
    for one in objects
    if one["kind"] in ("RayCluster", "RayJob")
    for pod in pods_of(one)
}
HEADS = {name: pod for name, pod in PODS.items() if pod["metadata"]["labels"].get("ray.io/node-type") == "head"}
WORKERS = {name: pod for name, pod in PODS.items() if pod["metadata"]["labels"].get("ray.io/node-type") == "worker"}


def ours(pod):
    return pod["spec"]["containers"][0]


def environment(pod):
    return {one["name"]: one.get("value") for one in ours(pod)["env"]}


def bytes_of(quantity):
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    return int(quantity[:-2]) * units[quantity[-2:]]


def test_there_are_pods_of_every_kind():
    assert len(HEADS) == 2 + len(SITES) - 1, "dev, gpu-spot, and every sweep that brings its cluster"
    assert len(WORKERS) == 1 + 3 + len(SITES) - 1
    assert len(PODS) == len(HEADS) + len(WORKERS) + len(SITES)


@pytest.mark.parametrize("name", PODS)
def test_every_container_is_restricted(name):
    assert breaches(PODS[name]) == []


@pytest.mark.parametrize("name", PODS)
def test_it_is_careful(name):
    assert carelessness(PODS[name]) == []


@pytest.mark.parametrize("name", PODS)
def test_it_runs_as_the_image_s_user(name):
    security = PODS[name]["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (1000, 1000, 1000)


@pytest.mark.parametrize("name", PODS)
def test_nobody_moves_it_to_make_room(name):
    told = PODS[name]["metadata"]["annotations"]
    assert told["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert told["karpenter.sh/do-not-disrupt"] == "true"


@pytest.mark.parametrize("name", PODS)
def test_it_can_be_told_whose_it_is(name):
    labels = PODS[name]["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == labels["app.kubernetes.io/managed-by"] == "i2i-cluster"
    assert labels["app.kubernetes.io/component"] in ("head", "worker", "submitter")
    assert labels["app.kubernetes.io/instance"] in ("i2i", "i2i-0123456789ab-c0de-1")


@pytest.mark.parametrize("name", PODS)
def test_memory_that_is_shared_fits_into_the_pod_s(name):
    for volume in PODS[name]["spec"]["volumes"]:
        if volume.get("emptyDir", {}).get("medium") == "Memory":
            assert bytes_of(volume["emptyDir"]["sizeLimit"]) < bytes_of(
                ours(PODS[name])["resources"]["limits"]["memory"]
            )


@pytest.mark.parametrize("name", [*HEADS, *WORKERS])
def test_shared_memory_is_memory(name):
    (mount,) = [one for one in ours(PODS[name])["volumeMounts"] if one["mountPath"] == "/dev/shm"]
    (volume,) = [one for one in PODS[name]["spec"]["volumes"] if one["name"] == mount["name"]]
    assert volume["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_off_spot_and_has_no_work(name):
    affinity = HEADS[name]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = affinity["nodeSelectorTerms"]
    assert {(one["key"], one["operator"], *one["values"]) for one in term["matchExpressions"]} == {
        (key, "NotIn", value) for key, value, _ in SPOT_MARKS
    }
    assert not HEADS[name]["spec"].get("tolerations")
    assert "nvidia.com/gpu" not in ours(HEADS[name])["resources"]["limits"]


@pytest.mark.parametrize("name", list(everything()))
def test_no_trial_runs_on_a_head(name):
    for one in everything()[name]:
        spec = one["spec"] if one["kind"] == "RayCluster" else one.get("spec", {}).get("rayClusterSpec")
        if one["kind"] in ("RayCluster", "RayJob") and spec:
            assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


@pytest.mark.parametrize("name", HEADS)
def test_a_head_asks_its_drivers_to_save_before_it_goes(name):
    assert ours(HEADS[name])["lifecycle"]["preStop"]["exec"]["command"] == [
        *("i2i-cluster", "k8s", "farewell", "--wait", f"{DRAIN_S}")
    ]
    after = float(environment(HEADS[name])["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
    assert DRAIN_S + after < HEADS[name]["spec"]["terminationGracePeriodSeconds"] == GRACE_S
    assert environment(HEADS[name])["RAY_JOB_STOP_WAIT_TIME_S"] == f"{DRAIN_S}"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_time_to_save(name):
    assert environment(WORKERS[name])["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == f"{DRAIN_S}"
    assert WORKERS[name]["spec"]["terminationGracePeriodSeconds"] > DRAIN_S + 20


@pytest.mark.parametrize("name", WORKERS)
def test_a_gpu_is_asked_for_where_its_taint_is_tolerated(name):
    spec, asks = WORKERS[name]["spec"], "nvidia.com/gpu" in ours(WORKERS[name])["resources"]["limits"]
    tolerated = {(one["key"], one["operator"]) for one in spec.get("tolerations", [])}
    assert asks == (("nvidia.com/gpu", "Exists") in tolerated)
    assert ("NCCL_DEBUG" in environment(WORKERS[name])) == asks


def test_only_spot_workers_go_where_nodes_are_taken_away():
    def off_spot(pod):
        return "nodeAffinity" in pod["spec"]["affinity"]

    spots = {name for name, pod in WORKERS.items() if not off_spot(pod)}
    assert spots == {"gpu-spot: i2i-gpu-spot", "sweep-spot: i2i-0123456789ab-c0de-1-gpu-spot"}
    for name in spots:
        taints = {one["key"] for one in WORKERS[name]["spec"]["tolerations"]}
        assert taints >= {"cloud.google.com/gke-spot", "kubernetes.azure.com/scalesetpriority"}


@pytest.mark.parametrize("name", WORKERS)
def test_workers_spread_over_nodes_of_one_zone(name):
    pod = WORKERS[name]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    (near,) = pod["spec"]["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert (spread["topologyKey"], near["podAffinityTerm"]["topologyKey"]) == (
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    )
    for selector in (spread["labelSelector"], near["podAffinityTerm"]["labelSelector"]):
        assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("name", WORKERS)
def test_the_cache_has_a_volume_of_more_than_it_may_hold(name):
    (volume,) = [one for one in WORKERS[name]["spec"]["volumes"] if one["name"] == "cache"]
    assert bytes_of(volume["emptyDir"]["sizeLimit"]) > 20_000_000_000
    assert {one["mountPath"] for one in ours(WORKERS[name])["volumeMounts"]} >= {
        environment(WORKERS[name])["I2I_CACHE_DIR"]
    }


@pytest.mark.parametrize("name", PODS)
def test_the_autoscaler_alone_has_a_token(name):
    mounted = {
        c["name"] for c in containers(PODS[name]) for one in c["volumeMounts"] if one["name"] == "kube-api-access"
    }
    assert mounted == {c["name"] for c in containers(PODS[name])} & {"autoscaler"}


@pytest.mark.parametrize("name", WORKERS)
def test_workers_have_no_api_token(name):
    assert WORKERS[name]["spec"]["automountServiceAccountToken"] is False
    assert not any("projected" in volume for volume in WORKERS[name]["spec"]["volumes"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_is_denied_first(name):
    (first,) = [one for one in overlay(name) if one["metadata"]["name"] == "default-deny"]
    assert first["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_sweep_s_ray_demands_a_token():
    for name in set(SITES) - {"joined"}:
        assert sweep(name)[0]["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    for name in ("dev", "gpu-spot"):
        (cluster,) = [one for one in overlay(name) if one["kind"] == "RayCluster"]
        assert cluster["spec"]["authOptions"] == {"mode": "token"}


PLANTED = [
    (("securityContext", "runAsNonRoot"), False, None),
    (("securityContext", "seccompProfile"), {"type": "Unconfined"}, "seccompProfile"),
    (("hostNetwork",), True, "hostNetwork"),
    (("containers", 0, "securityContext", "privileged"), True, "privileged"),
    (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True, "allowPrivilegeEscalation"),
    (("containers", 0, "securityContext", "capabilities", "add"), ["NET_ADMIN"], "capabilities"),
    (("containers", 0, "securityContext", "runAsUser"), 0, "runAsUser 0"),
    (("volumes", 0), {"name": "tmp", "hostPath": {"path": "/"}}, "volume tmp"),
]


@pytest.mark.parametrize(("path", "value", "told"), PLANTED)
def test_a_breach_of_the_standard_is_found(path, value, told):
    pod = copy.deepcopy(pods_of(sweep("plain")[0])[0])
    inside = pod["spec"]
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    if told is None:  # one of the two places that say so is enough
        assert breaches(pod) == []
        del pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"]
        told = "runAsNonRoot"
    assert any(told in line for line in breaches(pod))


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("automountServiceAccountToken",), True, "a token in every container"),
        (("containers", 0, "resources", "limits", "cpu"), "8", "requests are not limits"),
        (("containers", 0, "resources"), {}, "requests are not limits"),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "can be written"),
        (("containers", 0, "volumeMounts"), [], "no place for temporary files"),
        (("volumes",), [], "no volume tmp"),
        (("containers", 0, "env"), [{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}], "in plain sight"),
        (("terminationGracePeriodSeconds",), None, "no time to save"),
    ],
)
def test_carelessness_is_found(path, value, told):
    pod = copy.deepcopy(pods_of(sweep("plain")[0])[0])
    inside = pod["spec"]
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    assert any(told in line for line in carelessness(pod))


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("spec", "shutdownAfterJobFinishes"), True, "exclude each other"),
        (("spec", "ttlSecondsAfterFinished"), 60, "needs shutdownAfterJobFinishes"),
        (("spec", "suspend"), True, "suspend needs"),
        (("spec", "deletionStrategy", "deletionRules", 0, "policy"), "DeleteWorkers", "DeleteWorkers with autoscaling"),
        (
            ("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "labels"),
            "a=b",
            "labels are no start parameter",
        ),
        (
            ("spec", "rayClusterSpec", "headGroupSpec", "template", "metadata", "labels", "app.kubernetes.io/name"),
            "i2i-cluster",
            "a label by which the operator finds its pods",
        ),
        (("spec", "rayClusterSpec", "rayVersion"), "", "token auth needs rayVersion"),
        (("metadata", "name"), "1-sweep", "no DNS-1035 label"),
    ],
)
def test_what_the_operator_refuses_is_found(path, value, told):
    job = copy.deepcopy(sweep("kept")[0])
    inside = job
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    assert any(told in line for line in refusals(job))


def test_every_overlay_is_looked_at():
    assert {name.partition(":")[0] for name in PODS} >= set(OVERLAYS) - {"prod"}
