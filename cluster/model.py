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

from cluster.building import build_system
from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.model_file import CARD, FORMAT, WEIGHTS, NoModel, read_model
from cluster.run import Run
from data_shards.store import Store
from trainers import randomness
from trainers.evaluation import to_pixels
from trainers.replica import to_images
from trainers.system import Shapes, System


@dataclass(frozen=True)
class Model:
    """A trained system, ready to translate. `card` says where it comes from."""

    system: System
    shapes: Shapes
    card: Mapping[str, Any]

    @property
    def targets(self) -> list[str]:
        """The domains it can translate to, the system's main one first."""
        return list(self.system.translators)

    def source(self, target: str) -> str:
        """The domain whose pictures are translated to `target`."""
        return next(domain for domain in self.system.reads.domains if domain != target)

    def translate(self, pixels: np.ndarray, target: str) -> np.ndarray:
        """uint8 `[H,W,C]` of the source domain -> uint8 `[H,W,C]` of `target`. The same picture gives the same answer."""
        randomness.seed_generators(torch.device("cpu"), "translate", hashlib.sha256(pixels.tobytes()).hexdigest())
        images = to_images(pixels[None], torch.device("cpu"), torch.contiguous_format)
        with torch.no_grad():
            shown = self.system.show({self.source(target): images})
        translated: np.ndarray = to_pixels(shown[f"fake_{target}"])[0]
        return translated


def export_best(store: Store, sweep: str, trial: int) -> None:
    """Store the networks of a trial's newest checkpoint as the sweep's best model; averaged weights where there are any."""
    found = Checkpoints(store, SweepPaths(sweep).checkpoints(trial)).newest()
    if found is None:
        raise NoModel(f"trial {trial} has no checkpoint yet")
    weights = {k.removeprefix("model."): v for k, v in found.state.items() if k.startswith("model.")}
    weights |= {k.removeprefix("ema."): v for k, v in found.state.items() if k.startswith("ema.")}
    payload = save(weights)
    run = Run.from_json(found.about["run"])
    card = {
        "format": FORMAT,
        "trial": trial,
        "step": found.step,
        "digest": found.digest,
        "run": run.to_json(),
        "shapes": found.about["shapes"],
        "sha256": hashlib.sha256(payload).hexdigest(),
        "evaluation": found.about["evaluation"],
    }
    best = SweepPaths(sweep).best
    store.write(f"{best}/{WEIGHTS}", payload)
    store.write(f"{best}/{CARD}", json.dumps(card, indent=1, sort_keys=True).encode())


def load_best(store: Store, sweep: str) -> Model:
    """The sweep's best model. Raises NoModel where none was stored yet."""
    card, weights = read_model(store, f"{SweepPaths(sweep).best}/")
    shapes = {domain: tuple(shape) for domain, shape in card["shapes"].items()}
    system = build_system(Run.from_json(card["run"]), shapes)
    system.load_state_dict(weights)
    return Model(system, shapes, card)
