"""A sweep that fits its system, its data and a machine: what it becomes."""

import dataclasses
import json

import pytest

from cluster.run import Run
from orchestrator.planning.sizes import Machine
from trainers.settings import Balance

CYC = "search: {weights.cyc: {log_uniform: [1, 30]}}\ntrials: 4\n"
L1 = "objective: {metric: eval/l1}\n"


def test_a_group_sets_its_terms_and_the_rest_is_the_paper(planned):
    run = planned("weights: {lambda_cyc: 5, alpha_1A: 2}\nhyper: {width: 16, lr: 1}").run(0, {})
    assert run.weights == {
        "adv_ab": 2.0,
        "adv_ba": 1.0,
        "cyc_a": 5.0,
        "cyc_b": 5.0,
        "idt_a": 0.5,
        "idt_b": 0.5,
        "d_a": 1.0,
        "d_b": 1.0,
        "gp_a": 10.0,  # in force with a penalty alone, and complete all the same
        "gp_b": 10.0,
    }
    assert (run.hyper["width"], run.hyper["lr"], run.hyper["gan"]) == (16, 1.0, "lsgan")
    assert isinstance(run.hyper["lr"], float)
    assert run.balance == dataclasses.asdict(Balance())


def test_a_run_is_complete_and_survives_json(planned, shards):
    run = planned(
        "data: {augment: {flip: false}, cache: {memory: 1MB, limit: 2GB}, limit: {a: 9}, "
        "balanced: true, bad_samples: 0.01}\nseed: 5"
    ).run(0, {})
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    assert (run.data.uri, run.data.image, run.data.batch, run.data.flip) == (str(shards), 64, 4, False)
    assert (run.data.memory_bytes, run.data.cache_bytes, run.seed, run.steps) == (10**6, 2 * 10**9, 5, 1000)
    assert (run.data.limit, run.data.balance, run.data.bad_samples) == ({"a": 9}, True, 0.01)


def test_paths_do_not_depend_on_where_a_worker_runs(planned):
    run = planned("storage: ./runs").run(0, {})
    assert run.storage.startswith("/")
    assert run.data.uri.startswith("/")


def test_trial_0_is_the_preset_and_others_are_drawn(planned):
    plan = planned(
        "search: {weights.lambda_cyc: {log_uniform: [1, 30]}, hyper.width: {int_uniform: [8, 9]}}\ntrials: 9\n" + L1
    )
    assert list(plan.axes) == ["weights.cyc", "hyper.width"]
    assert plan.params(0) == {"weights.cyc": 10.0, "hyper.width": 64}
    assert plan.settings(plan.params(0)) == plan.preset
    assert plan.trials == 9
    drawn = [plan.params(index) for index in range(1, 9)]
    assert len({params["weights.cyc"] for params in drawn}) == 8
    run = plan.run(3, plan.params(3))
    assert run.trial == 3
    assert run.weights["cyc_a"] == run.weights["cyc_b"] == plan.params(3)["weights.cyc"]


def test_an_alias_draws_what_the_name_draws(planned):
    plans = [
        planned(f"search: {{weights.{name}: {{log_uniform: [1, 30]}}}}\ntrials: 3\n{L1}")
        for name in ("cyc", "lambda_cyc")
    ]
    assert plans[0].params(2) == plans[1].params(2)


def test_more_trials_extend_a_search(planned):
    few, many = planned(CYC + L1), planned(CYC.replace("4", "40") + L1)
    assert [few.params(i) for i in range(4)] == [many.params(i) for i in range(4)]


def test_a_grid_starts_with_the_preset_and_does_not_repeat_it(planned):
    search = "search: {weights.cyc: {choice: [1, 10]}, weights.idt: {choice: [0, 0.5]}}\nsearcher: grid\n"
    plan = planned(search + L1 + "trials: 9")
    assert [plan.params(i) for i in range(plan.trials)] == [
        {"weights.cyc": 10.0, "weights.idt": 0.5},
        {"weights.cyc": 1, "weights.idt": 0},
        {"weights.cyc": 1, "weights.idt": 0.5},
        {"weights.cyc": 10, "weights.idt": 0},
    ]
    assert plan.notes[:2] == (
        "the grid's point that equals the preset is trial 0",
        "a grid ignores trials: 9; it has 4 with the preset",
    )


def test_a_search_that_must_repeat_itself_says_so(planned):
    plan = planned("search: {hyper.gan: {choice: [lsgan, vanilla]}}\ntrials: 9\n" + L1)
    assert plan.notes == ("there are only 2 settings to draw from, so some trials repeat others; a grid does not",)


def test_a_group_with_different_weights_has_no_single_preset(planned):
    plan = planned("search: {weights.cyc_a: {choice: [1, 2]}, balance.lr_ratio: {choice: [1]}}\ntrials: 3\n" + L1)
    assert plan.params(0) == {"weights.cyc_a": 10.0}
    assert plan.run(0, plan.params(0)).weights["cyc_a"] == 10.0
    assert plan.run(1, plan.params(1)).balance["lr_ratio"] == 1.0


def test_a_searched_structure_keeps_its_terms(planned):
    text = "search: {hyper.identity: {choice: [true, false]}, weights.idt: {uniform: [0, 1]}}\ntrials: 4\n"
    assert planned(text + L1).trials == 4


@pytest.mark.parametrize("metric", ["loss/adv_ab", "loss/idt_a", "loss/d_a", "eval/identity", "eval/l1_ba"])
def test_a_number_that_no_searched_weight_acts_on_may_judge(planned, metric):
    text = "search: {hyper.width: {choice: [8]}}\ntrials: 2\n"
    assert planned(f"{text}objective: {{metric: {metric}}}").objective.mode == "min"


def test_without_a_search_an_objective_is_chosen(planned, make_shards):
    assert planned().objective.metric == "eval/l1"
    assert planned(f"data: {{uri: {make_shards(paired=False)}}}").objective.metric == "eval/cycle"


def test_auto_becomes_numbers(planned):
    sizes = planned("data: {batch: auto}\nresources: {workers: 2}").sizes
    assert (sizes.replicas, sizes.batch, sizes.concurrency) == (2, 2, 2)
    assert (sizes.report, sizes.evaluate, sizes.checkpoint, sizes.precision) == (100, 100, 100, "fp32")
    assert sizes.autos == {
        "data.replicas": 2,
        "data.batch": 2,
        "every.report": 100,
        "every.evaluate": 100,
        "every.checkpoint": 100,
        "precision": "fp32",
        "resources.gpus_per_worker": 0.0,
    }
    assert planned("steps: 3").sizes.evaluate == 1


def test_what_auto_became_at_first_is_kept(planned):
    first = planned("resources: {workers: 4}").sizes
    again = planned("resources: {workers: 1}", kept=first.autos).sizes
    assert (again.replicas, again.autos["data.replicas"]) == (4, 4)
    assert planned("data: {replicas: 2}", kept=first.autos).sizes.replicas == 2


def test_a_machine_with_gpus_is_used(planned):
    sizes = planned("resources: {workers: 2}", machine=Machine(cpus=16, gpus=4)).sizes
    assert (sizes.gpus_per_worker, sizes.precision, sizes.concurrency) == (1.0, "tf32", 2)
    assert planned("resources: {workers: 2}", machine=Machine(cpus=16, gpus=1)).sizes.gpus_per_worker == 0.0


def test_fractions_of_a_cpu_add_up(planned):
    assert planned("resources: {cpus_per_worker: 0.1}", machine=Machine(cpus=2, gpus=0)).sizes.concurrency == 20


def test_enlarging_stored_pictures_is_said(planned):
    assert planned("data: {image: 128}").notes[0] == "domain a is stored at 72 x 72 and enlarged to 128"
