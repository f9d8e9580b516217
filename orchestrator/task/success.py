"""`task success`: whether a sweep's translations help a classifier that has few real pictures (see `trainers.task_success`)."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from cluster.model import Model
from cluster.model_use import Maker, makes
from cluster.run import Run
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from data_shards.split import TRAIN, VALIDATION
from data_shards.validation import Validation
from orchestrator.errors import Refusal
from orchestrator.models.model import open_model
from orchestrator.tables import console, facts, print_json, print_parts, table
from orchestrator.task.student import margin
from orchestrator.task.task import channels_text
from trainers.task_success import Labelled, Schooling, few_of, read_after

WITHOUT, UNTRANSLATED, WITH = "few real", "few real, untranslated beside them", "few real, translated beside them"


@dataclass(frozen=True)
class Asked:
    """What the user asked for. few: real pictures; others: translated ones, at most; seeds: classifiers of each kind."""

    sweep: str
    data: str | None
    few: int
    others: int
    seeds: int
    how: Schooling


@dataclass(frozen=True)
class _Domain:
    """The pictures of a domain that have a class, on one side of the split."""

    pictures: Validation
    name: str
    keys: list[str]
    classes: NDArray[np.int64]

    def take(self, places: Sequence[int]) -> Labelled:
        pixels = np.stack([self.pictures.read(self.name, self.keys[place]) for place in places])
        return Labelled(pixels, self.classes[list(places)])


def task_success(storage: str, asked: Asked, as_json: bool) -> None:
    """Train the classifiers and print what they read. Raises Refusal."""
    model = open_model(asked.sweep, storage)
    maker = _maker(model, asked.sweep)
    run = Run.from_json(model.card["run"])
    manifest = _manifest(asked.data or run.data.uri)
    _check_channels(manifest, {maker.way.target: model.shapes[maker.way.target][0], maker.source: maker.shape[0]})
    real, exam = (_domain(manifest, maker.way.target, run.data.image, split) for split in (TRAIN, VALIDATION))
    source = _domain(manifest, maker.source, maker.shape[1], TRAIN)
    if asked.few > len(real.keys):
        problem = (
            f"the data set has {len(real.keys):,} training pictures of {real.name} with a class, not {asked.few:,}"
        )
        raise Refusal(problem, path="--few", value=asked.few)
    others = source.take([int(place) for place in few_of(source.classes, asked.others, 0)])
    lessons: dict[str, list[Labelled]] = {WITHOUT: []}
    if others.pixels.shape[1:] == model.shapes[maker.way.target][1:] + model.shapes[maker.way.target][:1]:
        lessons[UNTRANSLATED] = [others]
    lessons[WITH] = [_translated(maker, others)]
    read = _school(real, exam.take(range(len(exam.keys))), lessons, len(manifest.head.classes), asked)
    told = _told(read, asked, len(exam.keys), len(others), f"{model.system.name}, trial {model.card['trial']}")
    if as_json:
        print_json(told)
    else:
        _print(told)


def _maker(model: Model, sweep: str) -> Maker:
    ways = [target for target, source in makes(model).items() if source]
    if not ways:
        raise Refusal(f"{model.system.name} makes no pictures out of others", path="SWEEP", value=sweep)
    maker = Maker(model, ways[0])
    if maker.labels:
        problem = (
            f"{model.system.name} changes the class of a picture, so its translations have not that of their sources"
        )
        raise Refusal(problem, path="SWEEP", value=sweep)
    return maker


def _manifest(uri: str) -> Manifest:
    try:
        return Manifest.open(uri)
    except (DataError, OSError) as error:
        raise Refusal(f"{error}; say where the pictures are", path="--data", value=uri) from error


def _check_channels(manifest: Manifest, wanted: Mapping[str, int]) -> None:
    """Refusal where the pictures of a domain are grey and the model's are in colour, or the other way round."""
    for name, channels in wanted.items():
        has = manifest.domains[name].channels if name in manifest.domains else channels
        if has != channels:
            problem = (
                f"domain {name} has pictures of {channels_text(has)}, and the model's are of {channels_text(channels)}"
            )
            raise Refusal(problem, path="--data", value=manifest.uri)


def _domain(manifest: Manifest, name: str, image: int, split: str) -> _Domain:
    if name not in manifest.domains:
        raise Refusal(f"there is no domain {name}", path="--data", value=manifest.uri, has=[*manifest.domains])
    pictures = Validation(manifest, domains=(name,), image=image, limit=len(manifest.sizes), split=split)
    codes = {key: pictures.label(name, key) for key in pictures.keys(name)}
    keys = [key for key, code in codes.items() if code >= 0]
    if not keys:
        raise Refusal(f"no {split} picture of {name} has a class", path="--data", value=manifest.uri)
    return _Domain(pictures, name, keys, np.array([codes[key] for key in keys], np.int64))


def _translated(maker: Maker, others: Labelled) -> Labelled:
    shown = track(range(len(others)), "translating", console=Console(stderr=True), disable=not sys.stderr.isatty())
    return Labelled(np.concatenate([maker.translate(others.pixels[at : at + 1]) for at in shown]), others.classes)


def _school(
    real: _Domain, exam: Labelled, lessons: dict[str, list[Labelled]], classes: int, asked: Asked
) -> dict[str, list[float]]:
    """What each kind of classifier reads of the exam, seed by seed: a seed's are given the same few real pictures."""
    todo = [(seed, kind) for seed in range(asked.seeds) for kind in lessons]
    read: dict[str, list[float]] = {kind: [] for kind in lessons}
    for seed, kind in track(
        todo, "training classifiers", console=Console(stderr=True), disable=not sys.stderr.isatty()
    ):
        few = real.take([int(place) for place in few_of(real.classes, asked.few, seed)])
        read[kind].append(read_after([few, *lessons[kind]], exam, classes, asked.how, seed))
    return read


def _told(read: dict[str, list[float]], asked: Asked, exam: int, others: int, model: str) -> dict[str, Any]:
    gains = {
        kind: [mine - alone for mine, alone in zip(values, read[WITHOUT], strict=True)] for kind, values in read.items()
    }
    rows = {
        kind: {
            "value": statistics.fmean(values),
            "margin": margin(values),
            "gain": statistics.fmean(gains[kind]),
            "gain_margin": margin(gains[kind]),
            "n": exam,
            "by_seed": values,
        }
        for kind, values in read.items()
    }
    return {
        "sweep": asked.sweep,
        "model": model,
        "few": asked.few,
        "others": others,
        "seeds": asked.seeds,
        "schooling": asdict(asked.how),
        "scores": rows,
    }


def _print(told: dict[str, Any]) -> None:
    rows = [
        {
            "learned from": kind,
            "task success": f"{row['value']:.3f} ± {row['margin']:.3f}",
            "gain": "" if kind == WITHOUT else f"{row['gain']:+.3f} ± {row['gain_margin']:.3f}",
        }
        for kind, row in told["scores"].items()
    ]
    gained = told["scores"][WITH]
    low, high = gained["gain"] - gained["gain_margin"], gained["gain"] + gained["gain_margin"]
    verdict = (
        "the translations help" if low > 0 else "the translations harm" if high < 0 else "these seeds do not decide it"
    )
    n = gained["n"]
    about = {
        "model": told["model"],
        "pictures": f"{told['few']:,} real ones, {told['others']:,} others; read are {n:,} that nobody learned from",
        "intervals": f"95 %, Student's t over {told['seeds']} seeds; a seed's classifiers have the same real pictures",
        "verdict": verdict,
    }
    print_parts(console(), table(f"task success of {told['sweep']}", rows), facts(about))
