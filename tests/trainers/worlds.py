"""Small worlds for the engine's tests: tiny systems and pure synthetic batches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.trainers import variants
from trainers import randomness
from trainers.engine import Engine, Options
from trainers.replica import attributes, classes, texts
from trainers.settings import aliases, effective
from trainers.state import digest, named_state
from trainers.system import System
from trainers.systems.catalog import STAGES, SYSTEMS
from trainers.tree import Tree

METHODS = SYSTEMS | STAGES  # all that is trained: systems, and `system:stage`
IMAGE, BATCH, STEPS, SEED = 32, 4, 6, 7
CLASSES, TINY, VARIANTS, DISTURBED = variants.CLASSES, variants.TINY, variants.VARIANTS, variants.DISTURBED
SHAPES = {"a": (3, IMAGE, IMAGE), "b": (3, IMAGE, IMAGE), "labels": (1, IMAGE, IMAGE)}
MAPPED = {"alabels": ("a", "labels"), "blabels": ("b", "labels")}  # sources with label maps -> their domains


def read(replicas: int, bad: tuple[int, int] | None = None, least: int = 1) -> Any:
    """Batches that depend on (source, draw, global slot) alone, as a stream's do; `least` samples a replica at least.

    bad: (draw, replica) whose first pictures hold a NaN.
    """

    def batch(source: str, draw: int, replica: int) -> dict[str, np.ndarray]:
        each = max(least, BATCH // replicas)
        slots = range(replica * each, (replica + 1) * each)
        out = {}
        for domain in MAPPED.get(source, source):
            if domain == "labels":
                out[domain] = np.stack([label_map(draw, slot) for slot in slots])
                continue
            pictures = [
                np.random.default_rng([ord(domain), len(source), draw, slot]).integers(
                    0, 256, (IMAGE, IMAGE, 3), np.uint8
                )
                for slot in slots
            ]
            out[domain] = np.stack(pictures)
            if (draw, replica) == bad:
                out[domain] = out[domain].astype(np.float32)
                out[domain][0, 3, 3, 0] = math.nan
            numbers = np.array([ord(domain) + 5 * draw + slot for slot in slots])
            out[classes(domain)] = numbers % CLASSES
            out[texts(domain)] = np.stack([1 + numbers % CLASSES, 9 * (numbers // CLASSES % 2)], 1)
            out[attributes(domain)] = (numbers[:, None] >> np.arange(CLASSES) & 1) > 0
        return out

    return batch


def label_map(*place: int) -> np.ndarray:
    """uint8 `[H,W,1]`: a label map of CLASSES classes, decided by numbers."""
    levels = np.array([round(255 * i / (CLASSES - 1)) for i in range(CLASSES)], np.uint8)
    return levels[np.random.default_rng(place).integers(0, CLASSES, (IMAGE, IMAGE, 1))]


class Pictures:
    """Training samples to measure, and the validation's: as many of each domain as asked for, all different."""

    truth = True

    def __init__(self, count: int = 5) -> None:
        self._count = count

    def count(self, domain: str) -> int:
        """As many of each."""
        return self._count

    def image(self, domain: str, index: int) -> Tensor:
        """`[C,H,W]` in [-1, 1]."""
        random = np.random.default_rng([ord(domain), 99, index])
        return torch.from_numpy(random.uniform(-1, 1, SHAPES[domain])).float()


def build(name: str, weights: Mapping[str, float] | None = None, seed: int = SEED, **hyper: Any) -> System:
    """A tiny system with its initial weights."""
    kind = METHODS[name]
    settings = kind.Hyper(**(TINY[name] | hyper))
    in_force = kind.in_force(settings)
    chosen = {term.name: term.weight for term in kind.terms} | dict(weights or {})
    torch.default_generator.manual_seed(randomness.key(seed, "weights"))
    return kind.build(settings, SHAPES, effective(in_force, chosen), STEPS)


def engine(
    name: str,
    *,
    tree: Tree | None = None,
    hyper: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    bad: tuple[int, int] | None = None,
    device: str = "cpu",
    **options: Any,
) -> Engine:
    """An engine over a tiny system; two replicas on one worker unless told otherwise."""
    where = tree or Tree(2)
    kind = METHODS[name]
    system = build(name, weights, options.get("seed", SEED), **dict(hyper or {}))
    settings = Options(**{"seed": SEED, "balance": kind.balance, **options})
    made = Engine(system, read(where.replicas, bad, kind.fewest()), SHAPES, where, settings, torch.device(device))
    if system.measures:
        made.measure(Pictures())
    return made


def variant(
    name: str, tree: Tree | None = None, weights: Mapping[str, float] | None = None, device: str = "cpu"
) -> Engine:
    """The engine of a row of `VARIANTS`."""
    system, hyper, options = VARIANTS[name]
    return engine(system, tree=tree, hyper=hyper, weights=weights, device=device, **options)


def engine_of_preset(name: str, preset: str) -> Engine:
    """The engine of a system's preset, with small networks."""
    kind = METHODS[name]
    chosen = kind.presets[preset]
    weights = {term: value for key, value in chosen.weights.items() for term in aliases(kind.terms)[key]}
    balance = dataclasses.replace(kind.balance, **chosen.balance)
    return engine(name, hyper=chosen.hyper, weights=weights, balance=balance)


def varies(name: str) -> bool:
    """Whether a row of `VARIANTS` shows another picture at every call."""
    system, hyper, _ = VARIANTS[name]
    kind = METHODS[system]
    return kind.varies(kind.Hyper(**{**TINY[system], **hyper}))


def own_terms(name: str) -> list[str]:
    """The terms in force in a row of `VARIANTS` that are not in its system's smallest settings as well."""
    system = VARIANTS[name][0]
    common = set() if name == system else set(terms_of(system))
    return [term for term in terms_of(name) if term not in common]


def terms_of(name: str) -> list[str]:
    """The terms in force in a row of `VARIANTS`."""
    system, hyper, _ = VARIANTS[name]
    kind = METHODS[system]
    settings = kind.Hyper(**{**TINY[system], **hyper})
    return [term.name for term in kind.in_force(settings)]


def state_of(of: Engine) -> dict[str, Tensor]:
    """The whole training state (one worker)."""
    state = named_state(of)
    assert state is not None
    return state


def states_of(of: Engine, saved: Collection[int]) -> dict[int, dict[str, Tensor]]:
    """The states at some steps of an engine that is played to its end: step -> a snapshot."""
    found = {}
    for step in range(STEPS):
        if step in saved:
            found[step] = state_of(of)
        of.step()
    return found


def state_digest(of: Engine) -> str:
    """Its digest."""
    return digest(state_of(of))
