"""`evaluate`: scores of pictures in folders, whoever made them, by the functions that score a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from orchestrator.errors import Refusal, nearest
from orchestrator.evaluate.files import BAD, Names, check_partners, find_unreadable, pictures_in, read_picture
from orchestrator.saying import say
from orchestrator.sweep_file.quantities import read_count, read_number
from orchestrator.sweep_file.values import FEATURES as NAME
from orchestrator.tables import table

if TYPE_CHECKING:
    from trainers.features import Module

REAL, FAKE, INPUT = "real", "fake", "input"
OPTIONS = {REAL: "--real", FAKE: "--fake", INPUT: "--inputs"}
KEYS = ("image", "range", "channels")
CHUNK = 8  # pictures that are looked at together, as in a training
LEAST = 2  # pictures of each kind that a distance of two kinds needs
Group = tuple[tuple[str, ...], list[str]]  # kinds that are read together, and the names of their pictures


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. features: NAME=PATH and, after commas, how the module wants its pictures."""

    real: Path
    fake: Path
    inputs: Path | None = None
    paired: bool = False
    features: tuple[str, ...] = ()
    size: int | None = None


def evaluate_folders(asked: Asked) -> dict[str, Any]:
    """The scores as JSON-able values: `scores` (name -> value, n, spread), `pictures` by kind, `left_out`, `notes`.

    Raises Refusal.
    """
    if not asked.features and not asked.paired:
        advice = "give --features NAME=PATH for fid, kid and is, or --paired for l1, psnr and ssim"
        raise Refusal(f"without either there is nothing to compare by: {advice}", path="--features")
    folders = {REAL: pictures_in(asked.real, OPTIONS[REAL]), FAKE: pictures_in(asked.fake, OPTIONS[FAKE])}
    folders |= {INPUT: pictures_in(asked.inputs, OPTIONS[INPUT])} if asked.inputs else {}
    for kind, other in ((FAKE, REAL), (REAL, FAKE)) if asked.paired else ():
        check_partners(folders[kind], folders[other], OPTIONS[kind], OPTIONS[other])
    if asked.inputs:
        check_partners(folders[FAKE], folders[INPUT], OPTIONS[FAKE], OPTIONS[INPUT])
    left_out = find_unreadable(list(folders.values()), asked.size)
    for file, why in left_out.items():
        say(f"left out {file}: {why}", aside=True)
    groups = _groups(folders, asked.paired, left_out)
    for kinds, names in groups:
        if not names:
            raise Refusal("none of the pictures could be read", path=OPTIONS[kinds[0]])
    first = read_picture(folders[groups[0][0][0]][groups[0][1][0]], asked.size)
    networks = dict(_module(text, max(first.shape[:2])) for text in asked.features)
    return _compared(asked, folders, groups, networks, left_out)


def _groups(folders: Mapping[str, Names], paired: bool, bad: Mapping[Path, str]) -> list[Group]:
    """What is read together: a picture is left out with all that belong to it."""
    with_input = (INPUT,) if INPUT in folders else ()
    kinds = [(FAKE, REAL, *with_input)] if paired else [(FAKE, *with_input), (REAL,)]
    return [
        (together, [name for name in folders[together[0]] if not any(folders[kind][name] in bad for kind in together)])
        for together in kinds
    ]


def _compared(
    asked: Asked,
    folders: Mapping[str, Names],
    groups: Sequence[Group],
    networks: Mapping[Module, int],
    left_out: dict[Path, str],
) -> dict[str, Any]:
    from orchestrator.shards.view import watched
    from trainers.compare import Comparison

    counts = {kind: len(names) for kinds, names in groups for kind in kinds}
    comparison, done, total = (
        Comparison(list(networks), counts, asked.paired),
        0,
        sum(len(names) for _, names in groups),
    )
    with watched("comparing") as (progress,):
        for kinds, names in groups:
            for chunk in _chunks(folders, kinds, names, asked.size, left_out):
                if chunk:
                    comparison.look(chunk)
                progress(done := min(done + CHUNK, total), total)
    scores = comparison.scores()
    notes = _notes(scores, networks, counts, asked.size)
    return {
        "scores": {name: asdict(found) for name, found in scores.items()},
        "pictures": comparison.seen,
        "size": asked.size,
        "left_out": {str(file): why for file, why in left_out.items()},
        "notes": notes,
    }


def _chunks(
    folders: Mapping[str, Names],
    kinds: Sequence[str],
    names: Sequence[str],
    size: int | None,
    left_out: dict[Path, str],
) -> Iterator[dict[str, np.ndarray]]:
    """uint8 `[N,H,W,3]` by kind, in order; empty where none of a chunk can be read. What cannot be read is named and noted."""
    for start in range(0, len(names), CHUNK):
        pictures: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
        for name in names[start : start + CHUNK]:
            file = folders[kinds[0]][name]
            try:
                read = []
                for kind in kinds:
                    file = folders[kind][name]
                    read.append(read_picture(file, size))
            except BAD as error:
                left_out[file] = str(error)
                say(f"left out {file}: {error}", aside=True)
                continue
            for kind, pixels in zip(kinds, read, strict=True):
                pictures[kind].append(pixels)
        yield {kind: np.stack(of) for kind, of in pictures.items() if of}


def _module(text: str, side: int) -> tuple[Module, int]:
    """The network of NAME=PATH[,image=N][,range=LOW:HIGH][,channels=N], tried, and how many features it has. Raises Refusal."""
    from cluster.features import read_module
    from data_shards.errors import DataError
    from trainers.compare import device
    from trainers.features import NoFeatures, Shown, load_module

    (name, equals, path), *settings = (part.partition("=") for part in text.split(","))
    if not equals or not path or not NAME.match(name):
        raise Refusal("is NAME=PATH, such as inception=inception.pt,image=299", path="--features", value=text)
    shown = Shown(**_shown(settings))
    try:
        module = load_module(read_module(str(Path(path).absolute())), name, shown, device())
        gives = module.gives(3, side)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Refusal(f"{path} is not there, or no file", path="--features", value=path) from error
    except (NoFeatures, DataError) as error:
        raise Refusal(str(error), path="--features", value=path) from error
    return module, gives["features"]


def _shown(settings: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """How a module wants its pictures."""
    shown: dict[str, Any] = {}
    for key, _, value in settings:
        if key not in KEYS:
            raise Refusal(f"unknown setting {key!r}", path="--features", nearest=nearest(key, KEYS), has=KEYS)
        try:
            if key == "range":
                low, _, high = value.partition(":")
                shown["low"], shown["high"] = (read_number(float(level)) for level in (low, high))
            else:
                shown[key] = read_count(int(value), 8_192 if key == "image" else 3)
        except ValueError as error:
            example = {"image": "image=299", "range": "range=0:1", "channels": "channels=3"}[key]
            raise Refusal(
                f"{key}={value} is not understood; write {example}", path="--features", value=value
            ) from error
    return shown


def _notes(
    scores: Mapping[str, Any], networks: Mapping[Module, int], counts: Mapping[str, int], size: int | None
) -> list[str]:
    """What the reader should know of the numbers, a line each."""
    notes, fewest = [], min(counts[REAL], counts[FAKE])
    for network, width in networks.items():
        if f"fid[{network.name}]" in scores and fewest <= width:
            notes.append(
                f"fid[{network.name}] is of {fewest:,} pictures and {width:,} features: with fewer than {width + 1:,} it is too "
                f"large, by an amount that depends on their number; kid[{network.name}] is not"
            )
    if networks and fewest < LEAST:
        notes.append(f"fid and kid need at least {LEAST} pictures of each kind, and there are {fewest}")
    if size is not None:
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
