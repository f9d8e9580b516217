"""`translate`: a folder of pictures through a sweep's best model. Output names are the inputs', as PNG."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from cluster.model import Model, load_best
from cluster.model_file import NoModel
from data_shards.build.picture import keep
from data_shards.decode import decode
from data_shards.store import Store
from orchestrator.errors import Refusal, nearest
from orchestrator.finding import find_sweep
from orchestrator.saying import say

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def translate_folder(sweep: str, storage: str, source: Path, target: Path, to: str | None) -> None:
    """Translate every picture below `source` into the same place below `target`. A bad picture is named and left out.

    Raises Refusal, and OSError where a translation cannot be written.
    """
    pictures = _pictures(source, target)
    if target.exists() and target.resolve() == source.resolve():
        raise Refusal("the pictures would replace their own sources; give another folder", path="OUT_DIR", value=target)
    found = find_sweep(sweep, storage)
    model = _model(found.store, found.state.id)
    if not model.targets:
        problem = f"{model.system.name} makes no pictures out of others, so there is nothing to translate with"
        raise Refusal(problem, path="SWEEP", value=sweep)
    domain = to or model.targets[0]
    if domain not in model.targets:
        near = nearest(domain, model.targets)
        raise Refusal(f"this model does not translate to {domain!r}", path="--to", nearest=near, has=model.targets)
    _make(target)
    channels, side, _ = model.shapes[model.source(domain)]
    bad = 0
    for picture, name in track(pictures, "translating", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        try:
            pixels = decode(keep(picture.read_bytes(), channels).data, channels, side)  # as the builders read it
        except (OSError, ValueError) as error:  # what the decoders raise for a picture that is none
            say(f"left out {picture}: {error}", aside=True)
            bad += 1
            continue
        _save(target / name, model.translate(pixels, domain))
    say(f"translated {len(pictures) - bad} pictures to {target} at {side} x {side} pixels")
    if bad == len(pictures):
        raise Refusal("none of the pictures could be read", path="IN_DIR", value=source)


def _make(target: Path) -> None:
    """The folder for the translations, asked for before the work."""
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{target} cannot be made: {_why(error)}", path="OUT_DIR", value=target) from error
    if not os.access(target, os.W_OK | os.X_OK):
        raise Refusal(f"{target} may not be written; give another folder", path="OUT_DIR", value=target)


def _save(out: Path, pixels: np.ndarray) -> None:
    """Write uint8 `[H,W,C]`; grey pictures are `[H,W]` to Pillow."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(out)
    except OSError as error:
        raise OSError(f"{out} cannot be written: {_why(error)}") from error


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _model(store: Store, sweep: str) -> Model:
    try:
        return load_best(store, sweep)
    except NoModel as error:
        raise Refusal(str(error), path="SWEEP", value=sweep) from error


def _pictures(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(picture, its output's relative path), sorted; none from the target. Inputs of one stem keep their full names."""
    if not source.is_dir():
        raise Refusal(f"{source} is not a folder", path="IN_DIR", value=source)
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    files = [p for p in found if target.resolve() not in p.resolve().parents or target.resolve() == source.resolve()]
    if not files:
        raise Refusal(f"{source} holds no pictures", path="IN_DIR", value=source, has=SUFFIXES)
    stems = [file.relative_to(source).with_suffix(".png") for file in files]
    return [
        (file, stem if stems.count(stem) == 1 else file.relative_to(source).with_name(f"{file.name}.png"))
        for file, stem in zip(files, stems, strict=True)
    ]
