"""The one order of addition: a fixed binary tree, however many workers share it."""

import gc

import pytest
import torch

from tests.trainers.worlds import engine
from trainers.tree import LocalSum, Tree, is_power_of_two

CPU = torch.device("cpu")


def tree_sum(leaves):
    """The sum in a balanced binary tree, written out."""
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return tree_sum(leaves[:half]) + tree_sum(leaves[half:])


def local_sum(leaves):
    """The same by LocalSum."""
    sums = LocalSum(leaves[0].numel(), CPU)
    for leaf in leaves:
        sums.push(sums.take().copy_(leaf))
    return sums.result().clone()


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_a_local_sum_is_the_binary_tree_to_the_bit(count):
    torch.manual_seed(count)
    leaves = [torch.randn(512) * 10.0 ** torch.randint(-4, 5, (512,)) for _ in range(count)]
    assert torch.equal(local_sum(leaves), tree_sum(leaves))
    if count > 2:
        in_sequence = leaves[0].clone()
        for leaf in leaves[1:]:
            in_sequence += leaf
        assert not torch.equal(in_sequence, tree_sum(leaves)), "the values would not tell the orders apart"


@pytest.mark.parametrize(("replicas", "workers"), [(8, 2), (8, 4), (16, 4), (4, 4)])
def test_workers_hold_subtrees(replicas, workers):
    torch.manual_seed(0)
    leaves = [torch.randn(256) * 10.0 ** torch.randint(-4, 5, (256,)) for _ in range(replicas)]
    hosted = [Tree(replicas, rank, workers).hosted for rank in range(workers)]
    assert [replica for ours in hosted for replica in ours] == list(range(replicas)), "contiguous, each once"
    assert {len(ours) for ours in hosted} == {replicas // workers}
    parts = [local_sum([leaves[replica] for replica in ours]) for ours in hosted]
    assert torch.equal(tree_sum(parts), tree_sum(leaves))


def test_a_local_sum_starts_anew():
    sums = LocalSum(3, CPU)
    for value in (1.0, 10.0):
        for _ in range(4):
            buffer = sums.take()
            sums.push(buffer.fill_(value))
        assert sums.result().tolist() == [4 * value] * 3


def test_steps_leave_no_tensors_behind():
    of = engine("cyclegan", tree=Tree(4))

    def living_after(steps):
        for _ in range(steps):
            of.step()
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    assert living_after(3) == living_after(3)


def test_only_powers_of_two_make_a_tree():
    assert [n for n in range(18) if is_power_of_two(n)] == [1, 2, 4, 8, 16]
    for replicas, workers in ((3, 1), (4, 3), (2, 4)):
        with pytest.raises(AssertionError):
            Tree(replicas, 0, workers)
