"""Several workers a trial: a Tune trainable that runs a Ray Train worker group and hands its reports on.

A class, not a function: Tune waits for a class's cleanup. Rank 0 waits for the verdict on every report, so no worker runs
ahead of a decision, and a stopped group ends by itself instead of being killed.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from typing import Any

import ray
import ray.train
from ray import tune
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from cluster.run import Run
from cluster.training import Place, Report
from cluster.trial import train_or_tell
from cluster.tune_bridge import ATTEMPT, REPORT, RUN

PEER_TIMEOUT_S = 300  # how long a worker waits for another before it raises
POLL_S = 0.5
GOODBYE_S = 60.0


@ray.remote(num_cpus=0)
class Mailbox:
    """Carries reports from the workers to the trial, and verdicts back in their order."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self._verdicts: asyncio.Queue[bool] = asyncio.Queue()

    async def tell(self, report: Report) -> bool:
        """Post a report and wait for the verdict: whether to go on."""
        await self._reports.put(report)
        return await self._verdicts.get()

    async def next(self, timeout: float) -> Report | None:
        """The next report, or None after `timeout` seconds."""
        try:
            return await asyncio.wait_for(self._reports.get(), timeout)
        except TimeoutError:
            return None

    async def answer(self, go_on: bool) -> None:
        """The verdict on the report that was taken last."""
        await self._verdicts.put(go_on)


def _work(config: dict[str, Any]) -> None:
    """What each worker of the group runs."""
    run = Run.from_json(config[RUN])
    context = ray.train.get_context()
    place = Place(context.get_world_rank(), context.get_world_size(), str(get_device()))

    def tell(report: Report) -> bool:
        return bool(ray.get(config["mailbox"].tell.remote(report)))

    if not train_or_tell(run, place, tell):
        raise RuntimeError("this worker has told why it ends")  # so that its group does not wait for it


class WorkerGroupTrial(tune.Trainable):
    """One trial on a group of workers. `step` hands on one report; the group's end is a result of its own."""

    def setup(self, config: dict[str, Any]) -> None:
        """Remember the run; the group is launched by the first `step`."""
        self._config = config
        self._group: threading.Thread | None = None
        self._failure: list[BaseException] = []
        self._owed = False  # a report was taken and whoever made it waits for its verdict
        self._told = False  # how it ended was reported: what the group says about it is no news

    def step(self) -> dict[str, Any]:
        """The group's next report."""
        if self._group is None:
            self._launch()
        assert self._group is not None
        if self._owed:
            self._mailbox.answer.remote(True)
            self._owed = False
        while True:
            alive = self._group.is_alive()
            report = ray.get(self._mailbox.next.remote(POLL_S))
            if report is not None:
                self._owed = True
                self._told = self._told or report.outcome is not None
                return {REPORT: report}
            if not alive:
                if self._failure and not self._told:
                    raise self._failure[0]
                return {"done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process: nothing of the last one stays."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """End the group: tell its workers to stop, and wait for them."""
        if self._group is None:
            return
        if self._group.is_alive():
            self._mailbox.answer.remote(False)
            self._group.join(GOODBYE_S)
        ray.kill(self._mailbox)
        self._group = None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the workers commit their own checkpoints."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the workers find their own checkpoints."""

    def _launch(self) -> None:
        self._mailbox = Mailbox.remote()  # type: ignore[attr-defined]
        run = Run.from_json(self._config[RUN])
        self._group = threading.Thread(target=self._fit, args=(run, self._mailbox), daemon=True)
        self._group.start()

    def _fit(self, run: Run, mailbox: Any) -> None:
        scaling = ScalingConfig(
            num_workers=run.workers,
            use_gpu=self._config["gpus_per_worker"] > 0,
            resources_per_worker=_bundle(self._config),
        )
        with tempfile.TemporaryDirectory(prefix="i2i-train-") as scratch:
            trainer = TorchTrainer(
                _work,
                train_loop_config={RUN: self._config[RUN], "mailbox": mailbox},
                torch_config=TorchConfig(timeout_s=PEER_TIMEOUT_S),
                scaling_config=scaling,
                run_config=RunConfig(
                    name=f"{run.sweep}-{run.trial:04d}-{self._config[ATTEMPT]}",
                    storage_path=scratch,
                    failure_config=FailureConfig(max_failures=0),  # retries are counted in one place: the conductor
                ),
            )
            try:
                trainer.fit()
            except (ray.train.TrainingFailedError, ray.exceptions.RayError) as error:
                self._failure.append(error)


def _bundle(config: dict[str, Any]) -> dict[str, float]:
    bundle = {"CPU": config["cpus_per_worker"]}
    return bundle | ({"GPU": config["gpus_per_worker"]} if config["gpus_per_worker"] > 0 else {})
