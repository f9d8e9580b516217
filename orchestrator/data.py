"""What a plan must know of its data: how many pictures of which shape, and whether they suit the system.

Only the manifest is read (without one, the first pictures of a shard: see plain_data.py). Its hash is a part of the
sweep's identity, so data rebuilt from other pictures is another sweep, and the same data in another folder is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from data_shards.errors import DataError, Unreachable
from data_shards.manifest import Manifest
from data_shards.source import training_rows, within_limit
from data_shards.split import TRAIN, VALIDATION
from orchestrator.errors import Refusal, show
from orchestrator.quantities import size_text
from trainers.errors import SettingError
from trainers.settings import Reads
from trainers.system import System

Shapes = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class DataFacts:
    """A data set in numbers; None for what nobody knows without a manifest.

    `sha256`: of the manifest, or of the listing of the shards. `stored`: domain -> (channels, height, width) as kept in
    the shards. `train`: source -> samples, where a pair is one sample. `validation`: domain -> pictures. `truth`: every
    validation picture has its counterpart. `largest_cached`: bytes of the largest shard that goes through the node's
    cache; 0 where shards are read in place. `classes`: the names of the samples' classes.
    `labelled`: the domains where some validation pictures have one. `notes`: what the user should know, a line each.
    """

    uri: str
    sha256: str
    name: str
    stored: Mapping[str, tuple[int, int, int]]
    train: Mapping[str, int | None]
    validation: Mapping[str, int | None]
    truth: bool
    largest_cached: int = 0
    classes: tuple[str, ...] = ()
    labelled: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def shapes(self, image: int) -> Shapes:
        """Domain -> (channels, height, width) as trained, with `image` pixels a side."""
        return {domain: (channels, image, image) for domain, (channels, _, _) in self.stored.items()}


def read_data(
    uri: str, system: type[System], limit: Mapping[str, int], *, reads: Reads | None = None, balanced: bool = False
) -> DataFacts:
    """The facts about the data at `uri` for `system`, with at most `limit` training pictures of a domain.

    reads: what the system reads under its settings, where that is not the usual. balanced: classes are to come equally often.

    Raises:
        Refusal: nothing is there, a domain is missing, or there is nothing to train on.
    """
    try:
        manifest = Manifest.open(uri)
        _check_shards(manifest)
    except DataError as error:
        raise Refusal(str(error), path="data.uri", value=uri) from error
    except Unreachable:
        raise
    except OSError as error:
        raise Refusal(f"{uri} cannot be read: {(error.strerror or '').lower()}", path="data.uri", value=uri) from error
    reads = reads or system.reads
    missing = [domain for domain in reads.domains if domain not in manifest.domains]
    if missing:
        problem = f"{system.name} reads domain {' and '.join(missing)}, which {manifest.name} does not have"
        raise Refusal(problem, path="data.uri", value=uri, has=manifest.domains)
    for domain in limit:
        if domain not in reads.domains:
            problem = f"{system.name} reads no domain {domain}"
            raise Refusal(problem, path=f"data.limit.{domain}", value=domain, has=reads.domains)
    if reads.paired:
        _check_pairs(manifest, reads.domains, system.name)
    _check_labels(manifest, system, reads)
    train = {
        name: within_limit(len(manifest.join(domains)[domains[0]]), domains, limit)
        for name, domains in reads.sources.items()
    }
    for source, count in train.items():
        if not count:
            wanted = "pairs" if reads.paired else f"pictures of domain {source}"
            raise Refusal(f"{system.name} needs {wanted}, and {manifest.name} has none to train on", path="data.uri")
    held = [manifest.keys(domain, VALIDATION) for domain in reads.domains]
    domains = {name: manifest.domains[name] for name in reads.domains}
    return DataFacts(
        uri=manifest.uri,
        sha256=manifest.sha256,
        name=manifest.name,
        stored={name: (domain.channels, domain.height, domain.width) for name, domain in domains.items()},
        train=train,
        validation={name: domain.validation for name, domain in domains.items()},
        truth=len(held) > 1 and bool(held[0]) and all(side == held[0] for side in held),
        largest_cached=max((shard.bytes for shard in manifest.shards.values()), default=0)
        if manifest.store.remote
        else 0,
        classes=tuple(manifest.class_names),
        labelled=frozenset(d for d in domains if (manifest.class_codes[manifest.select(d, VALIDATION)] >= 0).any()),
        notes=tuple(_not_balanced(manifest, reads.sources, limit)) if balanced else (),
    )


def check_counts(data: DataFacts, reads: Reads, limit: Mapping[str, int], batch: int) -> None:
    """Refusal where a source has fewer samples than a batch and nobody asked for so few."""
    for source, domains in reads.sources.items():
        count = data.train[source]
        if count is not None and count < batch and not any(domain in limit for domain in domains):
            problem = f"a batch of {batch} is more than the {count} training samples of {source} in {data.name}"
            hint = f"a batch of at most {count}, or data.limit.{domains[0]}: {count} to train on so few on purpose"
            raise Refusal(f"{problem}; give {hint}", path="data.batch", value=batch)


def check_cache(data: DataFacts, limit: int) -> None:
    """Refusal where the node's cache of `limit` bytes cannot hold the largest shard that has to go through it."""
    if limit < data.largest_cached:
        needed = size_text(data.largest_cached)
        problem = f"{size_text(limit)} cannot hold one shard of {data.name}, which takes {needed}"
        raise Refusal(f"{problem}; give many times that", path="data.cache.limit", value=size_text(limit))


def _not_balanced(
    manifest: Manifest, sources: Mapping[str, tuple[str, ...]], limit: Mapping[str, int]
) -> Iterator[str]:
    """A note on each source in which there is nothing to balance. Of a pair, the first side's class counts."""
    for name, domains in sources.items():
        codes = set(manifest.class_codes[training_rows(manifest, domains, limit)[domains[0]]].tolist())
        if len(codes) == 1:
            (code,) = codes
            found = "no classes" if code < 0 else f"only one class, {manifest.class_names[code]}"
            yield f"data.balanced does nothing for {name}: its training pictures have {found}"


def _check_shards(manifest: Manifest) -> None:
    """DataError unless the shards that the manifest names are there, as long as it says: one listing tells."""
    there = manifest.store.entries()
    for name, shard in manifest.shards.items():
        if name not in there:
            raise DataError(
                f"{manifest.store.uri} has no {name}, which its manifest names: is it the manifest of another data set? "
                "restore the shard from a copy, or make the manifest anew"
            )
        if there[name].size != shard.bytes:
            raise DataError(
                f"{manifest.store.uri}: {name} has {there[name].size:,} bytes, its manifest says {shard.bytes:,}: "
                "is it the manifest of another data set? `i2i-cluster shards verify` tells more"
            )


def _check_labels(manifest: Manifest, system: type[System], reads: Reads) -> None:
    """Refusal where a domain whose classes the system reads has a picture without one: a training picture, or one that the
    system itself judges."""
    splits = {TRAIN: "training", **({VALIDATION: "validation"} if system.judges else {})}
    for domain in reads.labelled:
        for split, word in splits.items():
            codes = manifest.class_codes[manifest.select(domain, split)]
            if without := int((codes < 0).sum()):
                problem = (
                    f"{system.name} reads the classes of domain {domain}, and {without} of its {len(codes)} {word} pictures "
                    f"in {manifest.name} have none; make the data set again with a class for each"
                )
                raise Refusal(problem, path="data.uri", value=manifest.uri)


def _check_pairs(manifest: Manifest, domains: tuple[str, ...], system: str) -> None:
    """Refusal where a training picture lacks its other side."""
    pairs = len(manifest.join(domains)[domains[0]])
    for domain in domains:
        keys = manifest.keys(domain)
        if pairs and len(keys) > pairs:
            others = set.intersection(*(set(manifest.keys(other)) for other in domains))
            alone = next(key for key in keys if key not in others)
            problem = (
                f"{system} joins {' and '.join(domains)} by key, and {len(keys) - pairs} of the {len(keys)} training "
                f"pictures of {domain} in {manifest.name} have no other side, such as {alone!r}; "
                "make the data set again from pairs alone"
            )
            raise Refusal(problem, path="data.uri", value=manifest.uri)


def check_shapes(system: type[System], shapes: Shapes, hyper: object, searched: bool) -> None:
    """Raise Refusal where the networks cannot take these shapes; `searched`: the setting is a trial's."""
    try:
        system.check(shapes, hyper)
    except SettingError as error:
        path = f"search.{error.path}" if searched else error.path
        is_named = str(error.value) in error.problem
        problem = error.problem if is_named else f"{show(error.value)} does not fit: {error.problem}"
        raise Refusal(problem, path=path, value=error.value) from error
