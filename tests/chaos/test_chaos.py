"""Sweeps that lose workers, nodes, their own processes and their driver, again and again: they end as if nothing had been."""

import pytest

from tests.beds import raylets, until
from tests.chaos.disturbing import KINDS, Disturber, drawn
from tests.chaos.sweeps import Sweep, breaches

pytestmark = pytest.mark.ray
TRIALS, NODES = 2, 2
TIMES = 1  # of each kind, in the quick tests
SLOW_SEEDS = range(1, 11)
EVER = 1000  # failures that the budget allows: the tests are not about it
CLEAN_S = 60.0
END_S = 240.0
# A node has room for one worker: a trial is spread over both, and the trials run one after the other ...
ALONE = f"resources: {{workers: 2, cpus_per_worker: 1}}\nbudget: {{failures: {EVER}}}\n"
# ... or they run together, each on what there is.
TOGETHER = ALONE.replace("workers: 2", "workers: [1, 2]")


def survive(seed, times, more, folder, pictures, wanted, record_property):
    """Run the sweep, kill `times` of each kind at moments of this seed, and check everything that was promised."""
    with raylets(NODES, cpus=1.0) as bed:
        sweep = Sweep(folder, bed.env, str(folder / "runs"))
        sweep.write(pictures, TRIALS, more)
        sweep.start()
        disturber = Disturber(bed, sweep)
        try:
            for kill in drawn(seed, times):
                disturber.disturb(kill)
            assert sweep.end(END_S) == 0, sweep.tail()
        finally:
            record_property("moments", disturber.told())
            print(f"seed {seed}:", *disturber.moments, sep="\n")
            sweep.kill()
        assert breaches(sweep.records(), TRIALS) == []
        assert sweep.digests(TRIALS) == wanted
        assert [moment.kind for moment in disturber.moments] == [kill.kind for kill in drawn(seed, times)]
        until("nothing is left behind", lambda: not bed.leftovers(), CLEAN_S, lambda: "\n".join(bed.leftovers()))


def test_a_sweep_survives_the_death_of_each_of_its_processes(tmp_path, pictures, wanted, record_property):
    survive(0, TIMES, ALONE, tmp_path, pictures, wanted, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_a_sweep_survives_twenty_of_each(seed, tmp_path, pictures, wanted, record_property):
    survive(seed, 2, TOGETHER if seed % 2 else ALONE, tmp_path, pictures, wanted, record_property)


def test_a_seed_says_what_is_killed():
    kills = drawn(7, TIMES)
    assert kills == drawn(7, TIMES) != drawn(8, TIMES)
    assert sorted(kill.kind for kill in kills) == sorted(KINDS * TIMES)
