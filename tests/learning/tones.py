"""What a network that repaints people in other skin tones comes to, held against the true pictures in those tones.

OpenMoji draws each person in five tones and says of every pixel whether it is skin: so both halves of "changes the tone and
nothing else" can be measured, on drawings that nobody trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cluster.model import load_best
from data_shards.build.openmoji_svg import LABELS
from data_shards.manifest import Manifest
from data_shards.split import VALIDATION
from data_shards.validation import Validation
from orchestrator.finding import find_sweep
from tests.learning.drawings import TONES
from trainers.label_maps import classes_of

CODES = {tone: f"{code:x}" for code, tone in TONES.items()}
Repaint = Callable[
    [np.ndarray, int], np.ndarray
]  # a picture uint8 [H,W,3], the number of a tone -> the picture in that tone


def repainted(storage: Path, sweep: str, shards: Path) -> dict[str, float]:
    """Of the best model of a StarGAN sweep, over all validation pictures and the four tones that each has not:

    skin: mean |made - true| on the true skin, in [0, 1]; skin_before: the same of the picture as it was. elsewhere: mean
    |made - given| on all other pixels. right: share of those whose skin is nearest to that of the tone asked for.
    """
    found = find_sweep(sweep, str(storage))
    model = load_best(found.store, found.state.id)
    system: Any = model.system
    tones = list(model.card["run"]["data"]["classes"])

    def repaint(picture: np.ndarray, tone: int) -> np.ndarray:
        x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        with torch.no_grad():
            made = system.g(x, system.hot(torch.tensor([tone])))
        return np.asarray((made[0].permute(1, 2, 0) + 1.0) / 2.0)

    return held_against_the_truth(repaint, tones, shards)


def held_against_the_truth(repaint: Repaint, tones: list[str], shards: Path) -> dict[str, float]:
    """See `repainted`."""
    manifest = Manifest.open(str(shards))
    keys = manifest.keys("b", VALIDATION)
    side = manifest.domains["b"].width
    pictures = Validation(manifest, domains=("b",), image=side, limit=len(keys), label_map="labels")
    of_key = {key: pictures.read("b", key) for key in keys}
    rows = []
    for key, given in of_key.items():
        levels = pictures.label_map(key)
        assert levels is not None
        skin = np.asarray(classes_of(torch.from_numpy(levels.copy()), len(LABELS))) == LABELS.index("skin")
        own = next(tone for tone, code in CODES.items() if code in key.split("-"))
        truths = {tone: of_key[key.replace(CODES[own], code)] / 255.0 for tone, code in CODES.items()}
        for tone in truths.keys() - {own} if skin.any() else ():
            made = repaint(given, tones.index(tone))
            gaps = {other: float(np.abs(made - truth)[skin].mean()) for other, truth in truths.items()}
            before = float(np.abs(given / 255.0 - truths[tone])[skin].mean())
            elsewhere = float(np.abs(made - given / 255.0)[~skin].mean())
            rows.append((gaps[tone], before, elsewhere, min(gaps, key=lambda other: gaps[other]) == tone))
    skin_gap, before, elsewhere, right = (float(np.mean(column)) for column in zip(*rows, strict=True))
    return {"skin": skin_gap, "skin_before": before, "elsewhere": elsewhere, "right": right}
