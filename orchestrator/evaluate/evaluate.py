"""`evaluate`: scores of pictures in folders, whoever made them, by the functions that score a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from orchestrator.errors import Refusal
from orchestrator.evaluate.files import (
    BAD,
    Names,
    check_partners,
    overlap,
    pictures_in,
    read_heads,
    read_label_map,
    read_picture,
)
from orchestrator.evaluate.judge import Judge, find_judge
from orchestrator.evaluate.networks import check_names, module_blamed, read_network
from orchestrator.saying import say
from orchestrator.storage import DEFAULT_STORAGE
from orchestrator.tables import table

if TYPE_CHECKING:
    from trainers.features import Network
    from trainers.readings import Found

REAL, FAKE, INPUT, LABELS = "real", "fake", "input", "labels"
OPTIONS = {REAL: "--real", FAKE: "--fake", INPUT: "--inputs", LABELS: "--labels"}
CHUNK = 8  # pictures that are looked at together, as in a training
LEAST = 2  # pictures of each kind that a distance of two kinds needs
Group = tuple[tuple[str, ...], list[str]]  # kinds that are read together, and the names of their pictures


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. features: NAME=PATH and, after commas, how the module wants its pictures. task: the name, id
    or address of a task network, of a sweep in `storage`. labels: the folder of label maps."""

    real: Path
    fake: Path
    inputs: Path | None = None
    paired: bool = False
    features: tuple[str, ...] = ()
    size: int | None = None
    task: str | None = None
    storage: str = DEFAULT_STORAGE
    labels: Path | None = None

    @property
    def places(self) -> dict[str, Path]:
        """The folders by kind."""
        given = {REAL: self.real, FAKE: self.fake, INPUT: self.inputs, LABELS: self.labels}
        return {kind: place for kind, place in given.items() if place is not None}


def evaluate_folders(asked: Asked) -> dict[str, Any]:
    """The scores as JSON-able values: `scores` (name -> value, n, spread), `pictures` by kind, `left_out`, `notes`.

    Raises Refusal.
    """
    if not asked.features and asked.task is None and not asked.paired:
        advice = "give --features NAME=PATH or --task TASK for fid, kid and is, or --paired for l1, psnr and ssim"
        raise Refusal(f"without one of these there is nothing to compare by: {advice}", path="--features")
    if asked.labels and asked.task is None:
        raise Refusal("label maps are held against what a task network reads; give --task TASK too", path="--labels")
    check_names(asked.features, asked.task is not None)
    notes: list[str] = []
    folders = {kind: pictures_in(place, OPTIONS[kind], notes) for kind, place in asked.places.items()}
    notes += [said] if (said := overlap(asked.real, asked.fake)) else []
    for kind, other in ((FAKE, REAL), (REAL, FAKE)) if asked.paired else ():
        check_partners(folders[kind], folders[other], OPTIONS[kind], OPTIONS[other])
    for kind in (INPUT, LABELS):
        if kind in folders:
            check_partners(folders[FAKE], folders[kind], OPTIONS[FAKE], OPTIONS[kind])
    left_out, height, width = read_heads(list(folders.values()), asked.size)
    for file, why in left_out.items():
        say(f"left out {file}: {why}", aside=True)
    groups = _groups(folders, asked.paired, left_out)
    for kinds, names in groups:
        if not names:
            raise _unread(kinds, folders, left_out)
    judge = _judge(asked, folders)
    seen = (judge.channels if judge else 3, height, width)
    networks: dict[Network, Collection[str]] = dict(read_network(text, *seen) for text in asked.features)
    if judge is not None:
        networks[judge.network()] = judge.gives
    told, read = _compared(asked, folders, groups, networks, left_out, judge)
    told["notes"] = notes + told["notes"] + (judge.notes(max(height, width), read) if judge is not None else [])
    return told


def _unread(kinds: Sequence[str], folders: Mapping[str, Names], left_out: Mapping[Path, str]) -> Refusal:
    """What is said where nothing is left of kinds that belong together: of the one that most is wrong with."""
    lost = {kind: sum(file in left_out for file in folders[kind].values()) for kind in kinds}
    return Refusal("none of the pictures could be read", path=OPTIONS[max(kinds, key=lambda kind: lost[kind])])


def _judged(asked: Asked) -> str:
    """The kind whose classes are known, if any are: what was translated keeps its class."""
    return INPUT if asked.inputs else FAKE


def _judge(asked: Asked, folders: Mapping[str, Names]) -> Judge | None:
    """The task network that is asked, with the classes of the pictures. Raises Refusal."""
    if asked.task is None:
        return None
    folder, pictures = asked.inputs or asked.fake, folders[_judged(asked)]
    return find_judge(asked.task, asked.storage, folder, pictures, mapped=asked.labels is not None)


def _groups(folders: Mapping[str, Names], paired: bool, bad: Mapping[Path, str]) -> list[Group]:
    """What is read together: a picture is left out with all that belong to it."""
    beside = tuple(kind for kind in (INPUT, LABELS) if kind in folders)
    kinds = [(FAKE, REAL, *beside)] if paired else [(FAKE, *beside), (REAL,)]
    return [
        (together, [name for name in folders[together[0]] if not any(folders[kind][name] in bad for kind in together)])
        for together in kinds
    ]


def _compared(
    asked: Asked,
    folders: Mapping[str, Names],
    groups: Sequence[Group],
    networks: Mapping[Network, Collection[str]],
    left_out: dict[Path, str],
    judge: Judge | None,
) -> tuple[dict[str, Any], list[str]]:
    """What is told, and the names of the generated pictures that were read."""
    from orchestrator.shards.view import watched
    from trainers.compare import Comparison

    counts = {kind: len(names) for kinds, names in groups for kind in kinds if kind != LABELS}
    comparison, whole = Comparison(networks, counts, asked.paired), list[str]()
    done, total = 0, sum(len(names) for _, names in groups)
    with watched("comparing") as (progress,):
        for kinds, names in groups:
            reading = partial(_read, asked.size, judge)
            for read, chunk in _chunks(folders, kinds, names, reading, left_out):
                classes = _classes(judge, read, chunk.pop(LABELS, None)) if judge and FAKE in kinds else None
                if chunk:
                    with module_blamed():
                        comparison.look(chunk, classes)
                whole += read if FAKE in kinds else []
                progress(done := min(done + CHUNK, total), total)
            if not comparison.seen[kinds[0]]:
                raise _unread(kinds, folders, left_out)
    scores, notes = _finite(comparison.scores())
    notes += _notes(scores, comparison.widths, comparison.seen, asked)
    told = {
        "scores": {name: asdict(found) for name, found in scores.items()},
        "pictures": comparison.seen,
        "size": asked.size,
        "left_out": {str(file): why for file, why in left_out.items()},
        "notes": notes,
    }
    return told, whole


def _read(size: int | None, judge: Judge | None, kind: str, file: Path) -> np.ndarray:
    """uint8 `[H,W,C]` of a picture; the numbers of the classes of pixels, `[H,W]`, of a label map. Raises BAD."""
    if kind == LABELS and judge is not None:
        return read_label_map(file, size, len(judge.card.classes))
    return read_picture(file, size, judge.channels if judge else 3)


def _classes(judge: Judge, names: Sequence[str], mapped: np.ndarray | None) -> np.ndarray:
    """Of pictures, or of their pixels where label maps tell them."""
    return mapped if mapped is not None else np.array([judge.classes.get(name, -1) for name in names])


def _finite(found: Mapping[str, Found]) -> tuple[dict[str, Found], list[str]]:
    """The scores that have a value, and a note on the others."""
    scores = {
        name: one if one.spread is None or math.isfinite(one.spread) else replace(one, spread=None)
        for name, one in found.items()
        if math.isfinite(one.value)
    }
    lost = [name for name in found if name not in scores]
    return scores, [f"not finite, so without a value: {', '.join(lost)}"] if lost else []


def _chunks(
    folders: Mapping[str, Names],
    kinds: Sequence[str],
    names: Sequence[str],
    reading: Callable[[str, Path], np.ndarray],
    left_out: dict[Path, str],
) -> Iterator[tuple[list[str], dict[str, np.ndarray]]]:
    """Names, and uint8 `[N,H,W,C]` by kind, in order; empty where none of a chunk can be read. What cannot be is named and noted.

    reading: of a kind and a file, raises BAD.
    """
    for start in range(0, len(names), CHUNK):
        pictures: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
        whole: list[str] = []
        for name in names[start : start + CHUNK]:
            file = folders[kinds[0]][name]
            try:
                read = []
                for kind in kinds:
                    file = folders[kind][name]
                    read.append(reading(kind, file))
            except BAD as error:
                left_out[file] = str(error)
                say(f"left out {file}: {error}", aside=True)
                continue
            whole.append(name)
            for kind, pixels in zip(kinds, read, strict=True):
                pictures[kind].append(pixels)
        yield whole, {kind: np.stack(of) for kind, of in pictures.items() if of}


def _notes(scores: Mapping[str, Any], widths: Mapping[str, int], counts: Mapping[str, int], asked: Asked) -> list[str]:
    """What the reader should know of the numbers, a line each. counts: the pictures of each kind that were read."""
    from trainers.measures import LEAST_SSIM

    notes, fewest = [], min(counts[REAL], counts[FAKE])
    for name, width in widths.items():
        if f"fid[{name}]" in scores and fewest <= width:
            notes.append(
                f"fid[{name}] is of {fewest:,} pictures and {width:,} features: with fewer than {width + 1:,} it is too "
                f"large, by an amount that depends on their number; kid[{name}] is not"
            )
    if widths and fewest < LEAST:
        notes.append(f"fid and kid need at least {LEAST} pictures of each kind, and there are {fewest}")
    if asked.paired and "ssim" not in scores:
        notes.append(f"ssim has no value: its window needs pictures of {LEAST_SSIM} pixels a side")
    if (size := asked.size) is not None:
        notes.append(
            f"every picture was brought to {size} x {size} pixels: its middle square, bicubic with antialiasing"
        )
    return notes


def print_scores(told: Mapping[str, Any], console: Console) -> None:
    """Print what `evaluate_folders` found for people."""
    rows = [
        {
            "score": name,
            "value": f"{found['value']:.6g}",
            "spread": "" if found["spread"] is None else f"{found['spread']:.3g}",
            "pictures": f"{found['n']:,}",
        }
        for name, found in told["scores"].items()
    ]
    console.print(table("Scores", rows))
    for note in told["notes"]:
        say(f"note: {note}")
