"""Scores on the validation split: fixed samples, averaged weights, one value per sample, so that the mean is exact.

Chunks of samples are dealt to the workers by their number, never by the worker count: every worker fills its rows of one
table, the tables are added (the other rows are zeros), and everybody holds the same mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trainers import randomness
from trainers.engine import LAYOUTS, Engine
from trainers.replica import to_images
from trainers.settings import SCORES, Score
from trainers.state import averaged_weights

CHUNK = 8  # samples that pass the networks together; a constant, since other sizes may give other bits
SHOWN = 8  # samples in the picture
LEAST_MSE = 1e-10  # caps the signal-to-noise ratio of a perfect picture at 100 dB


class Samples(Protocol):
    """The validation samples. With `truth`, sample i of one domain is the counterpart of sample i of the other."""

    @property
    def truth(self) -> bool:
        """Whether the counterparts are known."""
        ...

    def count(self, domain: str) -> int:
        """How many samples a domain has."""
        ...

    def image(self, domain: str, index: int) -> np.ndarray:
        """One picture: uint8 `[H,W,C]`."""
        ...


Stages = dict[str, np.ndarray]  # stage of the translation -> uint8 [samples,H,W,C]


def evaluate(engine: Engine, samples: Samples) -> tuple[dict[str, float], Stages]:
    """`eval/...` scores on every rank, and on rank 0 the rows of the picture: input, output, truth or cycle.

    Changes no bit of the training state: gradients are off and the random streams are its own.
    """
    domains = engine.system.reads.domains
    scores = available(engine.system.shows, samples.truth)
    longest = max(samples.count(domain) for domain in domains)
    table = torch.zeros((longest + 1, len(scores)), dtype=torch.float64)  # the last row counts the values
    stages: Stages = {}
    with averaged_weights(engine), torch.no_grad():
        for number, start in enumerate(range(0, longest, CHUNK)):
            if number % engine.tree.workers != engine.tree.rank:
                continue
            images = _chunk(engine, samples, start)
            randomness.seed_generators(engine.device, engine.options.seed, "evaluate", number)
            with engine.autocast():
                shown = engine.system.show(images)
            for column, score in enumerate(scores):
                if score.of in shown:
                    values = MEASURES[score.name.removesuffix("_ba")](shown[score.of], images[score.against])
                    table[start : start + len(values), column] = values.double().cpu()
                    table[longest, column] += len(values)
            if number == 0:
                stages = _stages(images, shown, samples.truth)
    table = table.to(engine.device)
    engine.tree.sum_across_workers(table)
    totals, counts = table[:longest].sum(0).tolist(), table[longest].tolist()
    means = {s.metric: total / n for s, total, n in zip(scores, totals, counts, strict=True) if n}
    return means, stages


def available(shows: tuple[str, ...], truth: bool) -> list[Score]:
    """The scores that a system which shows these images can have on such data."""
    return [s for s in SCORES.values() if s.of in shows and (truth or not s.needs_truth)]


def _chunk(engine: Engine, samples: Samples, start: int) -> dict[str, Tensor]:
    layout = LAYOUTS[engine.options.layout]
    images = {}
    for domain in engine.system.reads.domains:
        indices = range(start, min(start + CHUNK, samples.count(domain)))
        if indices:
            pixels = np.stack([samples.image(domain, i) for i in indices])
            images[domain] = to_images(pixels, engine.device, layout)
    return images


def _unit(images: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], rounded to 8 bits as a saved picture is."""
    return ((images.float() + 1.0) * 127.5).round().clamp(0, 255) / 255.0


def _l1(shown: Tensor, wanted: Tensor) -> Tensor:
    """`[N]`: mean absolute error per sample."""
    return (_unit(shown) - _unit(wanted)).abs().mean((1, 2, 3))


def _psnr(shown: Tensor, wanted: Tensor) -> Tensor:
    """`[N]`: peak signal-to-noise ratio in dB per sample."""
    mse = (_unit(shown) - _unit(wanted)).square().mean((1, 2, 3)).clamp_min(LEAST_MSE)
    return -10.0 * torch.log10(mse)


def _ssim(shown: Tensor, wanted: Tensor) -> Tensor:
    """`[N]`: structural similarity per sample (Wang et al. 2004, 11 x 11 Gaussian window)."""
    from torchmetrics.functional.image import structural_similarity_index_measure  # a third of a worker's imports

    value = structural_similarity_index_measure(_unit(shown), _unit(wanted), data_range=1.0, reduction="none")
    assert isinstance(value, Tensor)
    return value.reshape(-1)


MEASURES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": _l1,
    "psnr": _psnr,
    "ssim": _ssim,
    "cycle": _l1,
    "identity": _l1,
}


def to_pixels(images: Tensor) -> np.ndarray:
    """float `[N,C,H,W]` in [-1, 1] -> uint8 `[N,H,W,C]`."""
    pixels = (_unit(images) * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1)
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
