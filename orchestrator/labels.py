"""What a system takes for labels, and whether the data tell it: classes, attributes, or the domains themselves."""

from __future__ import annotations

from data_shards.manifest import Manifest
from data_shards.split import TRAIN
from orchestrator.errors import Refusal
from trainers.settings import Reads
from trainers.system import System

TABLE = "a column attributes in labels.csv"


def label_names(reads: Reads, classes: tuple[str, ...], attributes: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all labels there are, in the order of their numbers, on data that know these classes and attributes."""
    if reads.mixed:
        return reads.domains
    return attributes if reads.attributed else classes


def check_attributes(manifest: Manifest, system: type[System], reads: Reads) -> None:
    """Refusal where a domain whose attributes the system reads has a training picture of which nobody told them."""
    told = manifest.attributes
    for domain in reads.attributed:
        what = f"{system.name} reads the attributes of domain {domain}, and"
        if not told.names:
            near = "class" if manifest.class_names else "domain" if {"a", "b"} <= manifest.domains.keys() else None
            problem = f"{what} {manifest.name} has none; make the data set again with {TABLE}"
            raise Refusal(problem, path="hyper.labels", value="attributes", nearest=near)
        codes = told.codes[manifest.select(domain, TRAIN)]
        if without := int((codes < 0).sum()):
            problem = (
                f"{what} of {without} of its {len(codes)} training pictures in {manifest.name} nobody told them; make the "
                f"data set again with a line for each in labels.csv, and an empty cell where it has none"
            )
            raise Refusal(problem, path="data.uri", value=manifest.uri)
