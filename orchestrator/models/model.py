"""The model that a command uses: a sweep's best one, or another of its trainings; and what can be asked of it by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cluster.model import Model, load_best, load_trial
from cluster.model_file import NoModel
from cluster.model_use import Maker, Numbers, has_attributes, read_label
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from orchestrator.errors import Refusal, nearest
from orchestrator.finding import FoundSweep, find_sweep

LISTED = 20  # names that a refusal repeats
Label = Callable[[NDArray[np.uint8]], Numbers]  # of a picture `[H,W,C]` -> what it is to have, `[labels]` of 0 and 1
OFF = "-"  # before the name of an attribute that a picture is to lose


def open_model(sweep: str, storage: str, trial: int | None = None, checkpoint: int | None = None) -> Model:
    """The sweep's best model, or the networks of a trial's checkpoint: the newest one, or that of a step. Raises Refusal."""
    return find_model(sweep, storage, trial, checkpoint)[1]


def find_model(sweep: str, storage: str, trial: int | None, checkpoint: int | None) -> tuple[FoundSweep, Model]:
    """The same, with the sweep."""
    if checkpoint is not None and trial is None:
        raise Refusal("a checkpoint is one of a trial: name that with --trial", path="--checkpoint", value=checkpoint)
    found = find_sweep(sweep, storage)
    if trial is not None and trial not in found.state.trials:
        known = [str(index) for index in found.state.trials]
        raise Refusal(f"sweep {found.state.name} has no trial {trial}", path="--trial", value=trial, has=known)
    try:
        if trial is None:
            return found, load_best(found.store, found.state.id)
        return found, load_trial(found.store, found.state.id, trial, checkpoint)
    except NoModel as error:
        where = "SWEEP" if trial is None else "--trial" if checkpoint is None else "--checkpoint"
        raise Refusal(str(error), path=where, value=sweep) from error


def label_names(model: Model, maker: Maker) -> tuple[str, ...]:
    """What its labels are called: classes as the run knew them, attributes as the data set does while it is there; else numbers."""
    data = model.card["run"]["data"]
    if not has_attributes(model) and len(data["classes"]) == maker.labels:
        return tuple(data["classes"])
    try:
        manifest = Manifest.open(data["uri"])
    except (DataError, OSError):
        return tuple(map(str, range(maker.labels)))
    same = manifest.sha256 == data["manifest"] and has_attributes(model)
    return tuple(manifest.head.attributes) if same else tuple(map(str, range(maker.labels)))


def labels_by(model: Model, maker: Maker, wanted: str | None, option: str) -> list[tuple[str, Label]]:
    """What a picture is asked for, by the name that its file gets: the one label, or each in turn where none is wanted.

    Of attributes several may be named, `young,-glasses`; the others stay as the critic reads them in the picture.
    """
    names = label_names(model, maker)
    if has_attributes(model) and maker.source:
        asked = [wanted] if wanted else list(names)
        return [(text, _turned(model, _switches(text, names, option))) for text in asked]
    chosen = [_known(wanted, names, option)] if wanted is not None else list(names)
    hot = np.eye(len(names), dtype=np.float32)
    return [(name, _always(hot[names.index(name)])) for name in chosen]


def label_of(names: Sequence[str], wanted: str, several: bool, option: str) -> Numbers:
    """A label that hangs on no picture: of a class, or of the attributes that are named."""
    row = np.zeros(len(names), np.float32)
    for name in wanted.split(",") if several else [wanted]:
        row[list(names).index(_known(name, names, option))] = 1.0
    return row


def _switches(text: str, names: Sequence[str], option: str) -> dict[int, float]:
    """Place of an attribute -> what it is to be."""
    parts = [part.strip() for part in text.split(",")]
    return {
        list(names).index(_known(part.removeprefix(OFF), names, option)): 0.0 if part.startswith(OFF) else 1.0
        for part in parts
    }


def _always(row: Numbers) -> Label:
    return lambda pixels: row


def _turned(model: Model, switches: dict[int, float]) -> Label:
    def label(pixels: NDArray[np.uint8]) -> Numbers:
        row = read_label(model, pixels).copy()
        for place, value in switches.items():
            row[place] = value
        return row

    return label


def _known(name: str, names: Sequence[str], option: str) -> str:
    if name not in names:
        has = names if len(names) <= LISTED else ()
        raise Refusal(f"this model knows no {name!r}", path=option, value=name, nearest=nearest(name, names), has=has)
    return name
