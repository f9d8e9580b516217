"""Turns what shards hold into the rows of a manifest: domains given, twice-given keys refused, sides decided.

Sides are decided over all shards at once: two copies of a picture may lie in different shards under different keys,
and must not end up on both sides of the split.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from data_shards.attributes import all_names
from data_shards.build.writer import differ_in_size
from data_shards.errors import DataError
from data_shards.index.names import Domains, side_of, undecided
from data_shards.index.shard import Found, Label, ShardIndex
from data_shards.manifest import Row, Shard
from data_shards.split import TRAIN, VALIDATION, one_sided, shared_with_validation, split

_SILENT = Label()
_SHOWN = 3  # how many files a note or an error lists
_LINKS_TO_FILES = "tar --dereference --hard-dereference writes files in their place"


class _Picture(NamedTuple):
    shard: str
    domain: str
    key: str
    found: Found
    label: Label


class IndexRows:
    """Takes shard after shard, in the order of their names, and gives the rows at the end.

    where: what errors call the data set. shards: the names of all that will come. prefix_keys: put the shard's name
    before every key, for shards that count their keys from the start again. paired: equal keys are pairs also where
    the shards' names tell the domains; without it such shards have their names put before the keys too.
    """

    def __init__(
        self, where: str, shards: Sequence[str], domains: Domains, *, prefix_keys: bool, paired: bool, strict: bool
    ) -> None:
        self.shards: dict[str, Shard] = {}
        self._where, self._names, self._domains = where, shards, domains
        self._apart, self._paired, self._strict = domains.apart(shards), paired, strict
        self._prefix_keys = prefix_keys or (self._apart and not paired)
        self._pictures: list[_Picture] = []
        self._places: dict[str, dict[str, str]] = {}  # domain -> key -> shard
        self._shapes: dict[str, set[tuple[int, int, int]]] = {}  # by domain
        self._unreadable: list[str] = []
        self._links: list[str] = []
        self._unmatched: Counter[str] = Counter()

    def add(self, index: ShardIndex) -> None:
        """Take one shard. DataError where it holds no pictures, a key twice, or pictures whose domain nobody can tell;
        where `strict`, also for a file that claims to be a picture and is none or a link."""
        self._check(index)
        self.shards[index.name] = index.shard
        for found in index.pictures:
            domain = self._domains.of(index.name, found.extension)
            if domain is None and not self._domains.patterns:
                raise undecided(self._where, {picture.extension for picture in index.pictures}, self._names)
            if domain is None:
                self._unmatched[found.extension] += 1
                continue
            key = f"{index.name.removesuffix('.tar')}/{found.key}" if self._prefix_keys else found.key
            places = self._places.setdefault(domain, {})
            if key in places:
                raise self._twice(domain, key, places[key], index.name, found.extension)
            places[key] = index.name
            self._shapes.setdefault(domain, set()).add(found.shape)
            self._pictures.append(_Picture(index.name, domain, key, found, index.labels.get(found.key, _SILENT)))

    def settle(self, validation: float) -> tuple[Iterator[Row], list[str]]:
        """The rows in the order of shards and offsets, and what there is to note. validation: the share to hold back
        where no shard's name tells of a validation side."""
        if not self._pictures:
            extensions = ", ".join(sorted(self._unmatched))
            raise DataError(f"{self._where}: no picture fits a --domain pattern; extensions found: {extensions}")
        sides = [side_of(picture.shard) for picture in self._pictures]
        digests = [[picture.found.digest] for picture in self._pictures]
        if VALIDATION in sides:
            given = [side or TRAIN for side in sides]
            dropped = set(shared_with_validation(digests, given))
            notes = ["sides are those that the shards' names tell", *self._notes(), *self._dropped(dropped)]
        else:
            domains = [[picture.domain] for picture in self._pictures]
            given = split(self._traits(), [digest for (digest,) in digests], validation, domains)
            dropped, notes = set(), [*self._notes(), *(one_sided(domains, given) if validation else [])]
        sided = enumerate(zip(self._pictures, given, strict=True))
        return (_row(picture, side) for i, (picture, side) in sided if i not in dropped), notes

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes, sorted."""
        return tuple(sorted({picture.label.cls for picture in self._pictures if picture.label.cls is not None}))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of all attributes, sorted."""
        return all_names(picture.label.attributes for picture in self._pictures)

    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """domain -> (channels, width, height): of all its pictures, or where they differ the largest square that every
        one of them fills."""
        shapes = {}
        for domain, found in sorted(self._shapes.items()):
            channels = max(channels for channels, _, _ in found)
            sizes = {(width, height) for _, width, height in found}
            side = min(min(size) for size in sizes)
            shapes[domain] = (channels, *(sizes.pop() if len(sizes) == 1 else (side, side)))
        return shapes

    def _twice(self, domain: str, key: str, first: str, second: str, extension: str) -> DataError:
        told = f"{self._where}: domain {domain} has two pictures with the key {key!r}, in {first} and in {second}"
        if first != second and self._apart:
            return DataError(f"{told}; --paired can only join keys that a domain has once")
        if first != second:
            return DataError(f"{told}; --prefix-keys puts the shard's name before every key")
        return DataError(f"{told}; say which extension is the domain's, for example --domain {domain}={extension}")

    def _traits(self) -> list[list[bytes | str]]:
        """Per picture, what ties it to others: its content, and its key, which other domains may have too."""
        return [[picture.found.digest, picture.key] for picture in self._pictures]

    def _check(self, index: ShardIndex) -> None:
        shard = f"{self._where}: {index.name}"
        if self._strict and index.unreadable:
            raise DataError(f"{shard}: {index.unreadable[0]} cannot be read as a picture")
        if index.links and (self._strict or not (index.pictures or index.unreadable)):
            raise DataError(f"{shard}: {index.links[0]} is a link, which holds no picture; {_LINKS_TO_FILES}")
        if index.pictures:
            self._unreadable += [f"{index.name}: {file}" for file in index.unreadable]
            self._links += [f"{index.name}: {file}" for file in index.links]
        elif index.unreadable:
            raise DataError(f"{shard}: none of its pictures can be read; the first is {index.unreadable[0]}")
        else:
            extensions = ", ".join(sorted(index.extensions)) or "none"
            raise DataError(f"{shard} holds no pictures (extensions: {extensions}); move it away or leave it out")

    def _notes(self) -> list[str]:
        notes = []
        if self._unreadable:
            notes.append(f"left out, as they are no pictures that can be read: {_some(self._unreadable)}")
        if self._links:
            notes.append(f"left out, as they are links, which hold no picture: {_some(self._links)}; {_LINKS_TO_FILES}")
        if self._unmatched:
            counts = ", ".join(f"{count:,} {extension}" for extension, count in sorted(self._unmatched.items()))
            notes.append(f"left out, as no --domain pattern fits: {counts}")
        for domain, found in sorted(self._shapes.items()):
            if len({shape[1:] for shape in found}) > 1:
                least, most = (
                    f"{width}x{height}" for _, width, height in (min(found, key=_area), max(found, key=_area))
                )
                notes.append(f"{differ_in_size(domain)}, from {least} to {most}")
        return [*notes, *(self._joined() if self._apart else [])]

    def _joined(self) -> list[str]:
        """What became of keys that shards of different domains have or have not in common."""
        domains: dict[str, set[str]] = {}  # by key
        for picture in self._pictures:
            domains.setdefault(picture.found.key, set()).add(picture.domain)
        if not self._paired:
            equal = sorted(key for key, found in domains.items() if len(found) > 1)
            told = "the shards' names tell the domains, so equal keys in different shards are no pairs"
            return [f"{told}: {_some(equal)}; --paired joins them"] if equal else []
        alone: dict[str, list[str]] = {}
        for key, (domain, *others) in sorted(domains.items()):
            if not others:
                alone.setdefault(domain, []).append(key)
        return [
            f"keys of domain {domain} without another side: {_some(keys)}" for domain, keys in sorted(alone.items())
        ]

    def _dropped(self, dropped: set[int]) -> list[str]:
        if not dropped:
            return []
        keys = _some([self._pictures[i].key for i in sorted(dropped)])
        return [f"dropped training pictures that the validation side has too: {keys}"]


def _row(picture: _Picture, side: str) -> Row:
    found, label = picture.found, picture.label
    return Row(
        shard=picture.shard,
        offset=found.offset,
        size=found.size,
        key=picture.key,
        domain=picture.domain,
        cls=label.cls,
        text=label.text,
        split=side,
        crc32c=found.crc32c,
        attributes=label.attributes,
    )


def _area(shape: tuple[int, int, int]) -> int:
    return shape[1] * shape[2]


def _some(listed: Sequence[str]) -> str:
    """How many there are, and the first few."""
    return f"{len(listed):,} ({', '.join(listed[:_SHOWN])}{', ...' if len(listed) > _SHOWN else ''})"
