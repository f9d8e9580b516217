"""What the tests of scores judge by: flat pictures of known grey, and a task network whose verdicts can be read off them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tests.trainers.worlds import CLASSES, IMAGE
from trainers.features import Module, Shown, load_module

PAIRS = {
    "eval/collapse",
    "eval/distance_correlation",
    "eval/distance_correlation_halves",
}  # of any translation from a to b


class Flat:
    """Flat validation pictures: `grey` by domain, 0 to 255, and classes by domain; -1 where none is given.

    truths: groups of the numbers of pictures of b that one picture of a has; each stands alone otherwise. count: how many of
    them are evaluated; None: all. label_maps: grey levels by domain, `[H,W]` each; None where a picture has no map.
    """

    def __init__(
        self,
        grey: Mapping[str, Sequence[int]],
        *,
        truth: bool = False,
        labels: Mapping[str, Sequence[int]] | None = None,
        truths: Sequence[Sequence[int]] = (),
        count: int | None = None,
        label_maps: Mapping[str, Sequence[np.ndarray | None]] | None = None,
    ) -> None:
        self._grey, self.truth, self._labels, self._groups = grey, truth, labels or {}, truths
        self._count, self._maps = count, label_maps or {}

    def count(self, domain: str) -> int:
        """How many pictures are evaluated."""
        return len(self._grey[domain]) if self._count is None else self._count

    def image(self, domain: str, index: int) -> np.ndarray:
        """uint8 `[H,W,C]`."""
        return np.full((IMAGE, IMAGE, 3), self._grey[domain][index], np.uint8)

    def label(self, domain: str, index: int) -> int:
        """Its class."""
        return self._labels[domain][index] if domain in self._labels else -1

    def attributes(self, domain: str, index: int) -> np.ndarray:
        """In the order of the numbers in base 2."""
        return np.array([bool(index >> i & 1) for i in range(CLASSES)])

    def text(self, domain: str, index: int) -> np.ndarray:
        """One word, another one for each."""
        return np.array([index + 1])

    def label_map(self, domain: str, index: int) -> np.ndarray | None:
        """Its label map's levels."""
        return self._maps[domain][index] if domain in self._maps else None

    def truths(self, index: int) -> Sequence[int]:
        """Its group."""
        return next((group for group in self._groups if index in group), [index])


def grey(level: float, count: int) -> Tensor:
    """`[count,3,H,W]`: pictures of one grey, 0 to 255."""
    return torch.full((count, 3, IMAGE, IMAGE), float(level)).div(127.5).sub(1.0)


class Thirds(nn.Module):
    """Reads class 0, 1 or 2 in a picture by its mean grey: dark, middle, bright. Features: the means of its four quarters."""

    def features(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> `[N,4]`, in [0, 1]."""
        quarters: Tensor = nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 2).flatten(1)
        return (quarters + 1) / 2

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Two layers: the picture, and the means of its quarters."""
        return x, nn.functional.adaptive_avg_pool2d(x, 2)

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> logits `[N,3]`."""
        level = self.features(x).mean(1, keepdim=True)
        return -(level - torch.tensor([0.0, 0.5, 1.0])).abs()


class PixelThirds(Thirds):
    """The same of each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> logits `[N,3,H,W]`."""
        level = (x.mean(1, keepdim=True) + 1) / 2
        return -(level - torch.tensor([0.0, 0.5, 1.0])[:, None, None]).abs()


class Tiny(nn.Module):
    """A network that gives all that a module can: of weights 1, so that its numbers can be read off pictures in [0, 1]."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`[N,3,H,W]` -> features `[N,4]`, the quarters' means; logits `[N,2]`; the same means as `lpips`; the picture as maps."""
        means = nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 2).flatten(1)
        return {
            "features": means,
            "logits": means[:, :2] * 8,
            "lpips": means,
            "early": x,
            "late": x[:, :, ::2, ::2] * 2,
        }


def as_file(network: nn.Module, side: int = IMAGE) -> bytes:
    """A network as a user exports it."""
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(network, torch.zeros(2, 3, side, side), strict=False), sink)
    return sink.getvalue()


def tiny_module(network: nn.Module | None = None) -> Module:
    """It, loaded; pictures in [0, 1]."""
    return load_module(as_file(network or Tiny()), "tiny", Shown(low=0.0), torch.device("cpu"))
