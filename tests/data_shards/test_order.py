import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_shards import order as order_module
from data_shards.augment import Augment
from data_shards.order import Order, balanced, random_numbers

GOLDEN_ORDER = "050f7b8322e7db46"  # pragma: allowlist secret
GOLDEN_NUMBERS = "34b7f77f687b1bca"  # pragma: allowlist secret


def drawn(order: Order, draws: int) -> list[int]:
    """All samples of the first draws, lane after lane."""
    return [sample for d in range(draws) for lane in range(order.lanes) for sample in order.samples(d, lane).tolist()]


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=12)  # samples of each shard
lanes = st.sampled_from([1, 2, 4, 8])


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two shards, however few samples they hold: otherwise a test would need thousands."""
    monkeypatch.setattr(order_module, "WINDOW_SAMPLES", 1)


@given(st.integers(0, 2**40), sizes, lanes, st.integers(1, 3), st.sampled_from([1, 4096]))
def test_every_epoch_shows_every_sample_once(seed: int, shards: list[int], lanes: int, share: int, window: int) -> None:
    shard_of = np.repeat(np.arange(len(shards)), shards)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_module, "WINDOW_SAMPLES", window)
        order = Order(seed, "a", shard_of, lanes, share)
        size = len(shard_of)
        shown = drawn(order, -(-3 * size // (lanes * share)))
    for epoch in range(3):
        assert sorted(shown[epoch * size : (epoch + 1) * size]) == list(range(size))


@given(st.integers(0, 99), sizes, lanes, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 7)), max_size=9))
def test_a_draw_is_the_same_whoever_asks_and_when(seed: int, shards: list[int], lanes: int, places: Any) -> None:
    shard_of = np.repeat(np.arange(len(shards)), shards)
    one = Order(seed, "a", shard_of, lanes, 2)
    for draw, lane in places:
        fresh = Order(seed, "a", shard_of, lanes, 2)
        assert one.samples(draw, lane % lanes).tolist() == fresh.samples(draw, lane % lanes).tolist()


def test_epochs_sources_and_seeds_differ() -> None:
    shard_of = np.repeat(np.arange(4), 25)

    def epoch(order: Order, number: int) -> tuple[int, ...]:
        return tuple(drawn(order, 4 * 25)[number * 100 : (number + 1) * 100])

    order = Order(0, "a", shard_of, 4, 1)
    seen = [epoch(order, i) for i in range(4)]
    others = [epoch(Order(1, "a", shard_of, 4, 1), 0), epoch(Order(0, "b", shard_of, 4, 1), 0)]
    assert len({*seen, *others}) == 6


@pytest.mark.usefixtures("small_windows")
def test_a_shard_belongs_to_one_lane_but_for_those_on_a_cut() -> None:
    order = Order(3, "a", np.repeat(np.arange(64), 50), 8, 2)
    users: dict[int, set[int]] = {}
    for draw in range(3200 // 16):
        for lane in range(8):
            for sample in order.samples(draw, lane).tolist():
                users.setdefault(sample // 50, set()).add(lane)
    assert set(users) == set(range(64))
    assert Counter(len(lanes) for lanes in users.values()) == {1: 64}  # 8 shards a lane: no cut is inside a shard
    order = Order(3, "a", np.repeat(np.arange(60), 50), 8, 2)
    by_shard = [{lane for lane in range(8) if shard in lane_shards(order, lane)} for shard in range(60)]
    assert sum(len(lanes) > 1 for lanes in by_shard) <= 7


def lane_shards(order: Order, lane: int) -> set[int]:
    draws = order.size // (order.lanes * order.share)
    return {sample // 50 for draw in range(draws) for sample in order.samples(draw, lane).tolist()}


@pytest.mark.usefixtures("small_windows")
def test_what_is_needed_and_what_comes_next_is_known() -> None:
    shard_of = np.repeat(np.arange(16), 10)
    order = Order(5, "a", shard_of, 2, 2)
    for lane in (0, 1):
        entered: set[int] = set()
        promised = set(range(16))
        for draw in range(90):
            now, ahead = order.shards(draw, lane)
            assert {int(shard_of[sample]) for sample in order.samples(draw, lane)} <= set(now)
            assert len(now) <= 4, "a draw may straddle two windows of two shards"
            assert set(now) - entered <= promised
            entered, promised = set(now), set(ahead)
    for shard in range(16):
        for draw in range(0, 40, 7):
            soonest = order.next_use(shard, draw)
            assert soonest >= draw
            in_use = [d for d in range(draw, 80) if any(shard in order.shards(d, lane)[0] for lane in (0, 1))]
            assert soonest == in_use[0]


def test_a_substitute_is_of_the_same_window_and_never_the_sample_itself() -> None:
    order = Order(0, "a", np.repeat(np.arange(3), 4), 2, 3)
    for draw in range(6):
        for lane in (0, 1):
            for slot, sample in enumerate(order.samples(draw, lane).tolist()):
                first = next(order.substitutes(draw, lane, slot))
                assert first != sample
    alone = Order(0, "a", np.zeros(1, int), 1, 1)
    assert list(alone.substitutes(0, 0, 0)) == [0]


def test_a_shard_that_lanes_share_is_dealt_anew_in_every_epoch() -> None:
    order = Order(0, "a", np.zeros(400, int), 4, 1)
    first = [{int(order.samples(e * 100 + d, 0)[0]) for d in range(100)} for e in range(4)]
    assert len(first[0] & first[1]) < 60
    assert len(set.union(*first)) > 220


def test_balanced_epochs_show_every_class_equally_often_and_every_sample_in_turn() -> None:
    classes = np.array([0] * 90 + [1] * 9 + [2] * 1)
    order = Order(0, "a", np.zeros(100, int), 1, 1, balanced(classes, 0, "a"))
    assert order.size == 3 * 34
    seen: Counter[int] = Counter()
    for epoch in range(9):
        shown = [int(order.samples(epoch * order.size + i, 0)[0]) for i in range(order.size)]
        assert Counter(classes[shown].tolist()) == {0: 34, 1: 34, 2: 34}
        seen.update(shown)
    assert {seen[i] for i in range(90)} <= {3, 4}
    assert {seen[i] for i in range(90, 99)} == {34}
    assert seen[99] == 9 * 34


def test_the_order_is_the_same_for_ever() -> None:
    """A change of these numbers changes every training: it must be on purpose, and told in the change log."""
    order = Order(7, "ab", np.repeat(np.arange(40), 300), 4, 2)
    numbers = np.array(drawn(order, 3000), np.int64)
    assert hashlib.sha256(numbers.tobytes()).hexdigest()[:16] == GOLDEN_ORDER
    random = np.concatenate([random_numbers(100, "augment", 1, "a", d, 0) for d in range(10)])
    assert hashlib.sha256(random.tobytes()).hexdigest()[:16] == GOLDEN_NUMBERS


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
