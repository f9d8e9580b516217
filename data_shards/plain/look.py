"""A first look into shards that nobody has indexed: what the pictures of a domain are like, from the first few of them.

Only the beginning of a shard is read. What is said here is therefore what the first pictures say: how many there are
nobody knows.
"""

import io
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO

from data_shards.build.atomic import scratch_folder
from data_shards.errors import DataError, has
from data_shards.index.shard import shape_of
from data_shards.plain.data import PlainData, Sample
from data_shards.split import TRAIN, VALIDATION

BEGINNING = 4 << 20  # bytes of a remote shard
MOST_SHARDS = 8  # looked into before a domain counts as missing
MOST_SAMPLES = 32  # of a shard: one colour picture among grey ones should be met


@dataclass
class Look:
    """shapes: domain -> (channels, height, width) of its first picture, in colour where any of the first ones is.

    complete: whether the first sample has a picture of every domain. extensions: of the files met.
    """

    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    complete: bool = False
    extensions: set[str] = field(default_factory=set)


def look(data: PlainData, domains: Sequence[str], *, paired: bool, side: str = TRAIN) -> Look:
    """Look for pictures of `domains` in the shards of a side. DataError where one has none, or a shard is no tar."""
    found = Look()
    named = [pattern.name for pattern in data.patterns]
    for domain in domains:
        if named and domain not in named:
            raise DataError(f"{data.uri}: no pattern is given for domain {domain}{has(domain, named)}")
    shards = data.shards(domains, side, paired=paired)
    if not shards:
        other = "validation" if side == TRAIN else "training"
        raise DataError(f"{data.uri}: by their names, all shards are for {other}; there must be some for {side} too")
    with ExitStack() as stack:
        for domain in domains:
            for shard in [name for name in shards if data.may_have(name, domain)][:MOST_SHARDS]:
                if domain in found.shapes:
                    break
                for file, is_whole in _readings(data, shard, stack):
                    _take(found, _first(data, shard, file, domains, found.extensions, paired, is_whole), domains)
                    if domain in found.shapes:
                        break
            if domain not in found.shapes:
                raise _missing(data, domain, found, shards)
    return found


def _readings(data: PlainData, shard: str, stack: ExitStack) -> Iterable[tuple[BinaryIO, bool]]:
    """The shard's beginning, where it comes over the network, and then all of it."""
    entry = data.entries[shard]
    if data.store.remote and entry.size > BEGINNING:
        yield io.BytesIO(data.store.read_range(shard, 0, BEGINNING, entry.etag)), False
    scratch = stack.enter_context(scratch_folder()) if data.store.remote else None
    yield stack.enter_context(data.open(shard, scratch)), True


def _first(
    data: PlainData, shard: str, file: BinaryIO, domains: Sequence[str], seen: set[str], paired: bool, is_whole: bool
) -> list[Sample]:
    found: list[Sample] = []
    try:
        for sample in data.samples(shard, file, domains, paired=paired, seen=seen):
            found.append(sample)
            if len(found) == MOST_SAMPLES:
                break
    except DataError:
        if is_whole:
            raise
        # A beginning ends in the middle of something; what else is wrong is met when all of the shard is read.
    return found


def _take(found: Look, samples: Sequence[Sample], domains: Sequence[str]) -> None:
    for sample in samples:
        if not found.shapes:
            found.complete = len(sample.pictures) == len(domains)
        for domain, picture in sample.pictures.items():
            try:
                channels, width, height = shape_of(picture)
            except (OSError, ValueError):
                continue  # no picture: training counts those
            before = found.shapes.get(domain, (channels, height, width))
            found.shapes[domain] = (max(before[0], channels), *before[1:])


def _missing(data: PlainData, domain: str, found: Look, shards: Sequence[str]) -> DataError:
    """Why no picture of a domain was found."""
    extensions = ", ".join(sorted(found.extensions)) or "none"
    where = f"{data.uri}: no pictures of domain {domain} in {shards[0]}"
    where += f" and {len(shards) - 1:,} more shards" if len(shards) > 1 else ""
    if data.patterns:
        return DataError(f"{where} fit data.domains.{domain} (extensions found: {extensions})")
    return DataError(
        f"{where} (extensions found: {extensions}); name them like {domain}.png, or say what they are with data.domains, "
        f"such as {{{domain}: 'horses-*.tar'}} or {{{domain}: jpg}}"
    )


def held_back(data: PlainData, domains: Sequence[str], *, paired: bool) -> tuple[dict[str, int | None], bool]:
    """domain -> its validation pictures, None for "some, as far as one can see"; and whether each has its counterpart."""
    shards = data.shards(domains, VALIDATION, paired=paired)
    counts = {domain: None if any(data.may_have(name, domain) for name in shards) else 0 for domain in domains}
    if len(domains) < 2 or 0 in counts.values():
        return counts, False
    return counts, paired or look(data, domains, paired=paired, side=VALIDATION).complete
