"""Small worlds for the engine's tests: tiny systems, pure synthetic batches, and bare gloo processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from trainers import randomness
from trainers.engine import Engine, Options
from trainers.settings import effective
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
}


def read(replicas: int) -> Any:
    """Batches that depend on (source, draw, global slot) alone, as a stream's do."""

    def batch(source: str, draw: int, replica: int) -> dict[str, np.ndarray]:
        each = BATCH // replicas
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
    **options: Any,
) -> Engine:
    """An engine over a tiny system; two replicas on one worker unless told otherwise."""
    where = tree or Tree(2)
    system = build(name, weights, **dict(hyper or {}))
    return Engine(system, read(where.replicas), SHAPES, where, Options(SEED, **options), torch.device("cpu"))


def variant(name: str, tree: Tree | None = None) -> Engine:
    """The engine of a row of `VARIANTS`."""
    system, hyper, options = VARIANTS[name]
    return engine(system, tree=tree, hyper=hyper, **options)


def state_digest(of: Engine) -> str:
    """The digest of the whole training state (one worker)."""
    state = named_state(of)
    assert state is not None
    return digest(state)


def _worker(rank: int, workers: int, replicas: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=workers)
    lines = []
    for name in VARIANTS:
        trained = variant(name, Tree(replicas, rank, workers))
        for t in range(STEPS):
            trained.step(report=t % 2 == 1)
        state = named_state(trained)
        if state is not None:
            lines.append(f"{name} {digest(state)} {sorted(trained.ledger.means().items())}")
    if rank == 0:
        (Path(folder) / "digests").write_text("\n".join(lines))
    dist.barrier()
    os._exit(
        0
    )  # a library's thread that is still there when statics are destroyed would now and then abort the process


def digests_on(workers: int, replicas: int, folder: Path) -> dict[str, tuple[str, str]]:
    """variant -> (digest, the last step's numbers) after `STEPS` steps on bare gloo processes."""
    spawn(_worker, (workers, replicas, str(folder)), nprocs=workers)
    rows = [line.split(" ", 2) for line in (folder / "digests").read_text().splitlines()]
    return {name: (found, numbers) for name, found, numbers in rows}
