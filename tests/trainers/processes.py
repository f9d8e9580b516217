"""Bare processes in a gloo group, for tests: they start at once, answer through pipes, and are killed for real.

One server process imports torch and is forked from then on, so that a group costs milliseconds and not seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist

DEADLINE = 120.0  # seconds: of an answer that will come, on a busy machine
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "torch._dynamo", "tests.trainers.worlds"])  # optimizers need dynamo

Job = Callable[..., None]  # job(pipe, rank, workers, *arguments)


def _worker(
    job: Job, pipe: Connection, rank: int, workers: int, meet: str, timeout: float, arguments: Sequence[Any]
) -> None:
    torch.set_num_threads(1)
    if workers > 1:
        dist.init_process_group(
            "gloo", init_method=meet, rank=rank, world_size=workers, timeout=timedelta(seconds=timeout)
        )
        dist.barrier()  # nobody may be gone again while another has still to connect
    job(pipe, rank, workers, *arguments)
    # A library's thread that is still there when statics are destroyed would now and then abort the process.
    os._exit(0)


class Processes:
    """`workers` processes of a job. At the end of the `with` block those that are left are killed."""

    def __init__(self, job: Job, workers: int, *arguments: Any, timeout: float = DEADLINE) -> None:
        self._folder = tempfile.TemporaryDirectory()
        meet = f"file://{self._folder.name}/rendezvous"
        self.pipes: list[Connection] = []
        self._processes = []
        for rank in range(workers):
            ours, theirs = CONTEXT.Pipe()
            of_worker = (job, theirs, rank, workers, meet, timeout, arguments)
            process = CONTEXT.Process(target=_worker, args=of_worker, daemon=True)
            process.start()
            theirs.close()  # or a process that died would leave us waiting for its answer
            self.pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill(range(len(self._processes)))
        self._folder.cleanup()

    def answer(self, rank: int = 0) -> Any:
        """The next thing that a process says. Raises EOFError where it ended, AssertionError where it says nothing."""
        assert self.pipes[rank].poll(DEADLINE), f"rank {rank} has said nothing for {DEADLINE:g} s"
        return self.pipes[rank].recv()

    def answers(self) -> list[Any]:
        """The next thing that each of them says."""
        return [self.answer(rank) for rank in range(len(self.pipes))]

    def signal(self, rank: int, number: int) -> None:
        """Send a signal to a process that has not been waited for."""
        pid = self._processes[rank].pid
        assert pid is not None
        os.kill(pid, number)

    def kill(self, ranks: Sequence[int]) -> list[int | None]:
        """kill -9, in this order, of those that still live; then wait for all of these. Returns their exit codes."""
        for rank in ranks:
            if self._processes[rank].exitcode is None:
                self.signal(rank, signal.SIGKILL)
        for rank in ranks:
            self._processes[rank].join()
        return [self._processes[rank].exitcode for rank in ranks]
