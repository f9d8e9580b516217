"""What networks that were trained on real pictures read in generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cluster.model import Model, load_best
from cluster.model_use import draw_texts
from data_shards.manifest import Manifest
from data_shards.split import VALIDATION
from data_shards.validation import Validation
from orchestrator.finding import find_sweep
from trainers.measures import saved

AT_ONCE = 32  # texts that are drawn together, as in a batch


def best(storage: Path, sweep: str) -> Model:
    """A sweep's best model."""
    found = find_sweep(sweep, str(storage))
    return load_best(found.store, found.state.id)


def still_read(storage: Path, sweep: str, reader: str, shards: Path) -> dict[str, float]:
    """kept: the share of the validation pictures of a that `reader` reads as their class when `sweep` has translated them; own:
    the same of the pictures as they are."""
    manifest = Manifest.open(str(shards))
    keys = manifest.keys("a", VALIDATION)
    pictures = Validation(manifest, domains=("a",), image=manifest.domains["a"].width, limit=len(keys))
    network: Any = best(storage, reader).system.network
    translator = best(storage, sweep).system.translators["b"]
    right = {"kept": 0, "own": 0}
    with torch.no_grad():
        for key in keys:
            x = torch.from_numpy(pictures.read("a", key).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
            for name, shown in (("own", x), ("kept", saved(translator(x)))):
                right[name] += int(network(shown).argmax()) == pictures.label("a", key)
    return {name: count / len(keys) for name, count in right.items()}


def read_as_told(storage: Path, sweep: str, reader: str, shards: Path, seed: int) -> float:
    """The share of pictures that `reader` reads as the class of the text they were drawn from: one of each validation text."""
    manifest = Manifest.open(str(shards))
    rows = manifest.select("b", VALIDATION)
    told, classes = (
        [text or "" for text in manifest.texts_of(rows)],
        torch.from_numpy(manifest.class_codes[rows].copy()),
    )
    network: Any = best(storage, reader).system.network
    model, right = best(storage, sweep), 0
    for start in range(0, len(told), AT_ONCE):
        drawn = torch.from_numpy(draw_texts(model, told[start : start + AT_ONCE], seed, start))
        with torch.no_grad():
            read = network(drawn.permute(0, 3, 1, 2).float() / 127.5 - 1.0).argmax(1)
        right += int((read == classes[start : start + AT_ONCE]).sum())
    return right / len(told)
