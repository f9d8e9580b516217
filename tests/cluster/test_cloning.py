"""A trial that goes on from another one's checkpoint has that trial's state, to the byte."""

from dataclasses import replace

import pytest

from cluster.checkpoints.cloning import CannotClone, clone
from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.report import Place, Report
from cluster.run import Every, Run
from cluster.saving import NothingGiven
from cluster.training import train
from data_shards.store import open_store
from tests.cluster.checkpointing import flipped, tamper
from trainers.checkpoint import MANIFEST, STATE

PAUSE = 3


def checkpoints(run: Run, attempt: int = 0) -> Checkpoints:
    return Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial), attempt, run.keep)


def trained(run: Run, attempt: int) -> list[Report]:
    """Train until the run has to wait, or is over."""
    told: list[Report] = []

    def tell(report: Report) -> bool:
        told.append(report)
        return report.step not in run.pauses or len(told) == 1

    train(run, Place(attempt=attempt), tell, lambda: None)
    return told


def give(donor: Run, run: Run, step: int = PAUSE, attempt: int = 2) -> None:
    clone(open_store(run.storage), SweepPaths(run.sweep), donor.trial, run.trial, step, attempt)


@pytest.fixture
def pair(run: Run) -> tuple[Run, Run]:
    """Two trials that have come to step 3, where both wait."""
    first = replace(run, steps=6, every=Every(2, 6, 2), pauses=(PAUSE,))
    second = replace(first, trial=1, weights={**run.weights, "cyc_a": 1.0}, hyper={**run.hyper, "lr": 1e-3})
    for one in (first, second):
        waited = trained(one, attempt=1)[-1]
        assert (waited.step, waited.evaluated, waited.outcome) == (PAUSE, True, None)
    return first, second


def test_a_waiting_trial_is_saved_where_it_waits(pair):
    for one in pair:
        assert checkpoints(one).steps() == [2, PAUSE]
    assert checkpoints(pair[0]).load(PAUSE).digest != checkpoints(pair[1]).load(PAUSE).digest


def test_the_clone_has_the_donors_bytes_and_nothing_of_its_own(pair):
    donor, run = pair
    give(donor, run)
    there = checkpoints(run)
    assert there.steps() == [PAUSE]
    assert there.load(PAUSE).digest == checkpoints(donor).load(PAUSE).digest
    give(donor, run)
    assert there.steps() == [PAUSE], "twice is once"


def test_the_clone_trains_as_the_donor_would_with_those_values(pair):
    donor, run = pair
    give(donor, run)
    trained(replace(run, given=PAUSE), attempt=2)
    as_donor = replace(run, trial=0)  # the donor's own checkpoint, the clone's values
    trained(as_donor, attempt=2)
    assert checkpoints(run).load(6).digest == checkpoints(as_donor).load(6).digest


@pytest.mark.parametrize("step", [1, 4])
def test_a_donor_without_that_step_is_no_donor(pair, step):
    donor, run = pair
    with pytest.raises(CannotClone, match=f"^cannot go on from trial 0, which has no checkpoint of step {step}$"):
        give(donor, run, step)
    assert checkpoints(run).steps() == [2, PAUSE], "nothing is lost"


def test_a_damaged_checkpoint_is_not_handed_on(pair):
    donor, run = pair
    found = checkpoints(donor)
    (place,) = [place for place in found.look().valid if place.step == PAUSE]
    tamper(found.store, f"{found.at(place)}/{STATE}", flipped)
    with pytest.raises(CannotClone, match=r"^cannot go on from trial 0: .*state\.safetensors"):
        give(donor, run)
    assert checkpoints(run).steps() == [2, PAUSE]


def test_a_copy_that_was_torn_is_made_again(pair):
    donor, run = pair
    give(donor, run)
    there = checkpoints(run)
    (place,) = there.look().valid
    there.store.delete(f"{there.at(place)}/{MANIFEST}")
    give(donor, run)
    assert there.load(PAUSE).digest == checkpoints(donor).load(PAUSE).digest


def test_a_clone_without_what_it_was_given_does_not_begin_anew(pair):
    donor, run = pair
    give(donor, run)
    there = checkpoints(run)
    (place,) = there.look().valid
    tamper(there.store, f"{there.at(place)}/{STATE}", flipped)
    text = (
        "trial 1 cannot go on: the checkpoint that it was given at step 3 is gone or damaged; "
        "run `i2i-cluster checkpoints verify`"
    )
    with pytest.raises(NothingGiven) as raised:
        trained(replace(run, given=PAUSE), attempt=2)
    assert str(raised.value) == text
