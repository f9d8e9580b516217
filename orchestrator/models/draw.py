"""`draw`: pictures that come of no other picture: from noise, of a class, or of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster.model import Model
from cluster.model_use import Maker, Numbers, Pixels, draw_texts, has_attributes, makes, takes_texts
from orchestrator.errors import Refusal, nearest
from orchestrator.models.model import label_names, label_of, open_model
from orchestrator.models.pictures import file_name, make_folder, save, strip
from orchestrator.saying import say
from orchestrator.tables import print_json

SUM = re.compile(r"\d+(?:[+-]\d+)*")
LONGEST_SUM = 32  # codes


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. kinds: classes or, with commas, attributes; none: each class. mix: a sum of codes, `0-1+2`."""

    target: Path
    codes: int = 16
    seed: int = 0
    kinds: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    interpolate: int = 0
    mix: str = ""
    to: str | None = None
    strip: bool = False
    trial: int | None = None
    checkpoint: int | None = None


@dataclass(frozen=True)
class _Row:
    """Pictures of one kind: what their files' names begin with, and what is said of each."""

    name: str
    pictures: Pixels
    records: tuple[dict[str, Any], ...]


def draw(sweep: str, storage: str, wanted: Wanted, as_json: bool) -> None:
    """Draw pictures into a folder. Raises Refusal, and OSError where one cannot be written."""
    model = open_model(sweep, storage, wanted.trial, wanted.checkpoint)
    rows = of_texts(model, wanted) if takes_texts(model) else _from_noise(sweep, model, wanted)
    make_folder(wanted.target)
    outputs = []
    for row in rows:
        for number, (one, record) in enumerate(zip(row.pictures, row.records, strict=True)):
            out = save(wanted.target, Path(f"{row.name}-{number:03d}.png"), one)
            outputs.append({"output": str(out), **record})
        if wanted.strip:
            save(wanted.target, Path(f"{row.name}-strip.png"), strip(list(row.pictures)))
    if as_json:
        used = {key: model.card[key] for key in ("trial", "step", "digest")}
        print_json({"model": used, "outputs": outputs})
        return
    height, width, _ = rows[0].pictures[0].shape
    say(
        f"drew {len(outputs)} picture{'' if len(outputs) == 1 else 's'} to {wanted.target} at {width} x {height} pixels"
    )


def _from_noise(sweep: str, model: Model, wanted: Wanted) -> list[_Row]:
    maker = Maker(model, _domain(sweep, model, wanted.to))
    if wanted.texts:
        raise Refusal(f"{model.system.name} reads no texts", path="--text", value=wanted.texts[0])
    codes, records = _codes(maker, wanted)
    if not maker.labels:
        if wanted.kinds:
            raise Refusal(f"{model.system.name} knows no classes", path="--class", value=wanted.kinds[0])
        return [_Row("code", maker.draw(codes), records)]
    names = label_names(model, maker)
    rows = []
    for kind in wanted.kinds or names:
        label = label_of(names, kind, has_attributes(model), "--class")
        said = tuple({"class": kind, **record} for record in records)
        rows.append(_Row(file_name(kind), maker.draw(codes, label), said))
    return rows


def _domain(sweep: str, model: Model, to: str | None) -> str:
    domains = [target for target, source in makes(model).items() if not source]
    if not domains:
        other = "; `i2i-cluster translate` does" if makes(model) else ""
        problem = f"{model.system.name} makes no pictures from noise{other}"
        raise Refusal(problem, path="SWEEP", value=sweep)
    if to is not None and to not in domains:
        raise Refusal(f"this model does not draw {to!r}", path="--to", nearest=nearest(to, domains), has=domains)
    return to or domains[0]


def _codes(maker: Maker, wanted: Wanted) -> tuple[Numbers, tuple[dict[str, Any], ...]]:
    """The codes to be drawn, and what is said of each."""
    if wanted.interpolate and wanted.mix:
        raise Refusal("is not asked for beside --interpolate", path="--mix", value=wanted.mix)
    if wanted.interpolate:
        first, last = maker.codes(wanted.seed, 2)
        walked = maker.between(first, last, wanted.interpolate)
        return walked, tuple({"from": 0, "to": 1} for _ in walked)
    if wanted.mix:
        signs = _sum(wanted.mix)
        parts = maker.codes(wanted.seed, 1 + max(number for number, _ in signs))
        mixed: Numbers = np.sum([sign * parts[number] for number, sign in signs], axis=0, dtype=np.float32)
        shown = np.stack([*(parts[number] for number, _ in signs), mixed])
        return shown, (*({"code": number} for number, _ in signs), {"sum": wanted.mix})
    return maker.codes(wanted.seed, wanted.codes), tuple({"code": number} for number in range(wanted.codes))


def _sum(text: str) -> list[tuple[int, float]]:
    """`0-1+2` -> [(0, 1), (1, -1), (2, 1)]."""
    text = text.replace(" ", "")
    parts = re.findall(r"([+-]?)(\d{1,6})", text)
    if not SUM.fullmatch(text) or len(parts) > LONGEST_SUM or any(int(number) >= 10_000 for _, number in parts):
        raise Refusal(f"cannot be {text!r}: numbers of codes with + and - between them, as 0-1+2", path="--mix")
    return [(int(number), -1.0 if sign == "-" else 1.0) for sign, number in parts]


def of_texts(model: Model, wanted: Wanted) -> list[_Row]:
    """A row for each text. Pictures with one number have the same noise."""
    for option, given in (("--class", wanted.kinds), ("--interpolate", wanted.interpolate), ("--mix", wanted.mix)):
        if given:
            problem = f"{model.system.name} draws of texts, and its noise is a part of how it reads them"
            raise Refusal(problem, path=option, value=given)
    if not wanted.texts:
        raise Refusal(f"{model.system.name} draws pictures of texts: give one, or several", path="--text")
    made = np.stack([draw_texts(model, wanted.texts, wanted.seed, number) for number in range(wanted.codes)], 1)
    return [_row(place, text, pictures) for place, (text, pictures) in enumerate(zip(wanted.texts, made, strict=True))]


def _row(place: int, text: str, pictures: Sequence[Pixels]) -> _Row:
    records = tuple({"text": text, "code": number} for number in range(len(pictures)))
    return _Row(f"text-{place}", np.stack(list(pictures)), records)
