"""What checkpoints cost: time of a save and of a restore, the training's share, and memory.

    python -m benchmarks.checkpoint [--rounds 7] [--json]

The state is that of CycleGAN at 64 pixels with the preset's widths after one step, about 250 MB. A save (two SHA-256 hashes,
two files, both made durable) is compared with the library's plain `save_file` of the same tensors, made durable too; a
restore with `load_file` into memory, which checks nothing. The training's share is what its thread loses in the snapshot and
in handing it over, in the interval that a run of the quickstart's length has by default. That the cores are busy with hashing
meanwhile is not in it: the steps during which one is written are timed beside it. Memory is the growth of a process's peak
resident size from before the snapshot until the checkpoint is committed, over the size of the state.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.cases import Case
from benchmarks.fresh import fresh
from benchmarks.measure import (
    Finding,
    Watch,
    conditions,
    interleave,
    parser,
    quartiles,
    ratio,
    show,
    unfit,
    wait_for_quiet,
)
from cluster.checkpoints.committer import Committer
from cluster.checkpoints.folder import Checkpoints
from data_shards.store import FolderStore, open_store
from tests.seaweed import BUCKET, seaweedfs
from trainers.engine import Engine
from trainers.state import named_state

CASE = Case("cyclegan", {}, image=64, batch=1)
SHARE, MEMORY = 1.0, 1.2  # targets: percent of the time, sizes of the state
INTERVAL = 150  # steps: a tenth of the quickstart's
ABOUT = {"evaluation": {"eval/l1": 0.25}, "train_seconds": 1.5}
FOLDER = "checkpoints"
BLOCK = 4  # steps timed at once


def snapshot(engine: Engine) -> Mapping[str, Tensor]:
    """The whole state of an engine on one worker."""
    state = named_state(engine)
    assert state is not None
    return state


def save_and_restore(state: Mapping[str, Tensor], rounds: int) -> list[Finding]:
    """Ours against the library's, in turns, in one folder."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        checkpoints = Checkpoints(FolderStore(Path(name)), FOLDER)
        plain = Path(name, "plain.safetensors")

        def saved_plainly() -> None:
            save_file(dict(state), plain)
            handle = os.open(plain, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)

        sides = {
            "save": _timed(lambda: checkpoints.save(state, 1, ABOUT)),
            "plain save": _timed(saved_plainly),
            "restore": _timed(lambda: checkpoints.load(1)),
            "plain restore": _timed(lambda: load_file(plain, backend="pread")),
        }
        sides["save"](), sides["plain save"]()
        watch = Watch()
        found = {side: times[1:] for side, times in interleave(sides, rounds + 1).items()}
    size = sum(tensor.nbytes for tensor in state.values())
    each = ", ".join(f"{side} {statistics.median(times):.2f} s" for side, times in found.items())
    note = f"{size / 1e6:.0f} MB: {each}; others kept {watch.others():.2f} cores busy"
    return [
        ratio("save / plain", found["save"], found["plain save"], target=None, at_least=False, note=note),
        ratio("restore / plain", found["restore"], found["plain restore"], target=None, at_least=False),
    ]


def training_share(engine: Engine, rounds: int) -> list[Finding]:
    """The part of a training's time that goes to checkpoints."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        committer = Committer(Checkpoints(FolderStore(Path(name)), FOLDER))
        handing: list[float] = []

        def hand_over() -> None:
            began = time.perf_counter()
            assert committer.commit(snapshot(engine), engine.t, ABOUT)
            handing.append(time.perf_counter() - began)

        def steps(checkpoint: bool) -> float:
            committer.wait()
            began = time.perf_counter()
            if checkpoint:
                hand_over()
            for _ in range(BLOCK):
                engine.step()
            return time.perf_counter() - began

        steps(True)
        watch = Watch()
        handing.clear()
        found = interleave({"without": lambda: steps(False), "with": lambda: steps(True)}, rounds)
        others = watch.others()
        committer.close()
        assert not committer.take_failures()
    step = statistics.median(found["without"]) / BLOCK
    interval = INTERVAL * step
    extra = [w - o for w, o in zip(found["with"], found["without"], strict=True)]
    note = (
        f"{statistics.median(handing):.2f} s every {INTERVAL} steps of {step:.2f} s; the steps during which one is written"
        f" take {statistics.median(extra) - statistics.median(handing):.2f} s more; others kept {others:.2f} cores busy"
    )
    return [
        _share("training's share", handing, interval, SHARE, note, unfit(others)),
        _share("training's share, all told", extra, interval, None, "", ""),
    ]


def extra_memory(uri: str) -> float:
    """Bytes by which the peak of this process grows through a snapshot and its commit to `uri`, over those of the state."""
    torch.set_num_threads(1)
    engine = CASE.engine()
    engine.step()
    open_store(uri).list("")  # its libraries are loaded before anything is measured
    committer = Committer(Checkpoints(open_store(uri), FOLDER))
    committer.commit({"first": torch.zeros(1)}, 1, ABOUT)
    committer.wait()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what it is now
    before = _status("VmHWM")
    state = snapshot(engine)
    size = sum(tensor.nbytes for tensor in state.values())
    committer.commit(state, 2, ABOUT)
    committer.close()
    assert not committer.take_failures()
    return (_status("VmHWM") - before) / size


def _status(name: str) -> int:
    """A size of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _timed(act: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    return run


def _share(name: str, lost: Sequence[float], interval: float, target: float | None, note: str, problem: str) -> Finding:
    """The seconds lost once in each interval, as percent of the time that both take."""
    found = [100 * seconds / (interval + seconds) for seconds in lost]
    low, high = quartiles(found)
    middle = statistics.median(found)
    return Finding(
        name, middle, low, high, len(found), target, at_least=False, unit="percent", note=note, unfit=problem
    )


def memory() -> list[Finding]:
    """Extra memory of a save to a folder and to S3, each in a process of its own."""
    findings = []
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name, seaweedfs(Path(name, "s3")) as server:
        os.environ.update(server.env)
        for kind, uri in (("folder", name), ("S3", server.uri(BUCKET))):
            found = fresh(extra_memory, uri)
            findings.append(Finding(f"memory, {kind}", found, found, found, 1, MEMORY, at_least=False, unit="states"))
    return findings


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=7)
    asked = options.parse_args()
    where = conditions()
    torch.set_num_threads(1)
    engine = CASE.engine()
    engine.step()
    wait_for_quiet(asked.wait)
    findings = [*save_and_restore(snapshot(engine), asked.rounds), *training_share(engine, asked.rounds), *memory()]
    show(findings, where, asked.json)


if __name__ == "__main__":
    main()
