"""Each rule fires where it says it does, not a step or a hair before; and what it tells has the numbers in it."""

import math
import re
from pathlib import Path

import pytest

from cluster.stopping import PLAYED, RULES, UNASKED, UNBOUNDED, Rules, Stop, spares, verdict
from trainers.adversarial import CRITERIA, Wasserstein
from trainers.health import SIGNS
from trainers.systems.catalog import SYSTEMS

STEPS, L1, PSNR = 1000, ("eval/l1", "min"), ("eval/psnr", "max")
PAGE = (Path(__file__).parents[2] / "docs" / "stopping.md").read_text()


def judged(evaluations, rule, objectives=(L1,), steps=STEPS, **changes):
    """What a rule says, alone, with its default thresholds or others."""
    thresholds = {**RULES[rule].thresholds, **{key.rstrip("_"): value for key, value in changes.items()}}
    return verdict(Rules({rule: thresholds}, objectives), evaluations, steps)


def line(values, every=100, l1=0.5, **metrics):
    """Evaluations whose metrics are those of `values`, one each; the objective stands still."""
    return [(every * i, {"eval/l1": l1, **metrics, **of}) for i, of in enumerate(values, 1)]


def accuracies(*values, adv=1.0, critic="d", **more):
    return line([{f"balance/accuracy_{critic}": value} for value in values], **{"weight/adv": adv}, **more)


def signs(*values, sign="health/spread_b", **more):
    return line([{sign: value} for value in values], **more)


def test_a_critic_has_won_that_was_right_for_long_enough():
    won = accuracies(0.7, 0.99, 0.981, 1.0, 0.995)
    assert judged(won, "critic_won") == Stop(
        "critic_won",
        500,
        "critic_won: the accuracy of d was above 0.98 (at least 0.981) from step 200 to 500, 30 % of the steps; "
        "no better eval/l1 than 0.5 at step 100",
    )
    assert judged(won[:-1], "critic_won") is None, "20 % of the steps"
    assert judged(won, "critic_won", for_=0.301) is None
    assert judged(won, "critic_won", above=0.981) is None, "at the threshold is not above it"
    assert judged(won[1:], "critic_won") is not None, "what was before does not matter"
    assert judged([*won, (600, {**won[-1][1], "balance/accuracy_d": 0.97})], "critic_won") is None
    resting = [*won, (600, {**won[-1][1], "balance/accuracy_d": math.nan})]
    assert judged(resting, "critic_won") is None, "nobody knows what it would have judged"


def test_all_critics_must_have_won():
    pair = [(s, {**m, "balance/accuracy_d_b": 1.0}) for s, m in accuracies(*[0.99] * 4, critic="d_a")]
    won = judged(pair, "critic_won")
    assert won is not None
    assert won.text.startswith(
        "critic_won: the accuracy of d_a and d_b was above 0.98 (at least 0.99) from step 100 to 400"
    )
    pair[2] = (300, {**pair[2][1], "balance/accuracy_d_a": 0.9})
    assert judged(pair, "critic_won") is None


def test_a_critic_that_nobody_plays_against_may_win():
    assert judged(accuracies(*[1.0] * 8, adv=0.0), "critic_won") is None
    two = [(step, {**metrics, "weight/adv2": 0.1}) for step, metrics in accuracies(*[1.0] * 8, adv=0.0)]
    assert judged(two, "critic_won") is not None


@pytest.mark.parametrize(
    "name", [name for name, kind in SYSTEMS.items() if {"d", "d_b"} & {t.name for t in kind.terms}]
)
def test_whoever_plays_against_a_critic_has_a_term_of_that_name(name):
    assert any(f"weight/{term.name}".startswith(PLAYED) for term in SYSTEMS[name].terms)


def test_few_evaluations_decide_nothing_about_accuracies():
    assert judged(accuracies(1.0, 1.0, every=400), "critic_won") is None
    assert judged(accuracies(1.0, 1.0, 1.0, every=200), "critic_won") is not None


def test_critics_without_a_boundary_are_left_alone():
    assert {name for name, kind in CRITERIA.items() if issubclass(kind, Wasserstein)} == UNBOUNDED
    rules = Rules({name: rule.thresholds for name, rule in RULES.items()}, [L1])
    assert rules.suited("lsgan") == rules
    for criterion in ("wgan", None):
        assert set(RULES) - set(rules.suited(criterion).thresholds) == {"critic_won", "critic_blind"}


def test_a_blind_critic_guesses():
    blind = accuracies(0.9, 0.5, 0.519, 0.4, 0.51)
    assert judged(blind, "critic_blind") == Stop(
        "critic_blind",
        500,
        "critic_blind: the accuracy of d was below 0.52 (at most 0.519) from step 200 to 500, 30 % of the steps; "
        "no better eval/l1 than 0.5 at step 100",
    )
    assert judged(blind, "critic_blind", below=0.519) is None
    assert judged(blind[:-1], "critic_blind") is None
    assert judged(accuracies(*[0.5] * 8, adv=0.0), "critic_blind") is None


@pytest.mark.parametrize(
    ("rule", "sign", "edge"), [("collapse", "health/spread_b", 0.1), ("identity", "health/change_a", 0.02)]
)
def test_a_sign_must_be_bad_twice(rule, sign, edge):
    bad = 0.9 * edge
    found = judged(signs(0.5, 0.5, 0.5, bad, bad / 2, sign=sign), rule)
    assert found == Stop(
        rule,
        500,
        f"{rule}: {sign} was below {edge} twice: {bad:.4g} at step 400 and {bad / 2:.4g} at step 500; "
        "no better eval/l1 than 0.5 at step 100",
    )
    assert judged(signs(0.5, 0.5, bad, 0.5, bad, sign=sign), rule) is None
    assert judged(signs(0.5, 0.5, 0.5, bad, edge, sign=sign), rule) is None
    assert judged(signs(0.5, 0.5, 0.5, bad, math.nan, sign=sign), rule) is None
    assert judged(signs(0.5, 0.5, 0.5, 0.5, sign="health/other_b"), rule) is None
    assert judged([(400, {"eval/l1": 0.5}), (500, {"eval/l1": 0.5})], rule) is None, "nothing was looked at"


def test_a_beginning_is_no_collapse():
    early = signs(0.0, 0.0, 0.0)
    assert judged(early, "collapse") is None
    assert judged(early, "collapse", grace=0.2) is not None
    assert judged(early, "collapse", grace=0.201) is None
    assert judged(signs(0.0, 0.0, 0.0, 0.0), "collapse") is not None


def test_every_domain_is_looked_at():
    both = signs(*[0.9] * 4, **{"health/spread_a": 0.01})
    assert "health/spread_a was below 0.1" in str(judged(both, "collapse"))


def test_whose_objective_improves_is_not_stopped():
    for rule, cases in {
        "critic_won": accuracies(*[1.0] * 6),
        "critic_blind": accuracies(*[0.5] * 6),
        "collapse": signs(*[0.0] * 6),
        "identity": signs(*[0.0] * 6, sign="health/change_b"),
        "no_gain": line([{}] * 6),
    }.items():
        assert judged(cases, rule) is not None
        better = [*cases[:-1], (600, {**cases[-1][1], "eval/l1": 0.4})]
        assert judged(better, rule) is None
        unknown = [(step, {**metrics, "eval/l1": math.nan}) for step, metrics in cases]
        assert judged(unknown, rule) is None, "nobody knows"
        assert judged(cases, rule, [("eval/ssim", "max")]) is None


def test_no_gain_for_a_share_of_the_steps():
    values = [0.5, 0.3, 0.31, 0.3, 0.4]
    stuck = [(100 * i, {"eval/l1": value}) for i, value in enumerate(values, 1)]
    assert judged(stuck, "no_gain") == Stop(
        "no_gain",
        500,
        "no_gain: nothing was gained from step 200 to 500, 30 % of the steps; no better eval/l1 than 0.3 at step 200",
    )
    assert judged(stuck, "no_gain", for_=0.301) is None
    assert judged(stuck[:-1], "no_gain") is None
    assert judged(stuck, "no_gain", [("eval/l1", "max")], for_=0.4) is not None
    assert judged(stuck[:2], "no_gain", for_=1e-9) is None, "a gain is a gain"
    rough = [(step, stuck[0][1]) for step in (70, 240, 410)]
    assert "from step 70 to 410, 34 % of the steps" in str(judged(rough, "no_gain"))


def test_several_objectives_must_all_stand_still():
    values = [(0.5, 10.0), (0.3, 11.0), (0.3, 12.0), (0.3, 12.0), (0.3, 11.5), (0.3, 11.0)]
    two = [(100 * i, {"eval/l1": l1, "eval/psnr": psnr}) for i, (l1, psnr) in enumerate(values, 1)]
    found = judged(two, "no_gain", (L1, PSNR))
    assert found is not None
    assert found.text.endswith("no better eval/l1 than 0.3 at step 200 and no better eval/psnr than 12 at step 300")
    assert judged(two[:-1], "no_gain", (L1, PSNR)) is None
    assert judged(two[:-1], "no_gain", (L1,)) is not None


def test_a_score_that_is_no_number_twice():
    bad = line([{}, {}, {"eval/l1": math.inf}, {"eval/l1": math.nan}])
    assert judged(bad, "nonfinite") == Stop(
        "nonfinite", 400, "nonfinite: eval/l1 was inf at step 300 and nan at step 400"
    )
    assert judged(bad[:-1], "nonfinite") is None
    assert judged([*bad, (500, {"eval/l1": 0.1})], "nonfinite") is None
    rested = [(step, {"loss/d": math.nan}) for step in (100, 200)]
    assert judged(rested, "nonfinite", [("loss/d", "min")]) is None, "a critic that rested has no loss"


# Accuracies and spreads of small runs (digits, 32 pixels) at each twentieth of their steps, as far as they matter.
DIED = ([1.0] * 10, [0.046, 0.044, 0.043, 0.042, 0.041, 0.041, 0.041, 0.04, 0.04, 0.04])
GOOD = {
    "dcgan": (
        [1.0, 1.0, 1.0, 0.906, 0.594, 0.562, 0.781, 0.5],
        [0.05, 0.225, 0.286, 0.485, 0.557, 0.482, 0.526, 0.647],
    ),
    "batch norm": ([1.0] * 5 + [0.906, 1.0, 0.656], [0.099, 0.174, 0.331, 0.761, 0.836, 0.872, 0.9, 0.906]),
    "five turns": ([1.0] * 6 + [0.969, 0.931], [0.054, 0.128, 0.141, 0.12, 0.192, 0.122, 0.425, 0.691]),
}


def safely_judged(accuracies_, spreads):
    """What the safe rules say at each evaluation of a run whose objective stands still from the start."""
    rules = Rules({name: rule.thresholds for name, rule in RULES.items() if rule.safe}, [L1])
    seen = [{"balance/accuracy_d": a, "health/spread_b": s} for a, s in zip(accuracies_, spreads, strict=True)]
    run = line(seen, every=50, **{"weight/adv": 1.0})
    return [verdict(rules, run[:last], STEPS) for last in range(1, len(run) + 1)]


def test_the_safe_rules_stop_a_run_that_died_and_no_good_one():
    assert next(found.step for found in safely_judged(*DIED) if found) == 350
    for name, run in GOOD.items():
        assert safely_judged(*run) == [None] * 8, name


def test_the_end_stops_nobody():
    for steps, stopped in ((600, False), (601, True)):
        assert (judged(signs(*[0.0] * 6), "collapse", steps=steps) is not None) is stopped
    assert verdict(Rules({}, [L1]), signs(*[0.0] * 6), STEPS) is None
    assert judged([], "no_gain") is None


def test_the_first_rule_that_fires_is_told():
    dead = [(s, {**m, "balance/accuracy_d": 1.0, "weight/adv": 1.0}) for s, m in signs(*[0.0] * 6)]
    every = Rules({name: rule.thresholds for name, rule in reversed(RULES.items())}, [L1])
    assert verdict(every, dead, STEPS) == judged(dead, "critic_won")
    assert verdict(every.suited("wgan"), dead, STEPS) == judged(dead, "collapse")


def test_a_trial_that_went_back_is_judged_by_what_came_of_it():
    before = signs(0.9, 0.9, 0.9, 0.9, 0.0, 0.0)
    again = [(500, {"eval/l1": 0.5, "health/spread_b": 0.9}), (600, {"eval/l1": 0.5, "health/spread_b": 0.0})]
    assert judged(before, "collapse") is not None
    assert judged([*before, *again], "collapse") is None
    assert judged([*before, before[-1]], "collapse") == judged(before, "collapse"), "told again after a crash"


def test_the_preset_is_spared_where_it_is_compared_with():
    assert spares(setting=0, settings=2)
    assert not spares(setting=0, settings=1)
    assert not spares(setting=1, settings=2)


def test_what_is_safe_and_what_is_in_force_unasked():
    assert [name for name, rule in RULES.items() if rule.safe] == ["nonfinite", "critic_won", "collapse"]
    assert UNASKED == ("nonfinite",)
    assert [name for name, rule in RULES.items() if not rule.patient] == ["nonfinite"]


def test_the_page_tells_every_rule_and_every_sign():
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in PAGE.splitlines() if row.startswith("| `")]
    told = {row[0].strip("`"): row[1:] for row in rows}
    assert list(told) == [*RULES, *SIGNS]
    for name, rule in RULES.items():
        default = ", ".join(f"{key}: {value:g}" for key, value in rule.thresholds.items())
        assert told[name][:2] == [rule.meaning, f"`{{{default}}}`" if default else ""]
    for name, sign in SIGNS.items():
        assert told[name] == [sign.meaning, sign.unit, sign.unhealthy]
    (example,) = re.findall(r"`(collapse: [^`]*)`", PAGE)
    assert example == str(judged(signs(0.8, 0.6, 0.5, 0.04, 0.04, l1=0.31), "collapse").text)
