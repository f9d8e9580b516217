"""What binds first at 8, 64 and 512 GPUs, and with a petabyte of shards: a model on paper, printed as docs/scale.md has it.

    python -m benchmarks.scale [--step 0.3] [--picture-kb 30] [--network-gbit 100] [--put-ms 30]

Nothing runs. The constants below were measured, each by the command beside it, or are said to be assumed; the rest is
multiplication. `docs/scale.md` tells what follows.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

MB, GB = 1e6, 1e9

# Measured (docs/performance.md has conditions and commands).
GRADIENTS = 113 * MB  # of a CycleGAN of the paper's widths: 2 x 11.378 M + 2 x 2.765 M numbers of 4 bytes
STATE = 3 * GRADIENTS  # of a checkpoint: weights and Adam's two moments; pools and streams are small beside them
RECORD = 370  # bytes of an event in the log, with a dozen losses (benchmarks.log)
DRIVER, DRIVER_TRIAL = 430 * MB, 0.08 * MB  # peak resident memory, with 20 trials and for each more (benchmarks.many)
GROUP_ON_HEAD = (
    705 * MB
)  # a trial of several workers: what watches over it (269), its mailbox (64), its controller (257, 115)
WORKER = (
    385 * MB
)  # a worker's process on a CPU, networks aside (proportional set sizes of a sweep of two trials x two workers)
INDEX = 144  # bytes of memory for each picture of a data set, in every worker (benchmarks.coldstart)
BLOCK = 8 * 2**20  # bytes of a request for a part of a shard

# The sweep file's defaults.
REPORTS_PER_STEP, CHECKPOINTS_PER_RUN, KEPT = 1 / 100, 10, 3
STEPS = 100_000  # of a training; assumed


@dataclass(frozen=True)
class Machine:
    """What is assumed of a cluster. step_s: seconds of a step on one GPU at `batch` pictures of each of two domains."""

    step_s: float
    batch: int
    picture: float  # bytes, encoded
    network: float  # bytes a second into and out of a node
    put_s: float  # of one conditional put
    node_gpus: int = 8


@dataclass(frozen=True)
class Load:
    """What `trials` of `workers` GPUs each ask for, all at once."""

    trials: int
    workers: int
    machine: Machine

    @property
    def exchange_s(self) -> float:
        """Seconds a step for gradients, where a trial is larger than a node.

        Ranks of a node are neighbours, so the first levels of the tree, which carry most, stay inside it, and each GPU has
        1/8 of the sums left for the network. All GPUs of the node share its link. What NVLink takes is left out.
        """
        inside = self.machine.node_gpus
        if self.workers <= inside:
            return 0.0
        return 2 * (1 / inside - 1 / self.workers) * GRADIENTS * inside / self.machine.network

    @property
    def step_s(self) -> float:
        """Seconds of a step: nothing of the exchange is hidden behind the backward pass."""
        return self.machine.step_s + self.exchange_s

    @property
    def rows(self) -> Mapping[str, str]:
        """The figures of the table."""
        gpus = self.trials * self.workers
        drawn = gpus * 2 * self.machine.batch / self.step_s
        records = self.trials * REPORTS_PER_STEP / self.step_s
        head = DRIVER + self.trials * (DRIVER_TRIAL + (GROUP_ON_HEAD if self.workers > 1 else 0))
        written = self.trials * STATE / (STEPS / CHECKPOINTS_PER_RUN * self.step_s)
        return {
            "GPUs": f"{gpus}",
            "as": f"{self.trials} x {self.workers}",
            "exchange / step": f"{self.exchange_s / self.step_s:.0%}",
            "pictures/s": f"{drawn:,.0f}",
            "from S3": f"{drawn * self.machine.picture / MB:,.0f} MB/s, {drawn * self.machine.picture / BLOCK:,.1f} GET/s",
            "log": f"{records:.2g} records/s, {records * self.machine.put_s:.0%} of one writer",
            "head": f"{head / GB:.1f} GB",
            "checkpoints": f"{written / MB:,.1f} MB/s, {self.trials * STATE * KEPT / GB:,.0f} GB kept",
        }


def shapes(machine: Machine) -> list[Load]:
    """One training on all GPUs, one trial a node, one trial a GPU."""
    return [
        Load(trials, workers, machine)
        for gpus in (8, 64, 512)
        for trials, workers in {(1, gpus): 0, (gpus // 8, 8): 0, (gpus, 1): 0}
    ]


def table(rows: list[Mapping[str, str]]) -> str:
    """As Markdown."""
    head = "| " + " | ".join(rows[0]) + " |"
    return "\n".join([head, "| --- " * len(rows[0]) + "|", *("| " + " | ".join(row.values()) + " |" for row in rows)])


def index_table(picture: float) -> str:
    """Memory of the index, by the size of the data set, for pictures of two sizes."""
    rows = list[Mapping[str, str]]()
    for total in (1e12, 1e14, 1e15):
        row = {"shards": f"{total / 1e12:,.0f} TB"}
        for size in (picture, 5 * MB):
            pictures = total / size
            row[f"pictures of {size / 1e3:,.0f} kB"] = (
                f"{pictures:,.1g} pictures, {pictures * INDEX / GB:,.1f} GB a worker"
            )
        rows.append(row)
    return table(rows)


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--step", type=float, default=0.3, help="seconds of a step on one GPU")
    options.add_argument("--batch", type=int, default=1, help="pictures of each domain a step and GPU")
    options.add_argument("--picture-kb", type=float, default=30.0)
    options.add_argument("--network-gbit", type=float, default=100.0, help="of a node")
    options.add_argument("--put-ms", type=float, default=30.0)
    asked = options.parse_args()
    machine = Machine(asked.step, asked.batch, asked.picture_kb * 1e3, asked.network_gbit * 1e9 / 8, asked.put_ms / 1e3)
    print(table([load.rows for load in shapes(machine)]))
    print()
    print(index_table(machine.picture))


if __name__ == "__main__":
    main()
