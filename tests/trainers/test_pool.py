"""The history of generated images: training state, half of what the critic is shown."""

import pytest
import torch

from trainers.pool import Pool

CPU = torch.device("cpu")
CAPACITY = 50


def numbered(first, count=1):
    """Images `[count,1,2,2]` filled with their own number."""
    return torch.arange(first, first + count, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()


def pool(capacity=CAPACITY):
    return Pool(capacity, (1, 2, 2), CPU)


def test_it_fills_then_gives_half_from_its_history():
    torch.manual_seed(0)
    of = pool()
    for number in range(CAPACITY):
        assert torch.equal(of.swap(numbered(number)), numbered(number)), "while it fills, what is made is judged"
    assert of.count == CAPACITY
    old = []
    for number in range(CAPACITY, 2050):
        given = of.swap(numbered(number))
        if given[0, 0, 0, 0] != number:
            old.append(int(given[0, 0, 0, 0]))
            assert (of.images == number).any(), "what is given from the past is replaced by the present"
        else:
            assert not (of.images == number).any()
    assert 0.45 < len(old) / 2000 < 0.55
    assert len(set(old)) == len(old), "an image leaves the pool when it is given"
    assert set(range(CAPACITY)) <= set(old), "no place is left out"


def test_a_batch_is_taken_image_by_image():
    of = pool(3)
    assert torch.equal(of.swap(numbered(1, 2)), numbered(1, 2))
    torch.manual_seed(1)
    given = of.swap(numbered(3, 6))
    assert given.shape == (6, 1, 2, 2)
    everything = [*of.images[:, 0, 0, 0].tolist(), *given[1:, 0, 0, 0].tolist()]
    assert sorted(everything) == [1, 2, 3, 4, 5, 6, 7, 8], "each image is held or was given, none is lost or doubled"


def test_what_it_holds_and_gives_are_copies():
    of = pool(1)
    image = numbered(1).requires_grad_()
    assert not of.swap(image).requires_grad
    with torch.no_grad():
        image.fill_(9)
    assert (of.images == 1).all()
    torch.manual_seed(0)
    given = [of.swap(numbered(number)) for number in range(2, 20)]
    before = [image.clone() for image in given]
    of.images.fill_(-1)
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))


@pytest.mark.parametrize("held", [0, 2])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_never_stored(bad, held):
    torch.manual_seed(0)
    of = pool(2)
    if held:
        of.swap(numbered(1, held))
    for _ in range(20):
        image = numbered(5)
        image[0, 0, 1, 1] = bad
        of.swap(image)
    assert torch.isfinite(of.images).all()
    if held:
        assert of.images[:, 0, 0, 0].tolist() == [1, 2]


def test_capacity_zero_is_off():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    images = numbered(0, 4)
    assert torch.equal(pool(0).swap(images), images)
    assert torch.equal(torch.get_rng_state(), before), "and draws nothing"


def test_its_state_is_the_whole_of_it():
    torch.manual_seed(0)
    of, copy = pool(4), pool(4)
    of.swap(numbered(0, 9))
    copy.load(of.state())
    for first in (20, 40):
        torch.manual_seed(first)
        expected = of.swap(numbered(first, 8))
        torch.manual_seed(first)
        assert torch.equal(copy.swap(numbered(first, 8)), expected)
