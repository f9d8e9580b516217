"""What a plan must know of its data: how many pictures of which shape, and whether they suit the system.

Only the manifest is read (without one, the first pictures of a shard: see plain_data.py). Its hash is a part of the
sweep's identity, so data rebuilt from other pictures is another sweep, and the same data in another folder is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from data_shards.errors import DataError, Unreachable
from data_shards.manifest import Manifest
from data_shards.source import training_rows, within_limit
from data_shards.split import TRAIN, VALIDATION
from orchestrator.errors import Refusal, asked, refuse
from orchestrator.planning.labels import check_attributes, check_texts, label_names, notes_on_classes, notes_on_texts
from orchestrator.sweep_file.quantities import size_text
from trainers.settings import Reads
from trainers.system import System
from trainers.systems.catalog import SYSTEMS

Shapes = dict[str, tuple[int, int, int]]
MAKES_MAPS = "`i2i-cluster shards build openmoji OUT --labels` makes a data set that has them"


@dataclass(frozen=True)
class LabelMaps:
    """What the levels of a domain of label maps mean, darkest first; and the domains `of` which validation pictures have one."""

    classes: tuple[str, ...]
    of: frozenset[str]


@dataclass(frozen=True)
class DataFacts:
    """A data set in numbers; None for what nobody knows without a manifest.

    `sha256`: of the manifest, or of the listing of the shards. `stored`: domain -> (channels, height, width) as kept in the
    shards. `train`: source -> samples, where a pair is one sample. `validation`: domain -> pictures. `truth`: every
    validation picture has its counterpart. `largest_cached`: bytes of the largest shard that goes through the node's cache;
    0 where shards are read in place. `remote_bytes`: of all shards with training pictures, 0 likewise. `classes`: the names
    of the samples' classes, or of the pixels' where the system reads label maps. `label_names`: those of the labels that
    the system reads: classes, attributes or domains. `labelled`: the domains where some validation pictures have a class.
    `label_maps`: the domains that hold label maps. `notes`: what the user should know, a line each.
    `license`: what its users must be told, as the manifest has it; empty where nobody knows.
    """

    uri: str
    sha256: str
    name: str
    stored: Mapping[str, tuple[int, int, int]]
    train: Mapping[str, int | None]
    validation: Mapping[str, int | None]
    truth: bool
    largest_cached: int = 0
    remote_bytes: int | None = 0
    classes: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    labelled: frozenset[str] = frozenset()
    label_maps: Mapping[str, LabelMaps] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    license: str = ""

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
    manifest, reads = open_manifest(uri), reads or system.reads
    if reads.label_map:
        _check_label_map(manifest, system, reads)
    missing = [domain for domain in reads.domains if domain not in manifest.domains]
    if missing:
        problem = f"{system.name} reads domain {' and '.join(missing)}, which {manifest.name} does not have"
        raise Refusal(problem, path="data.uri", value=uri, has=manifest.domains)
    split = [*([TRAIN] if reads.paired else []), *([VALIDATION] if reads.label_map else [])]
    refuse(
        asked(
            *(partial(_check_pairs, manifest, reads.domains, system.name, side) for side in split),
            partial(_check_labels, manifest, system, reads),
            partial(check_attributes, manifest, system, reads),
            partial(check_texts, manifest, system, reads),
            partial(_check_training, manifest, system, reads),
        )
    )
    train = {
        name: within_limit(len(manifest.join(domains)[domains[0]]), domains, limit)
        for name, domains in reads.sources.items()
    }
    held = [manifest.keys(domain, VALIDATION) for domain in reads.domains]
    domains = {name: manifest.domains[name] for name in reads.domains}
    classes = manifest.head.labels[reads.label_map] if reads.label_map else tuple(manifest.class_names)
    classed = [d for d in domains if (manifest.class_codes[manifest.select(d, VALIDATION)] >= 0).any()]
    return DataFacts(
        uri=manifest.uri,
        sha256=manifest.sha256,
        name=manifest.name,
        stored={name: (domain.channels, domain.height, domain.width) for name, domain in domains.items()},
        train=train,
        validation={name: domain.validation for name, domain in domains.items()},
        truth=not reads.mixed and len(held) > 1 and bool(held[0]) and all(side == held[0] for side in held),
        largest_cached=max((shard.bytes for shard in manifest.shards.values()), default=0)
        if manifest.store.remote
        else 0,
        remote_bytes=_training_bytes(manifest, reads, limit) if manifest.store.remote else 0,
        classes=classes,
        label_names=label_names(reads, classes, manifest.head.attributes),
        labelled=frozenset(() if reads.mixed else classed),
        label_maps={
            name: LabelMaps(means, _mapped(manifest, name, reads))
            for name, means in manifest.head.labels.items()
            if name in manifest.domains
        },
        notes=(
            *notes_on_texts(manifest, reads),
            *notes_on_classes(manifest, reads),
            *(_not_balanced(manifest, reads.sources, limit) if balanced else ()),
        ),
        license=manifest.head.license,
    )


def open_manifest(uri: str) -> Manifest:
    """The manifest at `uri`. Refusal where there is none, or none of the shards that are there."""
    try:
        manifest = Manifest.open(uri)
        _check_shards(manifest)
    except DataError as error:
        raise Refusal(str(error), path="data.uri", value=uri) from error
    except Unreachable:
        raise
    except OSError as error:
        raise Refusal(f"{uri} cannot be read: {(error.strerror or '').lower()}", path="data.uri", value=uri) from error
    return manifest


def check_limits(system: type[System], reads: Reads, limit: Mapping[str, int]) -> None:
    """Refusal where a limit is for a domain that the system does not read."""
    refuse(
        [
            Refusal(f"{system.name} reads no domain {domain}", path=f"data.limit.{domain}", has=reads.domains)
            for domain in limit
            if domain not in reads.domains
        ]
    )


def check_counts(data: DataFacts, reads: Reads, limit: Mapping[str, int], batch: int) -> None:
    """Refusal where a source has fewer samples than a batch and nobody asked for so few, or more than its system takes."""
    for domain in reads.alone:
        if (data.train[domain] or 1) > 1:
            problem = (
                f"this system learns from one picture of {domain}, and {data.name} has {data.train[domain]} to train on"
            )
            hint = f"data.limit: {{{domain}: 1}} takes the first one"
            raise Refusal(f"{problem}; {hint}", path=f"data.limit.{domain}", value=limit.get(domain))
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


def _training_bytes(manifest: Manifest, reads: Reads, limit: Mapping[str, int]) -> int:
    """The bytes of all shards with pictures to train on: a shard travels whole."""
    rows = [rows for domains in reads.sources.values() for rows in training_rows(manifest, domains, limit).values()]
    codes = {int(code) for one in rows for code in manifest.shard_codes[one]}
    return sum(manifest.shards[manifest.shard_names[code]].bytes for code in codes)


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


def _check_training(manifest: Manifest, system: type[System], reads: Reads) -> None:
    """Refusal where there is nothing to train on."""
    for source, domains in reads.sources.items():
        if not len(manifest.join(domains)[domains[0]]):
            wanted = "pairs" if reads.paired else f"pictures of domain {source}"
            problem = f"{system.name} needs {wanted}, and {manifest.name} has none to train on"
            advice = _without_pairs(manifest, reads) if reads.paired and not reads.label_map else ""
            raise Refusal(problem + advice, path="data.uri", value=manifest.uri)


def _without_pairs(manifest: Manifest, reads: Reads) -> str:
    """What to do with pictures that are no pairs: the systems that take these as they are, or how to join them."""
    unpaired = [
        system for system in SYSTEMS.values() if not system.reads.paired and system.reads.domains == reads.domains
    ]
    fitting = [system.name for system in unpaired if not asked(partial(_check_labels, manifest, system, system.reads))]
    takers = f"; unpaired pictures are for {', '.join(fitting)}" if fitting else ""
    return f"{takers}; `i2i-cluster shards build folder OUT --from DIR --paired` makes pairs of pictures of one name"


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


def _check_label_map(manifest: Manifest, system: type[System], reads: Reads) -> None:
    """Refusal where the domain that the system takes for label maps holds none."""
    name, labels = reads.label_map, manifest.head.labels
    if not labels:
        problem = f"{system.name} reads label maps, and {manifest.name} has none; {MAKES_MAPS}"
        raise Refusal(problem, path="data.uri", value=manifest.uri)
    if name not in labels:
        problem = f"{system.name} reads label maps of domain {name}, and those of {manifest.name} are in another one"
        raise Refusal(problem, path="data.uri", value=manifest.uri, has=labels)


def _mapped(manifest: Manifest, label_map: str, reads: Reads) -> frozenset[str]:
    """The domains of which some validation pictures have a label map in the domain `label_map`."""
    others = [domain for domain in reads.domains if domain != label_map and not reads.mixed]
    return frozenset(d for d in others if len(manifest.join((d, label_map), VALIDATION)[d]))


def _check_pairs(manifest: Manifest, domains: tuple[str, ...], system: str, split: str) -> None:
    """Refusal where a picture of a split lacks its other side. Where no training picture has one, another check tells."""
    pairs = len(manifest.join(domains, split)[domains[0]])
    word = "training" if split == TRAIN else "validation"
    for domain in domains:
        keys = manifest.keys(domain, split)
        if (pairs or split != TRAIN) and len(keys) > pairs:
            others = set.intersection(*(set(manifest.keys(other, split)) for other in domains))
            alone = next(key for key in keys if key not in others)
            problem = (
                f"{system} joins {' and '.join(domains)} by key, and {len(keys) - pairs} of the {len(keys)} {word} "
                f"pictures of {domain} in {manifest.name} have no other side, such as {alone!r}; "
                "make the data set again from pairs alone"
            )
            raise Refusal(problem, path="data.uri", value=manifest.uri)
