"""Small worlds for the engine's tests: tiny systems and pure synthetic batches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers import randomness
from trainers.engine import Engine, Options
from trainers.replica import attributes, classes
from trainers.settings import Balance, aliases, effective
from trainers.state import digest, named_state
from trainers.system import System
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

IMAGE, BATCH, STEPS, SEED = 32, 4, 6, 7
CLASSES = 3
SHAPES = {"a": (3, IMAGE, IMAGE), "b": (3, IMAGE, IMAGE), "labels": (1, IMAGE, IMAGE)}
MAPPED = {"alabels": ("a", "labels"), "blabels": ("b", "labels")}  # sources with label maps -> their domains

# The smallest settings under which every part of a system is at work: pools fill and swap within a few steps.
TINY: dict[str, dict[str, Any]] = {
    "cyclegan": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6},
    "pix2pix": {"width": 4, "levels": 3, "critic": "patch16", "critic_width": 4},
    "bicyclegan": {"latent": 3, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4},
    "cvae-gan": {"latent": 3, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4},
    "clr-gan": {"latent": 3, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4},
    "dcgan": {"latent": 4, "width": 4, "critic_width": 4},
    "wgan": {"latent": 4, "width": 4, "critic_width": 4},
    "began": {"latent": 4, "width": 4, "critic_width": 4},
    "cgan": {"latent": 4, "width": 4, "critic_width": 4, "embedding": 3, "classes": CLASSES},
    "balanced": {
        "width": 4,
        "blocks": 1,
        "critic": "patch16",
        "critic_width": 4,
        "pool": 6,
        "identity": True,
        "task_width": 4,
        "classes": CLASSES,
    },
    "classifier": {"width": 4, "classes": CLASSES},
    "segmenter": {"width": 4, "classes": CLASSES},
    "discogan": {"width": 4, "critic_width": 4, "warm_steps": 2, "weight_decay": 0.0},  # decay moves whom nothing moves
    "dualgan": {"width": 4, "levels": 3, "critic_width": 4},
    "distancegan": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6, "warm_steps": 2},
}
# The variants that are killed, and go on with another number of workers, at random moments.
DISTURBED = (
    "cyclegan",
    "cyclegan-vanilla-ema",
    "pix2pix",
    "pix2pix-batchnorm-gan",
    "pix2pix-encdec-channels-last",
    "cyclegan-balance",
    "pix2pix-skip",
    "cyclegan-began",
    "bicyclegan",
    "distancegan",
    "wgan",
)
# Further settings that must hold every promise too.
VARIANTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{name: (name, {}, {}) for name in TINY},
    "cyclegan-vanilla-ema": ("cyclegan", {"gan": "vanilla", "ema": 0.9, "identity": False}, {"ema": 0.9}),
    "pix2pix-batchnorm-gan": ("pix2pix", {"norm": "batch", "conditional": False, "critic": "pixel"}, {}),
    "pix2pix-encdec-channels-last": ("pix2pix", {"generator": "encdec"}, {"layout": "channels_last"}),
    "cyclegan-balance": (
        "cyclegan",
        {"smoothing": 0.1},
        {
            "balance": Balance(
                critic_turns=1, target_accuracy=0.6, most_turns=3, lr_ratio=0.5, warmup_turns=2, warmup_steps=2
            )
        },
    ),
    "cyclegan-began": ("cyclegan", {"gan": "began", "critic": "autoencoder"}, {}),
    "cyclegan-wgan-lp": ("cyclegan", {"gan": "wgan", "penalty": "lp"}, {}),
    "cyclegan-hinge-gp-sum": ("cyclegan", {"gan": "hinge", "penalty": "gp", "penalty_patches": "sum"}, {}),
    "pix2pix-wgan-clip-skip": (
        "pix2pix",
        {"gan": "wgan", "clip": 0.01, "optimizer": "rmsprop"},
        {"on_nonfinite": "skip", "bad": (2, 1)},
    ),
    "pix2pix-minimax-noise": ("pix2pix", {"gan": "minimax", "noise": 3}, {}),
    "pix2pix-skip": ("pix2pix", {}, {"on_nonfinite": "skip", "bad": (2, 1)}),
    "balanced-frozen-as-printed": ("balanced", {"task_net": "frozen", "lp_interp": "source", "identity": False}, {}),
    "classifier-a": ("classifier", {"domain": "a"}, {}),
    "segmenter-a": ("segmenter", {"domain": "a"}, {}),
    "bicyclegan-wgan-lp-conditional": ("bicyclegan", {"gan": "wgan", "penalty": "lp", "conditional": True}, {}),
    "bicyclegan-conv-batchnorm": (
        "bicyclegan",
        {"encoder": "conv", "norm": "batch", "dropout": 0.5, "where": "input", "latent_moves_encoder": True},
        {},
    ),
    "dcgan-tricks": (
        "dcgan",
        {
            "latent_kind": "spherical",
            "smoothing": 0.1,
            "upsample": "pixel_shuffle",
            "downsample": "average",
            "generator_norm": "instance",
        },
        {},
    ),
    "wgan-gp-controller": (
        "wgan",
        {"optimizer": "adam", "beta1": 0.0, "clip": None, "norm": "none", "penalty": "gp", "upsample": "nearest"},
        {"balance": Balance(critic_turns=2, target_accuracy=0.7, most_turns=3)},
    ),
    "discogan-instance-gp-decay": ("discogan", {"norm": "instance", "penalty": "gp", "weight_decay": 1e-5}, {}),
    "dualgan-clip-batchnorm": ("dualgan", {"penalty": "none", "clip": 0.01, "norm": "batch"}, {}),
    "distancegan-one-sided-self": ("distancegan", {"sides": "ab", "distance": "self", "self_axis": "height"}, {}),
    "distancegan-plain-cycle-lp": ("distancegan", {"normalised": False, "cycle": True, "penalty": "lp"}, {}),
    "distancegan-discogan-cycle": ("distancegan", {"architecture": "discogan", "gan": "vanilla", "cycle": True}, {}),
    "cgan-plain-lp": ("cgan", {"matching": False, "norm": "instance", "penalty": "lp"}, {}),
    "cgan-attributes": ("cgan", {"labels": "attributes"}, {}),
    "cgan-domain-gp": ("cgan", {"labels": "domain", "classes": 2, "norm": "instance", "penalty": "gp"}, {}),
}


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
    kind = SYSTEMS[name]
    settings = kind.Hyper(**(TINY[name] | hyper))
    in_force = [term for term in kind.terms if term.exists(settings)]
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
    kind = SYSTEMS[name]
    system = build(name, weights, options.get("seed", SEED), **dict(hyper or {}))
    least = kind.min_per_replica + (kind.min_per_replica % 2 if kind.even else 0)
    settings = Options(**{"seed": SEED, "balance": kind.balance, **options})
    made = Engine(system, read(where.replicas, bad, least), SHAPES, where, settings, torch.device(device))
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
    kind = SYSTEMS[name]
    chosen = kind.presets[preset]
    weights = {term: value for key, value in chosen.weights.items() for term in aliases(kind.terms)[key]}
    balance = dataclasses.replace(kind.balance, **chosen.balance)
    return engine(name, hyper=chosen.hyper, weights=weights, balance=balance)


def varies(name: str) -> bool:
    """Whether a row of `VARIANTS` shows another picture at every call."""
    system, hyper, _ = VARIANTS[name]
    kind = SYSTEMS[system]
    return kind.varies(kind.Hyper(**{**TINY[system], **hyper}))


def terms_of(name: str) -> list[str]:
    """The terms in force in a row of `VARIANTS`."""
    system, hyper, _ = VARIANTS[name]
    kind = SYSTEMS[system]
    settings = kind.Hyper(**{**TINY[system], **hyper})
    return [term.name for term in kind.terms if term.exists(settings)]


def state_of(of: Engine) -> dict[str, Tensor]:
    """The whole training state (one worker)."""
    state = named_state(of)
    assert state is not None
    return state


def state_digest(of: Engine) -> str:
    """Its digest."""
    return digest(state_of(of))
