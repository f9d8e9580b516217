"""Out of memory: a trial that asks for more than its device has is not tried again, and is told what would fit.

Replicas are taken one after another by a worker, and add up to the same batch. So more of them take less memory at a time and the
same steps; but each norms and pools its own samples, so it is another training, and nobody else decides that.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from cluster.memory import free_memory
from cluster.run import Run
from cluster.weigh import weigh
from trainers.system import Shapes

OF_CPU = "can't allocate memory"  # torch raises a plain RuntimeError there
GB = 1e9


class TooLarge(RuntimeError):
    """A step takes more memory than there is: every attempt at it would."""


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch could not have the memory that it asked for."""
    return isinstance(error, torch.OutOfMemoryError) or OF_CPU in str(error)


def too_large(run: Run, shapes: Shapes, step: int, device: torch.device, error: RuntimeError, least: int) -> TooLarge:
    """What to tell of a step that had no room. least: samples that the system needs in a replica."""
    said = str(error).strip().partition("\n")[0].partition(". ")[0]
    each = run.data.batch // run.data.replicas
    at_once = "1 sample" if each == 1 else f"{each} samples"
    problem = f"step {step} is out of memory on {device.type}, {at_once} at a time ({said})"
    room = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else free_memory()
    found = replicas_that_fit(run, shapes, room, least)
    if found is None:
        return TooLarge(f"{problem}; no number of replicas would fit: take smaller pictures, networks or batches")
    replicas, memory = found
    now = f"data.replicas: {replicas}, which takes at most {memory / GB:.2g} GB of {room / GB:.2g}"
    return TooLarge(f"{problem}; {now}, would fit, as another training: set it, or take smaller pictures or networks")


def replicas_that_fit(run: Run, shapes: Shapes, room: int, least: int) -> tuple[int, int] | None:
    """The next number of replicas whose step takes no more than `room` bytes, and what it takes at most; None where none does,
    or nobody can tell."""
    replicas = 2 * run.data.replicas
    while run.data.batch % replicas == 0 and run.data.batch // replicas >= least:
        weight = weigh(replace(run, data=replace(run.data, replicas=replicas)), shapes)
        if weight is None:
            return None
        if weight.memory <= room:
            return replicas, weight.memory
        replicas *= 2
    return None
