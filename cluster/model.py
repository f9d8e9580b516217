"""The best model: networks taken from a checkpoint, stored apart from the training state, loaded to translate pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from cluster.building import build_system
from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.model_file import CARD, FORMAT, WEIGHTS, NoModel, damaged, read_model
from cluster.run import Run
from data_shards.store import Store
from trainers import randomness
from trainers.checkpoint import DamagedCheckpoint, Unpacked
from trainers.evaluation import to_pixels
from trainers.replica import to_images
from trainers.system import Shapes, System
from trainers.ways import source_of


@dataclass(frozen=True)
class Model:
    """A trained system, ready to be used (`cluster.model_use`). `card` says where it comes from."""

    system: System
    shapes: Shapes
    card: Mapping[str, Any]

    @property
    def targets(self) -> list[str]:
        """The domains it can translate to, the system's main one first."""
        return list(self.system.translators)

    def source(self, target: str) -> str:
        """The domain whose pictures are translated to `target`."""
        return source_of(self.system, target)

    def translate(self, pixels: np.ndarray, target: str) -> np.ndarray:
        """uint8 `[H,W,C]` of the source domain -> uint8 `[H,W,C]` of `target`. The same picture gives the same answer."""
        seed_by(pixels)
        images = to_images(pixels[None], torch.device("cpu"), torch.contiguous_format)
        with torch.no_grad():
            shown = self.system.show({self.source(target): images})
        translated: np.ndarray = to_pixels(shown[f"fake_{target}"])[0]
        return translated


def seed_by(pixels: np.ndarray) -> None:
    """Seed torch's generators by a picture: what is drawn for it hangs on nothing else."""
    randomness.seed_generators(torch.device("cpu"), "translate", hashlib.sha256(pixels.tobytes()).hexdigest())


def export_best(store: Store, sweep: str, trial: int) -> None:
    """Store the networks of a trial's newest checkpoint as the sweep's best model; averaged weights where there are any."""
    found = Checkpoints(store, SweepPaths(sweep).checkpoints(trial)).newest()
    if found is None:
        raise NoModel(f"trial {trial} has no checkpoint yet")
    payload = save(_networks(found))
    card = {**_card(found, trial), "sha256": hashlib.sha256(payload).hexdigest()}
    best = SweepPaths(sweep).best
    store.write(f"{best}/{WEIGHTS}", payload)
    store.write(f"{best}/{CARD}", json.dumps(card, indent=1, sort_keys=True).encode())


def load_best(store: Store, sweep: str) -> Model:
    """The sweep's best model. Raises NoModel where none was stored yet, or it is damaged."""
    prefix = f"{SweepPaths(sweep).best}/"
    card, weights = read_model(store, prefix)
    try:
        return _built(card, weights)
    except (KeyError, RuntimeError, TypeError) as error:  # its networks are not those of the weights, or none at all
        raise damaged(store, prefix, CARD) from error


def load_trial(store: Store, sweep: str, trial: int, step: int | None = None) -> Model:
    """The networks of a trial's checkpoint: of its newest good one, or of that of `step`. Raises NoModel where there is none."""
    checkpoints = Checkpoints(store, SweepPaths(sweep).checkpoints(trial))
    try:
        found = checkpoints.newest() if step is None else _at(checkpoints, trial, step)
    except DamagedCheckpoint as error:
        raise NoModel(f"the checkpoint is damaged: {error}") from error
    if found is None:
        raise NoModel(f"trial {trial} has no checkpoint yet")
    return _built(_card(found, trial), _networks(found))


def _at(checkpoints: Checkpoints, trial: int, step: int) -> Unpacked:
    steps = checkpoints.steps()
    if step not in steps:
        has = f"has: {', '.join(map(str, steps))}" if steps else "it has none yet"
        raise NoModel(f"trial {trial} has no checkpoint of step {step}; {has}")
    return checkpoints.load(step)


def _networks(found: Unpacked) -> dict[str, Tensor]:
    """A checkpoint's weights by their names in the system, averaged ones where there are any."""
    weights = {k.removeprefix("model."): v for k, v in found.state.items() if k.startswith("model.")}
    return weights | {k.removeprefix("ema."): v for k, v in found.state.items() if k.startswith("ema.")}


def _card(found: Unpacked, trial: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "trial": trial,
        "step": found.step,
        "digest": found.digest,
        "run": Run.from_json(found.about["run"]).to_json(),
        "shapes": found.about["shapes"],
        "evaluation": found.about["evaluation"],
    }


def _built(card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Model:
    shapes = {domain: tuple(shape) for domain, shape in card["shapes"].items()}
    system = build_system(Run.from_json(card["run"]), shapes)
    system.load_state_dict(weights)
    return Model(system, {**shapes, **system.takes}, card)
