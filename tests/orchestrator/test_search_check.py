"""What does not go together in a search is told before anything is trained."""

import pytest

from orchestrator.errors import Refusal
from orchestrator.plan import make_plan
from orchestrator.plan_view import describe
from orchestrator.sizes import Machine
from orchestrator.sweep import read_sweep
from orchestrator.warm import find_warm

MACHINE = Machine(cpus=2, gpus=0)
SEARCH = {"weights.cyc": {"log_uniform": [1, 100]}}


def search_of(data, machine=MACHINE, **changes):
    sweep = {
        "system": "cyclegan",
        "data": {"uri": str(data), "image": 32},
        "steps": 1000,
        "search": SEARCH,
        "trials": 4,
        "objective": {"metric": "eval/l1"},
        **changes,
    }
    return make_plan(read_sweep(sweep, "sweep.yaml"), "sweep.yaml", machine=machine)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"scheduler": "pbt", "trials": 4},
            "trials: a population runs at once, and of 4 trials this machine holds 2; lower trials, or "
            "resources.cpus_per_worker to 0.5",
        ),
        (
            {"scheduler": "pbt", "trials": 2, "searcher": "optuna"},
            "searcher: pbt starts from random settings and perturbs them itself; use searcher: random, not optuna",
        ),
        (
            {"scheduler": {"pbt": {"every": 1.0}}, "trials": 2},
            "scheduler.pbt.every: an exchange every 1000 of 1000 steps never comes",
        ),
        (
            {"scheduler": "pbt", "trials": 2, "search": {"hyper.width": {"choice": [8, 16]}}},
            "search.hyper.width: a trial cannot go on with another hyper.width, as pbt asks of it; these can change: "
            "weights.*, balance.*, hyper.lr, hyper.smoothing, hyper.weight_decay",
        ),
        (
            {"scheduler": "asha", "objective": {"metric": "eval/l1", "also": ["eval/ssim"]}},
            "scheduler: asha compares trials by one score, and there are 2 objectives; use scheduler: none",
        ),
        (
            {"scheduler": "halving", "seeds": 2},
            "seeds: halving compares trainings that wait for one another, not means over seeds; use finalists for fresh seeds",
        ),
        (
            {"scheduler": {"halving": {"grace": 1}}},
            "scheduler.halving.grace: a grace of all 1000 steps leaves no rung to wait at",
        ),
        ({"scheduler": {"halving": {"bracket": 1}}}, "scheduler.halving.bracket: a bracket has at least 2 trials"),
        (
            {"search": {}, "trials": 1, "finalists": {"settings": 1}},
            "finalists.settings: there is no search that could have finalists",
        ),
        (
            {"warm_start": "other"},
            "warm_start: the searcher random learns from nobody; use searcher: optuna, or leave warm_start out",
        ),
        (
            {"budget": {"gpu_hours": 1}},
            "budget.gpu_hours: counts GPUs, and the workers have none; use budget.cpu_hours or budget.wall",
        ),
        (
            {"objective": {"metric": "eval/l1", "also": ["eval/l1"]}},
            "objective.also: names eval/l1 twice",
        ),
        ({"objective": {"metric": "eval/l1", "also": ["eval/sim"]}}, "objective.also: unknown metric 'eval/sim'"),
        ({"constraints": ["eval/sim >= 0.5"]}, "constraints: unknown metric 'eval/sim'"),
        (
            {"search": {**SEARCH, "weights.adv + weights.idt": {"uniform": [0, 1]}}},
            "search.weights.adv + weights.idt: several settings share a sum, such as {sum: 10}, not uniform from 0 to 1",
        ),
        (
            {"search": {"hyper.beta1 + weights.idt": {"sum": 1}}},
            "search.hyper.beta1 + weights.idt: only weights share a sum, not 'hyper.beta1'",
        ),
        ({"search": {"hyper.beta1": {"uniform": [0, 1]}}}, "search.hyper.beta1: must be at most 0.999999, not 1"),
        (
            {"search": {"weights.idt": {"uniform": [0, 1], "when": {"hyper.gam": "lsgan"}}}},
            "search.weights.idt.when: unknown setting 'hyper.gam'; nearest: hyper.gan",
        ),
        (
            {"search": {"weights.idt": {"uniform": [0, 1], "when": {"hyper.gan": "lsgam"}}}},
            "search.weights.idt.when: cannot be 'lsgam'; nearest: lsgan; has: lsgan, ",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(shards, changes, line):
    with pytest.raises(Refusal) as caught:
        search_of(shards, **changes)
    (told,) = caught.value.lines()
    assert told.startswith(f"sweep.yaml: {line}")


def test_what_a_searcher_is_to_learn_from_must_be_there(shards, tmp_path):
    plan = search_of(shards, searcher="optuna", warm_start="earlier", storage=str(tmp_path))
    with pytest.raises(Refusal) as caught:
        find_warm(plan, None)
    (told,) = caught.value.lines()
    assert told.startswith("sweep.yaml: warm_start: no sweep 'earlier': ")


def test_a_plan_tells_its_whole_search(shards):
    more = {"constraints": ["eval/ssim >= 0.5"], "finalists": {"settings": 2, "seeds": 2}, "stop": "default"}
    told = describe(search_of(shards, scheduler={"median": {"least": 2}}, seeds=3, **more))
    assert told["scheduler"] == {"median": {"grace": 0.15, "least": 2}}
    assert (told["seeds"], told["finalists"], told["constraints"]) == (
        3,
        {"settings": 2, "seeds": 2},
        ["eval/ssim >= 0.5"],
    )
    assert set(told["stop"]) == {"nonfinite", "critic_won", "collapse"}
    assert told["trainings"] == 4 * 3 + 3 * 2


def test_money_needs_a_price(shards):
    resources = {"gpus_per_worker": 1}
    with pytest.raises(Refusal) as caught:
        search_of(shards, Machine(cpus=2, gpus=1), budget={"cost": 5}, resources=resources)
    assert caught.value.lines() == ["sweep.yaml: budget.cost: needs budget.price_per_gpu_hour"]


def test_a_sum_and_a_condition_are_searched(shards):
    search = {
        "weights.adv + weights.cyc": {"sum": 11},
        "hyper.gan": {"choice": ["lsgan", "hinge"]},
        "hyper.smoothing": {"uniform": [0, 0.2], "when": {"hyper.gan": "lsgan"}},
    }
    plan = search_of(shards, search=search, trials=20)
    assert plan.searched == ["weights.adv", "weights.cyc", "hyper.gan", "hyper.smoothing"]
    found = [plan.params(index) for index in range(1, 20)]
    assert all(abs(values["weights.adv"] + values["weights.cyc"] - 11) < 1e-4 for values in found)
    assert {("hyper.smoothing" in values) == (values["hyper.gan"] == "lsgan") for values in found} == {True}
    assert plan.params(0) == {"weights.adv": 1.0, "weights.cyc": 10.0, "hyper.gan": "lsgan", "hyper.smoothing": 0.0}


def test_what_a_fixed_setting_leaves_out_is_not_searched(shards):
    search = {**SEARCH, "hyper.smoothing": {"uniform": [0, 0.2], "when": {"hyper.gan": "vanilla"}}}
    plan = search_of(shards, search=search)
    assert plan.searched == ["weights.cyc"]
    assert "hyper.smoothing is not searched: hyper.gan is 'lsgan'" in plan.notes
