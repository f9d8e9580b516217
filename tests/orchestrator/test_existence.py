"""Which settings take a term or a score away is told with it, and what brings it back."""

import pytest

from orchestrator.systems.existence import absence, condition, deciding
from trainers.systems.distancegan import DistanceGANHyper

ONE_SIDED = "system: distancegan\npreset: one-sided-distance\n"
HAS = "; has: adv_ab, d_b, dist_ab"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("weights: {gp: 1}", "the term 'gp' does not exist with hyper.penalty none; nearest: hyper.penalty gp or lp; has: adv_ab,"),
        (
            "search: {weights.lambda_GP: {uniform: [0, 1]}}\ntrials: 2\nobjective: {metric: eval/l1}",
            "the term 'lambda_GP' does not exist with hyper.penalty none; nearest: hyper.penalty gp or lp; has: adv_ab,",
        ),
        (
            ONE_SIDED + "weights: {alpha_3B: 1}",
            "the term 'alpha_3B' does not exist with hyper.sides ab, as preset one-sided-distance has it; "
            f"nearest: hyper.sides both{HAS}",
        ),
        (
            "system: distancegan\nhyper: {sides: ab}\nweights: {dist_ba: 1}",
            f"the term 'dist_ba' does not exist with hyper.sides ab; nearest: hyper.sides both{HAS}",
        ),
        (
            ONE_SIDED + "weights: {cyc: 1}",
            "the term 'cyc' does not exist under these hyper settings; it does with hyper.cycle true, unless hyper.sides ab"
            + HAS,
        ),
        (
            ONE_SIDED + "weights: {self_ba: 1}",
            "the term 'self_ba' does not exist under these hyper settings; it does with hyper.distance self, unless "
            f"hyper.sides ab{HAS}",
        ),
    ],
)  # fmt: skip
def test_a_term_that_is_not_there(refused, text, line):
    (told,) = refused(text)
    assert told.partition(": ")[2].partition(": ")[2].startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (ONE_SIDED + "objective: {metric: eval/l1_ba}", "eval/l1_ba does not exist with hyper.sides ab, as preset "
         "one-sided-distance has it; nearest: hyper.sides both; has: eval/l1, eval/psnr, eval/ssim, eval/nearest_truth, eval/"),
        (ONE_SIDED + "objective: {metric: eval/ssim_ba}", "eval/ssim_ba does not exist with hyper.sides ab, as preset one-sided"),
        (ONE_SIDED + "objective: {metric: eval/cycle}", "eval/cycle does not exist under these hyper settings; it does with "
         "hyper.cycle true, unless hyper.sides ab; has: eval/l1,"),
        ("system: distancegan\nobjective: {metric: eval/cycle}", "eval/cycle does not exist with hyper.cycle false; nearest: "
         "hyper.cycle true; has: eval/l1,"),
        ("hyper: {identity: false}\nobjective: {metric: eval/identity}", "eval/identity does not exist with hyper.identity "
         "false; nearest: hyper.identity true; has: eval/l1,"),
        ("objective: {metric: loss/gp_a}", "loss/gp_a does not exist with hyper.penalty none; nearest: hyper.penalty gp or lp; "
         "has: eval/l1,"),
    ],
)  # fmt: skip
def test_a_score_that_is_not_there(refused, text, line):
    (told,) = refused(text)
    assert told.startswith(f"sweep.yaml: objective.metric: {line}")


def test_both_ways_have_the_scores_of_the_way_back(planned):
    assert planned("system: distancegan\nobjective: {metric: eval/l1_ba}").objective.metric == "eval/l1_ba"


def test_what_decides_is_found_by_trying():
    def holds(hyper):
        return hyper.both and (hyper.cycle or hyper.pool > 10)

    usual = DistanceGANHyper()
    assert deciding(holds, usual) == {"sides": ["ab"], "pool": [0]}
    assert condition(holds, usual) == "unless hyper.sides ab or hyper.pool 0"
    assert condition(lambda hyper: True, usual) == ""
    assert condition(lambda hyper: hyper.cycle and hyper.pool < 10, usual) == "under several settings at once"
    assert absence(lambda hyper: hyper.clip is not None, usual) == "with hyper.clip empty; nearest: hyper.clip 0"
    both = absence(lambda hyper: hyper.cycle or hyper.pool < 10, usual)
    assert both == "with hyper.cycle false and hyper.pool 50; nearest: hyper.cycle true or hyper.pool 0"
