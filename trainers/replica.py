"""What a step sees of the world: one replica's batches, its image pools and its critics' turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from trainers.pool import Pool
from trainers.settings import Reads
from trainers.system import Player

# (source, draw, replica) -> domain -> uint8 [N,H,W,C], and where a system reads labels `classes(domain)` -> int64 [N],
# `attributes(domain)` -> bool [N,attributes] or `texts(domain)` -> int64 [N,words]: a pure function, so that draws can be
# repeated and read ahead
Read = Callable[[str, int, int], Mapping[str, np.ndarray]]


def classes(domain: str) -> str:
    """The name of a domain's classes in a batch."""
    return f"{domain}.class"


def attributes(domain: str) -> str:
    """The name of a domain's attributes in a batch."""
    return f"{domain}.attributes"


def texts(domain: str) -> str:
    """The name of the words of a domain's texts in a batch: a number from 1 for each word, then zeros."""
    return f"{domain}.text"


def to_device(values: np.ndarray, device: torch.device) -> Tensor:
    """The same values on the device. To a GPU they go by way of pinned memory, so that the copy runs beside what it computes;
    torch keeps that memory, and gives none of it out again before the copy is over."""
    here = torch.from_numpy(np.ascontiguousarray(values))
    return here.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else here.to(device)


def to_images(pixels: np.ndarray, device: torch.device, layout: torch.memory_format) -> Tensor:
    """uint8 `[N,H,W,C]` in [0, 255] -> float `[N,C,H,W]` in [-1, 1] on the device; bytes travel, floats do not."""
    moved = to_device(pixels, device).permute(0, 3, 1, 2)
    return moved.to(torch.float32, memory_format=layout).div_(127.5).sub_(1.0)


@dataclass
class HostedReplica:
    """A replica on this worker. `drawn` counts this step's draws per source; the engine commits them at its end."""

    index: int
    reads: Reads
    read: Read
    device: torch.device
    layout: torch.memory_format
    pools: dict[str, Pool]
    base: Mapping[str, int]
    turns_of: Mapping[str, int]
    drawn: dict[str, int] = field(default_factory=dict)

    def draw(self, domain: str) -> Tensor:
        """The next batch of an unpaired domain: `[N,C,H,W]` in [-1, 1]."""
        assert not self.reads.paired, "a paired system draws pairs: replica.draw_pair()"
        return self._images(self._next(domain), domain)

    def draw_pair(self) -> tuple[Tensor, ...]:
        """The next batch of the paired source, one tensor per domain."""
        assert self.reads.paired, "an unpaired system draws by domain: replica.draw('a')"
        batch = self._next("".join(self.reads.domains))
        return tuple(self._images(batch, domain) for domain in self.reads.domains)

    def draw_labelled(self, domain: str) -> tuple[Tensor, Tensor]:
        """The next batch of an unpaired domain and its labels: classes, int64 `[N]`, attributes, bool `[N,attributes]`,
        or the words of texts, int64 `[N,words]`."""
        assert not self.reads.paired, "a paired system draws pairs: replica.draw_labelled_pair()"
        batch = self._next(domain)
        return self._images(batch, domain), self._labels(batch, domain)

    def draw_labelled_pair(self) -> tuple[Tensor, ...]:
        """The next batch of the paired source, one tensor per domain; then the labels of each that has some."""
        assert self.reads.paired, "an unpaired system draws by domain: replica.draw_labelled('a')"
        batch = self._next("".join(self.reads.domains))
        images = [self._images(batch, domain) for domain in self.reads.domains]
        reads = self.reads
        return (*images, *(self._labels(batch, d) for d in (*reads.labelled, *reads.attributed, *reads.captioned)))

    def _next(self, source: str) -> Mapping[str, np.ndarray]:
        number = self.base[source] + self.drawn.get(source, 0)
        self.drawn[source] = self.drawn.get(source, 0) + 1
        return self.read(source, number, self.index)

    def _images(self, batch: Mapping[str, np.ndarray], domain: str) -> Tensor:
        return to_images(batch[domain], self.device, self.layout)

    def _labels(self, batch: Mapping[str, np.ndarray], domain: str) -> Tensor:
        reads = self.reads
        name = attributes if domain in reads.attributed else texts if domain in reads.captioned else classes
        return to_device(batch[name(domain)], self.device)

    def pool(self, domain: str) -> Pool:
        """This replica's history of generated images of a domain."""
        return self.pools[domain]

    def turns(self, player: Player) -> range:
        """The moves a critic makes in this step (at least 1)."""
        return range(self.turns_of[player.name])
