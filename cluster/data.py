"""A run's data set, opened: where it lies decides how its shards are reached, and nothing else depends on it.

There are two kinds, with a manifest and without one, and training sees no difference between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from cluster.kinds import kind_of
from cluster.run import Data, Run
from data_shards.augment import Augment
from data_shards.cache.shards import ShardCache, default_cache_folder
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from data_shards.shelf import Shards
from data_shards.split import TRAIN
from data_shards.stream import Stream, open_in_place
from data_shards.validation import Validation
from trainers.replica import attributes, classes, texts, to_images
from trainers.settings import Reads
from trainers.system import Shapes
from trainers.tree import Tree

if TYPE_CHECKING:
    from data_shards.plain.data import PlainData
    from data_shards.plain.stream import PlainStream
    from data_shards.plain.validation import PlainValidation


MEASURED_SAMPLES = 900  # of a domain: as many as DistanceGAN's published code measures


class Batches(Protocol):
    """Training batches, and the state that a checkpoint must hold for them."""

    def read(self, source: str, draw: int, replica: int) -> Mapping[str, np.ndarray]:
        """domain -> uint8 [N,H,W,C]."""

    def state(self) -> dict[str, Any]:
        """JSON-able."""

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over the states of all workers, before the first read."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Samples:
    """The validation pictures as the evaluator asks for them: by number. `mixed`: see `Reads`; then nothing is told of them.
    `source`: the domain that is translated.
    """

    validation: Validation | PlainValidation
    mixed: bool = False
    source: str = "a"

    @property
    def truth(self) -> bool:
        """Whether the translation of each is known."""
        return self.validation.truth and not self.mixed

    def count(self, domain: str) -> int:
        """How many there are."""
        return len(self.validation.keys(domain))

    def image(self, domain: str, index: int) -> np.ndarray:
        """uint8 [H,W,C]."""
        return self.validation.read(domain, self._key(domain, index))

    def label(self, domain: str, index: int) -> int:
        """Its class, a number from 0; -1 where it has none."""
        return -1 if self.mixed else self.validation.label(domain, self._key(domain, index))

    def attributes(self, domain: str, index: int) -> np.ndarray:
        """bool [attributes]: which of the data set's it has."""
        return self.validation.attributes(domain, self._key(domain, index))

    def text(self, domain: str, index: int) -> np.ndarray:
        """int64 [words]: a number for each word of its text, 0 where there is none."""
        return self.validation.text(domain, self._key(domain, index))

    def label_map(self, domain: str, index: int) -> np.ndarray | None:
        """uint8 [H,W]: the grey levels of its label map; None where it has none."""
        return None if self.mixed else self.validation.label_map(self._key(domain, index))

    def truths(self, index: int) -> list[int]:
        """The numbers of all pictures of b whose source is stored as that of `index` is, in one order for all of those."""
        key = self.validation.keys(self.source)[index]
        return [self._numbers[twin] for twin in self.validation.twins(self.source, key)]

    def _key(self, domain: str, index: int) -> str:
        keys = self.validation.keys(domain)
        return keys[index] if index < len(keys) else list(self._numbers)[index]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """With truth: key -> number, of the chosen pictures and then of further truths."""
        chosen = self.validation.keys(self.source)
        keys = [*chosen, *(key for one in chosen for key in self.validation.twins(self.source, one))]
        return {key: number for number, key in enumerate(dict.fromkeys(keys))}


@dataclass(frozen=True)
class Measured:
    """Training pictures as a system measures them before its first step."""

    pictures: Validation

    def count(self, domain: str) -> int:
        """How many there are."""
        return len(self.pictures.keys(domain))

    def image(self, domain: str, index: int) -> Tensor:
        """`[C,H,W]` in [-1, 1]."""
        pixels = self.pictures.read(domain, self.pictures.keys(domain)[index])
        return to_images(pixels[None].copy(), torch.device("cpu"), torch.contiguous_format)[0]


@dataclass(frozen=True)
class Indexed:
    """A data set with a manifest."""

    run: Run
    manifest: Manifest

    @property
    def license(self) -> str:
        """What pictures made from the data must say."""
        return self.manifest.head.license

    def shapes(self) -> Shapes:
        """Domain -> (channels, height, width) of the pictures that training reads."""
        image = self.run.data.image
        return {name: (domain.channels, image, image) for name, domain in self.manifest.domains.items()}

    def stream(self, rank: int, workers: int) -> Stream:
        """The run's batches, for the replicas that this worker hosts."""
        data = self.run.data
        return Stream(
            self.manifest,
            sources=reads_of(self.run).sources,
            image=data.image,
            batch=data.batch,
            replicas=data.replicas,
            seed=self.run.seed,
            augment=Augment(flip=data.flip, jitter=data.jitter),
            hosted=Tree(data.replicas, rank, workers).hosted,
            limit=data.limit,
            balance=data.balance,
            bad_samples=data.bad_samples,
            shards=lambda manifest, next_use: open_shards(data, manifest, next_use),
            labelled={domain: classes(domain) for domain in reads_of(self.run).labelled},
            attributed={domain: attributes(domain) for domain in reads_of(self.run).attributed},
            captioned={domain: texts(domain) for domain in reads_of(self.run).captioned},
            memory_bytes=data.memory_bytes,
        )

    def samples(self, limit: int) -> Samples:
        """At most `limit` validation pictures of a domain."""
        reads, image, task = reads_of(self.run), self.run.data.image, self.run.task
        label_map = task.label_map if task else ""
        pictures = Validation(self.manifest, domains=reads.domains, image=image, limit=limit, label_map=label_map)
        return Samples(pictures, reads.mixed, reads.source)

    def measured(self) -> Measured:
        """At most `MEASURED_SAMPLES` training pictures of a domain."""
        domains, image = reads_of(self.run).domains, self.run.data.image
        return Measured(Validation(self.manifest, domains=domains, image=image, limit=MEASURED_SAMPLES, split=TRAIN))


@dataclass(frozen=True)
class Plain:
    """A data set without a manifest: what its pictures are like is seen by looking at the first ones."""

    run: Run
    data: PlainData
    license = ""

    @cached_property
    def channels(self) -> dict[str, int]:
        """By domain."""
        from data_shards.plain.look import look

        reads = reads_of(self.run)
        return {
            domain: shape[0] for domain, shape in look(self.data, reads.domains, paired=reads.paired).shapes.items()
        }

    def shapes(self) -> Shapes:
        """Domain -> (channels, height, width) of the pictures that training reads."""
        image = self.run.data.image
        return {domain: (channels, image, image) for domain, channels in self.channels.items()}

    def stream(self, rank: int, workers: int) -> PlainStream:
        """The run's batches, for the replicas that this worker hosts."""
        from data_shards.plain.stream import PlainStream

        data = self.run.data
        return PlainStream(
            self.data,
            sources=reads_of(self.run).sources,
            channels=self.channels,
            image=data.image,
            batch=data.batch,
            replicas=data.replicas,
            seed=self.run.seed,
            augment=Augment(flip=data.flip, jitter=data.jitter),
            hosted=Tree(data.replicas, rank, workers).hosted,
            bad_samples=data.bad_samples,
        )

    def measured(self) -> Measured:
        """Refused when the sweep was planned: what such shards hold is known only when it has been read."""
        raise DataError(f"{self.data.uri}: {self.run.system} measures its training data, so it needs a manifest")

    def samples(self, limit: int) -> Samples:
        """The first validation pictures, at most `limit` of a domain."""
        from data_shards.plain.validation import PlainValidation

        reads, data = reads_of(self.run), self.run.data
        return Samples(
            PlainValidation(
                self.data,
                domains=reads.domains,
                paired=reads.paired,
                channels=self.channels,
                image=data.image,
                limit=limit,
                bad_samples=data.bad_samples,
            ),
            reads.mixed,
        )


def reads_of(run: Run) -> Reads:
    """What the run draws from."""
    system = kind_of(run)
    return system.reading(system.Hyper(**run.hyper))


def open_data(run: Run) -> Indexed | Plain:
    """The data set that the run was planned with. DataError where another one is there by now."""
    found: Indexed | Plain
    if run.data.mode == "stream":
        from data_shards.plain.data import PlainData  # brings webdataset

        found = Plain(run, plain := PlainData(run.data.uri, run.data.domains))
        sha256 = plain.sha256
    else:
        found = Indexed(run, manifest := Manifest.open(run.data.uri))
        sha256 = manifest.sha256
    if sha256 != run.data.manifest:
        raise DataError(f"{run.data.uri}: the data set changed since the sweep was planned; submit the sweep again")
    return found


def open_shards(data: Data, manifest: Manifest, next_use: Callable[[str], float]) -> Shards:
    """The manifest's shards: read in place from a folder, by way of the node's cache from anywhere else."""
    if not manifest.store.remote:
        return open_in_place(manifest, next_use)
    folder = Path(data.cache_folder) if data.cache_folder else default_cache_folder()
    return ShardCache(folder, data.cache_bytes, manifest.store, manifest.shards, manifest.etags, next_use)
