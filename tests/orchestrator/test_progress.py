"""What a person sees while a sweep runs: how much is to go at most, and in a pipe a line for each event."""

import io

import pytest
from rich.console import Console

from orchestrator.running.progress import Progress, eta_seconds
from orchestrator.running.sweeps import remaining_steps
from orchestrator.tables import PIPE_WIDTH
from tests.orchestrator.unrun import STEPS, Log

SEARCH = "search: {weights.cyc: {log_uniform: [1, 30]}}\nobjective: {metric: eval/l1}\ntrials: 3\nsteps: 400\n"


@pytest.fixture
def told(planned, capsys):
    """told(log): the lines that a pipe gets while these records are written."""

    def tell(log, more=""):
        progress = Progress(planned(SEARCH + more), Console(file=io.StringIO(), width=PIPE_WIDTH))
        state = type(log.state)()
        for record in log.records:
            state.apply(record)
            progress.observe(state)
        return capsys.readouterr().out.splitlines()

    return tell


@pytest.fixture
def rendered(planned):
    """rendered(log): the live table of a terminal."""

    def render(log, more=""):
        sink = io.StringIO()
        console = Console(file=sink, width=140, force_terminal=True, color_system=None)
        progress = Progress(planned(SEARCH + more), console)
        progress.observe(log.state)
        console.print(progress._render())
        return sink.getvalue()

    return render


def test_who_stopped_a_trial_is_told_with_the_reason(told):
    log = Log().trial([0.5], "stopped", by="asha", why="not among the better ones at step 100")
    log.trial([0.5], "stopped", by="collapse", why="collapse: all alike").trial([0.5], "failed", error="it broke")
    assert told(log) == [
        "trial 0  running  step 0/400",
        "trial 0  running  step 100/400  eval/l1 0.5",
        "trial 0  stopped  step 100/400  eval/l1 0.5  asha: not among the better ones at step 100",
        "trial 1  running  step 0/400",
        "trial 1  running  step 100/400  eval/l1 0.5",
        "trial 1  stopped  step 100/400  eval/l1 0.5  collapse: all alike",
        "trial 2  running  step 0/400",
        "trial 2  running  step 100/400  eval/l1 0.5",
        "trial 2  failed  step 100/400  eval/l1 0.5  it broke",
    ]


def test_to_wait_for_others_is_no_news_and_to_go_on_from_one_is(told):
    log = Log().trial([0.5], "running").trial([0.4], "running")
    log._add("decided", trial=0, step=100, value=0.5, action="pause")
    assert told(log.clone(0, 1, 100, **{"weights.cyc": 12.0}).evaluated(0, 200, 0.3)) == [
        "trial 0  running  step 0/400",
        "trial 0  running  step 100/400  eval/l1 0.5",
        "trial 1  running  step 0/400",
        "trial 1  running  step 100/400  eval/l1 0.4",
        "trial 0  goes on from trial 1 at step 100",
        "trial 0  running  step 200/400  eval/l1 0.3",
    ]


def test_a_trial_that_waits_for_others_is_shown_as_such(rendered):
    log = Log().trial([0.5], "running")
    log._add("decided", trial=0, step=100, value=0.5, action="pause")
    assert "paused" in rendered(log)


def test_the_best_keeps_the_constraints(rendered):
    limit = {"constraints": ["eval/ssim >= 0.5"]}
    log = Log(**limit).trial({100: {"eval/l1": 0.5, "eval/ssim": 0.6}}).trial({100: {"eval/l1": 0.1, "eval/ssim": 0.1}})
    assert "2 of 3 trials" in rendered(log)
    assert "best: trial 0, 0.5" in rendered(log)


def test_seeds_and_finalists_are_trainings_to_come(rendered):
    log = Log(trials=3, seeds=2, finalists={"settings": 1, "seeds": 4}).seeds(0, [0.5, 0.4])
    assert "2 of 14 trials" in rendered(log)


def test_what_is_left_counts_those_that_wait():
    log = Log().trial([0.5] * 4).trial([0.5], "running").trial([0.5], "stopped").trial({}, "pending")
    state = log.state
    assert remaining_steps(state, 6, STEPS) == 300 + 400 + 2 * 400
    state.trials[1].state = "paused"
    assert remaining_steps(state, 6, STEPS) == 1500
    assert eta_seconds(state, 6, STEPS, 4, 2) is None, "until a rate is known"
    state.trials[1].state, state.trials[1].latest = "running", {"time/images_per_second": 20.0}
    assert eta_seconds(state, 6, STEPS, 4, 2) == 1500 / (5 * 2)
