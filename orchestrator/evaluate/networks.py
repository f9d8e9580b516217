"""The modules that `evaluate --features` compares in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import Refusal, nearest
from orchestrator.sweep_file.quantities import read_count, read_number
from orchestrator.sweep_file.values import FEATURES as NAME

if TYPE_CHECKING:
    from trainers.features import Module

KEYS = ("image", "range", "channels")


def read_network(text: str, side: int) -> tuple[Module, Collection[str]]:
    """The network of NAME=PATH[,image=N][,range=LOW:HIGH][,channels=N], tried on pictures of that side, and what it gives.

    Raises Refusal.
    """
    from cluster.features import read_module
    from data_shards.errors import DataError
    from trainers.compare import device
    from trainers.features import NoFeatures, Shown, load_module

    (name, equals, path), *settings = (part.partition("=") for part in text.split(","))
    if not equals or not path or not NAME.match(name):
        raise Refusal("is NAME=PATH, such as inception=inception.pt,image=299", path="--features", value=text)
    shown = Shown(**_shown(settings))
    try:
        module = load_module(read_module(str(Path(path).absolute())), name, shown, device())
        gives = module.gives(3, side)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Refusal(f"{path} is not there, or no file", path="--features", value=path) from error
    except (NoFeatures, DataError) as error:
        raise Refusal(str(error), path="--features", value=path) from error
    return module, gives


def _shown(settings: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """How a module wants its pictures."""
    shown: dict[str, Any] = {}
    for key, _, value in settings:
        if key not in KEYS:
            raise Refusal(f"unknown setting {key!r}", path="--features", nearest=nearest(key, KEYS), has=KEYS)
        try:
            if key == "range":
                low, _, high = value.partition(":")
                shown["low"], shown["high"] = (read_number(float(level)) for level in (low, high))
            else:
                shown[key] = read_count(int(value), 8_192 if key == "image" else 3)
        except ValueError as error:
            example = {"image": "image=299", "range": "range=0:1", "channels": "channels=3"}[key]
            raise Refusal(
                f"{key}={value} is not understood; write {example}", path="--features", value=value
            ) from error
    return shown
