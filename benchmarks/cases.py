"""The trainings that are timed: system, settings, image and batch, on one fixed batch of noise; and how one asks for them.

Both sides of a comparison get the same bytes, as uint8, and turn them into floats themselves: a loader hands over bytes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Finding, conditions, parser, show
from trainers import randomness
from trainers.engine import LAYOUTS, Engine, Options
from trainers.replica import classes, texts, to_images
from trainers.settings import Reads, effective
from trainers.system import Shapes, System
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

STEPS = 1000  # of the run that the timed steps begin; learning rates and nothing else depend on it
SEED = 0
CPU = torch.device("cpu")
CLASSES = 10  # of the pictures, or of a label map's pixels, where a system reads them


@dataclass(frozen=True)
class Case:
    """A training to time. `image`: pixels a side; `batch`: samples a step over all replicas; `arithmetic`: the engine's precision
    and layout where they are others than the usual."""

    system: str
    hyper: Mapping[str, Any]
    image: int
    batch: int
    arithmetic: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The system, and what is not as usual."""
        usual = CASES[self.system]
        sizes = {"px": (self.image, usual.image), "samples": (self.batch, usual.batch)}
        others = [f"{now} {unit}" for unit, (now, then) in sizes.items() if now != then]
        return ", ".join([self.system, *others, *self.arithmetic.values()])

    @property
    def reads(self) -> Reads:
        """What the system draws from under these settings."""
        kind = SYSTEMS[self.system]
        return kind.reading(kind.Hyper(**self.hyper))

    @property
    def shapes(self) -> Shapes:
        """Both domains are RGB, label maps are grey."""
        grey, size = self.reads.label_map, (self.image, self.image)
        return {domain: (1 if domain == grey else 3, *size) for domain in ("a", "b", *self.reads.domains)}

    def pixels(self) -> dict[str, np.ndarray]:
        """The batch: domain -> uint8 `[N,H,W,C]`. Noise does for a label map too: any grey is taken for the nearest class."""
        random = np.random.default_rng(SEED)
        sizes = {domain: (self.batch, height, width, depth) for domain, (depth, height, width) in self.shapes.items()}
        return {domain: random.integers(0, 256, size, np.uint8) for domain, size in sizes.items()}

    def build(self) -> System:
        """The system with its initial weights: the same ones at every call."""
        kind = SYSTEMS[self.system]
        hyper = kind.Hyper(**self.hyper)
        in_force = kind.in_force(hyper)
        weights = effective(in_force, {term.name: term.weight for term in kind.terms})
        torch.default_generator.manual_seed(randomness.key(SEED, "weights"))
        return kind.build(hyper, self.shapes, weights, STEPS)

    def engine(self, tree: Tree | None = None, device: torch.device = CPU, **settings: Any) -> Engine:
        """The engine over this system and batch, on this worker of `tree`; one worker unless told otherwise. settings: of
        `Options`, such as precision."""
        where, options = (
            tree or Tree(1),
            Options(SEED, balance=SYSTEMS[self.system].balance, **{**self.arithmetic, **settings}),
        )
        made = Engine(self.build(), self._read(where.replicas), self.shapes, where, options, device)
        if made.system.measures:
            made.measure(Pictures(self.pixels()))
        return made

    def _read(self, replicas: int) -> Callable[[str, int, int], dict[str, np.ndarray]]:
        pixels, reads, each = self.pixels(), self.reads, self.batch // replicas
        labels = np.arange(self.batch) % CLASSES

        def read(source: str, draw: int, replica: int) -> dict[str, np.ndarray]:
            here = slice(replica * each, (replica + 1) * each)
            images = {domain: pixels[domain][here] for domain in reads.sources[source]}
            told = {classes(domain): labels[here] for domain in reads.labelled}
            words = {texts(domain): 1 + labels[here, None] for domain in reads.captioned}
            return images | told | words

        return read


@dataclass(frozen=True)
class Pictures:
    """The batch as the training samples that a system measures before its first step."""

    pixels: Mapping[str, np.ndarray]

    def count(self, domain: str) -> int:
        """The batch."""
        return len(self.pixels[domain])

    def image(self, domain: str, index: int) -> torch.Tensor:
        """`[C,H,W]` in [-1, 1]."""
        return to_images(self.pixels[domain][index][None], torch.device("cpu"), torch.contiguous_format)[0]


CYCLEGAN = Case("cyclegan", {"width": 16, "blocks": 3}, image=64, batch=4)
PIX2PIX = Case("pix2pix", {"width": 32}, image=64, batch=16)
BICYCLEGAN = Case("bicyclegan", {"width": 16, "encoder_width": 16, "critic_width": 16}, image=64, batch=16)
DISTANCEGAN = Case("distancegan", {"width": 16, "blocks": 3, "cycle": True}, image=64, batch=8)
UNIT = Case("unit", {"width": 16, "critic_width": 16}, image=64, batch=4)
MUNIT = Case("munit", {"width": 16, "mlp": 64, "critic_width": 16}, image=64, batch=4)
OST = Case("ost", {"width": 16, "blocks": 4, "critic_width": 16}, image=64, batch=4)
CASES = {case.system: case for case in (CYCLEGAN, PIX2PIX, BICYCLEGAN, DISTANCEGAN, UNIT, MUNIT, OST)}


def timed(step: Callable[[], object], block: int) -> Callable[[], float]:
    """Takes a step that is not timed, then `block` of them, and gives their CPU seconds."""

    def run() -> float:
        step()
        began = time.process_time()
        for _ in range(block):
            step()
        return time.process_time() - began

    return run


def main_of(
    text: str | None,
    measure: Callable[[Case, int, int, float], list[Finding]],
    rounds: int,
    block: int,
    varied: bool = False,
) -> None:
    """The command line of a benchmark that times blocks of steps of each system.

    text: its help. measure: (case, rounds, steps in a block, seconds to wait for an idle machine) -> findings. varied: whether one
    may ask for other cases than the usual.
    """
    options = parser(text)
    options.add_argument("--system", choices=CASES, help="this one only")
    options.add_argument("--rounds", type=int, default=rounds)
    options.add_argument("--block", type=int, default=block, help="steps in a block")
    if varied:
        options.add_argument("--image", type=int, help="pixels a side")
        options.add_argument("--batch", type=int, help="samples a step")
        options.add_argument("--precision", choices=("fp32", "bf16"), help="of the engine")
        options.add_argument("--layout", choices=LAYOUTS, help="of the engine")
    asked = options.parse_args()
    where = conditions()
    findings: list[Finding] = []
    for system in [asked.system] if asked.system else CASES:
        case = _asked_for(CASES[system], vars(asked)) if varied else CASES[system]
        print(f"timing {case.name}", file=sys.stderr)
        findings += measure(case, asked.rounds, asked.block, asked.wait)
    show(findings, where, asked.json)


def _asked_for(case: Case, asked: Mapping[str, Any]) -> Case:
    """The case with what was asked for in place of the usual."""
    arithmetic = {name: asked[name] for name in ("precision", "layout") if asked[name]}
    return replace(case, image=asked["image"] or case.image, batch=asked["batch"] or case.batch, arithmetic=arithmetic)
