"""Two sweeps on one Ray cluster with too little room for either: each ends as it does alone, and gives back what it had."""

import pytest

from tests.beds import until
from tests.chaos.calm import came_to
from tests.integration.joining import END_S

# Slow: on a busy machine a worker group that waits for its room has been seen to give up its start, and then to wait for ever.
pytestmark = [pytest.mark.ray, pytest.mark.slow]
CLEAN_S = 60.0


def test_both_end_as_alone_and_nobody_drives_one_twice(bed, joined):
    narrow = joined("narrow", trials=4)  # of one CPU each, of which there are two
    twin = joined("twin", storage=narrow.storage, trials=4)
    wide = joined("wide", "resources: {workers: 2, cpus_per_worker: 1}\n", trials=2)  # each needs both at once
    for sweep in (narrow, wide, twin):
        sweep.start()
    alone = [narrow.alone(), wide.alone()]
    assert wide.end(END_S) == 0, wide.tail()
    codes = [narrow.end(END_S), twin.end(END_S)]
    assert sorted(codes) == [0, 2], narrow.tail() + twin.tail()
    drove, refused = (narrow, twin) if codes == [0, 2] else (twin, narrow)
    busy = f"error: this sweep is already being run by process {drove.driver.pid}; wait for it, or stop it first"
    assert refused.output().splitlines()[-1] == busy
    for sweep, expected in zip((narrow, wide), alone, strict=True):
        assert {trial.state for trial in sweep.state().trials.values()} == {"done"}
        assert came_to(sweep.state()) == came_to(expected.state)
        assert sweep.all_trained() == expected.digests
    assert [record["kind"] for record in narrow.records()].count("opened") == 1
    until("nothing is left behind", lambda: not bed.leftovers(), CLEAN_S, lambda: "\n".join(bed.leftovers()))
