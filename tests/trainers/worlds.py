"""Small worlds for the engine's tests: tiny systems and pure synthetic batches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers import randomness
from trainers.engine import Engine, Options
from trainers.settings import Balance, effective
from trainers.state import digest, named_state
from trainers.system import System
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

IMAGE, BATCH, STEPS, SEED = 32, 4, 6, 7
SHAPES = {"a": (3, IMAGE, IMAGE), "b": (3, IMAGE, IMAGE)}

# The smallest settings under which every part of a system is at work: pools fill and swap within a few steps.
TINY: dict[str, dict[str, Any]] = {
    "cyclegan": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6},
    "pix2pix": {"width": 4, "levels": 3, "critic": "patch16", "critic_width": 4},
}
# Further settings that must hold every promise too.
VARIANTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "cyclegan": ("cyclegan", {}, {}),
    "cyclegan-vanilla-ema": ("cyclegan", {"gan": "vanilla", "ema": 0.9, "identity": False}, {"ema": 0.9}),
    "pix2pix": ("pix2pix", {}, {}),
    "pix2pix-batchnorm-gan": ("pix2pix", {"norm": "batch", "conditional": False, "critic": "pixel"}, {}),
    "pix2pix-encdec-channels-last": ("pix2pix", {"generator": "encdec"}, {"layout": "channels_last"}),
    "cyclegan-balance": ("cyclegan", {}, {"balance": Balance(critic_turns=2, target_accuracy=0.5, lr_ratio=0.5)}),
    "pix2pix-skip": ("pix2pix", {}, {"on_nonfinite": "skip", "bad": (2, 1)}),
}


def read(replicas: int, bad: tuple[int, int] | None = None) -> Any:
    """Batches that depend on (source, draw, global slot) alone, as a stream's do; a sample a replica at least.

    bad: (draw, replica) whose first pictures hold a NaN.
    """

    def batch(source: str, draw: int, replica: int) -> dict[str, np.ndarray]:
        each = max(1, BATCH // replicas)
        slots = range(replica * each, (replica + 1) * each)
        out = {}
        for domain in source:
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
        return out

    return batch


def build(name: str, weights: Mapping[str, float] | None = None, **hyper: Any) -> System:
    """A tiny system with its initial weights."""
    kind = SYSTEMS[name]
    settings = kind.Hyper(**(TINY[name] | hyper))
    in_force = [term for term in kind.terms if term.exists(settings)]
    chosen = {term.name: term.weight for term in kind.terms} | dict(weights or {})
    torch.default_generator.manual_seed(randomness.key(SEED, "weights"))
    return kind.build(settings, SHAPES, effective(in_force, chosen), STEPS)


def engine(
    name: str,
    *,
    tree: Tree | None = None,
    hyper: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    bad: tuple[int, int] | None = None,
    **options: Any,
) -> Engine:
    """An engine over a tiny system; two replicas on one worker unless told otherwise."""
    where = tree or Tree(2)
    system = build(name, weights, **dict(hyper or {}))
    return Engine(system, read(where.replicas, bad), SHAPES, where, Options(SEED, **options), torch.device("cpu"))


def variant(name: str, tree: Tree | None = None) -> Engine:
    """The engine of a row of `VARIANTS`."""
    system, hyper, options = VARIANTS[name]
    return engine(system, tree=tree, hyper=hyper, **options)


def state_of(of: Engine) -> dict[str, Tensor]:
    """The whole training state (one worker)."""
    state = named_state(of)
    assert state is not None
    return state


def state_digest(of: Engine) -> str:
    """Its digest."""
    return digest(state_of(of))
