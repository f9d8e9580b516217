"""Sweeps that stored tiny networks as their best model, as they are before any training; their data are manifests alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cluster.log.store import FileLog
from data_shards.manifest import FILE, Head, Row, manifest_bytes
from tests.orchestrator.tasks import model_of, plan_of
from tests.trainers.variants import TINY

SIDE = 32
LICENSE = "Pictures by Some Body, CC BY 4.0"
CLASSES = ("cat", "dog", "owl")


def data_of(folder: Path, attributes: tuple[str, ...] = ()) -> str:
    """Pairs of colour pictures of three classes, or with attributes, and texts."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        Row(
            "0.tar",
            0,
            9,
            f"{i}",
            d,
            CLASSES[i % 3],
            None,
            split,
            0,
            " ".join(attributes[: i % 3]) if attributes else None,
        )
        for d in ("a", "b")
        for split, numbers in (("train", range(20)), ("validation", range(20, 30)))
        for i in numbers
    ]
    shapes = dict.fromkeys(("a", "b"), (3, SIDE, SIDE))
    head = Head(folder.name, shapes, {}, CLASSES, {}, license=LICENSE, attributes=tuple(sorted(attributes)))
    (folder / FILE).write_bytes(manifest_bytes(head, rows))
    return str(folder)


def stored(place: Path, system: str, attributes: tuple[str, ...] = (), **hyper: Any) -> Path:
    """The folder of a sweep of a tiny `system`, with one trial and its checkpoint of step 10."""
    storage = place / "runs"
    storage.mkdir(exist_ok=True)
    settings = {k: v for k, v in (TINY[system] | hyper).items() if k != "classes"}
    plan = plan_of({"system": system, "hyper": settings}, data_of(place / "data", attributes))
    folder = storage / model_of(plan, storage, "made")
    log = FileLog(folder / "log.jsonl")
    log.append("suggested", trial=0, params={})
    log.close()
    return folder


def picture(file: Path, height: int = SIDE, width: int = SIDE, seed: int = 0) -> Path:
    """A picture of noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(file)
    return file


def pixels_of(file: Path) -> np.ndarray:
    with Image.open(file) as opened:
        return np.array(opened)
