"""A driver on a cluster that grows counts with what it may come to, and asks for it."""

import pytest
import ray
from ray.autoscaler.v2.sdk import get_cluster_resource_state
from ray.experimental.internal_kv import internal_kv_get_gcs_client

from cluster.growing import grown, grows, room_for
from cluster.targets.target import CPUS, GPUS


@pytest.fixture(autouse=True)
def _unset(monkeypatch):
    monkeypatch.delenv(CPUS, raising=False)
    monkeypatch.delenv(GPUS, raising=False)


def test_a_cluster_that_does_not_grow_is_what_it_is():
    assert not grows()
    assert grown({"CPU": 4.0, "memory": 1e9}) == {"CPU": 4.0, "GPU": 0.0, "memory": 1e9}


def test_one_that_grows_counts_with_all_that_there_may_be(monkeypatch):
    monkeypatch.setenv(CPUS, "32")
    monkeypatch.setenv(GPUS, "8")
    assert grows()
    assert grown({"CPU": 4.0}) == {"CPU": 32.0, "GPU": 8.0}
    assert grown({"CPU": 64.0, "GPU": 1.0}) == {"CPU": 64.0, "GPU": 8.0}, "it may be larger than was said"


@pytest.mark.ray
def test_room_for_groups_is_asked_of_the_autoscaler_and_given_back(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_enable_autoscaler_v2", "1")  # as KubeRay sets it on heads
    ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=80_000_000)

    def asked():
        state = get_cluster_resource_state(internal_kv_get_gcs_client())
        return [
            (dict(one.request.resources_bundle), one.count)
            for constraint in state.cluster_resource_constraints
            for one in constraint.resource_requests
        ]

    try:
        with room_for(3, {"CPU": 2.0, "GPU": 0.0}):
            assert asked() == [({"CPU": 2.0}, 3)]
        assert asked() == []
    finally:
        ray.shutdown()
