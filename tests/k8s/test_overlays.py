"""Every overlay builds with real kubectl, is valid, and names nothing that is not there."""

import pytest
import yaml

from scripts.k8s_manifests import FOLDER, files
from tests.k8s.built import OVERLAYS, SITES, everything, overlay, sweep
from tests.k8s.operator import kueue_refusals, pods_of, refusals
from tests.k8s.reach import selects
from tests.k8s.restricted import containers
from tests.k8s.validate import admit

# Made by people, and kept out of git; each is told of where it is asked for.
SECRETS = {"i2i-redis", "s3"}
OF_EVERY_NAMESPACE = {"kube-root-ca.crt"}
OWNERS = ("RayCluster", "RayJob")
ALL = [*OVERLAYS, *(f"sweep-{name}" for name in SITES)]


@pytest.fixture(scope="module", name="built")
def built_fixture():
    return everything()


def named(objects, kind):
    return {one["metadata"]["name"] for one in objects if one["kind"] == kind}


def with_overlay(built, name):
    """The objects of an overlay; a sweep's together with those of the one that it goes with."""
    joined = {"sweep-joined": "gpu-spot"}.get(name, "prod")
    return built[name] if name in OVERLAYS else [*built[name], *built[joined]]


def pods(objects):
    return [pod for one in objects if one["kind"] in OWNERS for pod in pods_of(one)]


def test_there_are_overlays():
    assert OVERLAYS == ["dev", "gpu-spot", "prod"]


@pytest.mark.parametrize("name", ALL)
def test_all_objects_are_valid(crds, built, name):
    wrong = [(one["kind"], one["metadata"]["name"], found) for one in built[name] if (found := admit(one)[1])]
    assert wrong == []


@pytest.mark.parametrize("name", ALL)
def test_the_pods_made_of_them_are_valid(built, name):
    assert [(pod["metadata"]["name"], found) for pod in pods(built[name]) if (found := admit(pod)[1])] == []


@pytest.mark.parametrize("name", ALL)
def test_the_operator_takes_them(built, name):
    owners = [one for one in built[name] if one["kind"] in OWNERS]
    assert [found for one in owners for found in refusals(one)] == []


def test_kueue_admits_a_sweep_with_a_queue_and_nothing_else_would_be_admitted():
    assert kueue_refusals(sweep("queue")[0]) == []
    assert kueue_refusals(sweep("plain")[0]) == ["autoscaling"]
    assert "clusterSelector" in kueue_refusals(sweep("joined")[0])
    assert "shutdownAfterJobFinishes must be true" in kueue_refusals(sweep("kept")[0])


@pytest.mark.parametrize("name", ALL)
def test_every_object_has_its_namespace(built, name):
    cluster_wide = {"Namespace", "ClusterQueue", "ResourceFlavor"}
    for one in built[name]:
        assert one["metadata"].get("namespace") == (None if one["kind"] in cluster_wide else "i2i"), one["metadata"]


@pytest.mark.parametrize("name", ALL)
def test_accounts_secrets_and_config_maps_that_pods_name_are_there(built, name):
    objects = with_overlay(built, name)
    accounts, maps = named(objects, "ServiceAccount"), named(objects, "ConfigMap") | OF_EVERY_NAMESPACE
    for pod in pods(objects):
        assert pod["spec"]["serviceAccountName"] in accounts
        assert asked(pod["spec"], "configMap") <= maps
        assert {one["secretRef"]["name"] for c in containers(pod) for one in c.get("envFrom", [])} <= SECRETS


def asked(spec, kind):
    """The names of the objects of a kind that volumes are made of."""
    flat = [
        source for volume in spec["volumes"] for source in [volume, *volume.get("projected", {}).get("sources", [])]
    ]
    return {one[kind]["name"] for one in flat if kind in one}


@pytest.mark.parametrize("name", OVERLAYS)
def test_rights_are_given_to_whom_there_is(built, name):
    accounts, roles = named(built[name], "ServiceAccount"), named(built[name], "Role")
    bindings = [one for one in built[name] if one["kind"] == "RoleBinding"]
    assert bindings
    for binding in bindings:
        assert binding["roleRef"]["name"] in roles
        assert {(one["kind"], one["namespace"], one["name"]) for one in binding["subjects"]} <= {
            ("ServiceAccount", "i2i", account) for account in accounts
        }


@pytest.mark.parametrize("name", ALL)
def test_every_guard_and_monitor_finds_its_pods(built, name):
    there = [pod["metadata"]["labels"] for pod in pods(with_overlay(built, name) + sweep("gpu"))]
    for one in built[name]:
        if one["kind"] in ("PodDisruptionBudget", "PodMonitor"):
            found = [labels for labels in there if selects(one["spec"]["selector"], labels)]
            assert found, one["metadata"]["name"]
        if one["kind"] == "PodDisruptionBudget":
            assert isinstance(one["spec"]["minAvailable"], int), "shares need a scale subresource"
            assert len({(labels["ray.io/cluster"], labels["ray.io/node-type"]) for labels in found}) == 1


def test_ports_that_monitors_name_are_there():
    for one in overlay("gpu-spot"):
        if one["kind"] == "PodMonitor":
            asked_for = {end["port"] for end in one["spec"]["podMetricsEndpoints"]}
            for pod in pods([*overlay("gpu-spot"), *sweep("gpu")]):
                if selects(one["spec"]["selector"], pod["metadata"]["labels"]):
                    assert asked_for <= {port["name"] for c in containers(pod) for port in c.get("ports", [])}


def test_queues_lead_to_each_other():
    built = {one["kind"]: one for one in overlay("prod")}
    assert built["LocalQueue"]["spec"]["clusterQueue"] == built["ClusterQueue"]["metadata"]["name"]
    flavors = [flavor for group in built["ClusterQueue"]["spec"]["resourceGroups"] for flavor in group["flavors"]]
    assert [flavor["name"] for flavor in flavors] == [built["ResourceFlavor"]["metadata"]["name"]]
    for flavor, group in zip(flavors, built["ClusterQueue"]["spec"]["resourceGroups"], strict=True):
        assert [one["name"] for one in flavor["resources"]] == group["coveredResources"]
    assert (
        sweep("queue")[0]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == built["LocalQueue"]["metadata"]["name"]
    )


def test_the_redis_of_the_head_is_the_service_that_is_there():
    objects = overlay("gpu-spot")
    (cluster,) = [one for one in objects if one["kind"] == "RayCluster"]
    options = cluster["spec"]["gcsFaultToleranceOptions"]
    assert options["redisAddress"] in {f"redis://{name}:6379" for name in named(objects, "Service")}
    assert options["redisPassword"]["valueFrom"]["secretKeyRef"]["name"] in SECRETS


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_image_is_replaced_in_every_pod(built, name):
    images = {c["image"] for pod in pods(built[name]) for c in containers(pod)}
    assert (
        images
        == {
            "dev": {"registry.example.com/i2i-cluster:0.1.0-cpu"},
            "gpu-spot": {"registry.example.com/i2i-cluster@sha256:" + "0" * 64},
            "prod": set(),
        }[name]
    )


def test_the_namespace_refuses_what_is_not_restricted():
    for name in OVERLAYS:
        (space,) = [one for one in overlay(name) if one["kind"] == "Namespace"]
        assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_is_kept_is_what_the_declaration_makes():
    kept = {path: (FOLDER / path).read_text(encoding="utf-8") for path in files()}
    assert kept == files(), "make them again: python -m scripts.k8s_manifests"


def test_no_file_is_left_out():
    used = {"kustomization.yaml"}
    for folder in {path.parent for path in FOLDER.rglob("kustomization.yaml")}:
        said = (folder / "kustomization.yaml").read_text(encoding="utf-8")
        read = yaml.safe_load(said)
        paths = [*read.get("resources", []), *read.get("configurations", [])]
        paths += [patch["path"] for patch in read.get("patches", []) if "path" in patch]
        assert {path.name for path in folder.glob("*.yaml")} == used | {one for one in paths if one.endswith(".yaml")}
    components = {path.name for path in (FOLDER / "components").iterdir()}
    asked_for = {
        path.rpartition("/")[2]
        for name in OVERLAYS
        for path in yaml.safe_load((FOLDER / "overlays" / name / "kustomization.yaml").read_text())["components"]
    }
    assert components == asked_for
