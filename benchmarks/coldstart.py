"""What stands before the first batch, and what an index costs: seconds and memory, each in processes of their own.

    python -m benchmarks.coldstart [--rounds 5] [--rows 1000000] [--shards 1000] [--json]

Figures here are seconds and megabytes, not ratios: they are what somebody waits for. The first batch: from the address to
the first batch of every replica, libraries loaded before, with one shard and with many (of 250 pictures of 64 pixels
each), on a local disk that has just written them, and from SeaweedFS on the same machine with an empty cache. The index:
a manifest of a million pictures, 500,000 pairs in 1,000 shards. Memory is the growth of the process over one with a
manifest of 1,000. The epoch: photographs of 256 pixels with the default augmentation, 16 MiB of memory for decoded ones.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.fresh import epoch, first_batch, fresh, index
from benchmarks.measure import Finding, Watch, conditions, interleave, parser, quartiles, show, wait_for_quiet
from benchmarks.pictures import SIDE, Photographs, photographs
from benchmarks.shards import write_index, write_shards
from data_shards.build.publish import publish
from data_shards.manifest import Manifest
from data_shards.store import open_store
from tests.seaweed import BUCKET, Seaweed, seaweedfs

OPEN_SECONDS, INDEX_MB, EPOCH_MB = 0.2, 150.0, 10.0  # at most
SMALL, EACH = 64, 250  # pixels a side of a picture, pictures in a shard
PICTURES = 1999  # different ones; no divisor of EACH, or shards would be equal
FEW_ROWS = 1000
LANES = 16
STAGES = ("open", "join", "source", "draw", "next use", "later draw")  # of `index`


def finding(name: str, values: Sequence[float], unit: str, target: float | None = None, note: str = "") -> Finding:
    """The median of some seconds or megabytes; where there is a target, less is better."""
    low, high = quartiles(values)
    return Finding(
        name, statistics.median(values), low, high, len(values), target, at_least=False, unit=unit, note=note
    )


def of_index(folder: Path, rows: int, shards: int, rounds: int) -> list[Finding]:
    """Opening, joining and the first draw of a large manifest."""
    large, small = write_index(folder / "large", rows, shards), write_index(folder / "small", FEW_ROWS, 10)
    found = interleave({"large": partial(fresh, index, large), "small": partial(fresh, index, small)}, rounds)
    what = f"index of {rows:,} pictures"

    def seconds(stage: str, target: float | None = None, note: str = "") -> Finding:
        return finding(f"{what}, {stage}", [run[stage] for run in found["large"]], "s", target, note)

    def megabytes(stage: str, target: float | None = None) -> Finding:
        grown = [more[stage] - less[stage] for more, less in zip(found["large"], found["small"], strict=True)]
        return finding(f"{what}, after {stage.removesuffix(' MB')}", grown, "MB", target)

    few = ", ".join(f"{stage} {1000 * statistics.median(r[stage] for r in found['small']):.1f} ms" for stage in STAGES)
    return [
        seconds("open", OPEN_SECONDS, note=f"with {FEW_ROWS:,} pictures: {few}"),
        *(seconds(stage) for stage in STAGES[1:]),
        megabytes("open MB", INDEX_MB),
        megabytes("join MB"),
        megabytes("draw MB"),
    ]


def of_first_batch(folder: Path, server: Seaweed, shards: int, rounds: int) -> list[Finding]:
    """One shard and many, here and in the object store, read by one replica and by many."""
    pictures = list(photographs(PICTURES, SMALL))
    places: dict[str, tuple[str, int]] = {}
    for count in (1, shards):
        local = write_shards(folder / f"shards-{count}", pictures, SMALL, count, EACH)
        remote = server.uri(f"{BUCKET}/shards-{count}")
        publish(Manifest.open(local), open_store(remote), lambda done, total: None)
        named = "1 shard" if count == 1 else f"{count:,} shards"
        places |= {f"{named}, local": (local, 1), f"{named}, S3": (remote, 1)}
    places |= {f"{named}, S3, {LANES} replicas": (remote, LANES)}

    def run(uri: str, replicas: int) -> Mapping[str, float]:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            return fresh(first_batch, uri, SMALL, replicas, cache)

    found = interleave({name: partial(run, *place) for name, place in places.items()}, rounds)
    return [
        finding(
            f"first batch, {name}",
            [run["first"] for run in runs],
            "s",
            note=f"of it opening the manifest {statistics.median(run['open'] for run in runs):.3f} s; "
            f"fetched {runs[0]['bytes'] / 1e6:.1f} MB",
        )
        for name, runs in found.items()
    ]


def of_epoch(folder: Path, pictures: int) -> Finding:
    """How much a process grows between a tenth of an epoch and its end."""
    data = Photographs.make(folder / "epoch", pictures)
    sizes = fresh(epoch, data.shards, SIDE)
    note = f"{pictures:,} pictures; {sizes['tenth']:.1f} MB after a tenth, {sizes['end']:.1f} MB at the end"
    return finding("growth over an epoch", [sizes["end"] - sizes["tenth"]], "MB", EPOCH_MB, note)


def measure(rounds: int, rows: int, shards: int, pictures: int, wait: float) -> list[Finding]:
    """Everything, one after another."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name, seaweedfs(Path(name) / "seaweed") as server:
        os.environ.update(server.env)
        before, watch = wait_for_quiet(wait), Watch()
        found = of_index(Path(name), rows, shards, rounds)
        found += of_first_batch(Path(name), server, shards, rounds)
        found.append(of_epoch(Path(name), pictures))
        others = watch.others()  # the processes that were measured are gone, and count as others
        print(f"cores kept busy: {before:.2f} before, {others:.2f} meanwhile, these included", file=sys.stderr)
    return found


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rows", type=int, default=1_000_000, help="pictures in the index; even")
    options.add_argument("--shards", type=int, default=1000)
    options.add_argument("--pictures", type=int, default=4000, help="of the epoch")
    asked = options.parse_args()
    where = conditions()
    show(measure(asked.rounds, asked.rows, asked.shards, asked.pictures, asked.wait), where, asked.json)


if __name__ == "__main__":
    main()
