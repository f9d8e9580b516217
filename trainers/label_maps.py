"""Label maps: grey pictures whose levels are classes of pixels, and what a reading of pixels is worth beside them.

Class i of n is stored as the level round(255 i / (n - 1)), and between the levels there is nothing: whoever interpolates makes
other classes. With at most 256 of them each level leads back to its class exactly, as it lies within (n - 1) / 510 < 1 / 2 of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

MOST_CLASSES = 256  # levels that a grey picture has


def classes_of(levels: Tensor, classes: int) -> Tensor:
    """Levels, 0 to 255 -> the classes that they stand for, int64, from 0 to `classes` - 1; `classes` at least 2."""
    return (levels.float() * (classes - 1) / 255.0).round().long()


def levels_of(images: Tensor) -> Tensor:
    """Label maps as a batch has them, `[N,1,H,W]` in [-1, 1] -> their levels `[N,H,W]`, 0 to 255."""
    return ((images[:, 0].float() + 1.0) * 127.5).round()


def share(said: Tensor, truth: Tensor) -> Tensor:
    """Classes of samples `[N]`, or of their pixels `[N,H,W]`, twice -> `[N]` float64: the share that is the same."""
    return (said == truth).reshape(len(said), -1).double().mean(1)


def overlaps(said: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Classes of pixels `[N,H,W]` twice -> `[N,2 x classes]`: of each class the pixels in both, then those in either."""
    pairs = [(said == c, truth == c) for c in range(classes)]
    both, either = [one & other for one, other in pairs], [one | other for one, other in pairs]
    return torch.stack([*both, *either], 1).flatten(2).sum(2)


def tallies(said: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Classes of pixels `[N,H,W]` twice -> `[N,3 x classes]`: of each class the pixels in both, in the map, in the reading."""
    mapped, read = ([classed == c for c in range(classes)] for classed in (truth, said))
    both = [one & other for one, other in zip(mapped, read, strict=True)]
    return torch.stack([*both, *mapped, *read], 1).flatten(2).sum(2)


def fcn_scores(counts: Tensor) -> dict[str, float]:
    """`tallies` of all samples, `[N,3 x classes]` in float64 -> pixel accuracy, class accuracy and class IoU.

    Long, Shelhamer, Darrell, section 5: right pixels over all; the mean over the classes of right ones over those in the maps; and
    that of both over either. A class that is nowhere to be divided by has no part in a mean.
    """
    both, mapped, read = counts.sum(0).chunk(3)
    either = mapped + read - both
    return {
        "pixel_accuracy": float(both.sum() / mapped.sum()),
        "class_accuracy": float((both[mapped > 0] / mapped[mapped > 0]).mean()),
        "class_iou": float((both[either > 0] / either[either > 0]).mean()),
    }


def mean_iou(counts: Tensor) -> float:
    """`overlaps` of all samples, `[N,2 x classes]` in float64 -> the mean over the classes of both / either.

    Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 5: of all pixels
    together, not a mean of pictures. A class that is nowhere, in no map and in no reading, has no part in it.
    """
    both, either = counts.sum(0).chunk(2)
    return float((both[either > 0] / either[either > 0]).mean())
