"""What a system takes for labels, and whether the data tell it: classes, attributes, or the domains themselves; and texts."""

from __future__ import annotations

from data_shards.manifest import Manifest
from data_shards.split import SPLITS, TRAIN, VALIDATION
from data_shards.texts import WORDS, words
from orchestrator.errors import Refusal
from trainers.settings import Reads
from trainers.system import System

LEAST = 2  # training pictures of a class, on average
TABLE = "a column attributes in labels.csv"
MAKES_TEXTS = (
    "`i2i-cluster shards build openmoji OUT --texts` makes a data set of pictures with texts, and a column text in labels.csv "
    "tells those of your own"
)


def label_names(reads: Reads, classes: tuple[str, ...], attributes: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all labels there are, in the order of their numbers, on data that know these classes and attributes."""
    if reads.mixed:
        return reads.domains
    return attributes if reads.attributed else classes


def notes_on_classes(manifest: Manifest, reads: Reads) -> list[str]:
    """A line for each domain whose classes the system reads and that has hardly a picture of each."""
    notes = []
    for domain in reads.labelled:
        codes = manifest.class_codes[manifest.select(domain, TRAIN)]
        pictures, classes = len(codes), len(set(codes.tolist()) - {-1})
        if pictures < LEAST * classes:
            few = f"domain {domain} has {pictures:,} training pictures of {classes:,} classes"
            notes.append(
                f"{few}, fewer than {LEAST} of each on average: what is to tell them apart has little to go by"
            )
    return notes


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


def check_texts(manifest: Manifest, system: type[System], reads: Reads) -> None:
    """Refusal where a picture of a domain whose texts the system reads has none, or one without a word."""
    for domain in reads.captioned:
        what = f"{system.name} reads the texts of domain {domain}, and"
        texts = {split: manifest.texts_of(manifest.select(domain, split)) for split in SPLITS}
        without = {split: sum(not words(text or "") for text in found) for split, found in texts.items()}
        if sum(without.values()) == sum(map(len, texts.values())):
            raise Refusal(f"{what} {manifest.name} has none; {MAKES_TEXTS}", path="data.uri", value=manifest.uri)
        for split, word in ((TRAIN, "training"), (VALIDATION, "validation")):
            if without[split]:
                problem = (
                    f"{what} {without[split]} of its {len(texts[split])} {word} pictures in {manifest.name} have none; "
                    f"leave them out, or give them one: {MAKES_TEXTS}"
                )
                raise Refusal(problem, path="data.uri", value=manifest.uri)


def notes_on_texts(manifest: Manifest, reads: Reads) -> list[str]:
    """A note on each domain of whose texts some are longer than what is read of them."""
    notes = []
    for domain in reads.captioned:
        texts = manifest.texts_of(manifest.select(domain, TRAIN))
        if long := sum(len(words(text or "")) > WORDS for text in texts):
            notes.append(
                f"{long} of the {len(texts)} texts of domain {domain} have more than the {WORDS} words that are read"
            )
    return notes
