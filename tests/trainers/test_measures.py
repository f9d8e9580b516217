"""What single pictures are worth, where numbers are easily lost."""

import pytest
import torch

from trainers import measures


@pytest.mark.parametrize("level", [-0.75, 0.3, 0.9])
def test_flat_pictures_are_as_similar_to_themselves_as_any(level):
    """Their variances are differences of nearly equal numbers, of which fp32 leaves little."""
    flat = torch.full((2, 3, 16, 16), level)
    assert measures.ssim(flat, flat).tolist() == pytest.approx([1.0, 1.0], abs=1e-9)


def test_ssim_is_that_of_pictures_mirrored_at_their_borders():
    """Wang et al.'s formula by hand, of a picture so small that every window reaches over a border."""
    x, y = (torch.rand(1, 1, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    x, y = (measures.unit(one * 2 - 1).double() for one in (x, y))
    line = torch.exp(-((torch.arange(11.0, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = torch.outer(line, line) / line.sum() ** 2
    seen = [torch.nn.functional.pad(one, (5, 5, 5, 5), mode="reflect")[0, 0] for one in (x, y)]
    total = 0.0
    for top in range(7):
        for left in range(7):
            a, b = (one[top : top + 11, left : left + 11] for one in seen)
            means = [(window * one).sum() for one in (a, b)]
            spreads = [(window * one * one).sum() - mean**2 for one, mean in zip((a, b), means, strict=True)]
            both = (window * a * b).sum() - means[0] * means[1]
            above = (2 * means[0] * means[1] + 0.01**2) * (2 * both + 0.03**2)
            total += float(above / ((means[0] ** 2 + means[1] ** 2 + 0.01**2) * (sum(spreads) + 0.03**2)))
    assert measures.ssim(x.float() * 2 - 1, y.float() * 2 - 1).item() == pytest.approx(total / 49, abs=1e-6)
