"""Trials that failed are tried again once their fault is mended, to the bytes that they would have come to; no other is touched."""

import json
from pathlib import Path

import pytest

from tests.chaos.calm import came_to

pytestmark = pytest.mark.ray
TRIALS = 3
CAUSE = "FileExistsError: [Errno 17] File exists: '{}' (failed 2 times: 2 x a worker died; budget.failures is 1)"


def test_one_by_its_number_and_the_rest_of_those_that_failed(joined):
    sweep = joined("small", "budget: {failures: 1}\n", trials=TRIALS)
    expected = sweep.alone()
    places = sweep.put_in_the_way(trials=(1, 2))
    assert sweep.run() == 0, sweep.tail()
    found = json.loads(sweep.told("results", "small", "-o", "json"))
    assert {trial["index"]: trial["error"] for trial in found["trials"]} == {
        0: None,
        **{trial: CAUSE.format(place) for trial, place in places.items()},
    }

    for trial, command in ((1, ("retry", "small", 1)), (2, ("resume", "small", "--failed-only"))):
        places[trial].unlink()
        records, files = len(sweep.records()), files_of(sweep)
        assert sweep.run(*command, "--storage", sweep.storage) == 0, sweep.tail()
        new = sweep.records()[records:]
        assert {record["trial"] for record in new if "trial" in record} == {trial}
        changed = {path for path, what in files_of(sweep).items() if files.get(path) != what}
        assert {path.split("/")[2] for path in changed if "/trials/" in path} == {f"{trial:04d}"}
        assert sweep.state().trials[trial].state == "done"
    assert came_to(sweep.state()) == came_to(expected.state)
    assert sweep.all_trained() == expected.digests


def files_of(sweep):
    """Path in the storage -> when it was written, and how long it is."""
    root = Path(sweep.storage)
    every = {path: path.stat() for path in root.rglob("*") if path.is_file()}
    return {str(path.relative_to(root)): (seen.st_mtime_ns, seen.st_size) for path, seen in every.items()}
