"""Distances are those of the formulas: each picture by itself, one axis throughout, published statistics by hand."""

import itertools
import math
import statistics

import pytest
import torch

from trainers.distances import AXES, change, half_distances, measure_halves, measure_pairs, pair_distances, standardised
from trainers.errors import SettingError


class Held:
    """Training samples: domain -> images `[N,C,H,W]`. Counts how many it gave."""

    def __init__(self, **images):
        self.images = images
        self.given = 0

    def count(self, domain):
        return len(self.images[domain])

    def image(self, domain, index):
        self.given += 1
        return self.images[domain][index]


def by_hand(one, other):
    """The mean absolute difference of two images."""
    terms = [abs(x - y) for x, y in zip(one.flatten().tolist(), other.flatten().tolist(), strict=True)]
    return sum(terms) / len(terms)


def test_a_pair_is_every_two_images_once_and_a_distance_a_mean():
    images = torch.rand(4, 3, 2, 2)
    expected = [by_hand(one, other) for one, other in itertools.combinations(images, 2)]
    assert pair_distances(images).tolist() == pytest.approx(expected, rel=1e-5)
    assert pair_distances(images * 3).tolist() == pytest.approx([3 * d for d in expected], rel=1e-5)


@pytest.mark.parametrize(("axis", "dim"), [("width", 3), ("height", 2)])
def test_halves_lie_along_the_axis(axis, dim):
    images = torch.zeros(2, 1, 4, 6)
    images[1].narrow(dim - 1, images.shape[dim] // 2, images.shape[dim] // 2).fill_(0.75)
    assert half_distances(images, axis).tolist() == [0.0, 0.75]
    (other,) = AXES.keys() - {axis}
    assert half_distances(images, other).tolist() == [0.0, 0.0]


def test_distances_are_in_fp32_whatever_the_pictures_are_in():
    images = torch.rand(3, 1, 2, 2)
    assert pair_distances(images.bfloat16()).dtype == half_distances(images.bfloat16(), "width").dtype == torch.float32


def test_equal_pictures_have_a_finite_gradient():
    images = torch.full((3, 1, 2, 2), 0.5, requires_grad=True)
    (pair_distances(images).sum() + half_distances(images, "width").sum()).backward()
    assert images.grad is not None
    assert torch.equal(images.grad, torch.zeros_like(images))


def test_a_change_is_that_of_each_distance_and_differences_do_not_cancel():
    source, made = torch.tensor([0.25, 0.75]), torch.tensor([0.75, 0.25])
    assert source.mean() == made.mean(), "averaged over the batch first, nothing would have changed"
    assert change(source, made, None, None).item() == 0.5
    of_source, of_made = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.125])
    expected = (abs(-0.5 - 4.0) + abs(0.5 - 0.0)) / 2
    assert change(source, made, of_source, of_made).item() == pytest.approx(expected)


def test_the_sum_and_the_mean_are_one_once_standardised():
    images, other = torch.rand(5, 3, 4, 4), torch.rand(5, 3, 4, 4)
    numbers = images[0].numel()
    changes = []
    for scale in (1, numbers):
        pairs = [scale * pair_distances(x) for x in (images, other)]
        known = [torch.stack([d.mean(), d.std(correction=0)]) for d in pairs]
        changes.append(change(*pairs, *known).item())
    assert changes[0] == pytest.approx(changes[1], rel=1e-4)
    plain = change(pair_distances(images), pair_distances(other), None, None)
    summed = change(numbers * pair_distances(images), numbers * pair_distances(other), None, None)
    assert summed.item() == pytest.approx(numbers * plain.item(), rel=1e-4), "not when they are as they are"
    assert torch.equal(standardised(pairs[0], None), pairs[0])


def test_statistics_of_pairs_are_of_single_pictures():
    images = torch.rand(6, 2, 4, 4)
    expected = [by_hand(one, other) for one, other in itertools.combinations(images, 2)]
    mean, deviation = measure_pairs(Held(a=images), "a").tolist()
    assert mean == pytest.approx(statistics.fmean(expected), rel=1e-5)
    assert deviation == pytest.approx(statistics.pstdev(expected), rel=1e-4), "the population's"


def test_the_deviation_is_not_that_of_batches():
    images = torch.rand(60, 1, 2, 2)
    of_pictures = measure_pairs(Held(a=images), "a")[1].item()
    batches = images.unflatten(0, (30, 2))
    of_batches = [(one - other).abs().mean().item() for one, other in itertools.combinations(batches, 2)]
    assert statistics.pstdev(of_batches) == pytest.approx(of_pictures / math.sqrt(2), rel=0.1), (
        "as the published code's"
    )


@pytest.mark.parametrize("axis", AXES)
def test_statistics_of_halves_are_of_halves(axis):
    images = torch.rand(5, 3, 4, 6)
    expected = [by_hand(*image.chunk(2, AXES[axis] - 1)) for image in images]
    mean, deviation = measure_halves(Held(b=images), "b", axis).tolist()
    assert mean == pytest.approx(statistics.fmean(expected), rel=1e-5)
    assert deviation == pytest.approx(statistics.pstdev(expected), rel=1e-4)
    assert mean != pytest.approx(measure_pairs(Held(b=images), "b")[0].item(), rel=1e-3)


def test_memory_is_bounded_and_changes_no_bits():
    images = torch.rand(7, 2, 4, 4)
    whole, bounded = Held(a=images), Held(a=images)
    assert torch.equal(measure_pairs(whole, "a"), measure_pairs(bounded, "a", held=2 * images[0].numel()))
    assert whole.given == 1 + 7, "read once where all of them fit"
    assert bounded.given > whole.given


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (torch.full((4, 1, 2, 2), 0.5), 6),  # all pictures are equal
        (torch.eye(4).reshape(4, 1, 2, 2) / 3, 6),  # equally far apart
        (torch.rand(2, 1, 2, 2), 1),
        (torch.rand(1, 1, 2, 2), 0),
        (torch.rand(0, 1, 2, 2), 0),
    ],
)
def test_pairs_that_do_not_differ_are_refused(images, found):
    with pytest.raises(SettingError) as caught:
        measure_pairs(Held(a=images), "a")
    assert str(caught.value) == (
        f"hyper.normalised: the {found} distances between pairs of pictures of domain a do not differ, so nothing can be "
        "divided by their standard deviation; nearest: false"
    )


@pytest.mark.parametrize(("images", "found"), [(torch.zeros(3, 1, 2, 2), 3), (torch.rand(1, 1, 2, 2), 1)])
def test_halves_that_do_not_differ_are_refused(images, found):
    with pytest.raises(SettingError) as caught:
        measure_halves(Held(b=images), "b", "width")
    assert str(caught.value) == (
        f"hyper.normalised: the {found} distances between the halves of pictures of domain b do not differ, so nothing can be "
        "divided by their standard deviation; nearest: false"
    )
