"""Puts samples into shards: first into a spool file while the split is still unknown, then each to its side.

A shard holds samples of one split and of the same domains, so that a plain WebDataset reader meets samples of one
form. Keys lie in the order of their hash: such a reader then sees a mixture even with a small shuffle buffer.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import IO

import google_crc32c

from data_shards.build.picture import Picture
from data_shards.build.tar import TarWriter
from data_shards.errors import DataError
from data_shards.manifest import Row, Shard
from data_shards.split import one_sided, shared_with_validation, split

SHARD_BYTES = 64 << 20  # large enough to read in one go, small enough that every worker gets some
SIZES = range(8, 4097)  # pixels that a builder brings pictures to, if told so


@dataclass(frozen=True, slots=True)
class Sample:
    """One key of a data set: its pictures by domain, and what is known about it.

    key: ASCII letters, digits, "-", "_", "%"; at most 80. group: samples of an equal group are never split up. side:
    "train" or "validation" where the source decided; then all samples of the data set have one. attributes: names with
    spaces between, sorted; "" where it has none.
    """

    key: str
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    group: str | None = None
    cls: str | None = None
    text: str | None = None
    side: str | None = None
    attributes: str | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a picture waits in the spool, and what it is. shape: (channels, width, height)."""

    offset: int
    size: int
    suffix: str
    shape: tuple[int, int, int]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample whose pictures are in the spool: a few numbers each, so that any number of samples fits in memory."""

    sample: Sample
    spots: Mapping[str, Spot]

    @property
    def digests(self) -> list[bytes]:
        """What its pictures show."""
        return [spot.digest for spot in self.spots.values()]


def spool(samples: Iterable[Sample], file: IO[bytes]) -> list[Entry]:
    """Write all pictures to `file`, one after another. Raises DataError for a key given twice, for no samples, and for
    the first picture that has not the size of its domain's others: no later sample is asked for."""
    entries: dict[str, Entry] = {}
    first: dict[str, Entry] = {}  # by domain
    shorter = SIZES[-1]
    for sample in samples:
        if sample.key in entries:
            raise DataError(f"two samples have the key {sample.key!r}; rename one of the files")
        spots = {}
        for domain, picture in sorted(sample.pictures.items()):
            shape = (picture.channels, picture.width, picture.height)
            spots[domain] = Spot(file.tell(), len(picture.data), picture.suffix, shape, picture.digest)
            file.write(picture.data)
        entries[sample.key] = entry = Entry(replace(sample, pictures={}), spots)
        shorter = min([shorter, *(min(spot.shape[1:]) for spot in spots.values())])
        for domain in spots:
            _check_shape(domain, first.setdefault(domain, entry), entry, max(shorter, SIZES[0]))
    if not entries:
        raise DataError("no pictures were found")
    return list(entries.values())


def _check_shape(domain: str, one: Entry, other: Entry, size: int) -> None:
    """DataError where two samples' pictures of a domain differ in size. size: what would bring all to one."""
    (_, *wanted), (_, *found) = one.spots[domain].shape, other.spots[domain].shape
    if wanted != found:
        sizes = (f"{width}x{height} ({entry.sample.key})" for (width, height), entry in ((wanted, one), (found, other)))
        raise DataError(
            f"pictures of domain {domain} differ in size: {' and '.join(sizes)}; --size {size} brings all to squares of "
            f"{size} pixels"
        )


def common_shapes(entries: Iterable[Entry]) -> dict[str, tuple[int, int, int]]:
    """domain -> (channels, width, height) of its pictures, which `spool` found to be of one size."""
    return {domain: spot.shape for entry in entries for domain, spot in entry.spots.items()}


def decide_sides(entries: Sequence[Entry], validation: float) -> tuple[list[Entry], list[str]]:
    """The entries with every side decided, and notes about those that had to go and about sides that are empty.

    Where the source decided, a training sample that shows a picture of the validation side is dropped.
    """
    given = [entry.sample.side for entry in entries if entry.sample.side is not None]
    pictures = [entry.digests for entry in entries]
    if not given:
        groups = [[f"group {e.sample.group}"] if e.sample.group is not None else [] for e in entries]
        traits = [[*shown, *group] for shown, group in zip(pictures, groups, strict=True)]
        domains = [list(entry.spots) for entry in entries]
        sides = split(traits, [min(shown) for shown in pictures], validation, domains)
        sided = [Entry(replace(e.sample, side=side), e.spots) for e, side in zip(entries, sides, strict=True)]
        return sided, one_sided(domains, sides) if validation else []
    assert len(given) == len(entries), "the source decides every side or none"
    dropped = set(shared_with_validation(pictures, given))
    kept = [entry for i, entry in enumerate(entries) if i not in dropped]
    if not dropped:
        return kept, []
    some = ", ".join(entries[i].sample.key for i in sorted(dropped)[:3])
    return kept, [f"dropped {len(dropped)} training samples that show a picture of the validation side: {some}"]


def write_shards(
    folder: Path, entries: Iterable[Entry], classes: Sequence[str], file: IO[bytes]
) -> tuple[list[Row], dict[str, Shard]]:
    """Copy the spooled pictures into tar files in `folder`: the index rows, and the files by name."""
    numbers = {cls: number for number, cls in enumerate(classes)}
    rows: list[Row] = []
    shards: dict[str, Shard] = {}
    ordered = sorted(entries, key=lambda entry: (_prefix(entry), _hash(entry.sample.key)))
    for prefix, group in groupby(ordered, key=_prefix):
        for number, part in enumerate(_parts(group)):
            name = f"{prefix}-{number:06d}.tar"
            with TarWriter(folder / name) as tar:
                for entry in part:
                    rows += _add(tar, entry, numbers, file)
            shards[name] = Shard(tar.bytes, tar.sha256)
    return rows, shards


def _add(tar: TarWriter, entry: Entry, numbers: Mapping[str, int], file: IO[bytes]) -> Iterator[Row]:
    sample = entry.sample
    for domain, spot in entry.spots.items():
        file.seek(spot.offset)
        data = file.read(spot.size)
        offset = tar.add(f"{sample.key}.{domain}.{spot.suffix}", data)
        yield Row(
            shard=tar.path.name,
            offset=offset,
            size=spot.size,
            key=sample.key,
            domain=domain,
            cls=sample.cls,
            text=sample.text,
            split=str(sample.side),
            crc32c=google_crc32c.value(data),
            attributes=sample.attributes,
        )
    if sample.cls is not None:  # WebDataset reads .cls as a number; the manifest has the name
        tar.add(f"{sample.key}.cls", str(numbers[sample.cls]).encode())
    if sample.text is not None:
        tar.add(f"{sample.key}.txt", sample.text.encode())
    if sample.attributes is not None:
        tar.add(f"{sample.key}.attrs", sample.attributes.encode())


def _parts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut into shards of about SHARD_BYTES."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        part.append(entry)
        size += sum(spot.size for spot in entry.spots.values())
        if size >= SHARD_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _prefix(entry: Entry) -> str:
    domains = list(entry.spots)
    return f"{entry.sample.side}-{('' if all(len(name) == 1 for name in domains) else '-').join(domains)}"


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8, person=b"shard").digest()
