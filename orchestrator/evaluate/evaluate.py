"""`evaluate`: scores of pictures in folders, whoever made them, by the functions that score a training."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from orchestrator.errors import Refusal
from orchestrator.evaluate.files import BAD, Names, check_partners, find_unreadable, pictures_in, read_picture
from orchestrator.evaluate.judge import Judge, find_judge
from orchestrator.evaluate.networks import read_network
from orchestrator.saying import say
from orchestrator.storage import DEFAULT_STORAGE
from orchestrator.tables import table
from trainers.scores import TASK

if TYPE_CHECKING:
    from trainers.features import Network

REAL, FAKE, INPUT = "real", "fake", "input"
OPTIONS = {REAL: "--real", FAKE: "--fake", INPUT: "--inputs"}
CHUNK = 8  # pictures that are looked at together, as in a training
LEAST = 2  # pictures of each kind that a distance of two kinds needs
Group = tuple[tuple[str, ...], list[str]]  # kinds that are read together, and the names of their pictures


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. features: NAME=PATH and, after commas, how the module wants its pictures. task: the name, id
    or address of a task network, of a sweep in `storage`."""

    real: Path
    fake: Path
    inputs: Path | None = None
    paired: bool = False
    features: tuple[str, ...] = ()
    size: int | None = None
    task: str | None = None
    storage: str = DEFAULT_STORAGE


def evaluate_folders(asked: Asked) -> dict[str, Any]:
    """The scores as JSON-able values: `scores` (name -> value, n, spread), `pictures` by kind, `left_out`, `notes`.

    Raises Refusal.
    """
    if not asked.features and asked.task is None and not asked.paired:
        advice = "give --features NAME=PATH or --task TASK for fid, kid and is, or --paired for l1, psnr and ssim"
        raise Refusal(f"without one of these there is nothing to compare by: {advice}", path="--features")
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
    side = max(read_picture(folders[groups[0][0][0]][groups[0][1][0]], asked.size).shape[:2])
    networks: dict[Network, Collection[str]] = dict(read_network(text, side) for text in asked.features)
    judge = _judge(asked, folders, networks)
    if judge is not None:
        networks[judge.network()] = judge.gives
    told = _compared(asked, folders, groups, networks, left_out, judge)
    told["notes"] += judge.notes(side, len(folders[_judged(asked)])) if judge is not None else []
    return told


def _judged(asked: Asked) -> str:
    """The kind whose classes are known, if any are: what was translated keeps its class."""
    return INPUT if asked.inputs else FAKE


def _judge(asked: Asked, folders: Mapping[str, Names], networks: Iterable[Network]) -> Judge | None:
    """The task network that is asked, with the classes of the pictures. Raises Refusal."""
    if asked.task is None:
        return None
    if any(network.name == TASK for network in networks):
        raise Refusal(
            f"{TASK} is what scores in the task network are called by; name this one otherwise", path="--features"
        )
    return find_judge(asked.task, asked.storage, asked.inputs or asked.fake, folders[_judged(asked)])


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
    networks: Mapping[Network, Collection[str]],
    left_out: dict[Path, str],
    judge: Judge | None,
) -> dict[str, Any]:
    from orchestrator.shards.view import watched
    from trainers.compare import Comparison

    counts = {kind: len(names) for kinds, names in groups for kind in kinds}
    comparison, done, total = (
        Comparison(networks, counts, asked.paired),
        0,
        sum(len(names) for _, names in groups),
    )
    with watched("comparing") as (progress,):
        for kinds, names in groups:
            for read, chunk in _chunks(folders, kinds, names, (asked.size, judge.channels if judge else 3), left_out):
                if chunk:
                    comparison.look(
                        chunk, [judge.classes.get(name, -1) for name in read] if judge and FAKE in kinds else ()
                    )
                progress(done := min(done + CHUNK, total), total)
    scores = comparison.scores()
    notes = _notes(scores, comparison.widths, counts, asked.size)
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
    wanted: tuple[int | None, int],
    left_out: dict[Path, str],
) -> Iterator[tuple[list[str], dict[str, np.ndarray]]]:
    """Names, and uint8 `[N,H,W,C]` by kind, in order; empty where none of a chunk can be read. What cannot be is named and noted.

    wanted: the side, None for what it is, and the channels.
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
                    read.append(read_picture(file, *wanted))
            except BAD as error:
                left_out[file] = str(error)
                say(f"left out {file}: {error}", aside=True)
                continue
            whole.append(name)
            for kind, pixels in zip(kinds, read, strict=True):
                pictures[kind].append(pixels)
        yield whole, {kind: np.stack(of) for kind, of in pictures.items() if of}


def _notes(
    scores: Mapping[str, Any], widths: Mapping[str, int], counts: Mapping[str, int], size: int | None
) -> list[str]:
    """What the reader should know of the numbers, a line each."""
    notes, fewest = [], min(counts[REAL], counts[FAKE])
    for name, width in widths.items():
        if f"fid[{name}]" in scores and fewest <= width:
            notes.append(
                f"fid[{name}] is of {fewest:,} pictures and {width:,} features: with fewer than {width + 1:,} it is too "
                f"large, by an amount that depends on their number; kid[{name}] is not"
            )
    if widths and fewest < LEAST:
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
