"""What one picture, or a few draws of it, are worth: functions of pictures alone, a value for each sample.

Pictures are compared as they would be saved: rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import torch
from torch import Tensor

LEAST_SSIM = 6  # pixels a side: the window reaches 5 over the border, where pictures are mirrored
LEAST_MSE = 1e-10  # caps the signal-to-noise ratio of a perfect picture at 100 dB


def unit(images: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], rounded to 8 bits."""
    return ((images.float() + 1.0) * 127.5).round().clamp(0, 255) / 255.0


def saved(images: Tensor) -> Tensor:
    """[-1, 1] -> [-1, 1], rounded to 8 bits: what a network sees that reads the saved picture."""
    return ((images.float() + 1.0) * 127.5).round().clamp(0, 255) / 127.5 - 1.0


def l1(shown: Tensor, wanted: Tensor) -> Tensor:
    """`[N,C,H,W]` twice -> `[N]`: mean absolute error, of images in [0, 1]."""
    return (unit(shown) - unit(wanted)).abs().mean((1, 2, 3))


def psnr(shown: Tensor, wanted: Tensor) -> Tensor:
    """`[N,C,H,W]` twice -> `[N]`: peak signal-to-noise ratio in dB."""
    mse = (unit(shown) - unit(wanted)).square().mean((1, 2, 3)).clamp_min(LEAST_MSE)
    return -10.0 * torch.log10(mse)


def ssim(shown: Tensor, wanted: Tensor) -> Tensor:
    """`[N,C,H,W]` twice, H and W at least LEAST_SSIM -> `[N]`: structural similarity (Wang et al. 2004, 11 x 11 Gaussian window,
    pictures mirrored at their borders), in float64: variances are differences, which leave little of fp32 where pictures are flat.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # a third of a worker's imports

    value = structural_similarity_index_measure(
        unit(shown).double(), unit(wanted).double(), data_range=1.0, reduction="none"
    )
    assert isinstance(value, Tensor)
    return value.reshape(-1)


MEASURES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "psnr": psnr,
    "ssim": ssim,
    "l1_ba": l1,
    "psnr_ba": psnr,
    "ssim_ba": ssim,
    "cycle": l1,
    "identity": l1,
}


def nearest(draws: Tensor, truths: Tensor) -> Tensor:
    """`l1` from each truth to the draw nearest to it. draws: `[K,C,H,W]` of one input; truths: `[T,C,H,W]`. Returns `[T]`."""
    return torch.stack([l1(draw.expand_as(truths), truths) for draw in draws]).amin(0)


def angle(x: Tensor, y: Tensor) -> Tensor:
    """`[N,F]` twice -> `[N]`: 1 - cosine of two samples' features, as half the squared distance of their unit vectors."""
    x, y = (torch.nn.functional.normalize(features.float(), dim=1) for features in (x, y))
    return 0.5 * (x - y).square().sum(1)


def spread(draws: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The mean distance of two draws of one input, over all pairs. draws: `[K,N,...]`, K at least 2. Returns `[N]`."""
    return torch.stack([distance(one, other) for one, other in combinations(draws, 2)]).mean(0)
