import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_shards.augment import Augment
from data_shards.order import Order, random_numbers

GOLDEN_ORDER = [3, 2, 8, 1, 0, 6, 5, 7, 4, 9, 2, 5, 3, 6, 4, 8, 7, 0, 1, 9]
GOLDEN_NUMBERS = "34b7f77f687b1bca"


@given(st.integers(0, 2**40), st.integers(1, 50), st.integers(0, 1000))
def test_every_epoch_shows_every_sample_once(seed: int, size: int, epoch: int) -> None:
    order = Order(seed, "a", size)
    assert sorted(order.index(epoch * size + i) for i in range(size)) == list(range(size))


def test_epochs_sources_and_seeds_differ_and_looking_back_agrees() -> None:
    def epoch(order: Order, number: int) -> list[int]:
        return [order.index(number * 100 + i) for i in range(100)]

    order = Order(0, "a", 100)
    seen = [epoch(order, i) for i in range(6)]
    others = [epoch(Order(1, "a", 100), 0), epoch(Order(0, "b", 100), 0)]
    assert len({tuple(permutation) for permutation in [*seen, *others]}) == 8
    assert [epoch(order, i) for i in reversed(range(6))] == seen[::-1]


def test_the_order_is_the_same_for_ever() -> None:
    """A change of these numbers changes every training: it must be on purpose, and raise the manifest's format."""
    assert [Order(7, "ab", 10).index(i) for i in range(20)] == GOLDEN_ORDER
    drawn = np.concatenate([random_numbers(100, "augment", 1, "a", d, 0) for d in range(10)])
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == GOLDEN_NUMBERS


def test_views_cover_all_corners_and_mirror_half() -> None:
    views = Augment(jitter=1.5).views(8, 4000, 0, "a", 0, 0)
    assert {(view.top, view.left) for view in views} == {(y, x) for y in range(5) for x in range(5)}
    assert 1800 < sum(view.mirror for view in views) < 2200
    assert not any(view.mirror for view in Augment(flip=False).views(8, 100, 0, "a", 0, 0))
    assert {(v.top, v.left) for v in Augment(jitter=1.0).views(8, 100, 0, "a", 0, 0)} == {(0, 0)}


def test_one_place_has_one_view_and_other_places_have_others() -> None:
    augment = Augment(jitter=2.0)
    base = augment.views(64, 16, 0, "a", 0, 0)
    assert augment.views(64, 16, 0, "a", 0, 0) == base
    others = [
        augment.views(64, 16, *place) for place in [(1, "a", 0, 0), (0, "b", 0, 0), (0, "a", 1, 0), (0, "a", 0, 1)]
    ]
    assert all(other != base for other in others)
