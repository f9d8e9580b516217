"""The numbers of a data set: how many of what, how large, and how evenly its classes are spread."""

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
    """How many training pictures a class has, by domain."""

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
    home: where the shards are."""

    home: str
    shard_bytes: Spread | None
    picture_bytes: dict[str, Spread]
    balance: list[ClassCount]
    unlabelled: dict[str, int]
    texts: dict[str, int]
    labels: dict[str, list[str]]


def statistics(manifest: Manifest) -> Statistics:
    """The numbers, from the manifest alone: no shard is read."""
    sizes: dict[str, Spread] = {}
    counts: dict[str, list[int]] = {}
    unlabelled, texts = {}, {}
    told = _told(manifest)
    for domain in manifest.domains:
        rows = np.concatenate([manifest.select(domain, split) for split in SPLITS])
        if len(rows):
            sizes[domain] = _spread(manifest.sizes[rows])
        texts[domain] = int(told[rows].sum())
        codes = manifest.class_codes[manifest.select(domain, TRAIN)]
        counts[domain] = np.bincount(codes[codes >= 0], minlength=len(manifest.class_names)).tolist()
        unlabelled[domain] = int((codes < 0).sum())
    balance = [
        ClassCount(name, {domain: counts[domain][code] for domain in counts})
        for code, name in enumerate(manifest.class_names)
    ]
    shards = np.array([shard.bytes for shard in manifest.shards.values()], np.int64)
    return Statistics(
        **vars(describe(manifest)),
        home=manifest.store.uri,
        shard_bytes=_spread(shards) if len(shards) else None,
        picture_bytes=sizes,
        balance=sorted(balance, key=lambda count: (-count.total, count.name)),
        unlabelled=unlabelled,
        texts=texts,
        labels={domain: list(names) for domain, names in manifest.head.labels.items()},
    )


def _told(manifest: Manifest) -> NDArray[np.bool_]:
    """[rows] which pictures have a text. Read from the file again: a million texts need not become Python objects."""
    _, column = read_manifest(manifest.uri, open_store(manifest.uri).read(FILE))
    there: NDArray[np.bool_] = numpy_of(column("text").is_valid().cast("uint8")).view(np.bool_)
    return there


def _spread(values: NDArray[np.int64]) -> Spread:
    return Spread(int(values.min()), int(np.median(values)), int(values.max()))
