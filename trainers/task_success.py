"""Task success: whether translated pictures teach what few real ones do not.

A classifier learns from few real pictures of a domain alone, or from the same ones and as many others in every batch: pictures of
another domain, as they are or translated. What counts is what it then reads of real pictures that it never saw. Figures without
translations and with them are what is reported of balanced style transfer; how many pictures and trainings those are of is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from trainers import randomness
from trainers.networks.classifier import Classifier
from trainers.replica import to_images

CPU = torch.device("cpu")
AT_ONCE = 256  # pictures that are read at once: a bound of memory


@dataclass(frozen=True)
class Labelled:
    """Pictures uint8 `[N,H,W,C]` and their classes `[N]`, numbers from 0."""

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Schooling:
    """How each classifier learns: Adam with the rate `lr`, so many steps of `batch` pictures; `width` as of the network."""

    steps: int = 600
    batch: int = 32
    width: int = 16
    lr: float = 1e-3


def few_of(classes: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """The places of `count` of them, drawn by `seed`: of each class as many, as far as there are."""
    order = np.random.default_rng([seed, count]).permutation(len(classes))
    turns = np.zeros(len(classes), np.int64)  # of each in the drawn order: how many of its class come before it
    for one in np.unique(classes):
        mine = classes[order] == one
        turns[mine] = np.arange(mine.sum())
    return np.sort(order[np.argsort(turns, kind="stable")[:count]])


def read_after(lessons: Sequence[Labelled], exam: Labelled, classes: int, how: Schooling, seed: int) -> float:
    """The share of `exam` that a fresh classifier reads rightly, 0 to 1, when it has learned from `lessons`: every batch holds as
    many pictures of each of them, whatever their number. The same `seed` gives the same initial weights.
    """
    randomness.seed_generators(CPU, "task success", seed)
    network = Classifier(exam.pixels.shape[3], classes, how.width)
    optimizer = torch.optim.Adam(network.parameters(), lr=how.lr)
    shares = [len(part) for part in np.array_split(np.arange(how.batch), len(lessons))]
    for step in range(how.steps):
        drawn = np.random.default_rng([seed, step])
        places = [drawn.integers(len(lesson), size=share) for lesson, share in zip(lessons, shares, strict=True)]
        x = np.concatenate([lesson.pixels[at] for lesson, at in zip(lessons, places, strict=True)])
        truth = np.concatenate([lesson.classes[at] for lesson, at in zip(lessons, places, strict=True)])
        loss = F.cross_entropy(network(to_images(x, CPU, torch.contiguous_format)), torch.from_numpy(truth))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return _right(network, exam)


def _right(network: Classifier, exam: Labelled) -> float:
    right = 0
    with torch.no_grad():
        for start in range(0, len(exam), AT_ONCE):
            pixels, truth = exam.pixels[start : start + AT_ONCE], exam.classes[start : start + AT_ONCE]
            read = network(to_images(pixels, CPU, torch.contiguous_format)).argmax(1)
            right += int((read == torch.from_numpy(truth)).sum())
    return right / len(exam)
