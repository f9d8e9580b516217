"""A run on as many workers as there is room for: it goes on with fewer, and with more, and nobody sees it in its bits."""

from pathlib import Path

import pytest

from tests.beds import WORKER, raylets, until
from tests.chaos.sweeps import STEPS, Sweep, reported, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.slow]  # five minutes on a busy machine; a quick one is in tests/cluster
LONG = 4000  # steps: the run must last until it has shrunk and grown
EVERY = 100
ELASTIC = "resources: {workers: [1, 2], cpus_per_worker: 1}\n"
SOON_S = 150.0


def write(sweep: Sweep, pictures: Path, more: str = "") -> None:
    """The sweep file, of a long run with few evaluations."""
    sweep.write(pictures, 1, more)
    file = sweep.folder / "sweep.yaml"
    text = file.read_text().replace(f"steps: {STEPS}", f"steps: {LONG}")
    before, _, after = text.partition("every:")
    every = f"every: {{report: 20, evaluate: {LONG}, checkpoint: {EVERY}}}\n"
    file.write_text(before + every + after.partition("\n")[2])


def sizes(sweep: Sweep) -> list[int]:
    """The numbers of workers of the run's reports, repetitions left out."""
    found: list[int] = []
    for record in reported(sweep.records(), 0):
        size = int(record["metrics"]["resources/workers"])
        if found[-1:] != [size]:
            found.append(size)
    return found


def test_a_run_shrinks_and_grows_with_its_cluster(tmp_path, pictures):
    alone = tmp_path / "alone"
    alone.mkdir()
    calm = Sweep(alone, {}, str(alone / "runs"))
    write(calm, pictures)
    with raylets(2, cpus=1.0) as bed:
        sweep = Sweep(tmp_path, bed.env, str(tmp_path / "runs"))
        write(sweep, pictures, ELASTIC)
        sweep.start()
        try:
            until("two workers", lambda: sizes(sweep) == [2] and sweep.committed(0), SOON_S, sweep.tail)
            lost = next(node for pid in bed.pids(WORKER) if (node := bed.node_of(pid)) is not None)
            bed.kill_raylet(lost)
            until("one worker", lambda: sizes(sweep) == [2, 1], SOON_S, sweep.tail)
            bed.add_node()
            until("two workers again", lambda: sizes(sweep) == [2, 1, 2], SOON_S, sweep.tail)
            assert sweep.end(SOON_S) == 0, sweep.tail()
        finally:
            sweep.kill()
    records = sweep.records()
    ends = [number for number, record in enumerate(records) if record["kind"] in ("failed", "resize")]
    assert [records[number]["kind"] for number in ends] == ["failed", "resize"]
    notices = [record["text"] for record in records if record["kind"] == "noticed"]
    assert any(" with 1 of 2 workers" in text for text in notices), notices
    assert any(" with 2 of 2 workers" in text for text in notices), notices
    last = max(record["step"] for record in reported(records[: ends[1]], 0))
    first = min(record["step"] for record in reported(records[ends[1] :], 0))
    assert first > last, "it saved before it grew: no step was done twice"
    assert sweep.digests(1) == undisturbed(calm, 1)
