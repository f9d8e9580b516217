"""How much of the time is spent waiting for data that comes from S3: in a training, and at the pace of a fast device.

    python -m benchmarks.wait [--seconds 60] [--pace 1000] [--json]

The data lie in SeaweedFS on the same machine, and the cache is empty at the start. First CycleGAN at 64 pixels as the
product trains it, `cluster.training.train` on one worker: the preset with batch 1, and small networks with batch 4, which
want data four times as often; photographs of 256 pixels are decoded and scaled down. On a CPU no training is fast enough
to meet a second window of shards. So, second, a reader that takes batches of 16 at a given pace and sleeps in between, as
if a GPU computed: small pictures in many small shards, so that windows change several times. The share counts from the
first report, or the first batch, on: what stands before it is in `benchmarks.coldstart`.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases import SEED
from benchmarks.measure import Finding, Watch, conditions, parser, show, wait_for_quiet
from benchmarks.pictures import Photographs, photographs
from benchmarks.shards import write_shards
from cluster.report import Place, Report
from cluster.run import Data, Every, Run
from cluster.training import train
from data_shards.build.publish import publish
from data_shards.cache.shards import ShardCache
from data_shards.counters import COUNTS, since
from data_shards.manifest import Manifest
from data_shards.shelf import Shards
from data_shards.store import open_store
from data_shards.stream import Stream
from tests.seaweed import BUCKET, Seaweed, seaweedfs
from trainers.settings import Balance
from trainers.systems.catalog import SYSTEMS

TARGET = 0.02  # of the time, at most
IMAGE = 64
PICTURES = 4000  # photographs a side: two shards; more than a CPU trains on in a few minutes
SMALL_SHARDS, EACH = 120, 101  # pictures of 64 pixels in a shard
BATCH = 16
REPORTS = 10
KINDS: Mapping[str, tuple[Mapping[str, Any], int]] = {
    "preset": ({}, 1),
    "small": ({"width": 16, "blocks": 3, "critic_width": 16}, 4),
}
CACHE_BYTES = 2 << 30


def cyclegan(uri: str, folder: Path, hyper: Mapping[str, Any], batch: int, steps: int) -> Run:
    """A run of CycleGAN at its preset but for `hyper`."""
    kind = SYSTEMS["cyclegan"]
    manifest = Manifest.open(uri)
    return Run(
        sweep="wait",
        trial=0,
        seed=SEED,
        system=kind.name,
        hyper=dataclasses.asdict(kind.Hyper(**hyper)),
        weights={term.name: term.weight for term in kind.terms},
        balance=dataclasses.asdict(Balance()),
        data=Data(
            uri,
            manifest.sha256,
            IMAGE,
            batch,
            replicas=1,
            flip=True,
            jitter=286 / 256,
            memory_bytes=0,
            cache_folder=str(folder / "cache"),
            cache_bytes=CACHE_BYTES,
        ),
        steps=steps,
        every=Every(report=max(1, steps // REPORTS), evaluate=steps, checkpoint=steps),
        workers=1,
        threads=1,
        precision="fp32",
        layout="contiguous",
        exact=True,
        on_nonfinite="stop",
        storage=str(folder / "runs"),
    )


def reports(run: Run) -> list[Report]:
    """What the training told."""
    told: list[Report] = []

    def tell(report: Report) -> bool:
        told.append(report)
        return True

    train(run, Place(), tell, lambda: None)
    return told


def trained(uri: str, folder: Path, kind: str, seconds: float) -> Finding:
    """The share of waiting in a training of about so many seconds."""
    hyper, batch = KINDS[kind]
    probe = reports(cyclegan(uri, folder / "probe", hyper, batch, steps=REPORTS))
    pace = probe[-1].metrics["time/train_seconds"] - probe[0].metrics["time/train_seconds"]
    steps = max(2 * REPORTS, round(seconds / pace * (REPORTS - 1)))
    watch = Watch()
    told = reports(cyclegan(uri, folder / "timed", hyper, batch, steps))
    first, last = told[0].metrics, told[-2].metrics  # the evaluation is in the last one's time
    taken = last["time/train_seconds"] - first["time/train_seconds"]
    waited = last.get("data/wait_seconds", 0.0) - first.get("data/wait_seconds", 0.0)
    made = told[-2].step - told[0].step
    note = (
        f"{waited:.3f} s of {taken:.1f} s in {made} steps of batch {batch}, {taken / made:.2f} s each; before them, with "
        f"the first shards, {first.get('data/wait_seconds', 0.0):.2f} s; others kept {watch.others():.2f} cores busy"
    )
    return finding(f"waiting, CycleGAN, {kind}", waited / taken, note)


def paced(uri: str, folder: Path, pace: float) -> Finding:
    """The share of waiting of a reader that wants `pace` pictures a second, over one epoch and a half."""

    def shards(manifest: Manifest, next_use: Callable[[str], float]) -> Shards:
        return ShardCache(folder, CACHE_BYTES, manifest.store, manifest.shards, manifest.etags, next_use)

    manifest, interval = Manifest.open(uri), BATCH / pace
    with Stream(
        manifest,
        sources={"a": ("a",)},
        image=IMAGE,
        batch=BATCH,
        replicas=1,
        seed=SEED,
        augment=None,
        hosted=[0],
        shards=shards,
        memory_bytes=0,
    ) as stream:
        stream.read("a", 0, 0)
        before, watch, began = COUNTS.snapshot(), Watch(), time.monotonic()
        draws = 3 * stream.size("a") // (2 * BATCH)
        for draw in range(1, draws + 1):
            time.sleep(interval)  # however late the batch before was: a device computes after it has its data
            stream.read("a", draw, 0)
        taken, counted = time.monotonic() - began, since(before)
    waited = counted.get("wait_seconds", 0.0)
    note = (
        f"{waited:.3f} s of {taken:.1f} s; {draws * BATCH / taken:,.0f} pictures a second; in that time "
        f"{counted.get('bytes', 0.0) / 1e6:.0f} MB were fetched, {counted.get('cache_ahead', 0.0):.0f} shards ahead and "
        f"{counted.get('cache_misses', 0.0) + counted.get('cache_waits', 0.0):.0f} when they were opened; others kept "
        f"{watch.others():.2f} cores busy, the server included"
    )
    return finding(f"waiting, {pace:,.0f} pictures a second wanted", waited / taken, note)


def finding(name: str, share: float, note: str) -> Finding:
    """One run's share of waiting."""
    return Finding(name, share, share, share, 1, TARGET, at_least=False, note=note)


def measure(seconds: float, pace: float, wait: float) -> list[Finding]:
    """Everything, one after another."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name, seaweedfs(Path(name) / "seaweed") as server:
        os.environ.update(server.env)
        folder = Path(name)
        # Both sides of an unpaired task, so that there is something to translate to.
        large = uploaded(server, Photographs.make(folder / "large", PICTURES, others=PICTURES).shards, "large")
        pictures = list(photographs(1999, IMAGE))
        small = uploaded(server, write_shards(folder / "small", pictures, IMAGE, SMALL_SHARDS, EACH), "small")
        wait_for_quiet(wait)
        found = [trained(large, folder / kind, kind, seconds) for kind in KINDS]
        return [*found, paced(small, folder / "cache", pace)]


def uploaded(server: Seaweed, local: str, name: str) -> str:
    """The address of a copy in the object store."""
    uri = server.uri(f"{BUCKET}/{name}")
    publish(Manifest.open(local), open_store(uri), lambda done, total: None)
    return uri


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=60.0, help="of each training")
    options.add_argument("--pace", type=float, default=1000.0, help="pictures a second that the fast reader wants")
    asked = options.parse_args()
    where = conditions()
    show(measure(asked.seconds, asked.pace, asked.wait), where, asked.json)


if __name__ == "__main__":
    main()
