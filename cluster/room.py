"""Out of memory: a step that asks for more than its device has.

An exact run is not tried again, and told what would fit. Another one goes on from its last checkpoint with its replicas' batches
taken in smaller ones, and says so for ever after: that costs time and changes what norms and histories see, and nothing else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from cluster.kinds import kind_of
from cluster.memory import free_memory
from cluster.microbatches import MicroBatches
from cluster.run import Run
from cluster.weigh import Weight, weigh
from trainers.system import Shapes

# How torch says it where it raises a plain RuntimeError: on a CPU, and of libraries that take memory by themselves.
SAID = ("can't allocate memory", "CUDA error: out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
GB = 1e9
WORTH = 0.9  # of what a step takes: what is proposed in its place must take less
LONGEST = 120  # letters of torch's own words


class TooLarge(RuntimeError):
    """A step takes more memory than there is: every attempt at it would."""


class NoRoom(RuntimeError):
    """A step could not have its memory. Its cause is torch's error."""

    def __init__(self, step: int, error: RuntimeError) -> None:
        super().__init__(str(error))
        self.step, self.error = step, error


@dataclass(frozen=True)
class Room:
    """What a device has. whole: bytes in all; ours: those that nobody else holds, this process's own among them. Of a CPU nobody
    tells them apart."""

    whole: int
    ours: int


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch could not have the memory that it asked for."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in SAID)


def room_on(device: torch.device) -> Room:
    """What a device has now."""
    if device.type != "cuda":
        return Room(free_memory(), free_memory())
    free, whole = torch.cuda.mem_get_info(device)
    return Room(whole, free + torch.cuda.memory_reserved(device))


def take_less(run: Run, parts: int, shapes: Shapes, device: torch.device, lack: NoRoom) -> str:
    """What becomes of a run whose step had no room.

    Where it is not exact, it may go on with smaller batches at a time: gives what to tell of that. Raises TooLarge where none
    would do or it must not, and torch's error where others hold the memory that it needs: there will be some when they are done.
    """
    room, own = room_on(device), weigh(_with(run, run.data.replicas * parts), shapes)
    if own and room.ours < own.memory <= room.whole:
        raise lack.error
    said = textwrap.shorten(str(lack), LONGEST, placeholder=" ...")
    what = f"step {lack.step} is out of memory on {device.type}, {_at_once(run, parts)} at a time ({said})"
    if not run.exact:
        for replicas, weight in _smaller(run, shapes, parts):
            if weight is None or weight.memory <= room.whole:
                now = replicas // run.data.replicas
                notice = f"{what}; on with {_at_once(run, now)} at a time, since exact: false allows it"
                MicroBatches.of(run).write(now, notice)
                return notice
    raise TooLarge(f"{what}; {_instead(run, shapes, room, own)}") from lack.error


def _instead(run: Run, shapes: Shapes, room: Room, own: Weight | None) -> str:
    """What would fit and change no bit, or what would be another training."""
    if not (run.recompute or run.compile):
        weight = weigh(replace(run, recompute=True), shapes)
        if weight and own and weight.memory <= min(room.whole, WORTH * own.memory):
            command = f"`i2i-cluster retry {run.sweep} {run.trial} --recompute --storage {run.storage}` goes on with it"
            how = "set it" if run.stage else command
            return f"recompute: true, which takes about {_of(weight, room)}, should fit and changes no bit: {how}"
    for replicas, weight in _smaller(run, shapes) if run.exact else ():
        instead = f"data.replicas: {replicas}"
        if weight is None or own is None:
            return f"{instead} takes less at a time, as another training; so do smaller pictures or networks"
        if weight.memory <= min(room.whole, WORTH * own.memory):
            takes = f"{instead}, which takes about {_of(weight, room)}, should fit"
            return f"{takes}, as another training: set it, or take smaller pictures or networks"
    return "no smaller batch at a time would help: take smaller pictures or networks"


def _smaller(run: Run, shapes: Shapes, parts: int = 1) -> Iterator[tuple[int, Weight | None]]:
    """Numbers of replicas that take the same batch in smaller ones, and what a step of theirs takes; None: nobody can tell."""
    kind, replicas = kind_of(run), 2 * run.data.replicas * parts
    while (each := run.data.batch // replicas) >= kind.fewest() and run.data.batch % replicas == 0:
        if not (kind.even and each % 2):
            yield replicas, weigh(_with(run, replicas), shapes)
        replicas *= 2


def _with(run: Run, replicas: int) -> Run:
    return replace(run, data=replace(run.data, replicas=replicas))


def _of(weight: Weight, room: Room) -> str:
    return f"{weight.memory / GB:.2g} GB of {room.whole / GB:.2g}"


def _at_once(run: Run, parts: int) -> str:
    each = run.data.batch // run.data.replicas // parts
    return "1 sample" if each == 1 else f"{each} samples"
