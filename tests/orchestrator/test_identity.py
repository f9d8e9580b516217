"""The id of a sweep: what changes it, what does not, and that it never changes by itself."""

import pytest

from orchestrator.planning.identity import differences, sweep_id

SEARCH = "search: {weights.cyc: {log_uniform: [1, 30]}}\nobjective: {metric: eval/l1}\ntrials: 4\n"


def test_the_same_sweep_has_the_same_id(planned):
    assert planned(SEARCH).id == planned(SEARCH).id


def test_an_id_is_12_hex_digits(planned):
    assert len(planned().id) == 12
    int(planned().id, 16)


@pytest.mark.parametrize(
    "more",
    [
        "name: other",
        "storage: elsewhere",
        "cluster: local",
        "budget: {failures: 9, wall: 6h}",
        "trials: 9",
        "data: {cache: {memory: 1GB}}",
        "every: {report: 7}",
        "resources: {workers: 4, cpus_per_worker: 0.5, gpus_per_worker: 0}",
        "keep: {last: 5}",
        "budget: {stall: 1h}",
        "metrics: {port: 0}",
    ],
)
def test_what_may_change_between_two_submits(planned, more):
    base = SEARCH.replace("trials: 4\n", "") + ("" if more.startswith("trials") else "trials: 4\n")
    assert planned(base + more).id == planned(SEARCH).id


@pytest.mark.parametrize(
    "more",
    [
        "seed: 1",
        "weights: {idt: 0}",
        "hyper: {width: 8}",
        "balance: {critic_turns: 2}",
        "resources: {threads: 2}",
        "resources: {cpu_capability: avx2}",
        "every: {evaluate: 50}",
        "every: {checkpoint: 50}",
        "data: {image: 32}",
        "data: {replicas: 4}",
        "data: {augment: {flip: false}}",
        "scheduler: asha",
        "searcher: random",
        "on_nonfinite: skip",
        "exact: false",
        "layout: channels_last",
        "precision: fp32",
    ],
)
def test_what_makes_another_sweep(planned, more):
    assert planned(SEARCH + more).id != planned(SEARCH).id


def test_a_number_is_itself_however_it_is_written(planned):
    assert len({planned(f"steps: {steps}").id for steps in ("20_000", "20000", "2e4", "20k")}) == 1
    assert planned("weights: {cyc: 5}").id == planned("weights: {cyc: 5.0}").id


def test_distributions_with_equal_bounds_differ(planned):
    assert planned(SEARCH).id != planned(SEARCH.replace("log_uniform", "uniform")).id


def test_the_data_count_by_content_not_by_place(planned, make_shards, shards):
    assert planned(f"data: {{uri: {make_shards()}}}").id == planned().id
    assert planned(f"data: {{uri: {make_shards(train=80)}}}").id != planned().id


def test_the_machine_does_not_count(planned):
    from orchestrator.planning.sizes import Machine

    assert planned(machine=Machine(cpus=64, gpus=8)).id == planned().id


def test_differences_name_the_keys(planned):
    one, other = planned(SEARCH), planned(SEARCH.replace("30", "40") + "seed: 3")
    assert differences(one.identity, other.identity) == ["search.weights.cyc.log_uniform", "seed"]
    assert differences(one.identity, one.identity) == []


def test_the_hash_never_changes():
    """An id made by an older version must be found by a newer one."""
    assert sweep_id({"system": "cyclegan", "steps": 1000, "data.uri": "manifest 00"}) == "5276f1717e0e"
