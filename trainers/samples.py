"""What an evaluation looks at: validation samples, a chunk at a time, and what a system shows of them.

Chunks are the same for any number of workers, and so are the random streams on which they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trainers import randomness
from trainers.engine import LAYOUTS, Engine
from trainers.label_maps import classes_of
from trainers.replica import attributes, texts, to_images

CHUNK = 8  # samples that pass the networks together; a constant, since other sizes may give other bits


class Samples(Protocol):
    """The validation samples. With `truth`, sample i of one domain is the counterpart of sample i of the other."""

    @property
    def truth(self) -> bool:
        """Whether the counterparts are known."""
        ...

    def count(self, domain: str) -> int:
        """How many samples a domain has."""
        ...

    def image(self, domain: str, index: int) -> np.ndarray:
        """One picture: uint8 `[H,W,C]`."""
        ...

    def label(self, domain: str, index: int) -> int:
        """Its class, a number from 0; -1 where it has none."""
        ...

    def label_map(self, domain: str, index: int) -> np.ndarray | None:
        """The classes of its pixels as grey levels, uint8 `[H,W]`; None where it has no label map. Asked for only where the
        task network tells pixels apart."""
        ...

    def attributes(self, domain: str, index: int) -> np.ndarray:
        """Which of the data set's attributes it has: bool `[attributes]`. Asked for only where the system reads them."""
        ...

    def text(self, domain: str, index: int) -> np.ndarray:
        """A number for each word of its text, from 1, then zeros: int64 `[words]`. Asked for only where the system reads them."""
        ...

    def truths(self, index: int) -> Sequence[int]:
        """With `truth`: the numbers of the pictures of b whose picture of a is the same as that of `index`; one list for all
        of those. Numbers from `count("b")` on are of pictures that only this method names, and `image` gives."""
        ...


@dataclass(frozen=True)
class Chunk:
    """Samples `start`, `start` + 1 ... of each domain that has so many: images `[N,C,H,W]` in [-1, 1], classes int64 `[N]` on
    the CPU, and what the system shows of them."""

    number: int
    start: int
    images: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    shown: Mapping[str, Tensor]


class Viewer:
    """Reads samples and shows them to the system that an engine trains."""

    def __init__(self, engine: Engine, samples: Samples) -> None:
        self.engine, self.system, self.samples = engine, engine.system, samples
        self.varied = self.system.varies(self.system.hyper)
        self.domains = engine.system.reads.domains
        self.counts = {domain: samples.count(domain) for domain in self.domains}
        self.longest = max(self.counts.values())

    @property
    def chunks(self) -> range:
        """The numbers of this worker's chunks."""
        return range(self.engine.tree.rank, -(-self.longest // CHUNK), self.engine.tree.workers)

    def chunk(self, number: int) -> Chunk:
        """One chunk, shown."""
        start, images, labels = number * CHUNK, {}, {}
        for domain in self.domains:
            indices = range(start, min(start + CHUNK, self.counts[domain]))
            if indices:
                images[domain] = self.read(domain, indices)
                labels[domain] = torch.tensor([self.samples.label(domain, i) for i in indices])
        return Chunk(number, start, images, labels, self._show(images, number))

    def draw(self, chunk: Chunk, number: int) -> Tensor:
        """`fake_b` of the chunk once more, on the random stream of draw `number`: `[N,C,H,W]`."""
        sources = {domain: images for domain, images in chunk.images.items() if domain != "b"} or chunk.images
        return self._show(sources, chunk.number, number)["fake_b"]

    def read(self, domain: str, indices: Sequence[int]) -> Tensor:
        """Pictures of a domain by their numbers: `[N,C,H,W]` in [-1, 1]."""
        pixels = np.stack([self.samples.image(domain, i) for i in indices])
        return to_images(pixels, self.engine.device, LAYOUTS[self.engine.options.layout])

    def pixel_classes(self, chunk: Chunk, domain: str, classes: int) -> tuple[Tensor, list[int]]:
        """What the label maps of a chunk's pictures of a domain say, int64 `[n,H,W]` on the CPU, and which of its samples have
        one; `classes`: how many there are."""
        maps = {i: self.samples.label_map(domain, chunk.start + i) for i in range(len(chunk.labels[domain]))}
        levels = {i: levels for i, levels in maps.items() if levels is not None}
        stacked = np.stack(list(levels.values())) if levels else np.empty((0, 1, 1), np.uint8)
        return classes_of(torch.from_numpy(stacked), classes), list(levels)

    def _show(self, images: Mapping[str, Tensor], number: int, *path: int) -> dict[str, Tensor]:
        """What the system makes of images of chunk `number`; it is told their attributes or texts where it reads them."""
        reads, samples = self.system.reads, self.samples
        told = {attributes(d): self._told(samples.attributes, d, number) for d in reads.attributed if d in images}
        told |= {texts(d): self._told(samples.text, d, number) for d in reads.captioned if d in images}
        randomness.seed_generators(self.engine.device, self.engine.options.seed, "evaluate", number, *path)
        with self.engine.watching():
            shown: dict[str, Tensor] = self.system.show({**images, **told})
        return shown

    def _told(self, of: Callable[[str, int], np.ndarray], domain: str, number: int) -> Tensor:
        """What `of` gives of a chunk's pictures of a domain: `[N,...]`."""
        indices = range(number * CHUNK, min((number + 1) * CHUNK, self.counts[domain]))
        return torch.from_numpy(np.stack([of(domain, i) for i in indices])).to(self.engine.device)
