"""`translate`: pictures through a sweep's model. Output names are the inputs', as PNG."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from cluster.model import Model
from cluster.model_use import Maker, Numbers, makes, takes_texts
from orchestrator.errors import Refusal, nearest
from orchestrator.models.model import Label, labels_by, open_model
from orchestrator.models.pictures import Read, Reader, file_name, find_pictures, make_folder, save, strip
from orchestrator.saying import say
from orchestrator.tables import print_json


@dataclass(frozen=True)
class Asked:
    """What the user asked for: `to` a domain, or a class of a system that translates between classes; `size` as of `Reader`;
    `codes`, `interpolate`: so many outputs of each picture, of fixed codes, or from one code to another; 0: one, of its own.
    """

    source: str
    target: Path
    to: str | None = None
    size: str | None = None
    batch: int = 1
    codes: int = 0
    interpolate: int = 0
    seed: int = 0
    strip: bool = False
    trial: int | None = None
    checkpoint: int | None = None


class Answer(NamedTuple):
    """One of a picture's outputs: what its name ends in, and what the network is told beside the picture."""

    suffix: str
    code: Numbers | None = None
    label: Label | None = None


@dataclass
class _Done:
    """What came of it: a record for each output, and for each picture that was left out; where the strips lie."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    strips: list[str] = field(default_factory=list)


def translate(sweep: str, storage: str, asked: Asked, as_json: bool) -> None:
    """Translate the pictures of a folder, a pattern or a file into a folder. A bad picture is named and left out.

    Raises Refusal, and OSError where a translation cannot be written.
    """
    pictures = find_pictures(asked.source, asked.target)
    if asked.target.exists() and asked.target.resolve() == Path(asked.source).resolve():
        raise _own_sources(asked.target)
    model = open_model(sweep, storage, asked.trial, asked.checkpoint)
    maker = Maker(model, _domain(sweep, model, asked.to))
    answers = _answers(model, maker, asked)
    reader = Reader(maker, asked.size, labels=maker.source == model.system.reads.label_map)
    _check_names(pictures, answers, asked)
    make_folder(asked.target)
    if asked.batch > 1 and maker.one_by_one:
        why = "dropout is drawn for each of them alone" if maker.drops else "it is a system of one's own"
        say(f"pictures go through one by one, not {asked.batch} at a time: {why}", aside=True)
    done = _Done()
    for batch in _batches(pictures, reader, asked.batch, done):
        _translate(batch, maker, answers, asked, done)
    _tell(done, model, reader, asked, len(pictures), as_json)


def _domain(sweep: str, model: Model, to: str | None) -> str:
    ways = makes(model)
    domains = [target for target, source in ways.items() if source]
    if not domains:
        draws = "; `i2i-cluster draw` makes pictures with it" if ways or takes_texts(model) else ""
        problem = f"{model.system.name} makes no pictures out of others, so there is nothing to translate with{draws}"
        raise Refusal(problem, path="SWEEP", value=sweep)
    if to is None or Maker(model, domains[0]).labels:
        return domains[0]  # of one that is told labels, `to` names one
    if to not in domains:
        near = nearest(to, domains)
        raise Refusal(f"this model does not translate to {to!r}", path="--to", nearest=near, has=domains)
    return to


def _answers(model: Model, maker: Maker, asked: Asked) -> list[Answer]:
    """The outputs of each picture."""
    if asked.codes and asked.interpolate:
        raise Refusal("goes between two codes, and is not asked for beside --codes", path="--interpolate")
    wanted = asked.codes or asked.interpolate
    if wanted and not maker.code:
        option = "--codes" if asked.codes else "--interpolate"
        problem = f"{model.system.name} has one output for a picture under these settings: there is no code to draw"
        raise Refusal(problem, path=option, value=wanted)
    if maker.labels:
        labels = labels_by(model, maker, asked.to, "--to")
        return [Answer("" if asked.to else f"-{file_name(name)}", label=label) for name, label in labels]
    if not wanted:
        return [Answer("")]
    codes = maker.codes(asked.seed, asked.codes or 2)
    codes = codes if asked.codes else maker.between(codes[0], codes[1], asked.interpolate)
    return [Answer(f"-{number}", code) for number, code in enumerate(codes)]


def _check_names(pictures: list[tuple[Path, Path]], answers: list[Answer], asked: Asked) -> None:
    """Refusal where an output would replace a picture that is read, or another output."""
    suffixes = [answer.suffix for answer in answers] + (["-strip"] if asked.strip else [])
    names = [_name(stem, suffix) for _, stem in pictures for suffix in suffixes]
    sources = {picture.resolve() for picture, _ in pictures}
    if any((asked.target / name).resolve() in sources for name in names):
        raise _own_sources(asked.target)
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise Refusal(f"two outputs would be called {twice}; rename the pictures", path="IN", value=asked.source)


def _own_sources(target: Path) -> Refusal:
    return Refusal("the pictures would replace their own sources; give another folder", path="OUT_DIR", value=target)


def _name(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}{suffix}.png")


def _batches(
    pictures: list[tuple[Path, Path]], reader: Reader, most: int, done: _Done
) -> Iterator[list[tuple[Path, Path, Read]]]:
    """Pictures of one size, as many as go through at once; those that cannot be read are told and left out."""
    waiting: list[tuple[Path, Path, Read]] = []
    quiet = not sys.stderr.isatty()
    for picture, stem in track(pictures, "translating", console=Console(stderr=True), disable=quiet):
        try:
            read = reader.read(picture.read_bytes())
        except (OSError, ValueError) as error:  # what the decoders raise for a picture that is none
            say(f"left out {picture}: {error}", aside=True)
            done.left_out.append({"picture": str(picture), "why": str(error)})
            continue
        if waiting and (len(waiting) == most or waiting[0][2].pixels.shape != read.pixels.shape):
            yield waiting
            waiting = []
        waiting.append((picture, stem, read))
    if waiting:
        yield waiting


def _translate(
    batch: list[tuple[Path, Path, Read]], maker: Maker, answers: list[Answer], asked: Asked, done: _Done
) -> None:
    pixels = np.stack([read.pixels for *_, read in batch])
    rows: list[list[np.ndarray]] = [[read.cropped(read.pixels, 1)] for *_, read in batch]
    for number, answer in enumerate(answers):
        label = None if answer.label is None else np.stack([answer.label(one) for one in pixels])
        made = maker.translate(pixels, answer.code, label)
        for (picture, stem, read), one, row in zip(batch, made, rows, strict=True):
            row.append(read.cropped(one, maker.scale))
            out = save(asked.target, _name(stem, answer.suffix), row[-1])
            height, width, _ = row[-1].shape
            record = {"picture": str(picture), "output": str(out), "width": width, "height": height}
            done.outputs.append(record | ({} if answer.code is None else {"code": number}))
    if asked.strip:
        for (_, stem, _), row in zip(batch, rows, strict=True):
            done.strips.append(str(save(asked.target, _name(stem, "-strip"), strip(row))))


def _tell(done: _Done, model: Model, reader: Reader, asked: Asked, count: int, as_json: bool) -> None:
    whole = count - len(done.left_out)
    if as_json:
        used = {key: model.card[key] for key in ("trial", "step", "digest")}
        print_json({"model": used, "outputs": done.outputs, "strips": done.strips, "left_out": done.left_out})
    else:
        side = None if reader.side is None else reader.side * reader.maker.scale
        size = "at their own sizes" if side is None else f"at {side} x {side} pixels"
        each = len(done.outputs) // max(1, whole)
        times = f", {each} outputs each" if each > 1 else ""
        say(f"translated {whole} picture{'' if whole == 1 else 's'} to {asked.target} {size}{times}")
    if not whole:
        raise Refusal("none of the pictures could be read", path="IN", value=asked.source)
