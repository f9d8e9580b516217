"""Batches taken in parts: the same samples, the same mean gradient where samples do not meet, and every image that was held."""

from collections import Counter

import numpy as np
import pytest
import torch

from tests.trainers import worlds
from trainers.engine import Engine, Options
from trainers.microbatches import divided, redealt
from trainers.pool import Pool
from trainers.state import load_state, named_state
from trainers.tree import Tree

SHAPE = (1, 2, 2)


def test_the_parts_are_the_batch_and_it_is_read_once():
    asked: Counter[tuple[str, int, int]] = Counter()

    def read(source, draw, replica):
        asked[source, draw, replica] += 1
        return {"a": np.arange(8) + 100 * draw + 1000 * replica, "a.class": np.arange(8)}

    parts = divided(read, 4)
    for replica in (0, 1):
        for draw in (0, 1):
            found = [parts("a", draw, 4 * replica + part) for part in range(4)]
            for name, values in read("a", draw, replica).items():
                assert np.array_equal(np.concatenate([one[name] for one in found]), values)
                assert {len(one[name]) for one in found} == {2}
    assert set(asked.values()) == {2}, "once for the parts, and once by the test"
    assert divided(read, 1) is read


def test_parts_that_take_turns_within_a_step_read_once_too():
    asked: list[tuple[str, int, int]] = []

    def read(source, draw, replica):
        asked.append((source, draw, replica))
        return {"a": np.arange(4)}

    parts = divided(read, 2)
    for part in (0, 1):
        for source, draw in (("a", 0), ("b", 0), ("a", 1)):  # two critics' batches and one more, in one segment
            parts(source, draw, part)
    assert len(asked) == len(set(asked)) == 3


def begun(parts: int, pool: int) -> Engine:
    """A CycleGAN on one replica of four samples, in so many parts."""
    system = worlds.build("cyclegan", pool=pool)
    read = divided(worlds.read(1), parts)
    return Engine(system, read, worlds.SHAPES, Tree(parts), Options(seed=worlds.SEED), torch.device("cpu"))


@pytest.mark.parametrize("parts", [2, 4])
def test_where_samples_do_not_meet_the_step_is_the_same(parts):
    whole, divided_ = begun(1, pool=0), begun(parts, pool=0)
    for of in (whole, divided_):
        of.step()
    assert whole.draws == divided_.draws
    for term, mean in whole.ledger.means().items():
        assert divided_.ledger.means()[term] == pytest.approx(mean, rel=1e-4, abs=1e-6, nan_ok=True), term
    for player, norm in whole.ledger.norms.items():
        assert divided_.ledger.norms[player].item() == pytest.approx(norm.item(), rel=1e-3), player


def pools(replicas: int, capacity: int) -> dict[int, dict[str, Pool]]:
    return {r: {"b": Pool(capacity, SHAPE, torch.device("cpu"))} for r in range(replicas)}


def held(state: dict[str, torch.Tensor], replicas: range) -> list[float]:
    """The images by their one number, in order."""
    return [
        float(image.mean())
        for r in replicas
        for image in state[f"pool.{r}.b.images"][: int(state[f"pool.{r}.b.count"])]
    ]


@pytest.mark.parametrize(("count", "first", "second"), [(6, [0, 2, 4], [1, 3, 5]), (3, [0, 2], [1]), (0, [], [])])
def test_what_a_replica_held_its_parts_hold_together(count, first, second):
    images = torch.arange(6.0)[:, None, None, None].expand(6, *SHAPE)
    one = {"pool.0.b.images": images, "pool.0.b.count": torch.tensor(count), "counter.step": torch.tensor(3)}
    two = redealt(one, 1, 2, pools(2, 3))
    assert (held(two, range(1)), held(two, range(1, 2))) == (first, second)
    assert two["pool.1.b.images"].shape == (3, *SHAPE) and two["counter.step"] == 3
    again = redealt(two, 2, 1, pools(1, 6))
    assert held(again, range(1)) == list(range(count)) and again["pool.0.b.images"].shape == (6, *SHAPE)
    same = redealt(one, 1, 1, pools(1, 6))
    assert held(same, range(1)) == list(range(count))


def test_a_state_of_whole_batches_is_gone_on_from_in_parts():
    whole = begun(1, pool=6)
    for _ in range(3):
        whole.step()
    state = named_state(whole)
    assert state is not None
    parts = begun(2, pool=6)
    load_state(parts, redealt(state, 1, 2, parts.pools))
    assert (parts.t, parts.draws) == (whole.t, whole.draws)
    assert sum(int(of["b"].count) for of in parts.pools.values()) == int(whole.pools[0]["b"].count)
    parts.step()
    parts.settle()
