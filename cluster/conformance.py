"""The promises of `trainers.conformance`, and the one that takes several processes, checked of a system on made-up pictures.

The pictures are noise: what a system promises does not hang on what it sees. Two small processes in a gloo group stand for workers.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from cluster.building import build_system, engine_options, process_settings
from cluster.kinds import kind_of
from cluster.run import Data, Every, Run
from data_shards.errors import DataError
from trainers.conformance import PROMISES, STEPS, BrokenPromise, Promise, played, state_digest
from trainers.engine import Engine
from trainers.replica import attributes, classes, texts
from trainers.settings import OWN
from trainers.state import digest, named_state
from trainers.system import Shapes, System
from trainers.systems.own import BROKEN, line_of
from trainers.tree import Tree

REPLICAS, SEED, KINDS, LONGEST_S = 2, 7, 3, 300.0
WORKERS = Promise("workers", f"{REPLICAS} workers come to the bits of one", lambda make: None)


@dataclass(frozen=True)
class Subject:
    """What is checked: a system, the text of its file where it is the user's own, and the settings that differ from its own."""

    system: str
    code: str
    image: int
    hyper: Mapping[str, Any] = field(default_factory=dict)

    def runs(self) -> list[Run]:
        """A run of the system, and one of each of its stages, with its own defaults apart from `hyper`."""
        whole = self._run(kind_of(self._bare("")), "")
        return [whole, *(self._run(stage.system, stage.name) for stage in kind_of(whole).stages)]

    def _run(self, kind: type[System], stage: str) -> Run:
        known = {
            name: value for name, value in self.hyper.items() if name in {field.name for field in fields(kind.Hyper)}
        }
        weights = {term.name: term.weight for term in kind.terms}
        balance = asdict(kind.balance)
        bare = self._bare(stage)
        data = replace(bare.data, batch=REPLICAS * max(2, kind.fewest()))
        return replace(bare, hyper=asdict(kind.Hyper(**known)), weights=weights, balance=balance, data=data)

    def _bare(self, stage: str) -> Run:
        data = Data("", "", self.image, REPLICAS, REPLICAS, flip=False, jitter=1.0)
        usual = {"precision": "fp32", "layout": "contiguous", "exact": True, "on_nonfinite": "stop", "storage": ""}
        return Run(
            *("check", 0, SEED, self.system, {}, {}, {}, data, STEPS, Every(1, STEPS, STEPS), REPLICAS, 1),
            stage=stage,
            code=self.code,
            **usual,  # type: ignore[arg-type]
        )


def check(run: Run, promises: Sequence[Promise] = (*PROMISES, WORKERS)) -> Iterator[tuple[Promise, str]]:
    """Each promise with what is wrong, empty where it is kept. Its file and line are told where the system's own code raises."""

    def make(weights: Mapping[str, float]) -> Engine:
        return make_engine(run, Tree(REPLICAS), weights)

    for promise in promises:
        with process_settings(run):
            wrong = _broken(run, partial(_check_workers, run) if promise is WORKERS else partial(promise.check, make))
        yield promise, wrong


def _broken(run: Run, question: Callable[[], None]) -> str:
    match = OWN.fullmatch(run.system)
    file = match["file"] if match else ""
    try:
        question()
    except BrokenPromise as error:
        return str(error)
    except BROKEN as error:
        where = f"{file}{line_of(error, file)}: " if file else ""
        return f"{where}{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def make_engine(run: Run, tree: Tree, weights: Mapping[str, float]) -> Engine:
    """The engine of a run on noise."""
    shapes = shapes_of(run)
    system = build_system(replace(run, weights={**run.weights, **weights}), shapes)
    made = Engine(system, noise(run, shapes), shapes, tree, engine_options(run), torch.device("cpu"))
    if system.measures:
        made.measure(_Measured(shapes))
    return made


def shapes_of(run: Run) -> Shapes:
    """Colour pictures of every domain."""
    kind = kind_of(run)
    return dict.fromkeys(kind.reading(kind.Hyper(**run.hyper)).domains, (3, run.data.image, run.data.image))


def noise(run: Run, shapes: Shapes) -> Callable[[str, int, int], Mapping[str, np.ndarray]]:
    """Batches that are a function of the source, the draw and the replica."""
    kind = kind_of(run)
    reads = kind.reading(kind.Hyper(**run.hyper))
    each = run.data.batch // run.data.replicas

    def batch(source: str, draw: int, replica: int) -> Mapping[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for domain in reads.sources[source]:
            random = np.random.default_rng([ord(domain[0]), draw, replica])
            channels, height, width = shapes[domain]
            found[domain] = random.integers(0, 256, (each, height, width, channels), np.uint8)
            found[classes(domain)] = random.integers(0, KINDS, each)
            found[texts(domain)] = random.integers(1, 2 * KINDS, (each, KINDS))
            found[attributes(domain)] = random.random((each, KINDS)) < 0.5
        return found

    return batch


@dataclass(frozen=True)
class _Measured:
    """Five pictures of noise of each domain."""

    shapes: Shapes

    def count(self, domain: str) -> int:
        return 5

    def image(self, domain: str, index: int) -> torch.Tensor:
        random = np.random.default_rng([ord(domain[0]), 99, index])
        return torch.from_numpy(random.uniform(-1, 1, self.shapes[domain])).float()


def _check_workers(run: Run) -> None:
    alone = state_digest(played(make_engine(run, Tree(REPLICAS), {})))
    if _digest_of_workers(run) != alone:
        raise BrokenPromise(
            "two workers come to other bits than one: does step look beyond its replica, or keep numbers on self?"
        )


def _digest_of_workers(run: Run) -> str:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = context.Pipe(duplex=False)
        meet = f"file://{Path(folder, 'meet')}"
        group = [context.Process(target=_work, args=(run, rank, meet, theirs), daemon=True) for rank in range(REPLICAS)]
        for process in group:
            process.start()
        theirs.close()
        try:
            if not ours.poll(LONGEST_S):
                raise DataError(f"the workers have said nothing for {LONGEST_S:g} s")
            said: str = ours.recv()
        except EOFError as error:
            raise BrokenPromise("a worker ended in the middle of a step; its last words are above") from error
        finally:
            for process in group:
                process.kill()
                process.join()
    return said


def _work(run: Run, rank: int, meet: str, pipe: Connection) -> None:
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=REPLICAS)
    with process_settings(run):
        state = named_state(played(make_engine(run, Tree(REPLICAS, rank, REPLICAS), {})))
    if state is not None:
        pipe.send(digest(state))
