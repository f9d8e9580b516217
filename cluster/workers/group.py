"""One launch of a run on a fixed number of workers: a Ray Train group in a thread, and the mailbox to talk to it.

Ray Train starts and ends processes here, nothing else: it retries nothing, resizes nothing and stores nothing. Its storage is the
memory of its own process, so that nothing is left on a disk when it is killed.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from typing import Any

# Read by the processes that call Ray Train, and handed on to those that it starts; what the user has set stands.
os.environ.update(
    {
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",  # a group's controller looks for dead workers this often
        "RAY_TRAIN_ENABLE_STATE_TRACKING": "0",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # see preemption.py: one process less to start
        "RAY_TRAIN_METRICS_ENABLED": "0",
    }
    | dict(os.environ)
)

import pyarrow.fs
import ray
import ray.train
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from ray.exceptions import RayActorError, RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, get_device
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback

from cluster.report import Place, Report
from cluster.run import Run
from cluster.tune_bridge import RUN
from cluster.workers.connection import Connection
from cluster.workers.mailbox import Member, open_mailbox
from cluster.workers.nodes import this_node
from cluster.workers.trial import train_or_tell

PEER_SPARE_S = 60.0  # a worker waits for another so much longer than for itself: watchdogs know more about the cause
GOODBYE_S = 60.0
SHORT_S = 0.05  # long enough for a report that is there already
MAILBOX, START = "mailbox", "start"
ABANDONED = 87  # the exit code of a worker whose trial is gone


class Group:
    """Workers of one launch. The workers' reports are waited for and answered one by one."""

    def __init__(self, config: dict[str, Any], start: int, size: int, name: str) -> None:
        """Launch `size` workers as the trial's start number `start`; `name` must differ from those of all other launches."""
        self.size, self.start = size, start
        # Why it ended; None once it ended well.
        self.failure: Exception | None = RuntimeError("its trainer failed, see the trial's log")
        self.members: dict[int, Member] = {}  # as far as they are known here
        self._owed = False  # whoever made the last report waits for its verdict
        self._mailbox = open_mailbox()
        arguments = {RUN: config[RUN], START: start, MAILBOX: self._mailbox}
        trainer = _Trainer(
            _work,
            train_loop_config=arguments,
            torch_config=Connection(
                timeout_s=int(Run.from_json(config[RUN]).stall + PEER_SPARE_S), interface=config["interface"]
            ),
            scaling_config=ScalingConfig(
                num_workers=size,
                use_gpu=config["gpus_per_worker"] > 0,
                resources_per_worker=bundle(config),
                placement_strategy=config["placement"].upper(),
            ),
            run_config=RunConfig(
                name=name,
                storage_path="i2i",
                storage_filesystem=pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(MemoryFileSystem())),
                failure_config=FailureConfig(  # type: ignore[call-arg]
                    max_failures=0, controller_failure_limit=0, max_preemption_failures=0
                ),
            ),
        )
        self._thread = threading.Thread(target=self._fit, args=(trainer,), name=name, daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the group is starting, training or ending."""
        return self._thread.is_alive()

    def next(self, timeout: float) -> Report | None:
        """The next report, or None where none came within `timeout` seconds. Raises RayActorError without a mailbox."""
        assert not self._owed, "one report is answered before the next is taken"
        report: Report | None = ray.get(self._mailbox.next.remote(timeout))
        self._owed = report is not None
        if len(self.members) < self.size:
            self.members = ray.get(self._mailbox.members.remote())
        return report

    def answer(self, go_on: bool) -> None:
        """The verdict on the last report, where it has none yet."""
        if self._owed:
            self._mailbox.answer.remote(go_on)
            self._owed = False

    def ask(self, why: str) -> None:
        """Ask the workers to save and end."""
        self._mailbox.wish.remote(why)

    def finish(self) -> None:
        """Let the workers that have told how it ends end by themselves; what they still tell is no news."""
        deadline = time.monotonic() + GOODBYE_S
        try:
            while self.is_alive() and time.monotonic() < deadline:
                self.answer(True)
                self.next(SHORT_S)
        except RayActorError:
            pass
        self.end()

    def end(self) -> None:
        """Tell the workers to stop and wait for them; those that do not are left without a mailbox, which ends them."""
        if self.is_alive():
            self._mailbox.answer.remote(False)
            self._owed = False
            self._thread.join(GOODBYE_S)
        ray.kill(self._mailbox)
        self._thread.join(GOODBYE_S)

    def _fit(self, trainer: TorchTrainer) -> None:
        try:
            trainer.fit()
            self.failure = None
        except (ray.train.TrainingFailedError, RayError) as error:
            self.failure = error
        self._mailbox.stir.remote()


class _Trainer(TorchTrainer):
    """A trainer that starts no processes but the workers and those it needs to watch over them.

    By itself it also starts one for Ray's data sets, and one that outlives it to clean up: see `nodes.remove_orphans`.
    """

    def _create_default_callbacks(self) -> list[Any]:
        callbacks: list[Any] = super()._create_default_callbacks()  # type: ignore[misc]
        return [c for c in callbacks if not isinstance(c, DatasetsCallback | PlacementGroupCleanerCallback)]


def bundle(config: dict[str, Any]) -> dict[str, float]:
    """What one worker takes."""
    taken = {"CPU": config["cpus_per_worker"]}
    return taken | ({"GPU": config["gpus_per_worker"]} if config["gpus_per_worker"] > 0 else {})


def _work(config: dict[str, Any]) -> None:
    """What each worker of the group runs."""
    context, mailbox = ray.train.get_context(), config[MAILBOX]
    rank = context.get_world_rank()
    place = Place(rank, context.get_world_size(), str(get_device()), config[START])
    ray.get(mailbox.join.remote(Member(rank, this_node(), platform.node(), os.getpid())))
    wishes: list[str] = []
    threading.Thread(target=_listen, args=(mailbox, wishes), name="wishes", daemon=True).start()

    def tell(report: Report) -> bool:
        return bool(ray.get(mailbox.tell.remote(report)))

    if not train_or_tell(Run.from_json(config[RUN]), place, tell, lambda: wishes[0] if wishes else None):
        raise RuntimeError("this worker has told why it ends")  # so that its group does not wait for it


def _listen(mailbox: Any, wishes: list[str]) -> None:
    """Wait for the trial's wish. A worker that cannot be told anything ends: nobody would hear of what it does."""
    try:
        wishes.append(ray.get(mailbox.wished.remote()))
    except RayActorError:
        os._exit(ABANDONED)
