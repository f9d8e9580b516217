"""Searches whose driver is killed at seeded moments: they end as if nothing had been, or lose nothing where timing decides."""

import random
import shutil
from functools import partial

import pytest

from tests.beds import environment, own_folder, until
from tests.chaos.calm import calm, came_to
from tests.chaos.sweeps import Sweep

pytestmark = pytest.mark.ray
STEPS, EVALUATE, TRIALS = 48, 6, 12
PROGRESS_S, END_S = 120.0, 300.0
SPEC = f"""
name: small
system: pix2pix
data: {{{{uri: "{{shards}}", image: 32, batch: 4, augment: {{{{jitter: 1.0}}}}}}}}
steps: {STEPS}
hyper: {{{{width: 4, critic: patch16, critic_width: 4}}}}
search:
  weights.l1: {{{{log_uniform: [10, 200]}}}}
  hyper.lr: {{{{log_uniform: [1.0e-5, 1.0e-2]}}}}
objective: {{{{metric: eval/ssim, mode: max}}}}
evaluation: {{{{samples: 8}}}}
every: {{{{report: {EVALUATE}, evaluate: {EVALUATE}, checkpoint: {EVALUATE}}}}}
storage: "{{storage}}"
"""
HALVING = f"trials: {TRIALS}\nsearcher: optuna\nscheduler: {{halving: {{grace: 0.125, reduction: 2, bracket: 6}}}}\n"
ASHA = f"trials: {TRIALS}\nsearcher: optuna\nscheduler: {{asha: {{grace: 0.125, reduction: 2}}}}\n"
PBT = "trials: 4\nscheduler: {pbt: {every: 0.25}}\nresources: {cpus_per_worker: 0.5}\n"


@pytest.fixture
def search(tmp_path, pictures):
    """Makes searches over one data set, each on a Ray of its own."""
    made = []

    def make(name, more):
        folder = tmp_path / name
        folder.mkdir()
        sweep = Sweep(folder, environment(own_folder(name)), str(folder / "runs"))
        text = SPEC.format(shards=pictures, storage=sweep.storage) + more
        (folder / "sweep.yaml").write_text(text)
        made.append(sweep)
        return sweep

    yield make
    for sweep in made:
        if sweep.driver is not None:
            sweep.kill()


def finished(sweep):
    """Submit to the end; the state then."""
    sweep.start()
    assert sweep.end(END_S) == 0, sweep.tail()
    return sweep.state()


def killed(sweep, moments):
    """Kill the driver whenever the log has grown by so many records, and submit again; the state at the end."""
    for records in moments:
        wanted = len(sweep.records()) + records
        sweep.start()
        until("the driver gets on", partial(has_come, sweep, wanted), PROGRESS_S, sweep.tail)
        sweep.kill()
    return finished(sweep)


def has_come(sweep, records):
    """Whether the log has so many records, or nobody writes it any more."""
    return len(sweep.records()) >= records or not sweep.driving()


def moments_of(seed, count, records):
    """Seeded numbers of records between kills."""
    return [random.Random(f"{seed}.{i}").randint(3, max(4, records // count)) for i in range(count)]


def clean_up(*sweeps):
    for sweep in sweeps:
        shutil.rmtree(sweep.folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("more", [HALVING, PBT], ids=["halving", "pbt"])
def test_rounds_and_their_decisions_do_not_depend_on_who_was_killed(search, more, seed):
    check_exact(search, more, seed, kills=5)


def test_a_killed_driver_decides_as_it_would_have(search):
    check_exact(search, PBT, seed=10, kills=1)


def check_exact(search, more, seed, kills):
    disturbed = search("disturbed", more)
    expected = calm((disturbed.folder / "sweep.yaml").read_text(), disturbed.folder / "calm")
    found = killed(disturbed, moments_of(seed, kills, expected.records))
    assert came_to(found) == came_to(expected.state)
    assert {index: disturbed.trained(index) for index in found.trials} == expected.digests
    clean_up(disturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_asha_and_optuna_lose_nothing(search, seed):
    check_lossless(search, seed, kills=5)


def test_asha_and_optuna_lose_nothing_by_a_kill(search):
    check_lossless(search, seed=20, kills=1)


def check_lossless(search, seed, kills):
    sweep = search("asha", ASHA)
    state = killed(sweep, moments_of(seed, kills, 90))
    assert sorted(state.trials) == list(range(TRIALS)), "no trial is lost"
    assert all(trial.state in ("done", "stopped") for trial in state.trials.values())
    assert all((trial.step == STEPS) == (trial.state == "done") for trial in state.trials.values())
    decided = [(trial, step) for trial, step, _ in state.order]
    assert len(decided) == len(set(decided)), "nobody is promoted twice"
    ended = [record["trial"] for record in sweep.records() if record["kind"] == "ended"]
    assert sorted(ended) == sorted(state.trials), "each trial ends once"
    after = [
        record
        for trial in state.trials
        for number, record in enumerate(sweep.records())
        if record.get("trial") == trial and record["kind"] == "reported"
        and number > next(n for n, r in enumerate(sweep.records()) if r["kind"] == "ended" and r["trial"] == trial)
    ]  # fmt: skip
    assert after == [], "an ended trial never runs again"
    clean_up(sweep)
