"""What travels to a target: the file, whole and unchanged in meaning, with places that mean the same there, and no secret."""

import pytest

from cluster.targets.target import Parcel, pack, unpack
from orchestrator.parcel import key_of, parcel_of
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.yaml_file import parse_yaml

SEARCH = {
    "name": "toy",
    "steps": "20k",
    "search": {"weights.cyc": {"log_uniform": [1e-05, 1e22]}, "hyper.gan": {"choice": ["lsgan", "hinge"]}},
    "trials": 4,
    "objective": {"metric": "eval/l1"},
}


@pytest.fixture
def planned(shards, tmp_path, monkeypatch):
    """planned(storage=...): the plan of a small search, made in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(shards)

    def plan(**more):
        values = {"system": "cyclegan", "data": {"uri": "data", "image": 64}, "storage": "runs", **SEARCH, **more}
        return make_plan(read_draft(values), "sweep.yaml", machine=Machine(4, 0))

    return plan


def test_it_is_the_same_sweep_where_it_arrives(planned, tmp_path, monkeypatch):
    plan = planned(cluster="http://127.0.0.1:8265")
    parcel, storage = parcel_of(plan), plan.storage
    monkeypatch.chdir("/")
    values = parse_yaml(parcel.text, "arrived")
    assert values == {
        "system": "cyclegan",
        "data": {"uri": str(tmp_path / "data"), "image": 64},
        "storage": str(tmp_path / "runs"),
        **SEARCH,
        "cluster": "local",
    }
    arrived = make_plan(read_draft(values), "arrived", machine=Machine(1, 0))
    assert (arrived.id, arrived.storage) == (plan.id, storage)
    assert (parcel.name, parcel.options) == ("toy", ("--expect", plan.id))


def test_what_a_driver_is_told_besides(planned):
    parcel = parcel_of(planned(), allow_inexact=True, only=frozenset([3, 1]))
    more = ("--allow-inexact", "--only", "1", "--only", "3")
    assert parcel.options == ("--expect", planned().id, *more)
    assert parcel.command("sweep.yaml") == ("i2i-cluster", "drive", "sweep.yaml", *parcel.options)


def test_no_variable_of_this_machine_travels(planned, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-s3")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "s3cr3t-of-ray")
    parcel = parcel_of(planned())
    assert "s3cr3t" not in repr(parcel)


def test_its_jobs_are_named_by_sweep_and_storage(planned):
    here, there = planned(), planned(storage="others")
    assert here.id == there.id
    assert key_of(here) != key_of(there), "two storages hold two sweeps, which are driven apart"
    assert key_of(here) == key_of(planned(name="other", cluster="http://127.0.0.1:1"))
    assert parcel_of(here).job(3) == f"i2i-{key_of(here)}-3"


@pytest.mark.parametrize("text", ["", "a: ${HOME} 'b' \"c\"\n\\ $(d) `e`", "ä: €, 𝄞\n" * 1000])
def test_a_text_is_packed_into_letters_that_nobody_expands(text):
    packed = pack(text)
    assert unpack(packed) == text
    assert packed.replace("+", "").replace("/", "").replace("=", "").isalnum()


@pytest.mark.parametrize("packed", ["", "a", "%%%", "aGVsbG8="])
def test_what_was_not_packed_is_refused(packed):
    with pytest.raises(ValueError):
        unpack(packed)


def test_a_parcel_is_named_for_its_number():
    assert Parcel("key", "toy", "text").job(7) == "i2i-key-7"
