"""Task success: a classifier with few real pictures learns from what is beside them, for good or ill."""

import numpy as np
import pytest

from trainers.task_success import Labelled, Schooling, few_of, read_after

SHORT = Schooling(steps=60, batch=16, width=4, lr=5e-3)


def striped(count, seed, swapped=False):
    """Pictures of class 0 with stripes that lie, of class 1 with stripes that stand; `swapped`: the other way round."""
    drawn = np.random.default_rng(seed)
    classes = np.arange(count) % 2
    pixels = drawn.integers(0, 120, (count, 16, 16, 1))
    for picture, which in zip(pixels, classes, strict=True):
        rows = picture if (which == 0) != swapped else picture.transpose(1, 0, 2)
        rows[drawn.integers(2) :: 2] += 120
    return Labelled(pixels.astype(np.uint8), classes.astype(np.int64))


EXAM = striped(200, 99)


def read(*lessons, how=SHORT, seed=0):
    return read_after(lessons, EXAM, 2, how, seed)


def test_good_company_helps_and_bad_company_harms():
    few, more = striped(2, 1), striped(200, 2)
    alone, helped, misled = read(few), read(few, more), read(few, striped(200, 2, swapped=True))
    assert helped > 0.95 > alone
    assert misled < helped - 0.2, "half of a batch contradicts the other half"


def test_it_is_a_function_of_its_seed():
    few = striped(6, 1)
    assert read(few) == read(few)
    assert len({read(few, seed=seed) for seed in range(4)}) > 1


def test_every_batch_holds_as_much_of_each(monkeypatch):
    seen = []

    def watched(pixels, device, layout):
        seen.append((pixels == 255).all((1, 2, 3)).sum() / len(pixels))
        raise StopIteration

    monkeypatch.setattr("trainers.task_success.to_images", watched)
    few, white = striped(2, 1), Labelled(np.full((500, 16, 16, 1), 255, np.uint8), np.zeros(500, np.int64))
    with pytest.raises(StopIteration):
        read(few, white)
    assert seen == [0.5]


@pytest.mark.parametrize("count", [1, 7, 10, 11, 30, 60])
def test_few_are_drawn_evenly_from_the_classes_as_far_as_there_are(count):
    classes = np.array([0] * 40 + [1] * 15 + [2] * 5)
    found = few_of(classes, count, 3)
    assert len(found) == len(set(found.tolist())) == count
    assert found.tolist() == few_of(classes, count, 3).tolist()
    of_each = np.bincount(classes[found], minlength=3)
    full = of_each == np.array([40, 15, 5])
    open_ = of_each[~full]
    assert not len(open_) or open_.max() - open_.min() <= 1
    assert not full.any() or not len(open_) or of_each[full].max() <= open_.max() + 1


def test_seeds_draw_others():
    classes = np.zeros(100, np.int64)
    assert few_of(classes, 10, 0).tolist() != few_of(classes, 10, 1).tolist()
    assert few_of(classes, 500, 0).tolist() == list(range(100)), "all that there are"
