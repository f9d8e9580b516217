"""What a running trial's log says of its health: the course of its score, its critics, and warnings in words."""

import math

import pytest

from cluster.log.records import SweepState, TrialState
from cluster.stopping import ACCURACY
from orchestrator.running.health import course, critics, spark, warnings
from tests.orchestrator.logs import METRIC, PATHS, about, opened, started, suggested
from trainers.health import SPREAD

PLAYING = {"weight/adv": 1.0, METRIC: 0.5}


def state(**more):
    return SweepState(about=about(gan="lsgan", **more))


def trial(*evaluations, params=None, **latest):
    """One with these evaluations, at steps 10, 20, ..."""
    history = [(10 * (i + 1), {**PLAYING, **metrics}) for i, metrics in enumerate(evaluations)]
    return TrialState(
        2, params or {}, history=history, latest={name.replace("__", "/"): v for name, v in latest.items()}
    )


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0.5], "▄"),
        ([1, 1, 1], "▄▄▄"),
        ([0, 1], "▁█"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([0, math.nan, 7], "▁·█"),
        ([math.nan, math.inf], "··"),
    ],
)
def test_a_course_is_a_line_of_bars(values, line):
    assert spark(values) == line


def test_the_course_is_that_of_the_last_evaluations():
    found = trial(*({METRIC: float(i)} for i in range(30)))
    assert course(found, METRIC) == [float(i) for i in range(18, 30)]
    assert all(map(math.isnan, course(found, "eval/other")))


def test_a_healthy_trial_has_no_warning():
    found = trial(*({METRIC: i / 10, f"{ACCURACY}d": 0.8, f"{SPREAD}b": 0.9} for i in range(8)))
    assert warnings(state(), found, 5.0) == {}


def test_a_critic_that_wins_is_told_though_nobody_asked_for_the_rule():
    won = trial(*({f"{ACCURACY}d": 1.0} for _ in range(8)), balance__accuracy_d=1.0)
    assert list(warnings(state(), won)) == ["critic_won", "no_gain"]
    assert warnings(state(), won)["critic_won"].startswith("critic_won: the accuracy of d was above 0.98")
    assert critics(won) == {"d": 1.0}


def test_a_critic_without_a_boundary_is_not_judged():
    won = trial(*({f"{ACCURACY}d": 1.0} for _ in range(8)))
    assert "critic_won" not in warnings(SweepState(about=about(gan="wgan")), won)
    searched = trial(*({f"{ACCURACY}d": 1.0} for _ in range(8)), params={"hyper.gan": "wgan"})
    assert "critic_won" not in warnings(state(), searched), "the trial's own setting counts"
    assert "critic_won" not in warnings(SweepState(about=about()), won), "an older log does not say"


def test_outputs_that_are_all_alike_are_told():
    found = trial(*({f"{SPREAD}b": 0.01} for _ in range(6)))
    assert "collapse" in warnings(state(), found)


def test_starving_and_silence_are_told():
    assert warnings(state(), trial({}, time__data_wait_share=0.45), 700.0) == {
        "data": "waits for data 45 % of its time: more resources.cpus_per_worker, or data.cache",
        "silence": "not heard of for 11m40s",
    }


def evaluated(index, step, at, **metrics):
    seen = {**PLAYING, **{name.replace("__", "/"): value for name, value in metrics.items()}}
    return at, "reported", {"trial": index, "step": step, "metrics": seen, "evaluated": True}


def dying(log):
    """A trial whose critic is always right, up to step 40 of 100."""
    log.add(opened(gan="lsgan"), suggested(0), started(0))
    return log.add(*(evaluated(0, step, step, balance__accuracy_d=1.0) for step in (10, 20, 30, 40)))


def test_status_shows_what_is_wrong(log, run):
    dying(log)
    with log.driven():
        code, out, err = run("status", PATHS.id, "--storage", log.store.uri)
    assert (code, err) == (0, "")
    heading, row = (line.split() for line in out.partition("Running\n")[2].splitlines()[:2])
    assert heading[-5:] == [METRIC, "course", "critics", "right", "weights.l1"]
    assert row[-5:] == ["0.5", "▄▄▄▄", "d", "1.00", "100"]
    warned = [" ".join(line.split()) for line in out.partition("Warnings\n")[2].splitlines()]
    assert warned[0] == "trial what"
    assert warned[1].startswith("0 critic_won: the accuracy of d was above 0.98")


def test_watch_says_a_warning_once_in_a_pipe(log, driver, run):
    log.add(opened(gan="lsgan"), suggested(0), started(0))
    driver(
        lambda: log.add(*(evaluated(0, step, step, balance__accuracy_d=1.0) for step in (10, 20, 30, 40))),
        lambda: log.add(evaluated(0, 50, 50, balance__accuracy_d=1.0)),
    )
    _, out, _ = run("watch", PATHS.id, "--storage", log.store.uri)
    assert out.count("trial 0  warning: critic_won: the accuracy of d was above 0.98") == 1
