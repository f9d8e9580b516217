"""Scores on the validation split: fixed samples, averaged weights, one value per sample, so that the mean is exact.

Chunks of samples are dealt to the workers by their number, never by the worker count: every worker fills its rows of the
tables, the tables are added (the other rows are zeros), and everybody computes the same numbers of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainers.angle_judge import Angles
from trainers.engine import Engine
from trainers.feature_judge import InNetwork
from trainers.features import Module, Network, OfTask, TaskNetwork
from trainers.health_judge import Health
from trainers.judges import Draws, Judge, Own, Pixels, Reader
from trainers.measures import unit
from trainers.outputs import ANGLES, LOGITS, PIXELS
from trainers.pair_judge import Pairs
from trainers.rows import Rows
from trainers.samples import Samples, Viewer
from trainers.scores import JUDGED, Given, available
from trainers.state import averaged_weights

SHOWN = 8  # samples in the picture
SAMPLES = "eval/samples"  # how many the scores are of, in the domain that has most


@dataclass(frozen=True)
class How:
    """`draws`: translations of each picture, where they differ; `task`: a network of domain b, on the engine's device.

    `pixel_classes`: how many classes of pixels `task` knows; 0: it knows those of pictures. `degrees`: the angle of each class
    where `task` reads angles; empty: it does not. `features`: a module that looks at pictures, on the engine's device, and
    `gives`: its outputs.
    """

    draws: int = 8
    task: TaskNetwork | None = None
    pixel_classes: int = 0
    features: Module | None = None
    gives: frozenset[str] = frozenset()
    degrees: tuple[float, ...] = ()

    @property
    def reading(self) -> str:
        """What `task` is trained to give of pictures."""
        return ANGLES if self.degrees else PIXELS if self.pixel_classes else LOGITS

    @property
    def networks(self) -> list[Network]:
        """All that look at pictures."""
        return [*([OfTask(self.task)] if self.task else []), *([self.features] if self.features else [])]


Stages = dict[str, np.ndarray]  # stage of the translation -> uint8 [samples,H,W,C]


def evaluate(engine: Engine, samples: Samples, how: How | None = None) -> tuple[dict[str, float], Stages]:
    """`eval/...` scores and `health/...` signs on every rank, and on rank 0 the rows of the picture: input, output, truth or cycle.

    Changes no bit of the training state: gradients are off and the random streams are its own.
    """
    how = how or How()
    viewer, rows = Viewer(engine, samples), Rows()
    given = _given(viewer, how)
    scores = {score.name: score for score in available(type(engine.system), given)}
    stages: Stages = {}
    with averaged_weights(engine), torch.no_grad():
        judges: list[Judge] = [Pixels(scores, viewer, rows), Pairs(scores, viewer, rows)]
        judges += [Draws(scores, viewer, rows, how.draws, how.networks)]
        if how.task and how.degrees:
            judges.append(Angles(scores, viewer, rows, how.task, how.degrees))
        elif how.task:
            judges.append(Reader(scores, viewer, rows, how.task, how.pixel_classes))
        judges += [InNetwork(scores, viewer, rows, network, given) for network in how.networks]
        judges += [Own(viewer, rows)] if engine.system.judges else []
        health = Health(viewer, rows)
        for number in viewer.chunks:
            chunk = viewer.chunk(number)
            for judge in (*judges, health):
                judge.look(chunk)
            if number == 0:
                stages = _stages(chunk.images, chunk.shown, samples.truth)
    rows.add_up(engine.tree, engine.device)
    totals = {name: value for judge in judges for name, value in judge.totals().items()}
    found = {score.metric: totals.get(name, rows.mean(name)) for name, score in scores.items()}
    means = {metric: value for metric, value in found.items() if value is not None}
    return means | health.totals() | {SAMPLES: float(viewer.longest)}, stages


def _given(viewer: Viewer, how: How) -> Given:
    """What this evaluation has to go by."""
    counts, samples = viewer.counts, viewer.samples

    def known(domain: str, index: int) -> bool:
        if how.pixel_classes:
            return samples.label_map(domain, index) is not None
        return samples.label(domain, index) >= 0

    return Given(
        reads=viewer.system.reads,
        truth=samples.truth,
        labelled=frozenset(domain for domain, n in counts.items() if any(known(domain, i) for i in range(n))),
        label_maps=how.pixel_classes > 0,
        kinds=frozenset({how.reading}),
        features=how.features.name if how.features else "",
        gives=how.gives,
        task=JUDGED if how.task else "",
        draws=how.draws,
        varied=viewer.varied,
        counts=counts,
        channels={domain: viewer.engine.shapes[domain][0] for domain in counts},
    )


def to_pixels(images: Tensor) -> np.ndarray:
    """float `[N,C,H,W]` in [-1, 1] -> uint8 `[N,H,W,C]`."""
    pixels = (unit(images) * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1)
    array: np.ndarray = pixels.contiguous().cpu().numpy()
    return array


def _stages(images: Mapping[str, Tensor], shown: Mapping[str, Tensor], truth: bool) -> Stages:
    """The picture's rows: input, output, then the truth where it is known, else the way back."""
    wanted = [("a", images.get("a")), ("a to b", shown.get("fake_b"))]
    wanted += [("truth b", images.get("b"))] if truth else []
    wanted += [("back to a", shown.get("cycle_a"))]
    if not truth:
        wanted += [("b", images.get("b")), ("b to a", shown.get("fake_a")), ("back to b", shown.get("cycle_b"))]
    elif "fake_a" in shown:
        wanted += [("b to a", shown["fake_a"])]
    return {title: to_pixels(picture[:SHOWN]) for title, picture in wanted if picture is not None}
