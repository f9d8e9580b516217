"""Who reaches whom, by the network policies of every overlay and the labels of the pods that there really are."""

import pytest

from cluster.job import METRICS_PORT
from tests.k8s.built import OVERLAYS, overlay, sweep
from tests.k8s.operator import pods_of
from tests.k8s.reach import Pod, may

S3, METADATA, API_SERVER = "52.216.0.1", "169.254.169.254", "10.0.0.1"
HEAD, WORKER, SUBMITTER = (Pod(pod["metadata"]["labels"]) for pod in pods_of(sweep("plain")[0]))
OPERATOR = Pod({"app.kubernetes.io/name": "kuberay-operator"}, "kuberay")
OPERATOR_BY_KUSTOMIZE = Pod({"app.kubernetes.io/component": "kuberay-operator"}, "ray-system")
PROMETHEUS = Pod({"app.kubernetes.io/name": "prometheus"}, "monitoring")
STRANGER = Pod({"app": "x"}, "default")
NEIGHBOUR = Pod({"app": "x"})  # in the same namespace, not ours
CLIENT = Pod({"i2i-cluster/client": "true"}, "ci")
DNS = Pod({"k8s-app": "kube-dns"}, "kube-system")

THROUGH = [
    (WORKER, HEAD, 6379),
    (HEAD, WORKER, 41234),
    (WORKER, WORKER, 29500),
    (SUBMITTER, HEAD, 8265),
    (OPERATOR, HEAD, 8265),
    (OPERATOR_BY_KUSTOMIZE, HEAD, 8265),
    (CLIENT, HEAD, 8265),
    (PROMETHEUS, HEAD, 8080),
    (PROMETHEUS, HEAD, 44217),
    (PROMETHEUS, HEAD, METRICS_PORT),
    (PROMETHEUS, WORKER, 8080),
    (HEAD, S3, 443),
    (WORKER, S3, 443),
    (HEAD, API_SERVER, 6443),
]
NOT_THROUGH = [
    (STRANGER, HEAD, 8265),
    (STRANGER, HEAD, 6379),
    (STRANGER, WORKER, 8080),
    (NEIGHBOUR, HEAD, 8265),
    (OPERATOR, HEAD, 6379),
    (OPERATOR, WORKER, 8265),
    (CLIENT, HEAD, 6379),
    (PROMETHEUS, HEAD, 8265),
    (HEAD, STRANGER, 80),
    (HEAD, METADATA, 80),
    (WORKER, METADATA, 443),
    (WORKER, S3, 80),
    (WORKER, API_SERVER, 6443),
    (SUBMITTER, S3, 443),
    (NEIGHBOUR, S3, 443),
]


@pytest.fixture(params=OVERLAYS, name="policies")
def policies_fixture(request):
    return [one for one in overlay(request.param) if one["kind"] == "NetworkPolicy"]


@pytest.mark.parametrize(("source", "target", "port"), THROUGH)
def test_what_a_sweep_needs_gets_through(policies, source, target, port):
    assert may(policies, source, target, port)


@pytest.mark.parametrize(("source", "target", "port"), NOT_THROUGH)
def test_nothing_else_does(policies, source, target, port):
    assert not may(policies, source, target, port)


@pytest.mark.parametrize("pod", [HEAD, WORKER, SUBMITTER, NEIGHBOUR])
def test_names_can_be_asked_for(policies, pod):
    assert may(policies, pod, DNS, 53, "UDP") and may(policies, pod, DNS, 53)
    assert not may(policies, pod, Pod({}, "other"), 53, "UDP")


def test_without_its_policy_the_operator_does_not_get_through(policies):
    assert not may([one for one in policies if one["metadata"]["name"] != "operator"], OPERATOR, HEAD, 8265)


def test_without_policies_everything_gets_through():
    assert may([], STRANGER, HEAD, 8265)
