"""`export`: a model as a file for other programs, written only once it was compared with the model, with a card beside it."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path

from cluster.model import Model
from cluster.model_export import MissingPackage
from cluster.model_export import export as exported_as
from cluster.model_use import Maker, makes
from data_shards.store import FolderStore
from orchestrator.errors import Refusal, nearest
from orchestrator.models.export_card import Written, model_card
from orchestrator.models.model import find_model
from orchestrator.saying import say
from orchestrator.tables import print_json


@dataclass(frozen=True)
class Order:
    """What the user asked for."""

    target: Path
    form: str
    to: str | None
    tolerance: float
    without_dropout: bool = False
    trial: int | None = None
    checkpoint: int | None = None


def export(sweep: str, storage: str, order: Order, as_json: bool) -> None:
    """Write the file and its card, or neither. Raises Refusal, and OSError where one of them cannot be written."""
    _check_place(order.target)
    if not math.isfinite(order.tolerance):
        raise Refusal(f"must be a finite number, not {order.tolerance}", path="--tolerance", value=order.tolerance)
    found, model = find_model(sweep, storage, order.trial, order.checkpoint)
    maker = Maker(model, _domain(sweep, model, order.to))
    if maker.drops and not order.without_dropout and order.form != "safetensors":
        problem = (
            f"{model.system.name} draws dropout when it translates, which no file does as it does; "
            "add --without-dropout for a network without, whose pictures are others"
        )
        raise Refusal(problem, path="--format", value=order.form)
    about = {"system": model.card["run"]["system"], "target": maker.way.target, "digest": model.card["digest"]}
    try:
        made = exported_as(maker, order.form, {**about, "range": "-1 to 1"})
    except MissingPackage as error:
        raise Refusal(str(error), path="--format", value=order.form) from error
    if not made.worst <= order.tolerance:
        problem = f"outputs differ from the model's by {made.worst:.2g}, and {order.tolerance:.2g} is allowed"
        raise Refusal(f"{problem}; nothing was written", path="--tolerance", value=order.tolerance)
    sha256 = hashlib.sha256(made.data).hexdigest()
    dropless = maker.drops and order.form != "safetensors"
    written = Written(order.target.name, order.form, sha256, order.tolerance, dropless)
    card = order.target.with_name(f"{order.target.name}.md")
    store = FolderStore(order.target.parent)
    store.write(card.name, model_card(found, model, maker, made, written).encode())
    store.write(order.target.name, made.data)  # last: where the file is, its card is too
    if as_json:
        told = {"file": str(order.target), "card": str(card), "format": order.form, "bytes": len(made.data)}
        compared = {"pictures": made.pictures, "worst": made.worst, "tolerance": order.tolerance}
        print_json({**told, "sha256": sha256, "inputs": made.inputs, "compared": compared})
        return
    shapes = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in made.inputs.items())
    say(
        f"compared on {made.pictures} inputs: outputs differ by {made.worst:.2g} at most, {order.tolerance:.2g} is allowed"
    )
    say(f"wrote {order.target} ({order.form}, {shapes}) and {card}")


def _domain(sweep: str, model: Model, to: str | None) -> str:
    domains = list(makes(model))
    if not domains:
        problem = f"{model.system.name} has no network that makes a picture of what it is given"
        raise Refusal(f"{problem}, so there is nothing to export", path="SWEEP", value=sweep)
    if to is not None and to not in domains:
        near = nearest(to, domains)
        raise Refusal(f"this model makes no pictures of {to!r}", path="--to", nearest=near, has=domains)
    return to or domains[0]


def _check_place(target: Path) -> None:
    """Refusal unless a file may be written there; nothing is written to find out."""
    if target.is_dir():
        raise Refusal(f"{target} is a folder; name a file", path="OUT", value=target)
    if not target.parent.is_dir():
        raise Refusal(f"{target.parent} is no folder; make it first", path="OUT", value=target)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise Refusal(f"{target.parent} may not be written; give another folder", path="OUT", value=target)
