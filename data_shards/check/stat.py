"""The numbers of a data set: how many of what, how large, and how evenly its classes are spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_shards.build.writer import Description, describe
from data_shards.manifest import FILE, Manifest
from data_shards.manifest_file import numpy_of, read_manifest
from data_shards.split import SPLITS, TRAIN
from data_shards.store import open_store


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the most of something."""

    least: int
    median: int
    most: int


@dataclass(frozen=True)
class ClassCount:
    """How many training pictures a class has, or an attribute, by domain."""

    name: str
    pictures: dict[str, int]

    @property
    def total(self) -> int:
        """Over all domains."""
        return sum(self.pictures.values())


@dataclass(frozen=True)
class Statistics(Description):
    """A data set in numbers. shard_bytes: None where there are no shards. picture_bytes: by domain, of those that have
    pictures. balance: the classes by their number of training pictures, most first. unlabelled: by domain, training
    pictures without a class. texts: by domain, pictures with a text. labels: by domain, what its grey levels mean.
    attributes: by their number of training pictures, most first. home: where the shards are."""

    home: str
    shard_bytes: Spread | None
    picture_bytes: dict[str, Spread]
    balance: list[ClassCount]
    unlabelled: dict[str, int]
    texts: dict[str, int]
    labels: dict[str, list[str]]
    attributes: list[ClassCount]


def statistics(manifest: Manifest) -> Statistics:
    """The numbers, from the manifest alone: no shard is read."""
    sizes: dict[str, Spread] = {}
    counts: dict[str, list[int]] = {}
    having: dict[str, list[int]] = {}
    unlabelled, texts = {}, {}
    told = _told(manifest)
    for domain in manifest.domains:
        rows = np.concatenate([manifest.select(domain, split) for split in SPLITS])
        if len(rows):
            sizes[domain] = _spread(manifest.sizes[rows])
        texts[domain] = int(told[rows].sum())
        training = manifest.select(domain, TRAIN)
        codes = manifest.class_codes[training]
        counts[domain] = np.bincount(codes[codes >= 0], minlength=len(manifest.class_names)).tolist()
        unlabelled[domain] = int((codes < 0).sum())
        having[domain] = manifest.attributes.of(training).sum(0).tolist()
    shards = np.array([shard.bytes for shard in manifest.shards.values()], np.int64)
    return Statistics(
        **vars(describe(manifest)),
        home=manifest.store.uri,
        shard_bytes=_spread(shards) if len(shards) else None,
        picture_bytes=sizes,
        balance=_counted(manifest.class_names, counts),
        unlabelled=unlabelled,
        texts=texts,
        labels={domain: list(names) for domain, names in manifest.head.labels.items()},
        attributes=_counted(manifest.attributes.names, having),
    )


def _counted(names: Sequence[str], counts: Mapping[str, list[int]]) -> list[ClassCount]:
    """counts: domain -> a number for each name. Most first."""
    found = [ClassCount(name, {domain: of[i] for domain, of in counts.items()}) for i, name in enumerate(names)]
    return sorted(found, key=lambda count: (-count.total, count.name))


def _told(manifest: Manifest) -> NDArray[np.bool_]:
    """[rows] which pictures have a text. Read from the file again: a million texts need not become Python objects."""
    _, column = read_manifest(manifest.uri, open_store(manifest.uri).read(FILE))
    there: NDArray[np.bool_] = numpy_of(column("text").is_valid().cast("uint8")).view(np.bool_)
    return there


def _spread(values: NDArray[np.int64]) -> Spread:
    return Spread(int(values.min()), int(np.median(values)), int(values.max()))
