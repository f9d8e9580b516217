"""The `cluster` key: what it may be, what it refuses, and that a sweep is the same sweep wherever it runs."""

import pytest

from orchestrator.errors import Refusal
from orchestrator.parcel import spelled
from orchestrator.planning.identity import identity_of, sweep_id
from orchestrator.planning.places import check_places
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.cluster import read_cluster
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.sweep import read_sweep

S3 = {"storage": "s3://bucket/runs", "data": {"uri": "s3://bucket/data", "image": 64}}


def sweep(cluster="local", **more):
    base = {"system": "cyclegan", "data": {"uri": "shards", "image": 64}, "steps": 10, "cluster": cluster}
    return read_sweep({**base, **more}, "sweep.yaml")


@pytest.mark.parametrize(
    ("written", "place", "shares"),
    [
        ("local", "this machine", True),
        ("http://head:8265", "http://head:8265", False),
        ("https://ray.example.org/prod/", "https://ray.example.org/prod", False),
        ("http://127.0.0.1:8265", "http://127.0.0.1:8265", True),
        ("http://localhost:8265", "http://localhost:8265", True),
        ("http://[::1]:8265", "http://[::1]:8265", True),
        ({"kubernetes": {"image": "registry/i2i:1", "nodes": 3}}, "Kubernetes", False),
    ],
)
def test_it_is_read_and_can_be_kept(written, place, shares):
    cluster = sweep(written).cluster
    assert (cluster.place, cluster.shares_files) == (place, shares)
    assert read_cluster(spelled(cluster)) == cluster, "what the storage keeps of it means the same"


@pytest.mark.parametrize(
    "written",
    ["head:8265", "ray://head:10001", "http://", "http://head:99999", "http://head:8265/?a=1", 3, None, {}, [], ""],
)
def test_what_is_none_of_them_is_refused_by_its_key(written):
    with pytest.raises(Refusal) as refused:
        sweep(written)
    (line,) = refused.value.lines()
    assert line.startswith("sweep.yaml: cluster")
    assert "http://HEAD:8265" in line


def test_credentials_in_an_address_are_refused_and_not_repeated():
    with pytest.raises(Refusal) as refused:
        sweep("http://me:s3cr3t@head:8265")  # pragma: allowlist secret
    assert "holds credentials" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_two_clusters_are_one_too_many():
    with pytest.raises(Refusal, match="cluster: must be one cluster, not address and kubernetes"):
        sweep({"address": "http://head:8265", "kubernetes": {"image": "x"}})


def test_a_sweep_is_the_same_wherever_it_runs():
    clusters = ["local", "http://head:8265", {"kubernetes": {"image": "x"}}]
    assert len({sweep_id(identity_of(sweep(cluster), "manifest")) for cluster in clusters}) == 1


def test_folders_of_this_machine_are_refused_elsewhere():
    more = {"storage": "./i2i-runs", "task": "nets/judge", "warm_start": "s3://bucket/runs/0123456789ab"}
    told = [str(refusal) for refusal in check_places(sweep("http://head:8265", **more))]
    here = "is a folder of this machine, which http://head:8265 cannot"
    assert told == [
        f"storage: ./i2i-runs {here} write: use s3://bucket/prefix",
        f"data.uri: shards {here} read: use s3://bucket/prefix",
        f"task: nets/judge {here} read: use s3://bucket/prefix",
    ]


@pytest.mark.parametrize("cluster", ["local", "http://127.0.0.1:8265"])
def test_folders_are_fine_where_the_head_is_this_machine(cluster):
    assert check_places(sweep(cluster, storage="./i2i-runs")) == []


def test_names_are_found_in_the_storage_and_travel():
    assert check_places(sweep("http://head:8265", **S3, task="judge", warm_start="earlier")) == []


def test_an_interface_that_this_machine_lacks_is_refused_where_the_sweep_runs_here(monkeypatch):
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    here = [check_places(sweep("local", resources={"workers": 2, "interface": name})) for name in ("eth0", "eth1")]
    assert here[0] == []
    told = "this machine has no network interface 'eth1'"
    assert [(refusal.path, refusal.problem, refusal.nearest) for refusal in here[1]] == [
        ("resources.interface", told, "eth0")
    ]
    assert check_places(sweep("http://head:8265", **S3, resources={"interface": "eth1"})) == [], "nodes have their own"


def test_a_plan_tells_it_with_the_file_s_other_mistakes(shards):
    values = {
        "system": "cyclegan",
        "data": {"uri": str(shards), "image": 64},
        "steps": 10,
        "cluster": "http://head:8265",
    }
    with pytest.raises(Refusal) as refused:
        make_plan(read_draft({**values, "weights": {"cyk": 1}}), "sweep.yaml", machine=Machine(2, 0))
    told = refused.value.lines()
    assert [line.split(": ")[1] for line in told] == ["data.uri", "weights.cyk", "storage"]


def test_room_is_that_of_the_cluster(shards):
    values = {"system": "cyclegan", "data": {"uri": str(shards), "image": 64}, "steps": 10}
    draft = read_draft({**values, "resources": {"cpus_per_worker": 8}})
    with pytest.raises(Refusal, match="1 x 8 CPUs are more than http://head:8265's 2"):
        make_plan(draft, "sweep.yaml", machine=Machine(2, 0, "http://head:8265"))
    assert make_plan(draft, "sweep.yaml", machine=Machine(64, 0)).sizes.concurrency == 8
