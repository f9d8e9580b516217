"""A stored model: a file of weights, and beside it a card that says what they are and where they come from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from safetensors.torch import load
from torch import Tensor

from cluster.run import Run
from data_shards.store import Store

FORMAT = 1
WEIGHTS, CARD = "model.safetensors", "model.json"


class NoModel(ValueError):
    """There is no model yet, or none that can be read."""


def read_model(store: Store, prefix: str = "") -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A stored model's card and weights, checked against the card's hash. Raises NoModel where there is none, or it is damaged.

    prefix: what stands before the files' names, such as a folder and a slash.
    """
    if not store.exists(f"{prefix}{CARD}"):
        raise NoModel("this sweep has no model yet: it is stored when the sweep ends")
    try:
        payload = store.read(f"{prefix}{WEIGHTS}")
    except FileNotFoundError as error:
        raise NoModel(f"{prefix}{WEIGHTS} is gone; {_mend(store, prefix)}") from error
    try:
        card = json.loads(store.read(f"{prefix}{CARD}"))
        newer, intact = card["format"] > FORMAT, card["sha256"] == hashlib.sha256(payload).hexdigest()
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(store, prefix, CARD) from error
    if newer:
        raise NoModel(f"the model's format {card['format']} is newer than {FORMAT}: upgrade i2i-cluster")
    if not intact:
        raise damaged(store, prefix, WEIGHTS)
    if not _is_whole(card):
        raise damaged(store, prefix, CARD)
    return card, load(payload)


def damaged(store: Store, prefix: str, file: str) -> NoModel:
    """What is said of a file that is not as it was stored."""
    return NoModel(f"{prefix}{file} is damaged; {_mend(store, prefix)}")


def _mend(store: Store, prefix: str) -> str:
    return f"delete {prefix.rstrip('/') or store.uri} and submit again to store the model anew"


def _is_whole(card: dict[str, Any]) -> bool:
    """Whether a card says all that it should, in the right kinds: its hash is of the weights and not of itself."""
    try:
        run = Run.from_json(card["run"])
        sides = [side for shape in card["shapes"].values() for side in shape]
        scores = card["evaluation"].values()
        kinds = isinstance(run.system, str), isinstance(run.hyper, dict), {"trial", "step", "digest"} <= card.keys()
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return all(kinds) and all(isinstance(n, int) for n in sides) and all(isinstance(n, int | float) for n in scores)
