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

# (source, draw, replica) -> domain -> uint8 [N,H,W,C]: a pure function, so that draws can be repeated and read ahead
Read = Callable[[str, int, int], Mapping[str, np.ndarray]]


def to_images(pixels: np.ndarray, device: torch.device, layout: torch.memory_format) -> Tensor:
    """uint8 `[N,H,W,C]` in [0, 255] -> float `[N,C,H,W]` in [-1, 1] on the device; bytes travel, floats do not."""
    moved = torch.from_numpy(np.ascontiguousarray(pixels)).to(device, non_blocking=True).permute(0, 3, 1, 2)
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
        return self._next(domain)[domain]

    def draw_pair(self) -> tuple[Tensor, ...]:
        """The next batch of the paired source, one tensor per domain."""
        assert self.reads.paired, "an unpaired system draws by domain: replica.draw('a')"
        images = self._next("".join(self.reads.domains))
        return tuple(images[domain] for domain in self.reads.domains)

    def _next(self, source: str) -> dict[str, Tensor]:
        number = self.base[source] + self.drawn.get(source, 0)
        self.drawn[source] = self.drawn.get(source, 0) + 1
        pixels = self.read(source, number, self.index)
        return {domain: to_images(array, self.device, self.layout) for domain, array in pixels.items()}

    def pool(self, domain: str) -> Pool:
        """This replica's history of generated images of a domain."""
        return self.pools[domain]

    def turns(self, player: Player) -> range:
        """The moves a critic makes in this step (at least 1)."""
        return range(self.turns_of[player.name])
