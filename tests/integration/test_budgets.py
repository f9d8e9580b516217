"""One sweep without an end, which each of its budgets stops in turn, and which the next submit takes up again with another one.

What is not real is the GPU that the cost is of: Ray is told of two that are not there, and the trials train on the CPU.
"""

import json

import pytest

from cluster.log.records import SweepState
from tests.beds import TRIAL, kill, raylets, until
from tests.chaos.sweeps import reported
from tests.integration.joining import CPUS, END_S

pytestmark = pytest.mark.ray
TRIALS = (0, 1)
REPORT = 5  # steps
HOUR, MORE_S, PRICE = 3600.0, 6.0, 50.0
PROGRESS_S = 120.0


@pytest.fixture
def bed():
    with raylets(1, cpus=CPUS, gpus=len(TRIALS)) as running:
        yield running


def test_each_stops_the_sweep_at_once_and_the_next_submit_goes_on(bed, joined):
    first = "budget: {failures: 0}\nresources: {gpus_per_worker: 0}\n"
    sweep = joined("small", first, steps=1_000_000, trials=len(TRIALS), evaluate=50)
    sweep.start()
    until("all train", lambda: all(list(reported(sweep.records(), t)) for t in TRIALS), PROGRESS_S, sweep.tail)
    kill_each(bed, sweep)
    assert sweep.end(END_S) == 1, sweep.tail()
    assert "every trial failed" in sweep.output()
    for trial in results(sweep)["trials"]:
        assert trial["error"].endswith("(failed 1 times: 1 x a worker died; budget.failures is 0)")

    hours = held_hours(sweep.state()) + MORE_S / HOUR
    run_out(sweep, f"cpu_hours: {hours!r}", lambda state, _: held_hours(state) >= hours, f" of {hours:.4g} are spent")

    cost = (held_hours(sweep.state()) + MORE_S / HOUR) * PRICE
    budget = f"cost: {cost!r}, price_per_gpu_hour: {PRICE}"
    run_out(sweep, budget, lambda state, _: held_hours(state) * PRICE >= cost, f" of {cost:.4g} are spent", gpus=1)

    for wall in (10, 40, 160):  # a busy machine may need the first ones to start the processes
        before = steps(sweep)
        run_out(sweep, f"wall: {wall}s", lambda state, opened: state.changed >= opened + wall, f"has had its {wall} s")  # noqa: B023
        if steps(sweep) != before:
            return
    pytest.fail(f"it never trained\n{sweep.tail()}")


def kill_each(bed, sweep):
    """kill -9 of each trial's process; a look may come while one of them changes its title, and miss it."""
    killed: set[int] = set()

    def look():
        for pid in set(bed.pids(TRIAL)) - killed:
            kill(pid)
            killed.add(pid)
        return len(killed) == len(TRIALS)

    until("each trial's process is killed", look, PROGRESS_S, sweep.tail)


def run_out(sweep, budget, is_spent, ending, gpus=0):
    """Submit with that budget: the sweep goes on where it was, and stops as soon as `is_spent` holds, everything saved.

    is_spent: of a state and the time of the submit.
    """
    name, before, first = budget.partition(":")[0], steps(sweep), len(sweep.records())
    sweep.write_more(f"budget: {{{budget}}}\nresources: {{gpus_per_worker: {gpus}}}\n")
    assert sweep.run() == 0, sweep.tail()
    assert (found := results(sweep))["state"] == "stopped"
    assert found["reason"].startswith(f"budget.{name}: ") and found["reason"].endswith(ending)
    assert found["reason"] in sweep.told("status", "small")

    state, known, begun = SweepState(), dict[int, int](), dict[int, int]()
    for number, record in enumerate(sweep.records()):
        state.apply(record)
        if record["kind"] == "opened":
            opened = state.changed
        if number < first or record["kind"] != "reported":
            continue
        begun.setdefault(record["trial"], record["step"])
        if not known and is_spent(state, opened):
            known = steps(sweep, state)
    after = steps(sweep)
    assert known or name == "wall"
    for trial in TRIALS:
        assert sweep.committed(trial) == after[trial], "what was reported last is saved"
        assert before[trial] <= begun.get(trial, before[trial]) <= before[trial] + REPORT, "it went on where it was"
        # One report may have been on its way already, and the step after it is the last.
        assert after[trial] <= known.get(trial, after[trial]) + REPORT + 1


def results(sweep):
    return json.loads(sweep.told("results", "small", "-o", "json"))


def steps(sweep, state=None):
    """How far each trial is: by a state of the log, or else as it is saved."""
    return {t: state.trials[t].step if state else sweep.committed(t) for t in TRIALS}


def held_hours(state):
    """For how long the trials have held their one worker."""
    return sum(trial.seconds for trial in state.trials.values()) / HOUR
