"""What a sweep found, as rows for people: with one seed as trials, with several as settings, with several objectives as a front."""

import math

import pytest

from orchestrator.results.outcome import judge
from orchestrator.results.results import best_trial, describe_results, gain, leaderboard
from orchestrator.results.savings import savings, savings_line
from orchestrator.results.summary import best_line, remarks
from tests.orchestrator.unrun import L1, SSIM, STEPS, Log


@pytest.fixture
def rows(tmp_path):
    return lambda log: leaderboard(log.found(tmp_path))


def columns(rows, *names):
    return [tuple(row.get(name) for name in names) for row in rows]


def model(log):
    """The number of the trial whose networks are the sweep's model."""
    best = best_trial(log.state, "eval/l1", "min")
    return None if best is None else best.index


def told(log):
    """The lines of `submit` about whom to name, and what is to be said besides."""
    found = judge(log.state)
    return [best_line(found), *remarks(found)]


def scores(l1, ssim):
    return {STEPS: {"eval/l1": l1, "eval/ssim": ssim}}


def test_with_one_seed_a_row_is_a_trial_and_nothing_is_added(rows):
    log = Log().trial([0.5, 0.4, 0.3, 0.2]).trial([0.4, 0.3, 0.2, 0.1]).trial([0.9], "failed", error="it broke")
    assert rows(log) == [
        {"rank": 1, "trial": 1, "state": "done", "step": 400, "eval/l1": 0.1, "gain": "+0.1", "weights.cyc": 11.0,
         "seconds": 40.0},
        {"rank": 2, "trial": "0 (preset)", "state": "done", "step": 400, "eval/l1": 0.2, "gain": None,
         "weights.cyc": 10.0, "seconds": 40.0},
        {"rank": 3, "trial": 2, "state": "failed", "step": 100, "eval/l1": 0.9, "gain": "-0.4", "weights.cyc": 12.0,
         "seconds": 10.0, "error": "it broke"},
    ]  # fmt: skip
    assert list(rows(log)[0]) == [
        "rank", "trial", "state", "step", "eval/l1", "gain", "weights.cyc", "seconds"
    ]  # fmt: skip
    assert told(log) == ["best: trial 1 with weights.cyc 11: +0.1 in eval/l1 over the preset at equal steps"]


def test_the_gain_is_taken_at_equal_steps(rows):
    log = Log().trial([0.8, 0.6, 0.4, 0.2]).trial([0.5, 0.3], "stopped", by="asha", why="not among the better ones")
    assert columns(rows(log), "trial", "by", "step", "gain") == [
        ("0 (preset)", None, 400, None),
        (1, "asha", 200, "+0.3"),
    ]
    assert gain(log.state, log.state.trials[1], "eval/l1", "min") == pytest.approx(0.3)
    assert gain(log.state, log.state.trials[0], "eval/l1", "min") == 0


def test_more_is_better_where_it_is(rows):
    log = Log(objective=SSIM).trial(scores(9, 0.5)).trial(scores(9, 0.7))
    assert columns(rows(log), "trial", "eval/ssim", "gain") == [(1, 0.7, "+0.2"), ("0 (preset)", 0.5, None)]
    assert model(log) == 1


def test_the_preset_may_be_the_best():
    assert told(Log().trial([0.1]).trial([0.2])) == ["best: trial 0, the preset: the search did not beat it"]
    assert told(Log().trial([0.1])) == ["best: trial 0, the preset; nothing to compare it with"]
    assert told(Log().trial({}, "running")) == ["no trial has been evaluated yet"]
    assert told(Log().trial([math.nan])) == ["no trial came through with a score"]


def test_a_trial_beyond_the_preset_s_last_evaluation_has_no_gain():
    assert told(Log().trial([0.4], "running").trial([0.4, 0.2])) == [
        "best: trial 1 with weights.cyc 11: eval/l1 0.2 (no preset to compare with at step 200)"
    ]


def test_seeds_are_one_row_with_their_mean_and_spread(rows):
    log = Log(seeds=3).seeds(0, [0.4, 0.5, 0.6]).seeds(1, [0.3, 0.5, 0.4]).seeds(2, [0.1, 0.1])
    assert columns(rows(log), "rank", "setting", "seeds", "eval/l1", "gain", "seconds") == [
        (1, 2, "2 of 3", "0.1 ± 0", "+0.35 ± 0.071", 80.0),
        (2, 1, "3", "0.4 ± 0.1", "+0.1 ± 0.1", 120.0),
        (3, "0 (preset)", "3", "0.5 ± 0.1", None, 120.0),
    ]
    assert told(log) == [
        "best: setting 2 (trials 6 and 7) with weights.cyc 12: eval/l1 0.1 ± 0 (+0.35 ± 0.071 over the preset at equal "
        "steps), over 2 of 3 seeds"
    ]


def test_seeds_of_the_preset_alone_have_nothing_to_be_compared_with():
    assert told(Log(seeds=2).seeds(0, [0.25, 0.75])) == [
        "best: setting 0, the preset (trials 0 and 1): eval/l1 0.5 ± 0.35, over 2 seeds"
    ]


def test_a_gain_is_by_pairs_of_one_seed():
    """The spread over seeds that both share is no part of the gain's."""
    found = judge(Log(seeds=2).seeds(0, [0.2, 0.8]).seeds(1, [0.1, 0.7]).state)
    (better,) = found.gains(found.ranking[0])
    assert better == pytest.approx((0.1, 0))


def test_a_seed_that_an_old_log_does_not_name_is_the_sweep_s():
    log = Log(identity={"seed": 7}).trial([0.5]).trial([0.25], seed=7)
    assert told(log) == ["best: trial 1 with weights.cyc 11: +0.25 in eval/l1 over the preset at equal steps"]


def test_a_lost_training_is_in_its_row(rows):
    log = Log(seeds=2).seeds(0, [0.5, 0.5]).seeds(1, [0.1]).seeds(1, [0.2], "failed", first=1, error="it broke")
    log.seeds(2, [0.1]).seeds(2, [0.9], "stopped", first=1, by="collapse", why="collapse: all alike")
    assert columns(rows(log), "setting", "seeds", "state", "by", "eval/l1", "error") == [
        ("0 (preset)", "2", "done", None, "0.5 ± 0", None),
        (1, "1 of 2", "failed", None, 0.1, "trial 3: it broke"),
        (2, "1 of 2", "stopped", "collapse", 0.1, None),
    ]
    assert told(log) == [
        "best: setting 0, the preset (trials 0 and 1): eval/l1 0.5 ± 0, over 2 seeds; the search did not beat it",
        "1 of 6 trainings was stopped, by collapse 1: 0 % of the steps were not needed",
    ]


def test_finalists_are_judged_and_compared_by_fresh_seeds(rows):
    log = Log(finalists={"settings": 2, "seeds": 2}).seeds(0, [0.3]).seeds(1, [0.1]).seeds(2, [0.2]).seeds(3, [0.15])
    log.seeds(0, [0.5, 0.25], first=1, finalist=True).seeds(1, [0.375, 0.375], first=1, finalist=True)
    log.seeds(3, [0.25, 0.125], first=1, finalist=True)
    assert columns(rows(log), "setting", "seeds", "eval/l1", "gain") == [
        (3, "2 fresh", "0.1875 ± 0.088", "+0.1875 ± 0.088"),
        ("0 (preset)", "2 fresh", "0.375 ± 0.18", None),
        (1, "2 fresh", "0.375 ± 0", "+0 ± 0.18"),
        (2, "1", 0.2, "+0.1"),
    ]
    assert told(log) == [
        "best: setting 3 (trials 8 and 9) with weights.cyc 13: eval/l1 0.1875 ± 0.088 (+0.1875 ± 0.088 over the preset "
        "at equal steps), over 2 fresh seeds",
        "finalists: settings 1 and 3 and the preset, each with 2 fresh seeds",
    ]
    assert model(log) == 9, "the better of its two becomes the model"


def test_a_final_that_is_not_over_says_so():
    log = Log(finalists={"settings": 1, "seeds": 2}).seeds(0, [0.3]).seeds(1, [0.1])
    assert told(log.seeds(0, [0.3], first=1, finalist=True).seeds(1, [0.2], "running", first=1, finalist=True))[1:] == [
        "finalists: setting 1 and the preset, each with 2 fresh seeds; 1 of 4 trainings have ended"
    ]
    alone = Log(finalists={"settings": 1, "seeds": 1}).seeds(0, [0.3]).seeds(0, [0.2], first=1, finalist=True)
    assert told(alone)[1:] == ["finalists: the preset alone, with 1 fresh seed"]


def test_a_winner_is_never_named_against_a_constraint(rows):
    log = Log(constraints=["eval/ssim >= 0.5", "eval/l1 <= 0.4"]).trial(scores(0.3, 0.6)).trial(scores(0.1, 0.4))
    assert columns(rows(log), "trial", "eval/ssim >= 0.5", "eval/l1 <= 0.4") == [
        ("0 (preset)", "0.6", "0.3"),
        (1, "0.4, broken", "0.1"),
    ]
    assert told(log) == ["best: trial 0, the preset: the search did not beat it"]


def test_where_none_keeps_the_constraints_none_is_named(rows):
    log = Log(constraints=["eval/ssim >= 0.5", "eval/l1 <= 0.2"]).trial({STEPS: 0.1}).trial(scores(0.3, 0.4))
    assert columns(rows(log), "trial", "eval/ssim >= 0.5", "eval/l1 <= 0.2") == [
        (1, "0.4, broken", "0.3, broken"),
        ("0 (preset)", "no value, broken", "0.1"),
    ]
    assert model(log) is None
    assert told(log) == [
        "",
        "no trial keeps the constraints, so none is named; nearest: trial 1, eval/ssim 0.4 where eval/ssim >= 0.5 is "
        "asked and eval/l1 0.3 where eval/l1 <= 0.2 is asked",
    ]


def test_several_objectives_are_a_front_with_a_knee(rows):
    log = Log(objectives=[L1, SSIM])
    for l1, ssim in [(0.5, 0.5), (0.1, 0.1), (0.2, 0.8), (0.9, 0.9), (0.6, 0.4)]:
        log.trial(scores(l1, ssim))
    assert list(rows(log)[0]) == [
        "rank", "trial", "state", "step", "eval/l1", "eval/ssim", "gain in eval/l1", "gain in eval/ssim", "front",
        "weights.cyc", "seconds",
    ]  # fmt: skip
    assert columns(rows(log), "trial", "front", "gain in eval/l1", "gain in eval/ssim") == [
        (1, "yes", "+0.4", "-0.4"),
        (3, "yes", "-0.4", "+0.4"),
        (2, "knee", "+0.3", "+0.3"),
        ("0 (preset)", None, None, None),
        (4, None, "-0.1", "-0.1"),
    ]
    assert told(log) == [
        "suggested, the knee of the front: trial 2 with weights.cyc 12: eval/l1 0.2 (+0.3 over the preset at equal "
        "steps), eval/ssim 0.8 (+0.3 over the preset at equal steps)",
        "front: trials 1, 2 and 3 are beaten by none; hypervolume 0.49 from the worst of each, eval/l1 0.9 and "
        "eval/ssim 0.1",
        "knee: trial 2, on the front the nearest to the best of each; its model is the one that is stored",
    ]
    assert model(log) == 2


def test_the_model_of_a_front_with_seeds_is_the_knee_of_the_setting_s_trainings():
    log = Log(objectives=[L1, SSIM], seeds=3)
    for seed, (l1, ssim) in enumerate([(0.1, 0.1), (0.2, 0.8), (0.9, 0.9)]):
        log.trial(scores(l1, ssim), setting=0, seed=seed)
    assert model(log) == 1
    assert told(log)[:2] == [
        "suggested, the knee of the front: setting 0, the preset (trials 0, 1 and 2): eval/l1 0.4 ± 0.44, "
        "eval/ssim 0.6 ± 0.44, over 3 seeds",
        "front: setting 0 is beaten by none; hypervolume 0 from the worst of each, eval/l1 0.4 and eval/ssim 0.6",
    ]


def test_a_population_s_row_says_from_whom_it_went_on(rows):
    log = Log().trial([0.9, 0.8], "running").trial([0.3, 0.2], "running")
    log.clone(0, 1, 200, **{"weights.cyc": 13.0}).evaluated(0, 300, 0.1).evaluated(1, 300, 0.2)
    assert columns(rows(log), "trial", "from", "weights.cyc", "eval/l1", "gain") == [
        ("0 (preset until step 200)", "trial 1 at step 200", 13.0, 0.1, None),
        (1, None, 11.0, 0.2, None),
    ]
    assert told(log) == [
        "best: trial 0, the preset until step 200, with weights.cyc 13: eval/l1 0.1; it went on from trial 1 at step 200"
    ]
    log.evaluated(1, 400, 0.05)
    assert told(log) == ["best: trial 1 with weights.cyc 11: eval/l1 0.05 (no preset to compare with at step 400)"], (
        "what the preset became is not the preset"
    )


def test_what_stopping_saved_is_added_up():
    log = Log().trial([0.1] * 4).trial([0.2], "stopped", by="asha", why="worse").trial([0.3, 0.3], "stopped", by="asha")
    log.trial([0.4], "failed").trial({}, "stopped", by="collapse", why="collapse: x").trial([0.1, 0.1, 0.1], "stopped")
    saved = savings(log.state)
    assert (saved.trainings, saved.by) == (6, {"asha": 2, "collapse": 1, "scheduler": 1})
    assert (saved.steps, saved.possible) == (300 + 200 + 400 + 100, 2400)
    assert savings_line(saved) == (
        "4 of 6 trainings were stopped, by asha 2, collapse 1, scheduler 1: 42 % of the steps were not needed"
    )
    assert savings_line(savings(Log().trial([0.1]).state)) == ""


def test_the_members_of_a_sum_are_columns(rows):
    log = Log(axes={"weights.a + weights.b": "fixed sum of 10"}).trial([0.1], params={"weights.a": 4, "weights.b": 6})
    assert columns(rows(log), "weights.a", "weights.b") == [(4, 6)]


def test_the_preset_shows_what_it_leaves_to_its_system(rows, tmp_path):
    about = {"axes": {"balance.lr_ratio": "choice of 1, 2"}, "preset": {"balance.lr_ratio": 1.0}}
    log = (
        Log(**about)
        .trial([0.4], params={})
        .trial([0.3], params={"balance.lr_ratio": 2.0})
        .trial([], "pending", params={})
    )
    assert columns(rows(log), "trial", "balance.lr_ratio") == [(1, 2.0), ("0 (preset)", 1.0), (2, None)]
    told = describe_results(log.found(tmp_path))
    assert [setting["params"] for setting in told["settings"]] == [
        {"balance.lr_ratio": 2.0},
        {"balance.lr_ratio": 1.0},
        {},
    ]
    assert [trial["params"] for trial in told["trials"]] == [{"balance.lr_ratio": 1.0}, {"balance.lr_ratio": 2.0}, {}]


def test_a_preset_that_went_on_from_another_shows_what_it_has_now(rows):
    about = {"axes": {"balance.lr_ratio": "choice of 1, 2"}, "preset": {"balance.lr_ratio": 1.0}}
    log = (
        Log(**about).trial([0.4], "running", params={}).trial([0.3], params={"balance.lr_ratio": 2.0}).clone(0, 1, 100)
    )
    assert [row["balance.lr_ratio"] for row in rows(log) if row["trial"] != 1] == [None]
