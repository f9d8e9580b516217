"""A run's task network: what another sweep trained to read pictures, loaded to judge those of this one."""

from __future__ import annotations

import torch
from torch import nn

from cluster.model_file import CARD, NoModel, read_model
from cluster.run import Run, Task
from data_shards.errors import DataError
from data_shards.store import open_store
from trainers.networks.classifier import Classifier, Regressor, Segmenter
from trainers.system import System
from trainers.systems import classifier, regressor, segmenter
from trainers.task_maps import KINDS

TASK = "task"  # what a system calls it in `frozen` and `starts`
# The system that trained it -> what its network reads in pictures, one of `trainers.outputs.READINGS`.
READS = {
    classifier.Classifier.name: Classifier.output,
    segmenter.Segmenter.name: Segmenter.output,
    regressor.Regressor.name: Regressor.output,
}


def load_task(run: Run) -> nn.Module | None:
    """The run's task network on the CPU, in eval mode and without gradients; None where it has none.

    Raises DataError as `load_network` does.
    """
    return load_network(run.task) if run.task is not None else None


def load_network(task: Task) -> nn.Module:
    """A task network on the CPU, in eval mode and without gradients. Raises DataError where it is gone, damaged, or another one."""
    try:
        card, weights = read_model(open_store(task.uri))
    except (NoModel, FileNotFoundError) as error:
        raise DataError(f"the task network in {task.uri} cannot be read: {error}") from error
    if card["sha256"] != task.sha256:
        raise DataError(f"the task network in {task.uri} changed since the sweep was planned; submit the sweep again")
    mine = {name.removeprefix("network."): tensor for name, tensor in weights.items()}
    try:
        with torch.device("meta"):
            network = KINDS[task.kind](task.channels, task.classes, task.width)
        network.load_state_dict(mine, assign=True)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"the task network in {task.uri} is damaged: {CARD} is of other weights") from error
    return network.eval().requires_grad_(False)


def begin_with_task(system: System, run: Run) -> None:
    """Give the networks of a system at step 0 that come from the run's task network its weights."""
    task = load_task(run)
    if task is None:
        assert TASK not in system.frozen, "the plan refuses to freeze a task network that nobody trained"
        return
    for networks in (system.frozen, system.starts):
        if TASK in networks:
            networks[TASK].load_state_dict(task.state_dict())
