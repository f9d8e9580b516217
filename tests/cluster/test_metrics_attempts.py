"""What is exported of sweeps whose driver is killed after any record: counted as if nobody had died."""

import math

import pytest

from cluster.log.records import read_records
from cluster.log.store import read_log
from cluster.monitoring import series as s
from cluster.monitoring.fold import Fold
from cluster.monitoring.series import Kind
from tests.cluster.conducting import PATHS
from tests.cluster.running import Runner
from tests.cluster.test_rounds import JOBS

pytestmark = pytest.mark.usefixtures("disk")  # thousands of records


def followed(sweep):
    """The fold of a sweep's log, and that at no record of it a counter of the sweep went back."""
    fold = Fold()
    before: dict[tuple[str, tuple[str, ...]], float] = {}
    for record in read_records(read_log(sweep.store, PATHS)):
        fold.apply(record)
        kinds = ((series, labels, value) for series, labels, value in fold.samples() if series.kind is Kind.counter)
        now = {(series.name, labels): value for series, labels, value in kinds if not series.of_trial}
        assert not [key for key, value in before.items() if now.get(key, -math.inf) < value]
        before = now
    return fold, before


@pytest.mark.parametrize("kind", JOBS)
def test_every_counter_is_that_of_a_sweep_that_nobody_killed(kind, make_sweep):
    whole = make_sweep()
    Runner(whole, **JOBS[kind])
    _, expected = followed(whole)
    records = len(list(read_records(read_log(whole.store, PATHS))))
    assert expected[s.SWEEP_STEPS.name, ()] == sum(trial.step for trial in whole.logged().trials.values())
    own = {s.DRIVERS.name, s.RESTARTED.name}  # these tell of the driver's death
    for dies_at in range(0, records, 5):
        sweep = make_sweep()
        assert Runner(sweep, dies_at=dies_at, **JOBS[kind]).attempt()
        fold, found = followed(sweep)
        told = {key: value for key, value in found.items() if key[0] not in own and "seconds" not in key[0]}
        assert told == {key: expected[key] for key in told}, dies_at
        assert found[s.DRIVERS.name, ()] == fold.state.attempt == 2
