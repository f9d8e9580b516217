"""Whether a machine or a cluster holds a sweep: places on its nodes, hours and money, bytes of S3, and what is short."""

import dataclasses
import json

import pytest

from cluster.estimate import Estimate
from cluster.log.records import SweepState, TrialState
from cluster.targets.target import Node, Survey
from orchestrator.planning import outlook as looking
from orchestrator.planning.estimating import describe_estimate, estimate_of, estimate_text, hours_text
from orchestrator.planning.outlook import GPU_HOURS, Outlook, describe_outlook, outlook_lines, outlook_notes
from orchestrator.planning.sizes import Machine

SEARCH = "search: {weights.cyc: {log_uniform: [1, 30]}}\nobjective: {metric: eval/l1}\ntrials: 8\n"
STEP = Estimate(1.8, 10**6, 10**7, 10**9, "as a test says")  # seconds of one worker
GPUS = Machine(64, 4, "http://head:8265", (Node(16, 1),) * 4)


def told(plan, machine, estimate=STEP, survey=None, reads=(0, 0)):
    """`cluster` of the plan's JSON."""
    costs = describe_estimate(plan, estimate)
    return describe_outlook(plan, Outlook(machine, survey or Survey(), reads), costs)


def test_workers_are_never_split_between_nodes(planned, refused):
    uneven = Machine(6, 3, "http://head:8265", (Node(2, 1), Node(4, 2)))
    assert [uneven.places(*each) for each in ((1, 0), (2, 0), (3, 0), (1, 1), (3, 1), (0.5, 0.5))] == [6, 3, 1, 3, 1, 6]
    assert planned("resources: {cpus_per_worker: 2}", machine=uneven).sizes.concurrency == 3
    two = planned("resources: {workers: 2, cpus_per_worker: 2, gpus_per_worker: 0}", machine=uneven)
    assert two.sizes.concurrency == 1, "three places hold one trial of two workers"
    (line,) = refused("resources: {cpus_per_worker: 5}", machine=uneven)
    assert line == (
        "sweep.yaml: resources.cpus_per_worker: no node of http://head:8265 holds a worker of 5 CPUs: the largest has 4 CPUs; "
        "a worker is never split, several workers are"
    )
    (line,) = refused("resources: {gpus_per_worker: 3}", machine=uneven)
    assert line == (
        "sweep.yaml: resources.gpus_per_worker: no node of http://head:8265 holds a worker of 1 CPU and 3 GPUs: the largest "
        "has 4 CPUs and 2 GPUs; a worker is never split, several workers are"
    )
    (line,) = refused("resources: {workers: 2, cpus_per_worker: 3, gpus_per_worker: 0}", machine=uneven)
    assert line.endswith(
        "2 workers of 3 CPUs find places for 1 on the nodes of http://head:8265; lower resources.workers"
    )


def test_hours_and_money_of_gpus(planned):
    budget = "budget: {price_per_gpu_hour: 2.5, gpu_hours: 1, cost: 3, wall: 10m}"
    plan = planned(f"{SEARCH}{budget}\nresources: {{workers: 2, gpus_per_worker: 0.5}}", machine=GPUS)
    costs = describe_estimate(plan, STEP)
    # 8 trainings of 1000 steps, 0.9 s each on 2 workers of half a GPU and one CPU; 4 at a time
    assert (costs["seconds_per_step"], costs["seconds"]) == (0.9, 1800.0)
    assert (costs["cpu_hours"], costs["gpu_hours"], costs["cost"]) == (4.0, 2.0, 5.0)
    assert hours_text(costs) == "about 2 GPU-hours, 5 by budget.price_per_gpu_hour"
    assert "about 30m of training if no trial is stopped, at 0.9 s a step (as a test says); 1 M" in estimate_text(costs)
    found = told(plan, GPUS)
    assert (found["trials_at_once"], found["rounds"], found["nodes"]) == (4, 2, 4)
    assert found["short"] == [
        "budget.gpu_hours 1 is spent before the end: about 2 if no trial is stopped early",
        "budget.cost 3 is spent before the end: about 5 if no trial is stopped early",
        "budget.wall 10m ends before the sweep, which takes about 30m; resume goes on",
    ]
    line = outlook_lines(found)["cluster"]
    assert line == "http://head:8265: 4 nodes with 64 CPUs and 4 GPUs hold the sweep, in 2 rounds of 4"


def test_gpus_that_cannot_be_timed_here_are_not_guessed(planned):
    plan = planned(
        f"{SEARCH}resources: {{gpus_per_worker: 1}}\nbudget: {{price_per_gpu_hour: 2, gpu_hours: 1}}", machine=GPUS
    )
    unknown = dataclasses.replace(STEP, seconds_per_step=None)
    costs = describe_estimate(plan, unknown)
    assert [costs[key] for key in ("seconds", "cpu_hours", "gpu_hours", "cost")] == [None] * 4
    assert (hours_text(costs), estimate_text(costs)[:52]) == (
        "",
        "of time, hours and money: not known from here; 1 M p",
    )
    found = told(plan, GPUS, unknown)
    assert (found["short"], found["unknown"]) == ([], [GPU_HOURS])
    assert outlook_notes(found) == [f"not known from here: {GPU_HOURS}"]


def test_what_a_step_takes_is_what_is_known_best(planned):
    plan = planned("resources: {workers: 2, gpus_per_worker: 1}", machine=GPUS)
    ran = TrialState(0, {}, step=400, seconds=100.0)
    before = SweepState(trials={0: ran, 1: TrialState(1, {})})
    said = estimate_of(plan, before, 0.125)
    seen = estimate_of(plan, before)
    assert isinstance(said, Estimate) and isinstance(seen, Estimate)
    assert (said.basis, describe_estimate(plan, said)["seconds_per_step"]) == ("by --step-seconds", 0.125)
    assert (seen.basis, describe_estimate(plan, seen)["seconds_per_step"]) == (
        "as 1 of its trainings took where they ran",
        0.25,
    )
    assert said.parameters > 10**6


def test_memory_of_all_steps_at_once(planned, monkeypatch):
    monkeypatch.setattr(looking, "free_memory", lambda: 3 * 10**9)
    plan = planned(SEARCH)
    (line,) = told(plan, Machine(4, 0))["short"]
    assert line.startswith(
        "4 workers at once take up to 4GB of memory, and 3GB is free; raise resources.cpus_per_worker, "
    )
    large = dataclasses.replace(STEP, memory_bytes=10**10)
    (line,) = told(planned(), Machine(4, 0), large)["short"]
    assert line == "a step takes up to 10GB of memory, and 3GB is free; take smaller networks, batches or pictures"
    assert told(planned(), Machine(4, 0))["short"] == []


@pytest.mark.parametrize(
    ("limit", "steps", "reads", "text"),
    [
        ("20GB", 1000, (10**9, 4 * 10**9), "1GB to 4GB, as nodes take part and keep it"),
        ("500MB", 45, (10**9, 2 * 8 * 10**9), "1GB to 16GB, as nodes take part and keep it"),
    ],
)
def test_bytes_of_s3(planned, limit, steps, reads, text):
    plan = planned(
        f"{SEARCH}steps: {steps}\nevery: {{report: 9, evaluate: 9, checkpoint: 9}}\ndata: {{cache: {{limit: {limit}}}}}"
    )
    assert looking._reads(plan, 4) == (0, 0), "a folder is read in place"
    remote = plan.sweep.model_copy(update={"data": plan.sweep.data.model_copy(update={"uri": "s3://bucket/x"})})
    far = dataclasses.replace(plan, sweep=remote, data=dataclasses.replace(plan.data, remote_bytes=10**9))
    # 45 steps of 4 are two passes over 90 pictures, in each of 8 trainings
    assert looking._reads(far, 4) == reads
    assert outlook_lines(told(far, GPUS, reads=reads))["read of S3"] == text
    plain = dataclasses.replace(far, data=dataclasses.replace(plan.data, remote_bytes=None))
    assert looking._reads(plain, 4) is None
    found = told(plain, GPUS, reads=None)
    assert found["unknown"] == ["how much is read of S3: mode stream has no index"]


def test_shards_of_s3_are_counted_once_each(planned, bucket, make_shards):
    from data_shards.store import open_store

    folder = make_shards(named=5000)
    (folder / "0.tar").write_bytes(bytes(5000))
    store = open_store(bucket)
    for name in ("0.tar", "manifest.parquet"):
        store.upload(name, folder / name)
    assert planned(f"data: {{uri: '{bucket}'}}").data.remote_bytes == 5000
    assert planned(f"data: {{uri: '{folder}'}}").data.remote_bytes == 0


def test_the_plan_of_this_machine_says_it_all_and_asks_no_ray(run, shards, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("cluster.capacity.of_running_ray", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(
        f"system: pix2pix\ndata: {{uri: '{shards}', image: 64, batch: 4}}\nsteps: 100\nhyper: {{width: 4, critic_width: 4}}\n"
    )
    code, out, err = run("plan", "sweep.yaml", "-o", "json")
    assert (code, err) == (0, "")
    plan = json.loads(out)
    assert (plan["cluster"]["place"], plan["cluster"]["rounds"], plan["cluster"]["short"]) == ("this machine", 1, [])
    assert plan["estimate"]["cpu_hours"] == pytest.approx(100 * plan["estimate"]["seconds_per_step"] / 3600)
    code, out, _ = run("plan", "sweep.yaml", "--step-seconds", "36", "--cluster", "local")
    assert "about 1h of training if no trial is stopped, at 36 s a step (by --step-seconds)" in out
    assert [line for line in out.splitlines() if line.startswith("hours ")] == ["hours             about 1 CPU-hours"]
    code, _, err = run("plan", "sweep.yaml", "--step-seconds", "0")
    assert (code, err) == (2, "error: --step-seconds: must be more than 0 and less than 86400 seconds\n")
