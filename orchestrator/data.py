"""What a plan must know of its data: how many pictures of which shape, and whether they suit the system.

Only the manifest is read. Its hash is a part of the sweep's identity, so data rebuilt from other pictures
is another sweep, and the same data in another folder is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_shards.errors import DataError
from data_shards.manifest import Manifest
from orchestrator.errors import Refusal, show
from trainers.errors import SettingError
from trainers.system import System

Shapes = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class DataFacts:
    """A manifest in numbers.

    `stored`: domain -> (channels, height, width) as kept in the shards. `train`: source -> samples, where a
    pair is one sample. `validation`: domain -> pictures. `truth`: every validation picture has its
    counterpart.
    """

    uri: str
    sha256: str
    name: str
    stored: Mapping[str, tuple[int, int, int]]
    train: Mapping[str, int]
    validation: Mapping[str, int]
    truth: bool

    def shapes(self, image: int) -> Shapes:
        """Domain -> (channels, height, width) as trained, with `image` pixels a side."""
        return {domain: (channels, image, image) for domain, (channels, _, _) in self.stored.items()}


def read_data(uri: str, system: type[System]) -> DataFacts:
    """The facts about the data at `uri` for `system`.

    Raises:
        Refusal: nothing is there, a domain is missing, or there is nothing to train on.
    """
    try:
        manifest = Manifest.open(uri)
    except DataError as error:
        raise Refusal(str(error), path="data.uri", value=uri) from error
    except OSError as error:
        raise Refusal(f"{uri} cannot be read: {(error.strerror or '').lower()}", path="data.uri", value=uri) from error
    reads = system.reads
    missing = [domain for domain in reads.domains if domain not in manifest.domains]
    if missing:
        problem = f"{system.name} reads domain {' and '.join(missing)}, which {manifest.name} does not have"
        raise Refusal(problem, path="data.uri", value=uri, has=manifest.domains)
    kept = {split: {d: set(manifest.keys(d, split)) for d in reads.domains} for split in ("train", "validation")}
    train = {name: len(set.intersection(*(kept["train"][d] for d in ds))) for name, ds in reads.sources.items()}
    for source, count in train.items():
        if not count:
            wanted = "pairs" if reads.paired else f"pictures of domain {source}"
            raise Refusal(f"{system.name} needs {wanted}, and {manifest.name} has none to train on", path="data.uri")
    sides = list(kept["validation"].values())
    domains = {name: manifest.domains[name] for name in reads.domains}
    return DataFacts(
        uri=manifest.uri,
        sha256=manifest.sha256,
        name=manifest.name,
        stored={name: (domain.channels, domain.height, domain.width) for name, domain in domains.items()},
        train=train,
        validation={name: domain.validation for name, domain in domains.items()},
        truth=len(sides) > 1 and bool(sides[0]) and all(side == sides[0] for side in sides),
    )


def check_shapes(system: type[System], shapes: Shapes, hyper: object, searched: bool) -> None:
    """Raise Refusal where the networks cannot take these shapes; `searched`: the setting is a trial's."""
    try:
        system.check(shapes, hyper)
    except SettingError as error:
        path = f"search.{error.path}" if searched else error.path
        is_named = str(error.value) in error.problem
        problem = error.problem if is_named else f"{show(error.value)} does not fit: {error.problem}"
        raise Refusal(problem, path=path, value=error.value) from error
