"""What each arithmetic that a machine has makes of a run's step, timed in turns.

A setting that is fast on one processor is slow on another: bf16 takes two thirds of the time on a CPU that multiplies in it and
many times as long on one that does not. So nothing is guessed: every way is tried, in rounds, and compared with the run's own
way of the same round, in which others keep the machine as busy.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product

import torch

from cluster.building import build_system, engine_options, process_settings
from cluster.processor import lacking
from cluster.run import Run
from cluster.weigh import made_up
from trainers.compiling import seconds_spent
from trainers.engine import LAYOUTS, Engine
from trainers.system import Shapes
from trainers.tree import Tree


@dataclass(frozen=True)
class Way:
    """How the networks of a run compute: the keys of a sweep file."""

    precision: str
    layout: str
    compile: bool
    graphs: bool = False

    @staticmethod
    def of(run: Run) -> Way:
        """The run's own."""
        return Way(run.precision, run.layout, run.compile, run.graphs)

    def given_to(self, run: Run) -> Run:
        """The run with this in place of its own."""
        return replace(run, precision=self.precision, layout=self.layout, compile=self.compile, graphs=self.graphs)


@dataclass
class Course:
    """What was seen of a way. seconds: of a step, the median of each round. compiling: seconds before the first one. memory: bytes
    on a GPU at most. problem: why it could not be tried, in a line."""

    way: Way
    seconds: list[float] = field(default_factory=list)
    compiling: float = 0.0
    memory: int | None = None
    problem: str = ""

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return statistics.median(self.seconds)

    def speedup(self, usual: Course) -> tuple[float, float, float]:
        """How many times as fast as `usual`: median, least and most of the rounds."""
        ratios = [theirs / mine for theirs, mine in zip(usual.seconds, self.seconds, strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)


def device_of(gpus: float) -> torch.device:
    """Where a run's worker computes on this machine."""
    return torch.device("cuda" if gpus and torch.cuda.is_available() else "cpu")


def ways(run: Run, device: torch.device, compiling: bool) -> list[Way]:
    """The run's own way, then every other that this machine has. compiling: with compiled networks, too."""
    lacks = lacking()
    if device.type == "cuda":
        precisions = ["fp32", "tf32", *(["bf16"] if torch.cuda.is_bf16_supported() else [])]
    else:
        precisions = ["fp32", *(["bf16"] if "bf16" not in lacks and run.cpu_capability == "auto" else [])]
    kernels = [(False, False)]
    if compiling and "compile" not in lacks:
        kernels += [(True, False), *([(True, True)] if device.type == "cuda" else [])]
    own, every = Way.of(run), product(precisions, LAYOUTS, kernels)
    return [own, *(way for way in (Way(precision, layout, *how) for precision, layout, how in every) if way != own)]


def take_turn(course: Course, run: Run, shapes: Shapes, device: torch.device, steps: int) -> None:
    """Time so many steps of a way. The one before them is not timed: it compiles, and finds caches as another way left them."""
    before = seconds_spent()
    try:
        with process_settings(course.way.given_to(run)):
            played = _played(course.way.given_to(run), shapes, device)
            next(played)
            course.compiling += seconds_spent() - before
            course.seconds.append(statistics.median(next(played) for _ in range(steps)))
        if device.type == "cuda":
            course.memory = torch.cuda.max_memory_allocated()
    except (RuntimeError, MemoryError) as error:  # torch's own are of these: no memory, no kernel
        course.problem = next(iter(str(error).strip().splitlines()), "not enough memory")


def _played(run: Run, shapes: Shapes, device: torch.device) -> Iterator[float]:
    """Seconds of one step after another, on made-up pictures."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    system = build_system(run, shapes)
    engine = Engine(system, made_up(run, shapes, system), shapes, Tree(run.data.replicas), engine_options(run), device)
    engine.measured = {name: torch.ones(shape, device=device) for name, shape in system.measures.items()}
    while True:
        started = time.perf_counter()
        engine.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        yield time.perf_counter() - started
