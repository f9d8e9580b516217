"""What does not go together in a search is told before anything is trained."""

import pytest

from orchestrator.errors import Refusal
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.planning.view import describe
from orchestrator.search.view import search_lines, trials_table
from orchestrator.search.warm import find_warm
from orchestrator.sweep_file.sweep import read_sweep

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
            {"trials": 1000, "seeds": 1000},
            "seeds: trials, seeds and finalists make 1,000,000 trainings; a sweep has at most 100,000",
        ),
        (
            {"finalists": {"settings": 10**9, "seeds": 50_000}},
            "finalists: trials, seeds and finalists make 200,004 trainings; a sweep has at most 100,000",
        ),
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
        (
            {"constraints": ["eval/ssim >= 0.9", "eval/l1 <= 0.2", "eval/ssim <= 0.1"]},
            "constraints: eval/ssim >= 0.9 and eval/ssim <= 0.1 cannot both be kept",
        ),
        (
            {"constraints": ["eval/l1 <= 0.2", "eval/l1 <= 0.3"]},
            "constraints: eval/l1 <= 0.2 and eval/l1 <= 0.3: keep one of the two",
        ),
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


def test_a_range_of_a_score_may_be_asked_for(shards):
    plan = search_of(shards, constraints=["eval/ssim >= 0.1", "eval/ssim <= 0.1234567891"])
    assert describe(plan)["constraints"] == ["eval/ssim >= 0.1", "eval/ssim <= 0.1234567891"], "with all of its digits"


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
    assert search_lines(told)["trainings"] == "18: 4 settings with 3 seeds each, and 6 of the final"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ""),
        ({"seeds": 2}, "8: 4 settings with 2 seeds each"),
        ({"finalists": {"settings": 2}}, "13: 4 of the search, and 9 of the final"),
        ({"finalists": {"settings": 9, "seeds": 1}}, "8: 4 of the search, and 4 of the final"),
    ],
)
def test_what_seeds_and_a_final_cost_is_told(shards, changes, line):
    assert search_lines(describe(search_of(shards, **changes)))["trainings"] == line


@pytest.mark.parametrize(
    ("changes", "known", "title"),
    [
        ({}, 12, "Trials (0 is the preset)"),
        (
            {"searcher": "optuna"},
            5,
            "Trials (0 is the preset, 1 to 4 are drawn at random; then optuna proposes by what came)",
        ),
        (
            {"searcher": "optuna", "objective": {"metric": "eval/l1", "also": ["eval/ssim"]}},
            10,
            "Trials (0 is the preset, 1 to 9 are drawn at random; then optuna proposes by what came)",
        ),
        (
            {"searcher": "optuna", "scheduler": {"halving": {"bracket": 4}}},
            8,
            "Trials (0 is the preset, 1 to 7 are drawn at random; then optuna proposes by what came)",
        ),
        ({"searcher": "optuna", "trials": 3}, 3, "Trials (0 is the preset, 1 to 2 are drawn at random)"),
        (
            {"searcher": "optuna", "warm_start": "earlier"},
            1,
            "Trials (0 is the preset; then optuna proposes by what came)",
        ),
    ],
)
def test_a_plan_lists_the_settings_that_are_known_before(shards, changes, known, title):
    plan = search_of(shards, **{"trials": 12, **changes})
    assert len(describe(plan)["trials"]) == known
    assert trials_table(plan, describe(plan)["trials"]).title == title


def test_the_preset_is_told_as_it_is_in_force(shards):
    search = {
        "weights.adv_ab + weights.adv_ba": {"sum": 2},
        "hyper.penalty": {"choice": ["none", "gp"]},
        "weights.gp": {"uniform": [1, 2], "when": {"hyper.penalty": "gp"}},
        "balance.lr_ratio": {"choice": [0.5, 2]},
        "weights.cyc": {"uniform": [1, 2]},
    }
    plan = search_of(shards, search=search)
    told = describe(plan)
    assert {row["axis"]: (row["symbol"], row["preset"]) for row in told["search"]} == {
        "weights.adv_ab + weights.adv_ba": ("α_1A / λ_adv, α_1B / λ_adv", "1 + 1"),
        "hyper.penalty": ("", "none"),
        "weights.gp": ("λ_GP / λ_LP", None),
        "balance.lr_ratio": ("", 1.0),
        "weights.cyc": ("λ_cyc", 10.0),
    }
    row = trials_table(plan, told["trials"]).rows[0]
    assert row == ["0", "1", "1", "none", "", "1", "10"], "a penalty's weight is not in force"


def test_a_scheduler_with_nothing_behind_its_name_has_its_defaults(shards):
    spelled: list[object] = ["asha", {"asha": None}, {"asha": {}}]
    plans = [search_of(shards, scheduler=scheduler) for scheduler in spelled]
    assert len({plan.id for plan in plans}) == 1
    assert {str(describe(plan)["scheduler"]) for plan in plans} == {"{'asha': {'grace': 0.15, 'reduction': 3.0}}"}


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
