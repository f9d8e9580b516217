"""Out of memory: a step that asks for more than its device has.

An exact run is not tried again, and told what would fit. Another one goes on from its last checkpoint with its replicas' batches
taken in smaller ones, and says so for ever after: that costs time and changes what norms and histories see, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from cluster.kinds import kind_of
from cluster.layout import SweepPaths
from cluster.memory import free_memory
from cluster.run import Run
from cluster.weigh import Weight, weigh
from data_shards.store import Store, open_store
from trainers.system import Shapes

OF_CPU = "can't allocate memory"  # torch raises a plain RuntimeError there
GB = 1e9


class TooLarge(RuntimeError):
    """A step takes more memory than there is: every attempt at it would."""


@dataclass(frozen=True)
class Smaller:
    """The run is to go on from its last checkpoint, with smaller batches at a time."""

    notice: str


@dataclass(frozen=True)
class Room:
    """What a device has. whole: bytes in all; ours: those that nobody else holds, this process's own among them."""

    whole: int
    ours: int


@dataclass(frozen=True)
class MicroBatches:
    """Into how many parts a trial's replicas take their batches since a step had no room. Kept in the storage, so that every
    later attempt goes by it, wherever it runs."""

    store: Store
    path: str

    @staticmethod
    def of(run: Run) -> MicroBatches:
        """Those of a run."""
        return MicroBatches(open_store(run.storage), SweepPaths(run.sweep).micro_batches(run.trial))

    def parts(self) -> int:
        """1 where nothing was ever too large."""
        return int(json.loads(self.store.read(self.path))["parts"]) if self.store.exists(self.path) else 1

    def write(self, parts: int, why: str) -> None:
        """From the next attempt on."""
        self.store.write(self.path, json.dumps({"parts": parts, "why": why}).encode())


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch could not have the memory that it asked for."""
    return isinstance(error, torch.OutOfMemoryError) or OF_CPU in str(error)


def room_on(device: torch.device) -> Room:
    """What a device has now."""
    if device.type != "cuda":
        return Room(free_memory(), free_memory())
    free, whole = torch.cuda.mem_get_info(device)
    return Room(whole, free + torch.cuda.memory_reserved(device))


def take_less(run: Run, parts: int, step: int, shapes: Shapes, device: torch.device, error: RuntimeError) -> Smaller:
    """What becomes of a run whose step had no room: `error` says so.

    Where it is not exact, its next attempt takes smaller batches at a time. Raises TooLarge where none would do or it must not,
    and `error` where others hold the memory that it needs: there will be some when they are done.
    """
    room = room_on(device)
    said = str(error).strip().partition("\n")[0].partition(". ")[0]
    what = f"step {step} is out of memory on {device.type}, {_at_once(run, parts)} at a time ({said})"
    if run.exact:
        own = weigh(run, shapes)
        if own and room.ours < own.memory <= room.whole:
            raise error
        raise _too_large(run, shapes, room, what) from error
    for replicas, weight in _smaller(run, shapes, parts):
        if weight is None or weight.memory <= room.whole:
            now = replicas // run.data.replicas
            notice = f"{what}; on with {_at_once(run, now)} at a time, since exact: false allows it"
            MicroBatches.of(run).write(now, notice)
            return Smaller(notice)
    raise TooLarge(f"{what}; fewer would not fit either: take smaller pictures or networks") from error


def _too_large(run: Run, shapes: Shapes, room: Room, what: str) -> TooLarge:
    """What to tell of an exact run: what would fit and change no bit, or what would be another training."""
    if not (run.recompute or run.compile):
        weight = weigh(replace(run, recompute=True), shapes)
        if weight and weight.memory <= room.whole:
            takes = f"recompute: true, which takes at most {weight.memory / GB:.2g} GB of {room.whole / GB:.2g}"
            how = "set it" if run.stage else f"`i2i-cluster retry {run.sweep} {run.trial} --recompute` goes on with it"
            return TooLarge(f"{what}; {takes}, would fit and changes no bit: {how}")
    for replicas, weight in _smaller(run, shapes):
        instead = f"data.replicas: {replicas}"
        if weight is None:
            return TooLarge(
                f"{what}; {instead} takes less at a time, as another training; so do smaller pictures or networks"
            )
        if weight.memory <= room.whole:
            takes = f"{instead}, which takes at most {weight.memory / GB:.2g} GB of {room.whole / GB:.2g}"
            return TooLarge(
                f"{what}; {takes}, would fit, as another training: set it, or take smaller pictures or networks"
            )
    return TooLarge(f"{what}; no number of replicas would fit: take smaller pictures, networks or batches")


def _smaller(run: Run, shapes: Shapes, parts: int = 1) -> Iterator[tuple[int, Weight | None]]:
    """Numbers of replicas that take the same batch in smaller ones, and what a step of theirs takes; None: nobody can tell."""
    kind, replicas = kind_of(run), 2 * run.data.replicas * parts
    while (each := run.data.batch // replicas) >= kind.fewest() and run.data.batch % replicas == 0:
        if not (kind.even and each % 2):
            yield replicas, weigh(replace(run, data=replace(run.data, replicas=replicas)), shapes)
        replicas *= 2


def _at_once(run: Run, parts: int) -> str:
    each = run.data.batch // run.data.replicas // parts
    return "1 sample" if each == 1 else f"{each} samples"
