"""What a sweep asks for and cannot have: a mistake where nothing would be learned, a note where the sweep is sound without it."""

import pytest

PAIRS = "system: pix2pix\n"
SEARCH = PAIRS + "objective: {metric: eval/l1}\nsearch: {weights.l1: {uniform: [1, 9]}}\ntrials: 4\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PAIRS + "weights: {adv: 0, l1: 0}", "weights: nothing would be learned: adv and l1 have the weight 0"),
        (
            "weights: {adv: 0, cyc: 0}",
            "weights: nothing would be learned: adv, cyc and idt have the weight 0",
        ),
        (
            PAIRS + "weights: {adv: 0}\nobjective: {metric: eval/l1}\nsearch: {weights.l1: {choice: [0]}}\ntrials: 2",
            "weights: nothing would be learned: adv and l1 have the weight 0",
        ),
        ("hyper: {lr: 0}", "hyper.lr: nothing would be learned at a learning rate of 0"),
        (
            "objective: {metric: eval/l1}\nsearch: {hyper.lr: {choice: [0, 0.001]}}\ntrials: 2",
            "search.hyper.lr: a trial would learn nothing at a learning rate of 0",
        ),
    ],
)
def test_a_sweep_that_can_learn_nothing_is_refused(refused, text, line):
    assert refused(text) == [f"sweep.yaml: {line}"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (PAIRS + "weights: {adv: 0, d: 0}", "the weights of adv and d are 0: the critics take no part in the training"),
        (PAIRS + "weights: {d: 0}", "the weight of d is 0: critics that learn nothing are asked by adv"),
        ("balance: {lr_ratio: 0}", "balance.lr_ratio is 0: the critics stay as they begin, and know nothing"),
        (
            "stop: {collapse: {grace: 0.95}}",
            "stop.collapse is never in force: before the last step there are too few evaluations for these thresholds, with one "
            "every 100 of 1000 steps",
        ),
        (
            "stop: default\nevery: {evaluate: 500}",
            "stop.critic_won and stop.collapse are never in force: before the last step there are too few evaluations for these "
            "thresholds, with one every 500 of 1000 steps",
        ),
        (
            "stop: {critic_won: on}\nhyper: {gan: wgan}",
            "stop.critic_won is left out: the accuracy of a critic of wgan says nothing",
        ),
        (
            SEARCH + "scheduler: {median: {least: 4}}",
            "the scheduler stops nobody: scheduler.median.least is 4, and there are 3 others",
        ),
        (
            SEARCH + "scheduler: {halving: {bracket: 3}}",
            "the last bracket of 3 has one trial, which has nobody to be compared with; trials is best a multiple of "
            "scheduler.halving.bracket",
        ),
        (
            SEARCH + "searcher: optuna",
            "optuna proposes nothing: it learns from the first 5 settings that end, and there are 4",
        ),
        (
            SEARCH + "finalists: {settings: 9}",
            "finalists.settings is 9, and there are 3 settings besides the preset",
        ),
        (SEARCH + "finalists: {seeds: 3}", "there is no final: finalists.settings is 0"),
        ("searcher: grid", "grid has nothing to propose: there is no search"),
        ("scheduler: median", "the scheduler has nothing to stop: trial 0 always runs to its end"),
        ("resources: {placement: spread}", "resources.placement is of no use to trials of one worker"),
        (
            "resources: {placement: pack, interface: lo}",
            "resources.placement and resources.interface are of no use to trials of one worker",
        ),
    ],
)
def test_a_part_that_can_do_nothing_is_a_note(planned, text, note):
    assert note in planned(text).notes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stop: default",
        "stop: {collapse: on, identity: on, no_gain: on, critic_blind: on, critic_won: on}",
        "weights: {adv: 0}",
        PAIRS + "preset: l1",
        SEARCH + "weights: {d: 0.5}",
        SEARCH + "scheduler: median",
        SEARCH + "scheduler: {halving: {bracket: 2}}",
        SEARCH.replace("trials: 4", "trials: 12") + "searcher: optuna\nscheduler: halving\nfinalists: {settings: 3}",
        PAIRS
        + "weights: {adv: 0}\nobjective: {metric: eval/ssim}\nsearch: {weights.l1: {choice: [0, 1, 2]}}\ntrials: 3",
        PAIRS + "objective: {metric: eval/ssim}\nsearch: {weights.adv + weights.l1: {sum: 9}}\ntrials: 3",
    ],
)
def test_a_sound_sweep_has_no_note(planned, text):
    assert planned(text).notes == ()


def test_evaluations_that_a_scheduler_asks_for_count(planned):
    rule = "stop: {collapse: {grace: 0.5}}\nevery: {evaluate: 900}\n"
    assert len(planned(SEARCH + rule).notes) == 1
    assert planned(SEARCH + rule + "scheduler: {halving: {grace: 0.6, reduction: 1.2}}").notes == ()


def test_median_must_have_an_evaluation_to_decide_at(refused):
    assert refused(SEARCH + "scheduler: {median: {grace: 1}}") == [
        "sweep.yaml: every.evaluate: median decides at evaluations from step 1000 on; every 100 of 1000 steps leaves none "
        "before the end"
    ]
