"""The validators find what a real API server would refuse: each test plants one mistake into an object that is right."""

import copy

import pytest

from tests.k8s.built import overlay, sweep
from tests.k8s.validate import admit, core_mistakes

pytestmark = pytest.mark.usefixtures("crds")


def changed(given, path, value):
    """The object with another value at a path; `...` takes it away."""
    made = copy.deepcopy(given)
    inside = made
    for part in path[:-1]:
        inside = inside[part]
    if value is ...:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return made


HEAD = ("spec", "rayClusterSpec", "headGroupSpec")
CONTAINER = (*HEAD, "template", "spec", "containers", 0)
RULES = ("spec", "deletionStrategy", "deletionRules")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("spec", "entrypoint"), 3, "spec.entrypoint: 3 is not of type 'string'"),
        (("spec", "entryPoint"), "x", "'entryPoint' was unexpected"),
        ((*CONTAINER, "volumMounts"), [], "'volumMounts' was unexpected"),
        ((*CONTAINER, "ports", 0, "containerPort"), "6379", "is not of type 'integer'"),
        ((*HEAD, "rayStartParams", "num-cpus"), 0, "rayStartParams.num-cpus: 0 is not of type 'string'"),
        ((*HEAD, "template"), ..., "'template' is a required property"),
        (("spec", "rayClusterSpec", "autoscalerOptions", "version"), "v3", "'v3' is not one of ['v1', 'v2']"),
        (("spec", "rayClusterSpec", "authOptions", "mode"), "tokens", "'tokens' is not one of"),
        (("spec", "preRunningDeadlineSeconds"), 0, "less than the minimum"),
        ((*RULES, 0, "policy"), "DeleteAll", "'DeleteAll' is not one of"),
        ((*RULES, 0, "condition", "jobDeploymentStatus"), "Failed", "cannot be used together"),
        (("spec", "deletionStrategy", "onSuccess"), {"policy": "DeleteNone"}, "deletionStrategy"),
    ],
)
def test_a_mistake_in_a_rayjob_is_found(path, value, told):
    job = sweep("kept")[0]
    assert admit(job)[1] == []
    found = admit(changed(job, path, value))[1]
    assert found and any(told.lower() in line.lower() for line in found), found


@pytest.mark.parametrize(
    ("kind", "path", "value", "told"),
    [
        ("PodDisruptionBudget", ("spec", "minAvailible"), 1, "minAvailible"),
        ("NetworkPolicy", ("spec", "podSelectors"), {}, "podSelectors"),
        ("Role", ("rules", 0, "verb"), ["get"], "verb"),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "interval"), "10 s", "interval"),
        ("PodMonitor", ("spec", "selector"), ..., "'selector' is a required property"),
        ("PrometheusRule", ("spec", "groups", 1, "rules", 1, "for"), "5 minutes", "for"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expression"), "1", "'expression' was unexpected"),
        ("LocalQueue", ("spec", "clusterQueues"), "i2i", "'clusterQueues' was unexpected"),
        ("ClusterQueue", ("spec", "queueingStrategy"), "Fifo", "'Fifo' is not one of"),
        ("ClusterQueue", ("spec", "preemption", "withinClusterQueue"), "Sometimes", "'Sometimes' is not one of"),
    ],
)
def test_a_mistake_in_another_kind_is_found(kind, path, value, told):
    objects = {one["kind"]: one for name in ("prod", "gpu-spot") for one in overlay(name)}
    assert admit(objects[kind])[1] == []
    found = admit(changed(objects[kind], path, value))[1]
    assert found and any(told in line for line in found), found


def test_defaults_come_before_the_check_and_a_null_says_nothing():
    job = changed(sweep("plain")[0], ("spec", "backoffLimit"), None)
    group = job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    del group["maxReplicas"], group["minReplicas"]  # required, and have defaults
    made, found = admit(job)
    assert found == []
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"] == 2**31 - 1


def test_a_kind_that_nobody_knows_is_a_mistake():
    assert core_mistakes({"apiVersion": "example.com/v1", "kind": "Sweep", "metadata": {"name": "x"}}) == [
        "no schema for example.com/v1 Sweep"
    ]


def test_a_key_of_a_list_that_is_a_map_stands_once():
    queue = next(one for one in overlay("prod") if one["kind"] == "ClusterQueue")
    resources = queue["spec"]["resourceGroups"][0]["flavors"][0]["resources"]
    made = changed(queue, ("spec", "resourceGroups", 0, "flavors", 0, "resources"), [*resources, resources[0]])
    assert any("twice" in line for line in admit(made)[1])
