"""A stored model: a file of weights, and beside it a card that says what they are and where they come from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from safetensors.torch import load
from torch import Tensor

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
    mend = f"delete {prefix.rstrip('/') or store.uri} and submit again to store the model anew"
    payload = store.read(f"{prefix}{WEIGHTS}")
    try:
        card = json.loads(store.read(f"{prefix}{CARD}"))
        newer, intact = card["format"] > FORMAT, card["sha256"] == hashlib.sha256(payload).hexdigest()
    except (KeyError, TypeError, ValueError) as error:
        raise NoModel(f"{prefix}{CARD} is damaged; {mend}") from error
    if newer:
        raise NoModel(f"the model's format {card['format']} is newer than {FORMAT}: upgrade i2i-cluster")
    if not intact:
        raise NoModel(f"{prefix}{WEIGHTS} is damaged; {mend}")
    return card, load(payload)
